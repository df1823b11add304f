//! What a sign-out presents, and what the answers to it and to the probe mean.

use logout_suite::testing::RememberedTokens;
use logout_suite::testing::product::{looked_up, registered};

use super::*;
use crate::request::read;

const JSON: &str = "application/json;charset=utf-8";

#[test]
fn what_is_presented_is_looked_up_by_the_same_digests_at_a_sign_out() {
    for (profile, path, headers) in [
        (
            Profile::Assets6,
            "/services/logout",
            vec![(
                "cookie",
                "authToken=a; x=y; authToken=b; authToken=a; authToken=",
            )],
        ),
        (
            Profile::Assets6,
            "/services/logout",
            vec![
                ("cookie", "authToken=a"),
                ("authorization", "Bearer b"),
                ("x-csrf-token", "c"),
            ],
        ),
        (
            Profile::Elvis6,
            "/logout",
            vec![("cookie", "authToken=a"), ("authorization", "Bearera")],
        ),
        (
            Profile::Elvis5,
            "/services/logout;jsessionid=p",
            vec![
                ("cookie", "JSESSIONID=a; authToken=b"),
                ("authorization", "Bearer c"),
            ],
        ),
        (
            Profile::Elvis4,
            "/logout;jsessionid=a",
            vec![("cookie", "JSESSIONID=a")],
        ),
        (Profile::Assets6, "/services/logout", vec![]),
    ] {
        let dialect = Dialect::new(config(profile, false), &platform(true)).unwrap();
        let request = headers.iter().fold(
            Request::new(Method::Post, path),
            |request, (name, value)| request.with_header(*name, *value),
        );
        let read = read(&request, &dialect, &RememberedTokens::default(), NOW);
        let session = presented(&request, &dialect);
        let known = registered(&provider(profile).credentials(&session));
        assert_eq!(
            looked_up(&read.credentials),
            known,
            "{profile:?} {path} {headers:?}"
        );
        assert_eq!(
            session.is_empty(),
            known.is_empty(),
            "{profile:?} {path} {headers:?}"
        );
        let back = UpstreamSession::from_bytes(&session.to_bytes());
        assert_eq!(told(&back), told(&session));
    }
}

#[test]
fn only_the_boolean_true_confirms_and_only_error_401_says_that_nobody_is_signed_in() {
    use Confirmation::{NotSignedIn, Refused};

    let confirmed = Confirmation::Confirmed { redirect: None };
    let not_signed_in = r#"{"errorcode":401,"errorname":"AuthenticationCredentialsNotFoundException","message":"Not logged in"}"#;
    for (status, body, meaning) in [
        (200, r#"{"logoutSuccess":true}"#, confirmed.clone()),
        (200, r#" {"logoutSuccess":true,"more":1} "#, confirmed),
        (200, not_signed_in, NotSignedIn),
        (401, not_signed_in, NotSignedIn),
        (200, r#"{"logoutSuccess":false}"#, Refused),
        (200, r#"{"logoutSuccess":"true"}"#, Refused),
        (200, r#"{"logoutSuccess":1}"#, Refused),
        (200, r#"{"logoutSuccess":true,"errorcode":500}"#, Refused),
        (200, r#"{"errorcode":403,"message":"csrf"}"#, Refused),
        (403, r#"{"errorcode":403,"message":"csrf"}"#, Refused),
        (200, r#"{"errorcode":"401"}"#, Refused),
        (200, r#"{"errorcode":500}"#, Refused),
        (200, "{}", Refused),
        (200, "", Refused),
        (200, "null", Refused),
        (200, r#"[{"logoutSuccess":true}]"#, Refused),
        (200, r#"{"logoutSuccess":true"#, Refused),
        (200, "<html><form>Log in</form></html>", Refused),
        (401, "<html>proxy</html>", Refused),
        (401, "", Refused),
        (302, "", Refused),
        (302, r#"{"logoutSuccess":true}"#, Refused),
        (404, "", Refused),
        (429, not_signed_in, Refused),
        (500, r#"{"logoutSuccess":true}"#, Refused),
        (502, not_signed_in, Refused),
        (503, r#"{"errorcode":503}"#, Refused),
    ] {
        assert_eq!(
            provider(Profile::Assets6).confirm(&answer(status, &[("content-type", JSON)], body)),
            meaning,
            "{status} {body}"
        );
    }
}

#[test]
fn a_redirect_confirms_only_where_it_leads_to_the_address_that_was_asked_for() {
    for (status, location, confirmed) in [
        (302, "/signed-out-by-logout-hub", true),
        (303, "http://dam.internal/signed-out-by-logout-hub", true),
        (
            302,
            "https://dam.internal/logout?logoutSuccessUrl=/signed-out-by-logout-hub",
            false,
        ),
        (
            302,
            "https://dam.internal/logout?logoutSuccessUrl=%2Fsigned-out-by-logout-hub",
            false,
        ),
        (302, "/login#/signed-out-by-logout-hub", false),
        (302, "/", false),
        (200, "/signed-out-by-logout-hub", false),
        (500, "/signed-out-by-logout-hub", false),
    ] {
        let meaning =
            provider(Profile::Assets6).confirm(&answer(status, &[("location", location)], ""));
        let expected = if confirmed {
            Confirmation::Confirmed { redirect: None }
        } else {
            Confirmation::Refused
        };
        assert_eq!(meaning, expected, "{status} {location}");
    }
    assert_eq!(
        provider(Profile::Assets6).confirm(&answer(302, &[], "")),
        Confirmation::Refused
    );
}

#[test]
fn a_profile_is_alive_error_401_is_dead_and_the_rest_says_nothing() {
    for (status, body, says) in [
        (200, r#"{"username":"alice","groups":[]}"#, Some(true)),
        (
            200,
            r#"{"errorcode":401,"message":"Not logged in"}"#,
            Some(false),
        ),
        (
            401,
            r#"{"errorcode":401,"message":"Not logged in"}"#,
            Some(false),
        ),
        (200, r#"{"username":""}"#, None),
        (200, r#"{"username":"alice","errorcode":500}"#, None),
        (200, "{}", None),
        (200, "<html>alice</html>", None),
        (200, "", None),
        (401, "<html>proxy</html>", None),
        (403, r#"{"errorcode":403}"#, None),
        (302, "", None),
        (404, "", None),
        (429, r#"{"errorcode":401}"#, None),
        (500, r#"{"username":"alice"}"#, None),
        (503, r#"{"errorcode":401}"#, None),
    ] {
        assert_eq!(
            provider(Profile::Assets6).alive(&answer(status, &[], body)),
            says,
            "{status} {body}"
        );
    }
    assert!(
        provider(Profile::Assets6)
            .probe(&to(UpstreamSession::default()))
            .is_none()
    );
}

#[test]
fn a_session_signs_out_by_everything_that_it_is_known_by() {
    let secret = |value: &str| Some(Secret::new(value));
    let session = UpstreamSession {
        bearer: secret("b"),
        csrf: secret("c"),
        ..session_of_cookies(&[("authToken", "a")])
    };
    let request = provider(Profile::Assets6).sign_out(&to(session));
    let headers = revealed(&request.headers);
    assert_eq!(
        (request.method, request.target.as_str(), request.body.len()),
        (Method::Post, "/services/logout", 0)
    );
    assert_eq!(
        headers,
        [
            ("accept", "application/json"),
            ("cookie", "authToken=a"),
            ("authorization", "Bearer b"),
            ("x-csrf-token", "c")
        ]
    );
}
