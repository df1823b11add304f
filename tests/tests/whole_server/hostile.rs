//! Requests that no client sends by accident: each gets an answer in the vendor's words, none ends
//! anything, none is a 5xx.
//!
//! One file, because each rule is a few lines over the same server; what is odd about requests
//! stands in `odd`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use logout_hub::Vendor;
use logout_tests::http::Answer;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::odd::{BODIES, HEADERS, QUERIES, endpoints};
use crate::sample::{CLIENT, Sample, VENDORS, sign_out};
use crate::target::{PATIENCE, Target, ended, request, shown};

/// What is read of a body.
const LARGEST_BODY: usize = 16 * 1024;
/// How many requests are made up.
const MADE_UP: u32 = 600;

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "hostile::malformed_requests_are_answered_and_end_nothing",
        &[],
        malformed,
    );
    run.on_every_store(
        "hostile::requests_made_up_at_random_are_answered_and_end_nothing_unless_they_say_so",
        &[],
        made_up,
    );
    run.test(
        "hostile::a_body_that_is_too_large_is_refused_in_the_vendors_words",
        &[],
        too_large,
    );
    run.test(
        "hostile::a_wrong_method_is_refused_and_the_right_ones_are_named",
        &[],
        wrong_method,
    );
    run.on_every_store(
        "hostile::a_body_that_nobody_reads_is_never_taken_for_a_request",
        &[],
        smuggled,
    );
    run.test(
        "hostile::a_request_that_never_ends_is_given_up",
        &[],
        too_slow,
    );
}

fn malformed(store: StoreKind) {
    let hub = Target::start(store, 1_200);
    for vendor in VENDORS {
        let (method, own) = sign_out(vendor);
        let target = own.split('?').next().unwrap();
        for (_, endpoint, _) in endpoints(vendor)
            .iter()
            .filter(|(method, ..)| *method == "GET")
        {
            for query in QUERIES {
                let answer = hub.assert_withstands(vendor, |own| {
                    request(
                        "GET",
                        format!("{endpoint}?{query}").as_bytes(),
                        own.as_bytes(),
                        b"",
                    )
                });
                assert!(answer.is_some(), "no answer to {endpoint}?{query}");
            }
        }
        for query in QUERIES {
            hub.assert_withstands(vendor, |own| {
                request(
                    method,
                    format!("{target}?{query}").as_bytes(),
                    own.as_bytes(),
                    b"",
                )
            });
        }
        for (_, endpoint, media_type) in endpoints(vendor)
            .iter()
            .filter(|(method, ..)| *method == "POST")
        {
            for body in BODIES {
                let answer = hub.assert_withstands(vendor, |own| {
                    request(
                        "POST",
                        endpoint.as_bytes(),
                        format!("{own}Content-Type: {media_type}\r\n").as_bytes(),
                        body,
                    )
                });
                assert!(answer.is_some(), "no answer to {endpoint} with {body:?}");
            }
        }
        for header in HEADERS {
            // The good credential comes first: of two `Authorization` headers that one counts.
            for (method, target, _) in [(method, target, ""), endpoints(vendor)[0]] {
                let headers = |own: &str| [own.as_bytes(), header].concat();
                hub.assert_withstands(vendor, |own| {
                    request(method, target.as_bytes(), &headers(own), b"")
                });
            }
        }
        // Headers that are many, or long.
        for headers in [
            "X-A: b\r\n".repeat(90),
            format!("X-A: {}\r\n", "b".repeat(60_000)),
            format!("Cookie: {}\r\n", "a=b; ".repeat(5_000)),
        ] {
            hub.assert_withstands(vendor, |own| {
                request(
                    method,
                    target.as_bytes(),
                    format!("{own}{headers}").as_bytes(),
                    b"",
                )
            });
        }
        // More than any server reads.
        for headers in [
            "X-A: b\r\n".repeat(3_000),
            format!("X-A: {}\r\n", "b".repeat(400_000)),
        ] {
            let sample = hub.session(vendor);
            hub.send(&request(method, target.as_bytes(), headers.as_bytes(), b""));
            assert!(sample.is_alive(hub.address()));
            hub.give_back(sample);
        }
        // Paths that are almost its own.
        for path in [
            format!("/{target}"),
            format!("{target}//"),
            format!("{target}/."),
            format!("{target}/.."),
            format!("{target}%00"),
            format!("{target}%2f"),
            format!("{target}%ff"),
            format!("/x/..{target}"),
            format!("/%2e%2e{target}"),
            target.replace('/', "%2f"),
            target.replace('/', "\\"),
            format!("http://hub{target}"),
            format!("{target}#x"),
            "*".to_owned(),
            "".to_owned(),
            "hub:80".to_owned(),
        ] {
            hub.assert_withstands(vendor, |own| {
                request(method, path.as_bytes(), own.as_bytes(), b"")
            });
        }
        assert_framing_is_safe(&hub, vendor, method, target);
    }
    hub.assert_sound();
}

