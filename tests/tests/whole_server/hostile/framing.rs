//! Requests whose bodies are not where, or not as large, as they say, or never end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use logout_hub::Vendor;
use logout_tests::http::Answer;
use logout_tests::stores::StoreKind;

use crate::odd::endpoints;
use crate::sample::{Sample, VENDORS, sign_out};
use crate::target::{PATIENCE, Target, ended, request, shown};

/// What is read of a body.
const LARGEST_BODY: usize = 16 * 1024;

/// Requests whose end is not where they say, and lines that are no HTTP.
pub(super) fn assert_framing_is_safe(hub: &Target, vendor: Vendor, method: &str, target: &str) {
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

pub(super) fn too_large() {
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

/// A sign-out in the body of another request, over a connection that stays open: whoever answers
/// early must not go on with what was not read.
pub(super) fn smuggled(store: StoreKind) {
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
pub(super) fn too_slow() {
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
