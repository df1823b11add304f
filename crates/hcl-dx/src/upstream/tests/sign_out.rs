//! What a sign-out presents, and what the answers to it and to the probe mean.

use super::*;
use logout_core::SignOutDialect as _;

#[test]
fn what_is_presented_is_what_the_sign_out_reads() {
    let dialect = Dialect::new(HclDxConfig::default(), &platform(true)).unwrap();
    for (cookies, kept, count) in [
        (
            "LtpaToken2=a+b/c==; other=1",
            vec![("LtpaToken2", "a+b/c==")],
            1,
        ),
        (
            "ltpatoken2=a; LtpaToken2=b",
            vec![("LtpaToken2", "a"), ("LtpaToken2", "b")],
            2,
        ),
        (
            "ltpatoken=old; LtpaToken2=\"q%20\"; JSESSIONID=0000x:-1",
            vec![("LtpaToken2", "\"q%20\""), ("LtpaToken", "old")],
            1,
        ),
        ("LtpaToken=old", vec![], 0),
        ("LtpaToken2=", vec![], 0),
        ("", vec![], 0),
    ] {
        let request = Request::new(Method::Post, LOGOUT)
            .with_endpoint(request::CORE_LOGOUT, vec![])
            .with_header("cookie", cookies);
        let request = request.with_header("authorization", "Bearer nobody's");
        let presented = hub().presented(&request);
        assert_eq!(revealed(&presented.cookies), kept, "{cookies}");
        assert!(presented.bearer.is_none());
        let known = registered(&hub().credentials(&presented));
        let read = request::read(&request, &dialect);
        assert_eq!(known, looked_up(&read.sign_out.credentials), "{cookies}");
        assert_eq!(known.len(), count, "{cookies}");
    }
}

#[test]
fn a_sign_out_is_the_core_api_s_with_the_cookie_and_no_body() {
    let request = hub().sign_out(&to(&[("LtpaToken2", "a+b/c=="), ("LtpaToken", "v1")]));
    assert_eq!(
        (request.method, request.target.as_str(), request.body.len()),
        (Method::Post, LOGOUT, 0)
    );
    assert_eq!(
        header(&request, "cookie"),
        Some("LtpaToken2=a+b/c==; LtpaToken=v1")
    );
    let probe = hub().probe(&to(&[("LtpaToken2", "a")])).unwrap();
    assert_eq!(
        (probe.method, probe.target.as_str()),
        (Method::Post, "/dx/api/core/v1/auth/validate")
    );
    assert!(hub().probe(&to(&[("LtpaToken", "v1")])).is_none() && hub().probe(&to(&[])).is_none());
}

#[test]
fn a_sign_out_is_confirmed_by_status_and_body() {
    use Confirmation::{NotSignedIn, Refused};

    let confirmed = |redirect: Option<&str>| Confirmation::Confirmed {
        redirect: redirect.map(str::to_owned),
    };
    let html = ("content-type", "text/html");
    let fault = r#"{"error":{"code":"Unauthorized","message":"m","reason":"r"}}"#;
    for (what, given, expected) in [
        (
            "the object",
            answer(
                200,
                &[],
                r#"{"statusCode":200,"data":"You are successfully logged out","redirectUrl":"https://p.example/x?a=b&c"}"#,
            ),
            confirmed(Some("https://p.example/x?a=b&c")),
        ),
        (
            "the object of an older version",
            answer(200, &[], r#"{"statusCode":200,"data":"x"}"#),
            confirmed(None),
        ),
        (
            "a target that is none",
            answer(200, &[], r#"{"statusCode":200,"redirectUrl":7}"#),
            confirmed(None),
        ),
        (
            "an empty target",
            answer(200, &[], r#"{"statusCode":200,"redirectUrl":""}"#),
            confirmed(None),
        ),
        (
            "a doubled target",
            answer(
                200,
                &[],
                r#"{"statusCode":200,"redirectUrl":"/a","redirectUrl":"/b"}"#,
            ),
            confirmed(Some("/a")),
        ),
        (
            "another status inside",
            answer(200, &[], r#"{"statusCode":500,"redirectUrl":"/a"}"#),
            Refused,
        ),
        (
            "no status inside",
            answer(200, &[], r#"{"redirectUrl":"/a"}"#),
            Refused,
        ),
        ("an error with 200", answer(200, &[], fault), Refused),
        (
            "an error beside",
            answer(200, &[], r#"{"statusCode":200,"error":{}}"#),
            Refused,
        ),
        (
            "broken JSON",
            answer(200, &[], r#"{"statusCode":200,"#),
            Refused,
        ),
        ("no object", answer(200, &[], "[200]"), Refused),
        ("nothing", answer(200, &[], ""), Refused),
        (
            "a login page",
            answer(200, &[html], "<html><form>"),
            Refused,
        ),
        (
            "a redirect to the login",
            answer(302, &[("location", "/wps/portal")], ""),
            Refused,
        ),
        ("not signed in", answer(401, &[], fault), NotSignedIn),
        (
            "not signed in, without words",
            answer(401, &[], ""),
            NotSignedIn,
        ),
        (
            "somebody in front",
            answer(401, &[("www-authenticate", "Basic realm=\"x\"")], fault),
            Refused,
        ),
        ("malformed", answer(400, &[], fault), Refused),
        ("forbidden", answer(403, &[], fault), Refused),
        ("not there", answer(404, &[], fault), Refused),
        (
            "too many",
            answer(429, &[("retry-after", "5")], ""),
            Refused,
        ),
        ("failure", answer(500, &[], fault), Refused),
        ("away", answer(503, &[], r#"{"statusCode":200}"#), Refused),
    ] {
        assert_eq!(hub().confirm(&given), expected, "{what}");
    }
}

#[test]
fn a_probe_s_answer_says_alive_or_dead_or_nothing() {
    for (given, expected) in [
        (
            answer(
                200,
                &[],
                r#"{"statusCode":200,"message":"x","data":{"UId":"a"}}"#,
            ),
            Some(true),
        ),
        (answer(200, &[], r#"{"statusCode":401}"#), None),
        (answer(200, &[], "<html>"), None),
        (answer(200, &[], ""), None),
        (answer(401, &[], ""), Some(false)),
        (
            answer(401, &[("www-authenticate", "Negotiate, NTLM")], ""),
            None,
        ),
        (answer(302, &[], ""), None),
        (answer(403, &[], ""), None),
        (answer(404, &[], ""), None),
        (answer(503, &[], ""), None),
    ] {
        assert_eq!(
            hub().alive(&given),
            expected,
            "{given:?} {}",
            String::from_utf8_lossy(&given.body)
        );
    }
}
