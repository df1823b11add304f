//! Signing out somebody by name.

use logout_core::Request;
use logout_core::receipt::{Reach, Reason};

use crate::support::*;

#[test]
fn an_administrator_ends_every_session_of_a_user_and_keeps_his_own() {
    let cms = Cms::new();
    let (admin, alice) = (cms.login("admin"), cms.login("alice"));
    let browsers = [cms.login("bob"), cms.login("bob"), cms.login("bob")];
    let tokens = [cms.token("bob"), cms.token("bob")];
    let response = cms.send(admin.sends(sign_out("provider=Default&username=bob")));
    assert_eq!(
        (
            response.status(),
            header(&response, "location"),
            header(&response, "set-cookie")
        ),
        (302, Some("/"), None)
    );
    for Browser {
        site,
        token_service,
    } in &browsers
    {
        assert!(!cms.site_lives(site) && !cms.token_service_lives(token_service));
    }
    assert!(tokens.iter().all(|token| !cms.token_lives(token)));
    assert!(cms.site_lives(&admin.site) && cms.token_service_lives(&admin.token_service));
    assert!(cms.site_lives(&alice.site) && cms.token_service_lives(&alice.token_service));
    let [receipt] = &cms.receipts()[..] else {
        panic!("one receipt")
    };
    assert_eq!(
        (receipt.reason, receipt.reach, receipt.sessions.len()),
        (Reason::Administrator, Reach::Subject, 8)
    );
    assert!(
        receipt
            .sessions
            .iter()
            .all(|session| &*session.subject.name == "bob")
    );
}

/// Names that somebody has, and names that nobody has.
const NAMES: &[&str] = &[
    "provider=Default&username=bob",
    "provider=Default&username=admin",
    "provider=Default&username=MyUserName",
    "provider=Nowhere&username=bob",
    "provider=LDAP&username=bob",
    "username=bob",
    "username=%00",
    "username=%FF%FE",
    "username=%C3%B6",
];

