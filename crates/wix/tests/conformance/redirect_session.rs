//! Redirect sessions, and the links that they hand out.

use std::time::Duration;

use logout_core::message::{Method, Request};
use serde_json::json;

use crate::support::*;

fn full_url(shop: &Shop, path: &str, token: &str, to: Option<&str>) -> String {
    let answer = shop.send(redirect_to_logout(path, token, to));
    assert_eq!(
        (answer.status(), header(&answer, "cache-control")),
        (200, Some("no-store"))
    );
    let session = &told(&answer)["redirectSession"];
    assert_eq!(
        session["urlDetails"]["endpoint"],
        json!(format!("http://shop.example{LOGOUT}"))
    );
    assert!(
        session["sessionToken"].is_null()
            && session["id"].as_str().is_some_and(|id| id.len() == 36)
    );
    text(&session["fullUrl"])
}

fn follow(url: &str) -> Request<'static> {
    get(url
        .strip_prefix("http://shop.example")
        .expect("another base"))
}

#[test]
fn a_redirect_session_leads_through_the_sign_out_to_the_post_flow_url() {
    let shop = Shop::new();
    for path in REDIRECT_SESSION_PATHS {
        let alice = shop.member("alice");
        let url = full_url(
            &shop,
            path,
            &alice.access,
            Some("https://allowed.example/bye?a=b#c"),
        );
        assert!(
            url.starts_with(&format!(
                "http://shop.example{LOGOUT}?clientId={APP}&postLogoutRedirectUri=https%3A%2F%2Fallowed.example%2Fbye"
            ))
        );
        shop.assert_alive(&alice);
        let link = follow(&url).with_header("accept", "text/html");
        for _ in 0..2 {
            let answer = shop.send(link.clone());
            assert_eq!(
                (answer.status(), location(&answer)),
                (
                    302,
                    Some("https://allowed.example/bye?a=b&wixMemberLoggedIn=false#c")
                )
            );
            assert_eq!(removed(headers(&answer, "set-cookie")), COOKIES);
            shop.assert_dead(&alice);
        }
        assert_eq!(
            shop.receipts(),
            1 + REDIRECT_SESSION_PATHS
                .iter()
                .position(|other| *other == path)
                .unwrap()
        );
    }
}

#[test]
fn a_link_ends_its_own_session_and_no_later_one() {
    let shop = Shop::new();
    let first = shop.member("alice");
    let link = follow(&full_url(
        &shop,
        REDIRECT_SESSION_PATHS[0],
        &first.access,
        Some(GOODBYE),
    ));
    shop.send(link.clone());
    let second = shop.member("alice");
    assert_eq!(shop.send(link).status(), 302);
    shop.assert_alive(&second);
}

#[test]
fn an_expired_link_still_leads_on_and_ends_nothing() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let link = follow(&full_url(
        &shop,
        REDIRECT_SESSION_PATHS[0],
        &alice.access,
        Some(GOODBYE),
    ));
    shop.0.clock().advance(Duration::from_secs(10 * 60));
    let answer = shop.send(link);
    assert_eq!(
        (answer.status(), location(&answer)),
        (
            302,
            Some("https://mysite.com/goodbye?wixMemberLoggedIn=false")
        )
    );
    assert_eq!(shop.send(refresh(APP, &alice.refresh)).status(), 200);
}

#[test]
fn the_flag_can_be_switched_off_and_a_direct_sign_out_has_none() {
    let shop = Shop::with(|config| config.member_flag = false);
    let alice = shop.member("alice");
    let link = follow(&full_url(
        &shop,
        REDIRECT_SESSION_PATHS[0],
        &alice.access,
        Some(GOODBYE),
    ));
    assert_eq!(location(&shop.send(link)), Some(GOODBYE));
    let direct = get(&format!(
        "{LOGOUT}?clientId={APP}&postLogoutRedirectUri={GOODBYE}"
    ));
    assert_eq!(location(&Shop::new().send(direct)), Some(GOODBYE));
}

#[test]
fn a_link_without_a_post_flow_url_ends_on_a_page() {
    let shop = Shop::new();
    let visitor = shop.visitor();
    assert_eq!(
        shop.send(follow(&full_url(
            &shop,
            REDIRECT_SESSION_PATHS[1],
            &visitor.access,
            None
        )))
        .status(),
        200
    );
    assert!(!shop.visitor_lives(&visitor));
}

