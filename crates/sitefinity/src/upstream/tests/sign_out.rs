//! What a sign-out presents, and what the answers to it and to the probe mean.

use super::*;
use logout_core::SignOutDialect as _;

#[test]
fn what_is_presented_is_what_the_sign_out_reads() {
    let dialect = Dialect::new(SitefinityConfig::default(), &platform(true)).unwrap();
    for (cookies, bearer, kept, count) in [
        (
            ".AspNet.Cookies=a; other=1; idsrv=b; SF-TokenId=c",
            None,
            3,
            2,
        ),
        (
            ".AspNet.Cookies=a; .AspNet.Cookies=z; .aspnet.cookies=y",
            Some("t"),
            3,
            4,
        ),
        (".AspNet.Cookies=\"a b\"; idsrv=x%20+=/", None, 2, 2),
        (
            ".AspNet.Cookies=chunks:2; .AspNet.CookiesC1=one; .AspNet.CookiesC2=two; idsrvC1=left",
            None,
            4,
            1,
        ),
        (
            ".AspNet.Cookies=chunks:2; .AspNet.CookiesC1=one",
            None,
            2,
            0,
        ),
        ("SF-TokenId=c", None, 1, 0),
        (".AspNet.Cookies=; idsrv=", Some(""), 0, 0),
        ("", Some("t"), 0, 1),
    ] {
        let mut request =
            Request::new(Method::Get, "/Sitefinity/SignOut").with_header("cookie", cookies);
        if let Some(bearer) = bearer {
            request = request.with_header("authorization", format!("Bearer {bearer}"));
        }
        let presented = hub().presented(&request);
        assert_eq!(presented.cookies.len(), kept, "{cookies}");
        let known = credentials(&presented);
        let read = request::read(&request, &dialect);
        assert_eq!(known, looked_up(&read.sign_out.credentials), "{cookies}");
        assert_eq!(known.len(), count, "{cookies}");
    }
}

#[test]
fn two_people_with_spread_cookies_share_no_credential() {
    let known = |one: &str| {
        credentials(&session(
            &[
                (".AspNet.Cookies", "chunks:2"),
                (".AspNet.CookiesC1", one),
                (".AspNet.CookiesC2", "x"),
            ],
            None,
        ))
    };
    assert_eq!(known("a"), [("site", "ax".to_owned())]);
    assert_ne!(known("a"), known("b"));
}

#[test]
fn a_session_is_signed_out_of_both_layers_with_its_own_credentials() {
    let known = session(
        &[
            (".AspNet.Cookies", "a"),
            ("idsrv", "b"),
            ("SF-TokenId", "c"),
        ],
        Some("t"),
    );
    let request = hub().sign_out(&of_alice(known));
    assert_eq!(
        (request.method, request.target.as_str()),
        (
            Method::Get,
            "/Sitefinity/SignOut?sts_signout=true&redirect=false"
        )
    );
    assert_eq!(
        header(&request, "cookie"),
        Some(".AspNet.Cookies=a; idsrv=b; SF-TokenId=c")
    );
    assert_eq!(header(&request, "authorization"), Some("Bearer t"));
    assert!(!hub().signs_out_by_name());
}

#[test]
fn with_an_administrator_a_user_is_signed_out_by_name_without_the_session_s_credentials() {
    let known = || session(&[(".AspNet.Cookies", "stale")], Some("stale"));
    let target = |hub: &SitefinityProvider, realm: &str, name: &str| {
        let to = Addressee {
            delivery: None,
            subject: Some(Subject::new(realm, name)),
            session: known(),
        };
        hub.sign_out(&to).target
    };
    let hub = administered(Some("ADMIN"), None);
    assert!(hub.signs_out_by_name());
    assert_eq!(
        target(&hub, "default", "alice"),
        "/Sitefinity/SignOut?provider=Default&username=alice&redirect=false"
    );
    assert_eq!(
        target(&hub, "", "alice"),
        "/Sitefinity/SignOut?provider=Default&username=alice&redirect=false"
    );
    assert_eq!(
        target(&hub, "ldap", "a&b=c ö"),
        "/Sitefinity/SignOut?provider=ldap&username=a%26b%3Dc+%C3%B6&redirect=false"
    );
    let request = hub.sign_out(&of_alice(known()));
    assert_eq!(
        (
            header(&request, "authorization"),
            header(&request, "cookie")
        ),
        (Some("Bearer ADMIN"), None)
    );

    let by_cookie = administered(None, Some("ADMIN"));
    let request = by_cookie.sign_out(&of_alice(UpstreamSession::default()));
    assert_eq!(
        (
            header(&request, "authorization"),
            header(&request, "cookie")
        ),
        (None, Some(".AspNet.Cookies=ADMIN"))
    );
    assert!(!format!("{by_cookie:?}{request:?}").contains("ADMIN"));
}

