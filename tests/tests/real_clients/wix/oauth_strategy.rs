//! `OAuthStrategy` of `@wix/sdk`.

use logout_tests::node;
use serde_json::{Value, json};

use super::{COOKIES, input, left_alive, left_dead};
use crate::logins::{self, text};

fn oauth(scenario: &str) -> Value {
    let hub = logins::wix_hub();
    node::run(
        "wix-oauth",
        &input(
            &hub,
            "",
            &json!({ "scenario": scenario, "postFlowUrl": "https://mysite.com/goodbye?a=1#top" }),
        ),
        None,
    )
}

pub(super) fn oauth_logout() {
    let seen = oauth("logout");
    let location = "https://mysite.com/goodbye?a=1&wixMemberLoggedIn=false#top";
    assert_eq!(
        seen["before"],
        json!({ "status": 200, "role": "member", "loggedIn": true }),
        "{seen}"
    );
    assert_eq!(
        seen["after"],
        json!({ "role": "none", "loggedIn": false }),
        "{seen}"
    );
    let calls: Vec<_> = seen["made"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            (
                text(&call["method"]),
                text(&call["path"]),
                text(&call["host"]),
            )
        })
        .collect();
    let made = (
        "POST".to_owned(),
        "/_api/redirects-api/v1/redirect-session".to_owned(),
        "www.wixapis.com".to_owned(),
    );
    assert_eq!(calls, [made]);
    assert!(
        text(&seen["logoutUrl"]).contains("/_api/iam/authentication/v1/logout?"),
        "{seen}"
    );
    // The address alone ends nothing; a browser has to follow it.
    assert_eq!(seen["between"], left_alive());
    assert_eq!(
        (&seen["first"], &seen["left"]),
        (
            &json!({ "status": 302, "location": location, "cleared": COOKIES }),
            &left_dead()
        )
    );
    assert_eq!(
        (&seen["again"]["status"], &seen["again"]["location"]),
        (&json!(302), &json!(location))
    );
}

pub(super) fn oauth_dead_session() {
    let seen = oauth("logoutOfADeadSession");
    assert_eq!(
        seen["fault"]["details"]["applicationError"]["code"], "FAILED_TO_EXTRACT_SESSION",
        "{seen}"
    );
    assert_eq!(
        (&seen["after"], &seen["keeps"]),
        (&json!({ "role": "member", "loggedIn": true }), &json!(true))
    );
}

pub(super) fn oauth_visitor() {
    let seen = oauth("revokedAndExpired");
    let calls: Vec<_> = seen["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (text(&call["path"]), call["status"].as_u64().unwrap()))
        .collect();
    let token = "/oauth2/token".to_owned();
    assert_eq!(
        calls,
        [
            (token.clone(), 400),
            (token, 200),
            ("/members/v1/members/my".to_owned(), 403)
        ],
        "{seen}"
    );
    assert_eq!(
        seen["after"],
        json!({ "role": "visitor", "loggedIn": false })
    );
}

pub(super) fn redirect_session_paths() {
    let seen = oauth("redirectSessionPaths");
    let paths: Vec<_> = seen["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (text(&call["path"]), call["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        paths,
        [
            ("/_api/redirects-api/v1/redirect-session".to_owned(), 200),
            ("/headless/v1/redirect-session".to_owned(), 200)
        ]
    );
    assert!(
        seen["made"]
            .as_array()
            .unwrap()
            .iter()
            .all(|url| text(url).contains("ticket=")),
        "{seen}"
    );
}
