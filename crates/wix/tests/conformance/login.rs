//! Logins: by script, by form, and silently.

use logout_core::message::{Method, Request};
use serde_json::json;

use crate::support::*;

#[test]
fn a_live_cookie_signs_on_silently_for_its_own_app() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let with_cookie = |request: Request<'static>| {
        request.with_header("cookie", format!("smSession={}", alice.cookie))
    };
    let silent = shop.send(with_cookie(authorize(APP, &[])));
    assert_eq!(headers(&silent, "set-cookie").len(), 0);
    assert_eq!(
        location(&silent)
            .and_then(|to| parameter(to, "state"))
            .as_deref(),
        Some("s1 &")
    );
    let second = told(&shop.send(exchange(APP, &code_in(&silent))));
    let second = Member {
        access: text(&second["access_token"]),
        refresh: text(&second["refresh_token"]),
        ..alice.clone()
    };
    assert_eq!(
        shop.send(with_cookie(authorize(APP, &[("prompt", "login")])))
            .status(),
        200
    );
    let other_app = shop.send(with_cookie(authorize(OTHER_APP, &[("prompt", "none")])));
    assert_eq!(
        location(&other_app)
            .and_then(|to| parameter(to, "error"))
            .as_deref(),
        Some("login_required")
    );
    shop.send(with_token(get(LOGOUT), &second.access));
    shop.assert_dead(&alice);
    shop.assert_dead(&second);
}

#[test]
fn without_a_session_nobody_is_asked_only_when_the_request_says_so() {
    let shop = Shop::new();
    for request in [
        authorize(APP, &[("prompt", "none")]),
        authorize(APP, &[("prompt", "none"), ("sessionToken", "stale")]),
        authorize(
            APP,
            &[
                ("prompt", "none"),
                ("sessionToken", &shop.session_token(OTHER_APP, "alice")),
            ],
        ),
    ] {
        assert_eq!(
            location(&shop.send(request)),
            Some("https://mysite.com/callback?error=login_required&state=s1+%26")
        );
    }
    let page = shop.send(authorize(APP, &[]));
    let html = String::from_utf8_lossy(page.body()).into_owned();
    assert_eq!(page.status(), 200);
    assert!(
        html.contains("type=\"password\"") && html.contains("action=\"/_api/oauth2/authorize\""),
        "{html}"
    );
}

#[test]
fn the_form_logs_in_and_goes_on_to_the_app() {
    let shop = Shop::at("http://shop.example/wix", |_| {});
    let page = shop.send(authorize(APP, &[]));
    assert!(String::from_utf8_lossy(page.body()).contains("action=\"/wix/_api/oauth2/authorize\""));
    let filled = |password: &str| {
        let hidden = authorize(
            APP,
            &[("email", "alice@example.com"), ("password", password)],
        )
        .raw_query()
        .to_owned();
        Request::new(Method::Post, "/_api/oauth2/authorize")
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(hidden)
    };
    assert_eq!(shop.send(filled("wrong")).status(), 401);
    assert_eq!(
        shop.send(filled("alice-password").with_header("sec-fetch-site", "cross-site"))
            .status(),
        403
    );
    let sent_back =
        shop.send(filled("alice-password").with_header("sec-fetch-site", "same-origin"));
    let cookie = set_cookie(&sent_back, "smSession").expect("no cookie");
    assert!(
        headers(&sent_back, "set-cookie")[0].contains("Path=/wix; Max-Age=1209600"),
        "{sent_back:?}"
    );
    assert_eq!(shop.send(exchange(APP, &code_in(&sent_back))).status(), 200);
    let home = shop.send(get("/").with_header("cookie", format!("smSession={cookie}")));
    assert!(String::from_utf8_lossy(home.body()).contains("Alice Example"));
}

#[test]
fn an_app_with_its_own_login_page_is_sent_there_with_the_parameters() {
    let shop =
        Shop::with(|config| config.apps[0].login_url = Some("https://mysite.com/login?x=y".into()));
    let to = location(&shop.send(authorize(APP, &[])))
        .unwrap_or_default()
        .to_owned();
    assert!(
        to.starts_with(&format!(
            "https://mysite.com/login?x=y&clientId={APP}&redirectUri="
        )),
        "{to}"
    );
}

#[test]
fn an_authorization_that_cannot_be_answered_safely_is_refused_and_the_rest_is_told_to_the_app() {
    let shop = Shop::new();
    for (more, expected) in [
        (("clientId", "x"), (400, "clientId INVALID_GUID")),
        (("clientId", UNKNOWN_APP), (404, "NOT_FOUND")),
        (
            ("redirectUri", "https://evil.test/"),
            (403, "REDIRECT_URI_NOT_ALLOWED"),
        ),
        (
            ("redirectUri", "https://mysite.com/callback/x"),
            (403, "REDIRECT_URI_NOT_ALLOWED"),
        ),
        (
            ("redirectUri", "javascript:alert(1)"),
            (400, "redirectUri INVALID_URL"),
        ),
        (("redirectUri", ""), (400, "redirectUri INVALID_URL")),
    ] {
        assert_eq!(
            error(&shop.send(authorize(APP, &[more]))),
            (expected.0, expected.1.to_owned()),
            "{more:?}"
        );
    }
    let token = shop.session_token(APP, "alice");
    for (more, told) in [
        (("responseType", "token"), "unsupported_response_type"),
        (("codeChallengeMethod", "plain"), "invalid_request"),
        (("codeChallenge", ""), "invalid_request"),
        (("codeChallenge", "short"), "invalid_request"),
        (("responseMode", "web_message"), "invalid_request"),
    ] {
        let answer = shop.send(authorize(APP, &[("sessionToken", &token), more]));
        assert_eq!(
            location(&answer)
                .and_then(|to| parameter(to, "error"))
                .as_deref(),
            Some(told),
            "{more:?}"
        );
    }
}

#[test]
fn a_login_needs_a_visitor_and_does_not_say_who_is_a_member() {
    let shop = Shop::new();
    let visitor = shop.visitor();
    assert_eq!(
        error(&shop.send(login("", "alice@example.com", "alice-password"))),
        (401, "UNAUTHENTICATED".into())
    );
    for (email, password) in [
        ("alice@example.com", "wrong"),
        ("nobody@example.com", "wrong"),
    ] {
        assert_eq!(
            error(&shop.send(login(&visitor.access, email, password))),
            (401, "-19976".into())
        );
    }
    for (body, expected) in [
        (json!({}), "loginId REQUIRED"),
        (json!({ "loginId": { "email": "x" } }), "password REQUIRED"),
        (json!({ "loginId": 1 }), "loginId INVALID_TYPE"),
    ] {
        let request = with_token(
            post("/_api/iam/authentication/v2/login", &body),
            &visitor.access,
        );
        assert_eq!(error(&shop.send(request)), (400, expected.to_owned()));
    }
    assert!(shop.visitor_lives(&visitor));
}