#[test]
fn a_redirect_session_needs_a_live_token_and_a_cookie_is_none() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let anonymous = post(
        REDIRECT_SESSION_PATHS[0],
        &json!({ "logout": { "clientId": APP } }),
    );
    assert_eq!(
        error(
            &shop.send(
                anonymous
                    .clone()
                    .with_header("cookie", format!("smSession={}", alice.cookie))
            )
        ),
        (401, "UNAUTHENTICATED".into())
    );
    shop.send(with_token(get(LOGOUT), &alice.access));
    for token in [alice.access.as_str(), "AT4"] {
        assert_eq!(
            error(&shop.send(with_token(anonymous.clone(), token))),
            (401, "FAILED_TO_EXTRACT_SESSION".into())
        );
    }
}

#[test]
fn a_bad_redirect_session_is_refused_in_the_vendors_shapes() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    for (body, expected) in [
        (json!({}), (400, "intent REQUIRED")),
        (json!({ "logout": "x" }), (400, "logout INVALID_TYPE")),
        (json!({ "logout": {} }), (400, "clientId REQUIRED")),
        (
            json!({ "logout": { "clientId": "x" } }),
            (400, "clientId INVALID_GUID"),
        ),
        (
            json!({ "logout": { "clientId": UNKNOWN_APP } }),
            (404, "NOT_FOUND"),
        ),
        (
            json!({ "logout": { "clientId": OTHER_APP } }),
            (403, "PERMISSION_DENIED"),
        ),
        (
            json!({ "logout": { "clientId": APP }, "callbacks": { "postFlowUrl": "/bye" } }),
            (400, "callbacks.postFlowUrl INVALID_URL"),
        ),
        (
            json!({ "logout": { "clientId": APP }, "callbacks": { "postFlowUrl": "https://evil.test" } }),
            (403, "REDIRECT_URI_NOT_ALLOWED"),
        ),
        (json!({ "auth": {} }), (400, "auth.authRequest REQUIRED")),
        (
            json!({ "auth": { "authRequest": { "clientId": APP } } }),
            (400, "auth.authRequest.redirectUri REQUIRED"),
        ),
        (
            json!({ "auth": { "authRequest": { "clientId": APP, "redirectUri": "https://evil.test" } } }),
            (403, "REDIRECT_URI_NOT_ALLOWED"),
        ),
    ] {
        let answer = shop.send(with_token(
            post(REDIRECT_SESSION_PATHS[0], &body),
            &alice.access,
        ));
        assert_eq!(
            error(&answer),
            (expected.0, expected.1.to_owned()),
            "{body}"
        );
    }
    let twice = r#"{"logout":{"clientId":"12345678-1234-1234-1234-123456789012"},"callbacks":{"postFlowUrl":"https://mysite.com/goodbye","postFlowUrl":"https://mysite.com/goodbye"}}"#;
    let request = Request::new(Method::Post, REDIRECT_SESSION_PATHS[0]).with_body(twice);
    assert_eq!(
        error(&shop.send(with_token(request, &alice.access))),
        (400, "callbacks.postFlowUrl DUPLICATED".into())
    );
    shop.assert_alive(&alice);
}

#[test]
fn a_redirect_session_for_login_leads_to_the_authorization_with_all_parameters() {
    let shop = Shop::new();
    let token = shop.session_token(APP, "alice");
    let requested = json!({
        "redirectUri": CALLBACK, "clientId": APP, "codeChallenge": challenge(), "codeChallengeMethod": "S256",
        "responseMode": "fragment", "responseType": "code", "scope": "offline_access", "state": "s", "sessionToken": token,
    });
    let answer = shop.send(with_token(
        post(
            REDIRECT_SESSION_PATHS[0],
            &json!({ "auth": { "authRequest": requested, "prompt": "none" } }),
        ),
        &shop.visitor().access,
    ));
    let session = &told(&answer)["redirectSession"];
    assert_eq!(
        session["urlDetails"]["endpoint"],
        json!("http://shop.example/_api/oauth2/authorize")
    );
    assert_eq!(
        session["urlDetails"]["searchParams"]["prompt"],
        json!("none")
    );
    let sent_back = shop.send(follow(&text(&session["fullUrl"])));
    let to = location(&sent_back).unwrap_or_default();
    assert!(
        to.starts_with(&format!("{CALLBACK}#code=")) && to.ends_with("&state=s"),
        "{to}"
    );
    assert_eq!(shop.send(exchange(APP, &code_in(&sent_back))).status(), 200);
}

#[test]
fn below_a_prefix_every_link_of_ours_has_it() {
    let shop = Shop::at("https://shop.example/wix", |_| {});
    let answer = shop.send(redirect_to_logout(
        REDIRECT_SESSION_PATHS[1],
        &shop.visitor().access,
        Some(GOODBYE),
    ));
    let url = text(&told(&answer)["redirectSession"]["fullUrl"]);
    assert!(
        url.starts_with(&format!("https://shop.example/wix{LOGOUT}?clientId=")),
        "{url}"
    );
}
