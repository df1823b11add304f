//! What lives, what ends, and what is written down about it.

use std::thread;
use std::time::Duration;

use logout_core::receipt::{Reach, Reason};

use crate::support::*;

#[test]
fn of_concurrent_sign_outs_all_succeed_and_one_is_credited() {
    let cms = Cms::new();
    for round in 1..=20 {
        let alice = cms.login("alice");
        let receipts: Vec<String> = thread::scope(|scope| {
            let calls: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| cms.send(alice.sends(sign_out("sts_signout=true")))))
                .collect();
            let answers = calls.into_iter().map(|call| call.join().unwrap());
            answers
                .map(|answer| {
                    assert_eq!(
                        (answer.status(), header(&answer, "location")),
                        (302, Some("/"))
                    );
                    assert_eq!(headers(&answer, "set-cookie").count(), 3);
                    header(&answer, "logout-receipt").unwrap().to_owned()
                })
                .collect()
        });
        let kept = cms.receipts();
        assert_eq!(kept.len(), round, "one receipt for every round");
        let credited: Vec<_> = kept
            .iter()
            .filter(|receipt| receipts.contains(&receipt.id.to_string()))
            .collect();
        assert!(
            credited.len() == 1 && credited[0].sessions.len() == 2,
            "{credited:?}"
        );
        assert!(!cms.site_lives(&alice.site) && !cms.token_service_lives(&alice.token_service));
    }
}

#[test]
fn a_silent_sign_in_that_races_a_sign_out_of_both_layers_leaves_nothing_alive() {
    let cms = Cms::new();
    for _ in 0..50 {
        let alice = cms.login("alice");
        let fresh = thread::scope(|scope| {
            let sign_in = scope.spawn(|| cms.send(alice.sends(get(SIGN_IN))));
            let signed_out = scope.spawn(|| cms.send(alice.sends(sign_out("sts_signout=true"))));
            assert_eq!(signed_out.join().unwrap().status(), 302);
            cookie_set(&sign_in.join().unwrap(), ".AspNet.Cookies").map(str::to_owned)
        });
        assert!(fresh.is_none_or(|cookie| !cms.site_lives(&cookie)));
        assert!(!cms.site_lives(&alice.site) && !cms.token_service_lives(&alice.token_service));
    }
}

#[test]
fn use_extends_a_session_up_to_its_absolute_end() {
    let cms = Cms::new();
    let alice = cms.login("alice");
    let step = Duration::from_secs(29 * 60);
    for _ in 0..24 {
        cms.clock().advance(step);
        assert!(cms.site_lives(&alice.site));
    }
    // 24 steps are 11 hours and 36 minutes.
    cms.clock().advance(Duration::from_secs(24 * 60 - 1));
    assert!(cms.site_lives(&alice.site));
    cms.clock().advance(Duration::from_secs(1));
    assert!(!cms.site_lives(&alice.site));
    assert!(
        !cms.token_service_lives(&alice.token_service),
        "nobody used the token service"
    );
}

#[test]
fn every_probe_counts_as_use_and_a_sign_out_of_somebody_else_by_a_token_does_not() {
    let cms = Cms::new();
    let nearly = Duration::from_secs(20 * 60);
    for path in [
        "/rest-api/login-status",
        "/api/default/users/current",
        "/sf/system/users/current",
    ] {
        let alice = cms.login("alice");
        cms.clock().advance(nearly);
        assert_eq!(cms.send(alice.sends(get(path))).status(), 200);
        cms.clock().advance(nearly);
        assert!(cms.site_lives(&alice.site), "{path}");
    }
    let (alice, admin) = (cms.login("alice"), cms.token("admin"));
    cms.clock().advance(nearly);
    assert_eq!(
        cms.send(bearer(sign_out("username=bob"), &admin)).status(),
        302
    );
    cms.clock().advance(nearly);
    assert!(!cms.site_lives(&alice.site));
}

