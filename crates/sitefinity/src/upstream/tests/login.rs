//! Which answers to a login open a session, and what they bring.

use super::*;

#[test]
fn only_logins_and_what_they_need_are_relayed() {
    let hub = hub();
    let takes = |path: &str| {
        hub.relayed_endpoints()
            .iter()
            .any(|endpoint| endpoint.matches(path).is_some())
    };
    for path in [
        "/sitefinity/anticsrf",
        "/Sitefinity/Login-Handler",
        "/Sitefinity/oauth/authorize",
        "/sitefinity/oauth/token",
        "/Sitefinity/Authenticate/OpenID/connect/authorize/",
    ] {
        assert!(takes(path), "{path}");
    }
    for path in [
        "/",
        "/rest-api/login-status",
        "/api/default/users/current",
        "/sf/system/users/current",
        "/Sitefinity/SignOut",
    ] {
        assert!(!takes(path), "{path}");
    }
}

#[test]
fn a_form_login_is_learned_with_its_cookies_and_the_name_in_the_form() {
    let set = [
        ("location", "/home?x=1"),
        ("set-cookie", "idsrv=STS; path=/; HttpOnly"),
        ("set-cookie", ".AspNet.Cookies=old; path=/"),
        (
            "set-cookie",
            ".AspNet.Cookies=\"q+/=\"; path=/; expires=Fri, 01 Jan 2100 00:00:00 GMT",
        ),
        ("set-cookie", "SF-TokenId=ID; path=/"),
        ("set-cookie", "ASP.NET_SessionId=no; path=/"),
    ];
    let request = form(
        "login-form",
        "UserName=+Alice&password=p&membershipprovidername=LDAP",
    );
    let learned = hub()
        .parse_login(&request, &answer(302, &set, ""), NOW)
        .unwrap();
    assert_eq!(learned.subject, Subject::new("ldap", "alice"));
    assert_eq!(
        revealed(&learned.session.cookies),
        [
            ("idsrv", "STS"),
            (".AspNet.Cookies", "\"q+/=\""),
            ("SF-TokenId", "ID")
        ]
    );
    assert_eq!(
        credentials(&learned.session),
        [
            ("site", "\"q+/=\"".to_owned()),
            ("token-service", "STS".to_owned())
        ]
    );
    assert!(learned.expires.is_none() && learned.renews.is_none());
    // The same subject as a sign-out by name means.
    let named = Request::new(Method::Get, "/").with_query("provider=ldap&username=ALICE");
    let dialect = Dialect::new(SitefinityConfig::default(), &platform(true)).unwrap();
    assert_eq!(
        request::read(&named, &dialect).sign_out.target,
        Target::Subject(learned.subject.clone())
    );
    assert_eq!(hub().subject(Some("Ldap"), "aLice"), learned.subject);
}

#[test]
fn a_form_login_that_failed_opens_nothing() {
    let cookie = ("set-cookie", ".AspNet.Cookies=x; path=/");
    let alice = "username=alice&password=p";
    for (what, body, status, headers) in [
        ("no cookie", alice, 302, vec![("location", "/")]),
        (
            "an error, and the cookie of whoever was signed in before is prolonged",
            alice,
            302,
            vec![("location", "/in?LoginError=true#x"), cookie],
        ),
        (
            "a removed cookie",
            alice,
            302,
            vec![(
                "set-cookie",
                ".AspNet.Cookies=; expires=Thu, 01 Jan 1970 00:00:00 GMT",
            )],
        ),
        (
            "only the token service's cookie",
            alice,
            302,
            vec![("set-cookie", "idsrv=x")],
        ),
        (
            "an incomplete spread cookie",
            alice,
            302,
            vec![("set-cookie", ".AspNet.Cookies=chunks:1")],
        ),
        ("a refusal", alice, 403, vec![cookie]),
        ("a failure", alice, 500, vec![cookie]),
        ("nobody's name", "username=+&password=p", 302, vec![cookie]),
    ] {
        assert!(
            hub()
                .parse_login(
                    &form("login-form", body),
                    &answer(status, &headers, ""),
                    NOW
                )
                .is_none(),
            "{what}"
        );
    }
    let anti_forgery = Request::new(Method::Get, "/").with_endpoint("anti-forgery", vec![]);
    assert!(
        hub()
            .parse_login(
                &anti_forgery,
                &answer(200, &[cookie], "{\"Value\":\"x\"}"),
                NOW
            )
            .is_none()
    );
    // Fine with another address that has the word in it.
    let redirect = [("location", "/?next=loginerror%3DTrue"), cookie];
    assert!(
        hub()
            .parse_login(&form("login-form", alice), &answer(302, &redirect, ""), NOW)
            .is_some()
    );
}

