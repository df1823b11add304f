//! Requests that no client sends by accident: each gets an answer in the vendor's words, none ends
//! anything, none is a 5xx.

mod framing;
mod made_up;

use logout_hub::Vendor;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;

use crate::odd::{BODIES, HEADERS, QUERIES, endpoints};
use crate::sample::{VENDORS, sign_out};
use crate::target::{Target, request};

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "hostile::malformed_requests_are_answered_and_end_nothing",
        &[],
        malformed,
    );
    run.on_every_store(
        "hostile::requests_made_up_at_random_are_answered_and_end_nothing_unless_they_say_so",
        &[],
        made_up::made_up,
    );
    run.test(
        "hostile::a_body_that_is_too_large_is_refused_in_the_vendors_words",
        &[],
        framing::too_large,
    );
    run.test(
        "hostile::a_wrong_method_is_refused_and_the_right_ones_are_named",
        &[],
        wrong_method,
    );
    run.on_every_store(
        "hostile::a_body_that_nobody_reads_is_never_taken_for_a_request",
        &[],
        framing::smuggled,
    );
    run.test(
        "hostile::a_request_that_never_ends_is_given_up",
        &[],
        framing::too_slow,
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
        framing::assert_framing_is_safe(&hub, vendor, method, target);
    }
    hub.assert_sound();
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