/// Requests whose end is not where they say, and lines that are no HTTP.
fn assert_framing_is_safe(hub: &Target, vendor: Vendor, method: &str, target: &str) {
    let head = |own: &str, rest: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: hub\r\n{own}{rest}").into_bytes()
    };
    for rest in [
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 99999999999999999999\r\n\r\n",
        "Content-Length: 0x4\r\n\r\nabcd",
        "Content-Length: 100\r\nContent-Type: application/json\r\n\r\n{",
        "X: a\r\n b\r\n\r\n",
        "X : a\r\n\r\n",
        ": a\r\n\r\n",
        "no header\r\n\r\n",
        "X: \0\r\n\r\n",
        "Host: other\r\n\r\n",
        "Expect: nonsense\r\nContent-Length: 0\r\n\r\n",
    ] {
        hub.assert_withstands(vendor, |own| head(own, rest));
    }
    for bytes in [
        b"".as_slice(),
        b"\r\n\r\n",
        b"\0\0\0\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n",
    ] {
        if let Some(answer) = hub.send(bytes) {
            assert!(answer.status < 500, "{bytes:?}: {}", answer.status);
        }
    }
    // A whole body in chunks is as good as one in one piece.
    let sample = hub.session(vendor);
    let (name, value) = sample.header();
    let chunks = if method == "POST" {
        "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nTrailer: x\r\n\r\n"
    } else {
        "\r\n"
    };
    let own = format!("{name}: {value}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    let answer = hub.send(&head(&own, chunks)).expect("an answer");
    assert!(
        ended(&answer),
        "{vendor}: {} {}",
        answer.status,
        answer.text()
    );
    assert!(!sample.is_alive(hub.address()));
}