#[test]
fn a_session_of_an_unknown_user_is_signed_out_with_its_own_credentials_also_with_an_administrator()
{
    let hub = administered(Some("ADMIN"), None);
    let code = form("token", "grant_type=authorization_code&code=x");
    let learned = hub
        .parse_login(&code, &answer(200, &[], r#"{"access_token":"t"}"#), NOW)
        .unwrap();
    for subject in [None, Some(learned.subject)] {
        let request = hub.sign_out(&Addressee {
            delivery: None,
            subject,
            session: learned.session.clone(),
        });
        assert_eq!(header(&request, "authorization"), Some("Bearer t"));
        assert!(!request.target.contains("username"), "{}", request.target);
    }
}

#[test]
fn a_sign_out_is_confirmed_by_status_and_body() {
    use Confirmation::{NotSignedIn, Refused};

    let confirmed = || Confirmation::Confirmed { redirect: None };
    let html = ("content-type", "text/html");
    for (what, given, expected) in [
        ("empty", answer(200, &[], ""), confirmed()),
        (
            "empty, called a page",
            answer(200, &[html], " \r\n"),
            confirmed(),
        ),
        ("no content", answer(204, &[], ""), confirmed()),
        ("JSON", answer(200, &[], r#"{"value":true}"#), confirmed()),
        (
            "JSON that speaks of an error",
            answer(200, &[], r#"{"Error":{"code":"x"}}"#),
            Refused,
        ),
        ("JSON that says no", answer(200, &[], "false"), Refused),
        ("broken JSON", answer(200, &[], r#"{"value":"#), Refused),
        (
            "a login page",
            answer(200, &[html], "<html><form>"),
            Refused,
        ),
        (
            "a page that nobody calls one",
            answer(200, &[], "<!DOCTYPE html>"),
            Refused,
        ),
        ("other text", answer(200, &[], "starting"), Refused),
        ("accepted only", answer(202, &[], ""), Refused),
        (
            "a redirect to the login",
            answer(302, &[("location", "/Sitefinity/Login")], ""),
            Refused,
        ),
        (
            "a redirect to the root",
            answer(302, &[("location", "/")], ""),
            Refused,
        ),
        (
            "a token that is not accepted",
            answer(
                401,
                &[("www-authenticate", "Bearer error=\"invalid_token\"")],
                "",
            ),
            NotSignedIn,
        ),
        (
            "an expired token",
            answer(401, &[("x-authentication-error", "TokenExpired")], ""),
            NotSignedIn,
        ),
        (
            "somebody in front",
            answer(
                401,
                &[("www-authenticate", "Bearer"), ("www-authenticate", "NTLM")],
                "",
            ),
            Refused,
        ),
        (
            "somebody in front with a realm",
            answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
            Refused,
        ),
        (
            "no right",
            answer(403, &[("x-authentication-error", "NeedAdminRights")], ""),
            Refused,
        ),
        ("not there", answer(404, &[], ""), Refused),
        (
            "too many",
            answer(429, &[("retry-after", "5")], ""),
            Refused,
        ),
        ("failure", answer(500, &[], ""), Refused),
        ("failure in between", answer(502, &[], ""), Refused),
        ("away", answer(503, &[], ""), Refused),
    ] {
        assert_eq!(hub().confirm(&given), expected, "{what}");
        // By name a 401 is about the administrator, and nobody has been signed out.
        let by_name = if expected == NotSignedIn {
            Refused
        } else {
            expected
        };
        assert_eq!(
            administered(Some("ADMIN"), None).confirm(&given),
            by_name,
            "{what}, by name"
        );
    }
}

#[test]
fn the_probe_fits_the_credential() {
    let probe = |session| hub().probe(&of_alice(session));
    let by_token = probe(session(&[(".AspNet.Cookies", "a")], Some("t"))).unwrap();
    assert_eq!(
        (by_token.target.as_str(), header(&by_token, "authorization")),
        ("/api/default/users/current", Some("Bearer t"))
    );
    assert_eq!(header(&by_token, "cookie"), None);
    let by_cookie = probe(session(
        &[
            (".AspNet.Cookies", "a"),
            ("idsrv", "b"),
            ("SF-TokenId", "c"),
        ],
        None,
    ))
    .unwrap();
    assert_eq!(
        (by_cookie.target.as_str(), header(&by_cookie, "cookie")),
        (
            "/rest-api/login-status",
            Some(".AspNet.Cookies=a; SF-TokenId=c")
        )
    );
    for without in [
        session(&[], None),
        session(&[("idsrv", "b"), ("SF-TokenId", "c")], None),
        session(&[(".AspNet.Cookies", "chunks:1")], None),
    ] {
        assert!(probe(without).is_none());
    }
}

#[test]
fn a_probe_s_answer_says_alive_or_dead_or_nothing() {
    for (given, expected) in [
        (
            answer(200, &[], r#"{"IsLoggedIn":true,"Email":"x"}"#),
            Some(true),
        ),
        (answer(200, &[], r#"{"IsLoggedIn":false}"#), Some(false)),
        (
            answer(200, &[], r#"{"value":{"IsAuthenticated":true}}"#),
            Some(true),
        ),
        (
            answer(200, &[], r#"{"value":{"IsAuthenticated":false}}"#),
            Some(false),
        ),
        (answer(200, &[], r#"{"IsLoggedIn":"yes"}"#), None),
        (answer(200, &[], "{}"), None),
        (answer(200, &[], "[]"), None),
        (answer(200, &[], "<html>"), None),
        (answer(200, &[], ""), None),
        (answer(302, &[], ""), None),
        (answer(401, &[], ""), Some(false)),
        (answer(401, &[("www-authenticate", "Negotiate")], ""), None),
        (answer(403, &[], ""), None),
        (answer(404, &[], ""), None),
        (answer(503, &[], r#"{"IsLoggedIn":false}"#), None),
    ] {
        assert_eq!(
            hub().alive(&given),
            expected,
            "{given:?} {}",
            String::from_utf8_lossy(&given.body)
        );
    }
}
