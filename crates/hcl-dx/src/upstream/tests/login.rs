//! Which answers to a login open a session, and what they bring.

use super::*;

#[test]
fn only_the_login_is_relayed() {
    let hub = hub();
    let paths: Vec<&str> = hub
        .relayed_endpoints()
        .iter()
        .map(|endpoint| endpoint.path())
        .collect();
    assert_eq!(paths, [LOGIN]);
    assert!(
        hub.relayed_endpoints()[0]
            .methods()
            .contains(&Method::Options)
    );
}

#[test]
fn a_login_is_learned_with_its_token_and_its_user() {
    let asked = r#"{"username":"typed","password":"p","username":"second"}"#;
    for (what, body, said, expected) in [
        ("whom the answer names", asked, LOGGED_IN, ("", "alice")),
        (
            "a distinguished name",
            asked,
            r#"{"data":{"UId":"uid=Alice,o=Realm"}}"#,
            ("o=realm", "alice"),
        ),
        (
            "whom the request names, first of two",
            asked,
            r#"{"data":{"UId":" "}}"#,
            ("", "typed"),
        ),
        (
            "an answer without user",
            asked,
            r#"{"statusCode":200}"#,
            ("", "typed"),
        ),
        ("an answer that is no object", asked, "", ("", "typed")),
    ] {
        let learned = hub()
            .parse_login(&login(body), &answer(200, &[COOKIE], said), NOW)
            .unwrap_or_else(|| panic!("{what}"));
        assert_eq!(
            learned.subject,
            Subject::new(expected.0, expected.1),
            "{what}"
        );
        assert_eq!(
            revealed(&learned.session.cookies),
            [("LtpaToken2", "T")],
            "{what}"
        );
        assert!(
            learned.expires.is_none() && learned.renews.is_none(),
            "{what}"
        );
    }
    assert_eq!(hub().subject(None, "ALICE"), Subject::new("", "alice"));
    let nobody = |token: &str| {
        let cookie = format!("LtpaToken2={token}");
        hub()
            .parse_login(
                &login(""),
                &answer(200, &[("set-cookie", &cookie)], "{}"),
                NOW,
            )
            .unwrap()
            .subject
    };
    assert_ne!(nobody("a"), nobody("b"));
    assert!(!nobody("a").name.is_empty());
}

#[test]
fn of_several_cookies_the_last_counts_and_its_lifetime_too() {
    let set = [
        (
            "set-cookie",
            "LtpaToken2=\"\"; Path=/; Expires=Thu, 01-Dec-94 16:00:00 GMT",
        ),
        ("set-cookie", "JSESSIONID=0000x:-1; Path=/"),
        ("set-cookie", "LtpaToken=v1; Path=/"),
        ("set-cookie", "LtpaToken2=first; Path=/"),
        ("set-cookie", "ltpatoken2=a+b/c==; Path=/; Max-Age=7200"),
        ("set-cookie", "LtpaToken2=gone; Path=/old; Max-Age=0"),
    ];
    let learned = hub()
        .parse_login(&login("{}"), &answer(200, &set, LOGGED_IN), NOW)
        .unwrap();
    assert_eq!(
        revealed(&learned.session.cookies),
        [("LtpaToken2", "a+b/c=="), ("LtpaToken", "v1")]
    );
    assert_eq!(learned.expires, Some(NOW.plus(Duration::from_secs(7200))));
}

#[test]
fn a_login_that_failed_opens_nothing() {
    let body = r#"{"username":"alice","password":"p"}"#;
    let removed = ("set-cookie", "LtpaToken2=; Path=/; Max-Age=0");
    for (what, given) in [
        ("no cookie", answer(200, &[], LOGGED_IN)),
        ("a removed cookie", answer(200, &[removed], LOGGED_IN)),
        (
            "another cookie",
            answer(200, &[("set-cookie", "LtpaToken=x")], LOGGED_IN),
        ),
        (
            "an error with 200",
            answer(200, &[COOKIE], r#"{"error":{"code":"x"}}"#),
        ),
        ("a refusal", answer(401, &[COOKIE], LOGGED_IN)),
        ("a redirect", answer(302, &[COOKIE], "")),
        ("a failure", answer(500, &[COOKIE], LOGGED_IN)),
    ] {
        assert!(
            hub().parse_login(&login(body), &given, NOW).is_none(),
            "{what}"
        );
    }
    let well = answer(200, &[COOKIE], LOGGED_IN);
    let asked = Request::new(Method::Options, LOGIN).with_endpoint("login", vec![]);
    let elsewhere = Request::new(Method::Post, "/")
        .with_endpoint("validate", vec![])
        .with_body(body);
    assert!(
        hub().parse_login(&asked, &well, NOW).is_none()
            && hub().parse_login(&elsewhere, &well, NOW).is_none()
    );
    assert!(hub().parse_login(&login(body), &well, NOW).is_some());
}