#[test]
fn a_grant_is_learned_with_its_lifetime_and_its_user() {
    let password = "grant_type=password&username=Alice&password=p&client_id=c";
    for (body, expires) in [
        (
            r#"{"access_token":"T","token_type":"bearer","expires_in":3600}"#,
            Some(3600),
        ),
        (r#"{"access_token":"T","expires_in":"60"}"#, Some(60)),
        (
            r#"{"access_token":"T","expires_in":99999999999}"#,
            Some(u64::from(u32::MAX)),
        ),
        (r#"{"access_token":"T","expires_in":-1}"#, None),
        (r#"{"access_token":"T"}"#, None),
        (
            r#"{"access_token":"T","expires_in":60,"refresh_token":"R"}"#,
            None,
        ),
    ] {
        let learned = hub()
            .parse_login(&form("token", password), &answer(200, &[], body), NOW)
            .unwrap();
        assert_eq!(learned.subject, Subject::new("default", "alice"), "{body}");
        assert_eq!(
            learned.session.bearer.as_ref().unwrap().reveal(),
            "T",
            "{body}"
        );
        assert_eq!(
            learned.expires,
            expires.map(|seconds| NOW.plus(Duration::from_secs(seconds))),
            "{body}"
        );
        assert!(learned.renews.is_none());
    }
    for (form_body, status, body) in [
        (password, 400, r#"{"error":"invalid_grant"}"#),
        (password, 400, r#"{"access_token":"T"}"#),
        (password, 200, r#"{"error":"invalid_grant"}"#),
        (password, 200, r#"{"access_token":""}"#),
        (password, 200, r#"{"access_token":"T""#),
        (password, 200, "<html>"),
        (
            "grant_type=password&password=p",
            200,
            r#"{"access_token":"T"}"#,
        ),
        (
            "grant_type=client_credentials",
            200,
            r#"{"access_token":"T"}"#,
        ),
        ("grant_type=refresh_token", 200, r#"{"access_token":"T"}"#),
        ("username=alice", 200, r#"{"access_token":"T"}"#),
    ] {
        assert!(
            hub()
                .parse_login(&form("token", form_body), &answer(status, &[], body), NOW)
                .is_none(),
            "{form_body}: {status} {body}"
        );
    }
}

#[test]
fn a_renewal_says_what_the_session_was_known_by() {
    let body = r#"{"access_token":"T2","expires_in":60,"refresh_token":"R2"}"#;
    let learned = hub()
        .parse_login(
            &form("token", "grant_type=refresh_token&refresh_token=R1"),
            &answer(200, &[], body),
            NOW,
        )
        .unwrap();
    let renews = learned.renews.unwrap();
    assert_eq!((renews.purpose, renews.secret.reveal()), ("refresh", "R1"));
    assert_eq!(
        credentials(&learned.session),
        [("access", "T2".to_owned()), ("refresh", "R2".to_owned())]
    );

    let sign_in = Request::new(Method::Get, "/")
        .with_endpoint("token-service", vec![])
        .with_header("cookie", "idsrv=STS; a=b");
    let set = [("location", "/"), ("set-cookie", ".AspNet.Cookies=new")];
    let learned = hub()
        .parse_login(&sign_in, &answer(302, &set, ""), NOW)
        .unwrap();
    let renews = learned.renews.unwrap();
    assert_eq!(
        (renews.purpose, renews.secret.reveal()),
        ("token-service", "STS")
    );
    assert_eq!(
        revealed(&learned.session.cookies),
        [(".AspNet.Cookies", "new"), ("idsrv", "STS")]
    );
    let form_shown = answer(200, &[], "<form>");
    assert!(hub().parse_login(&sign_in, &form_shown, NOW).is_none());
    let nobody = Request::new(Method::Get, "/").with_endpoint("token-service", vec![]);
    assert!(
        hub()
            .parse_login(&nobody, &answer(302, &set, ""), NOW)
            .is_none()
    );
}

#[test]
fn sessions_of_unknown_users_share_no_subject() {
    let code = form("token", "grant_type=authorization_code&code=x");
    let subject = |token: &str| {
        hub()
            .parse_login(
                &code,
                &answer(200, &[], &format!(r#"{{"access_token":"{token}"}}"#)),
                NOW,
            )
            .unwrap()
            .subject
    };
    assert_ne!(subject("a"), subject("b"));
    assert!(!subject("a").name.is_empty());
}