#[test]
fn using_the_token_service_extends_its_session_and_not_the_sites() {
    let cms = Cms::new();
    let alice = cms.login("alice");
    for _ in 0..3 {
        cms.clock().advance(Duration::from_secs(20 * 60));
        assert!(cms.token_service_lives(&alice.token_service));
    }
    assert!(!cms.site_lives(&alice.site));
}

#[test]
fn after_an_idle_session_has_ended_signing_out_is_still_a_success_and_writes_nothing() {
    let cms = Cms::new();
    let alice = cms.login("alice");
    cms.clock().advance(Duration::from_secs(30 * 60));
    assert!(!cms.site_lives(&alice.site));
    let response = cms.send(alice.sends(sign_out("")));
    assert_eq!(
        (response.status(), header(&response, "location")),
        (302, Some("/"))
    );
    assert_eq!(headers(&response, "set-cookie").count(), 2);
    assert!(cms.receipts().is_empty());
}

#[test]
fn strangers_write_nothing_and_are_answered_like_everybody() {
    let cms = Cms::new();
    let alice = cms.login("alice");
    for query in [
        "",
        "redirect=false",
        "sts_signout=true",
        "redirect_uri=%20home",
        "provider=Default",
    ] {
        let expected = apart_from_receipt(&cms.send(cms.login("bob").sends(sign_out(query))));
        let known = cms.receipts().len();
        for request in [
            sign_out(query),
            sign_out(query).with_header("cookie", ".AspNet.Cookies=x; idsrv=y"),
            sign_out(query).with_header(
                "cookie",
                format!(
                    ".AspNet.Cookies={}; idsrv={}",
                    alice.token_service, alice.site
                ),
            ),
            bearer(sign_out(query), "x"),
            bearer(sign_out(query), &alice.site),
            sign_out(query).with_header("authorization", format!("Bearer{}", "x".repeat(9_000))),
            sign_out(query).with_header("authorization", "WRAP access_token=\"x\""),
            sign_out(query).with_header("cookie", ".AspNet.Cookies=x; ".repeat(100)),
        ] {
            let response = cms.send(request);
            assert_eq!(apart_from_receipt(&response), expected, "{query}");
            assert!(header(&response, "logout-receipt").is_some());
        }
        assert_eq!(cms.receipts().len(), known, "{query}");
    }
    assert!(cms.site_lives(&alice.site) && cms.token_service_lives(&alice.token_service));
}

#[test]
fn a_receipt_says_what_ended_how_far_and_why() {
    let cms = Cms::new();
    for (query, reach, sessions) in [
        ("", Reach::Session, 1),
        ("sts_signout=true", Reach::SignOn, 2),
        ("username=alice", Reach::Subject, 3),
    ] {
        let (alice, _) = (cms.login("alice"), cms.token("alice"));
        let response = cms.send(alice.sends(sign_out(query)));
        let receipts = cms.receipts();
        let receipt = receipts
            .iter()
            .find(|receipt| {
                Some(receipt.id.to_string().as_str()) == header(&response, "logout-receipt")
            })
            .unwrap();
        assert_eq!(
            (receipt.reason, receipt.reach),
            (Reason::User, reach),
            "{query}"
        );
        assert_eq!(
            receipt
                .sessions
                .iter()
                .filter(|session| &*session.subject.name == "alice")
                .count(),
            receipt.sessions.len()
        );
        assert!(receipt.sessions.len() >= sessions, "{query}: {receipt:?}");
    }
}

#[test]
fn a_credential_is_good_for_its_own_purpose_only() {
    let cms = Cms::new();
    let (alice, token) = (cms.login("alice"), cms.token("alice"));
    assert!(!cms.site_lives(&alice.token_service) && !cms.site_lives(&token));
    assert!(
        !cms.token_lives(&alice.site)
            && !cms.token_lives(&alice.token_service)
            && !cms.token_lives(&cms.anti_forgery())
    );
    assert!(!cms.token_service_lives(&alice.site) && !cms.token_service_lives(&token));
    assert!(
        cms.site_lives(&alice.site)
            && cms.token_lives(&token)
            && cms.token_service_lives(&alice.token_service)
    );
}