fn made_up(store: StoreKind) {
    let hub = Target::start(store, 4 * MADE_UP as usize);
    let word = prop_oneof![
        Just("clientId".to_owned()),
        Just("redirect_uri".to_owned()),
        Just("postLogoutRedirectUri".to_owned()),
        Just("logoutSuccessUrl".to_owned()),
        Just("username".to_owned()),
        Just("provider".to_owned()),
        Just("redirect".to_owned()),
        Just("sts_signout".to_owned()),
        Just("ticket".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("/home".to_owned()),
        Just(CLIENT.to_owned()),
        "[ -~]{0,12}",
        "\\PC{0,6}",
    ];
    let encoded = |bytes: Vec<u8>, wildly: bool| {
        bytes
            .into_iter()
            .fold(String::new(), |text, byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' if !wildly => {
                    text + &char::from(byte).to_string()
                }
                _ => text + &format!("%{byte:02x}"),
            })
    };
    let value = prop_oneof![
        word.clone().prop_map(String::into_bytes),
        vec(any::<u8>(), 0..8)
    ];
    let pair = (word, value, any::<bool>()).prop_map(move |(name, value, wildly)| {
        format!(
            "{}={}",
            encoded(name.into_bytes(), wildly),
            encoded(value, wildly)
        )
    });
    let query = vec(pair, 0..5).prop_map(|pairs| pairs.join("&"));
    let body = prop_oneof![
        vec(any::<u8>(), 0..200),
        query.clone().prop_map(String::into_bytes),
        ("[a-zA-Z]{1,12}", "\\PC{0,12}")
            .prop_map(|(name, value)| serde_json::json!({ name: value }).to_string().into_bytes()),
    ];
    // No control characters: with a line break in it, a header is two.
    let header = (
        "[A-Za-z-]{1,16}",
        vec(prop_oneof![0x20u8..0x7f, 0x80u8..=0xff], 0..40),
    );
    let strategy = (
        0..VENDORS.len(),
        any::<proptest::sample::Index>(),
        query,
        vec(header, 0..4),
        body,
        any::<bool>(),
    );
    let mut runner = TestRunner::new(Config {
        cases: MADE_UP,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(
        &strategy,
        |(vendor, endpoint, query, headers, body, typed)| {
            let vendor = VENDORS[vendor];
            let (method, target, media_type) = endpoint.get(endpoints(vendor));
            let mut lines = Vec::new();
            for (name, value) in headers {
                let framing = [
                    "content-length",
                    "transfer-encoding",
                    "connection",
                    "upgrade",
                    "host",
                    "expect",
                ];
                if !framing.contains(&name.to_ascii_lowercase().as_str()) {
                    lines.extend_from_slice(
                        &[name.as_bytes(), b": ", value.as_slice(), b"\r\n"].concat(),
                    );
                }
            }
            if typed && !media_type.is_empty() {
                lines.extend_from_slice(format!("Content-Type: {media_type}\r\n").as_bytes());
            }
            let body = if *method == "POST" { body } else { Vec::new() };
            let answer = hub.assert_withstands(vendor, |own| {
                let target = format!("{target}?{query}");
                request(
                    method,
                    target.as_bytes(),
                    &[lines.as_slice(), own.as_bytes()].concat(),
                    &body,
                )
            });
            prop_assert!(answer.is_some(), "no answer");
            Ok(())
        },
    );
    outcome.unwrap_or_else(|fault| panic!("{fault}"));
    hub.assert_sound();
}

fn too_large() {
    let hub = Target::start(StoreKind::Disk, 40);
    for vendor in VENDORS {
        let mut targets: Vec<(&str, &str)> = Vec::new();
        for (method, target, media_type) in endpoints(vendor) {
            if *method == "POST" && !targets.iter().any(|(known, _)| known == target) {
                targets.push((target, media_type));
            }
        }
        for (target, media_type) in targets {
            let own = |own: &str| format!("{own}Content-Type: {media_type}\r\n").into_bytes();
            let whole = |size: usize| {
                hub.assert_withstands(vendor, |line| {
                    request("POST", target.as_bytes(), &own(line), &vec![b'x'; size])
                })
            };
            let answer = whole(LARGEST_BODY + 1).expect("an answer");
            assert_too_large(vendor, target, &answer);
            let chunked = hub.assert_withstands(vendor, |line| {
                let head = format!("POST {target} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n");
                let chunk = [format!("{:x}\r\n", 4096).into_bytes(), vec![b'x'; 4096], b"\r\n".to_vec()].concat();
                [head.into_bytes(), own(line), b"\r\n".to_vec(), chunk.repeat(5), b"0\r\n\r\n".to_vec()].concat()
            });
            assert_too_large(vendor, target, &chunked.expect("an answer"));
            let answer = whole(LARGEST_BODY).expect("an answer");
            assert_ne!(
                answer.status, 413,
                "{target} refuses what is just small enough"
            );
        }
        let (_, target) = sign_out(vendor);
        // Much too large: the connection may break before the answer is read, but nothing else
        // does.
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: hub\r\nContent-Length: 10000000\r\n\r\n");
        if let Some(answer) = hub.send(&[head.into_bytes(), vec![b'x'; 10_000_000]].concat()) {
            assert_too_large(vendor, target, &answer);
        }
    }
    hub.assert_sound();
}

fn assert_too_large(vendor: Vendor, target: &str, answer: &Answer) {
    let shown = format!("{target}: {} {}", answer.status, answer.text());
    assert!(
        answer.header("set-cookie").is_none() && answer.header("logout-receipt").is_none(),
        "{shown}"
    );
    match vendor {
        Vendor::Assets if target.starts_with("/services/") => {
            assert_eq!(
                (answer.status, &answer.json()["errorcode"]),
                (200, &serde_json::json!(413)),
                "{shown}"
            );
        }
        Vendor::HclDx => {
            assert_eq!(
                (answer.status, &answer.json()["error"]["code"]),
                (413, &serde_json::json!("PayloadTooLarge")),
                "{shown}"
            )
        }
        Vendor::Wix => assert!(
            answer.status == 413 && answer.json()["details"].is_object(),
            "{shown}"
        ),
        Vendor::Assets | Vendor::Sitefinity => {
            let kind = answer.header("content-type").unwrap_or_default();
            assert!(
                answer.status == 413 && kind.starts_with("text/plain"),
                "{shown}"
            );
        }
    }
}

fn wrong_method() {
    let hub = Target::start(StoreKind::Disk, 16);
    for vendor in VENDORS {
        let mut targets: Vec<&str> = endpoints(vendor)
            .iter()
            .map(|(_, target, _)| *target)
            .collect();
        targets.dedup();
        for target in targets {
            // HCL DX documents answers to OPTIONS, and a probe by HEAD is one by GET without its
            // body.
            for method in ["PUT", "DELETE", "PATCH", "TRACE", "BREW", "get", "PROPFIND"] {
                let answer = hub
                    .assert_withstands(vendor, |own| {
                        request(method, target.as_bytes(), own.as_bytes(), b"")
                    })
                    .unwrap_or_else(|| panic!("no answer to {method} {target}"));
                let is_service = vendor == Vendor::Assets && target.starts_with("/services/");
                let status = if is_service {
                    answer.json()["errorcode"].as_u64()
                } else {
                    Some(answer.status.into())
                };
                assert_eq!(
                    status,
                    Some(405),
                    "{method} {target}: {} {}",
                    answer.status,
                    answer.text()
                );
                let allowed: Vec<&str> =
                    answer.header("allow").expect("Allow").split(", ").collect();
                let known = endpoints(vendor)
                    .iter()
                    .filter(|(_, known, _)| *known == target);
                for (method, ..) in known {
                    assert!(allowed.contains(method), "{method} {target}: {allowed:?}");
                }
                assert!(!allowed.contains(&method) && answer.header("logout-receipt").is_none());
            }
        }
    }
    hub.assert_sound();
}

/// A sign-out in the body of another request, over a connection that stays open: whoever answers
/// early must not go on with what was not read.
fn smuggled(store: StoreKind) {
    let hub = Target::start(store, 80);
    for vendor in VENDORS {
        let (_, target) = sign_out(vendor);
        for method in ["DELETE", "GET", "POST"] {
            for path in [target, "/nowhere"] {
                for padding in [0, LARGEST_BODY + 1] {
                    let sample = hub.session(vendor);
                    let body = [vec![b'\n'; padding], sample.sign_out_bytes()].concat();
                    let length = body.len();
                    let mut chunks = vec![
                        format!("Content-Length: {length}\r\n\r\n").into_bytes(),
                        body.clone(),
                    ];
                    if padding == 0 {
                        // Once more in chunks, the sign-out in the first of them.
                        let head = format!(
                            "{method} {path} HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n"
                        );
                        hub.send(&[head.into_bytes(), body, b"\r\n0\r\n\r\n".to_vec()].concat());
                    }
                    chunks.insert(
                        0,
                        format!("{method} {path} HTTP/1.1\r\nHost: hub\r\n").into_bytes(),
                    );
                    hub.send(&chunks.concat());
                    assert!(
                        sample.is_alive(hub.address()),
                        "the body of {method} {path} after {padding} bytes was carried out"
                    );
                    hub.give_back(sample);
                }
            }
        }
    }
    hub.assert_sound();
}

/// All at once, because each takes as long as the server waits.
fn too_slow() {
    let hub = Target::start(StoreKind::Disk, 16);
    let begun = Instant::now();
    let waiting: Vec<(Vendor, Sample, TcpStream)> = VENDORS
        .iter()
        .map(|vendor| {
            let sample = hub.session(*vendor);
            let ((_, target), (name, value)) = (sign_out(*vendor), sample.header());
            let mut stream = TcpStream::connect(hub.address()).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let head =
                format!("POST {target} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: 10\r\n{name}: {value}\r\n\r\n{{");
            stream.write_all(head.as_bytes()).unwrap();
            (*vendor, sample, stream)
        })
        .collect();
    let mut half_a_head = TcpStream::connect(hub.address()).unwrap();
    half_a_head.set_read_timeout(Some(PATIENCE)).unwrap();
    half_a_head
        .write_all(b"GET /Sitefinity/SignOut HTTP/1.1\r\nHost: hub\r\nX: ")
        .unwrap();
    for (vendor, sample, mut stream) in waiting {
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        let answer = Answer::parse(&received).unwrap();
        let shown = format!("{vendor}: {} {}", answer.status, answer.text());
        match vendor {
            Vendor::Assets => assert_eq!(answer.json()["errorcode"], 408, "{shown}"),
            Vendor::HclDx => {
                assert_eq!(
                    (answer.status, &answer.json()["error"]["code"]),
                    (408, &serde_json::json!("RequestTimeout")),
                    "{shown}"
                )
            }
            Vendor::Sitefinity => assert_eq!(answer.status, 408, "{shown}"),
            Vendor::Wix => assert!(
                answer.status == 408 && answer.json()["details"].is_object(),
                "{shown}"
            ),
        }
        assert!(
            answer.header("logout-receipt").is_none() && sample.is_alive(hub.address()),
            "{shown}"
        );
    }
    let mut received = Vec::new();
    let _ = half_a_head.read_to_end(&mut received);
    assert!(
        received.is_empty() || Answer::parse(&received).is_ok_and(|answer| answer.status == 408),
        "{}",
        shown(&received)
    );
    println!("slow requests were given up after {:?}", begun.elapsed());
    hub.assert_sound();
}