/// The answers to all [`NAMES`], asked by `caller`, are one and the same.
fn one_answer(cms: &Cms, caller: impl Fn(Request<'static>) -> Request<'static>) -> u16 {
    let answers: Vec<_> = NAMES
        .iter()
        .map(|query| apart_from_receipt(&cms.send(caller(sign_out(query)))))
        .collect();
    for (query, answer) in NAMES.iter().zip(&answers) {
        assert_eq!(answer, &answers[0], "{query}");
    }
    answers[0].0
}

#[test]
fn without_administrator_rights_the_answer_does_not_tell_who_exists_and_nothing_ends() {
    let cms = Cms::new();
    let (alice, token, bob, admin) = (
        cms.login("alice"),
        cms.token("alice"),
        cms.login("bob"),
        cms.login("admin"),
    );
    assert_eq!(one_answer(&cms, |request| alice.sends(request)), 403);
    assert_eq!(one_answer(&cms, |request| bearer(request, &token)), 403);
    assert_eq!(one_answer(&cms, |request| request), 401);
    assert_eq!(one_answer(&cms, |request| bearer(request, "x")), 401);
    for browser in [&alice, &bob, &admin] {
        assert!(cms.site_lives(&browser.site) && cms.token_service_lives(&browser.token_service));
    }
    assert!(cms.token_lives(&token) && cms.receipts().is_empty());
}

#[test]
fn an_administrator_gets_one_answer_whether_anybody_was_signed_out_or_not() {
    let cms = Cms::new();
    let (admin, _bob) = (cms.login("admin"), cms.login("bob"));
    let known =
        apart_from_receipt(&cms.send(admin.sends(sign_out("username=bob&redirect_uri=%20users"))));
    for query in [
        "username=bob",
        "username=MyUserName",
        "provider=Nowhere&username=x",
        "username=alice",
    ] {
        let answer = cms.send(admin.sends(sign_out(&format!("{query}&redirect_uri=%20users"))));
        assert_eq!(apart_from_receipt(&answer), known, "{query}");
        assert!(header(&answer, "logout-receipt").is_some());
    }
    assert_eq!(cms.receipts().len(), 1);
}

#[test]
fn only_the_user_of_the_named_provider_goes() {
    for (query, directory_ends) in [
        ("provider=LDAP&username=alice", true),
        ("PROVIDER=ldap&USERNAME=Alice", true),
        ("provider=Default&username=alice", false),
        ("provider=&username=alice", false),
        ("username=alice", false),
    ] {
        let cms = Cms::new();
        let (own, directory, admin) = (
            cms.login("alice"),
            cms.login("LDAP/alice"),
            cms.login("admin"),
        );
        assert_eq!(cms.send(admin.sends(sign_out(query))).status(), 302);
        assert_eq!(cms.site_lives(&directory.site), !directory_ends, "{query}");
        assert_eq!(
            cms.token_service_lives(&directory.token_service),
            !directory_ends,
            "{query}"
        );
        assert_eq!(cms.site_lives(&own.site), directory_ends, "{query}");
        assert_eq!(
            cms.token_service_lives(&own.token_service),
            directory_ends,
            "{query}"
        );
    }
}

#[test]
fn the_alice_of_one_provider_has_no_right_over_the_other() {
    let cms = Cms::new();
    let (own, directory) = (cms.login("alice"), cms.login("LDAP/alice"));
    assert_eq!(
        cms.send(directory.sends(sign_out("username=alice")))
            .status(),
        403
    );
    assert_eq!(
        cms.send(own.sends(sign_out("provider=LDAP&username=alice")))
            .status(),
        403
    );
    assert!(cms.site_lives(&own.site) && cms.site_lives(&directory.site));
}

#[test]
fn who_names_himself_is_signed_out_everywhere_by_any_of_his_credentials() {
    for by_token in [false, true] {
        let cms = Cms::new();
        let (one, other, token, bob) = (
            cms.login("alice"),
            cms.login("alice"),
            cms.token("alice"),
            cms.login("bob"),
        );
        let request = sign_out("provider=default&username=ALICE");
        let response = cms.send(if by_token {
            bearer(request, &token)
        } else {
            one.sends(request)
        });
        assert_eq!(
            (response.status(), headers(&response, "set-cookie").count()),
            (302, 3)
        );
        assert!(
            !cms.site_lives(&one.site) && !cms.site_lives(&other.site) && !cms.token_lives(&token)
        );
        assert!(
            !cms.token_service_lives(&one.token_service)
                && !cms.token_service_lives(&other.token_service)
        );
        assert!(cms.site_lives(&bob.site));
    }
}

#[test]
fn an_administrator_who_signed_out_has_no_right_left() {
    let cms = Cms::new();
    let (admin, token, bob) = (cms.login("admin"), cms.token("admin"), cms.login("bob"));
    assert_eq!(
        cms.send(bearer(admin.sends(sign_out("sts_signout=true")), &token))
            .status(),
        302
    );
    assert_eq!(
        cms.send(admin.sends(sign_out("username=bob"))).status(),
        401
    );
    assert_eq!(
        cms.send(bearer(sign_out("username=bob"), &token)).status(),
        401
    );
    assert!(cms.site_lives(&bob.site));
}

#[test]
fn an_administrators_right_counts_beside_another_credential_whose_session_stays() {
    let cms = Cms::new();
    let (alice, admin, bob) = (cms.login("alice"), cms.token("admin"), cms.login("bob"));
    let response = cms.send(bearer(alice.sends(sign_out("username=bob")), &admin));
    assert_eq!(
        (response.status(), header(&response, "set-cookie")),
        (302, None)
    );
    assert!(!cms.site_lives(&bob.site) && cms.site_lives(&alice.site) && cms.token_lives(&admin));
}
