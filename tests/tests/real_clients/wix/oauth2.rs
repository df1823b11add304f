//! The `oauth` module: requests inside requests, answers inside answers.

use serde_json::{Value, json};

use super::input;
use crate::logins::{self, text};
use logout_tests::node;

fn seen(prefix: &str) -> Value {
    let hub = if prefix.is_empty() {
        logins::wix_hub()
    } else {
        let tables = format!(
            "[[platform]]\nname = \"shop\"\nvendor = \"wix\"\nprefix = \"{prefix}\"\n{}",
            logins::wix_app()
        );
        logout_tests::hub::TestHub::with_platforms(&tables).unwrap()
    };
    node::run("wix-oauth2", &input(&hub, prefix, &json!({})), None)
}

pub(super) fn tokens() {
    for prefix in ["", "/wix"] {
        let seen = seen(prefix);
        for (answer, lifetime) in [(&seen["granted"], 14_400), (&seen["refresh"], 14_400)] {
            assert_eq!(
                (&answer["statusCode"], &answer["isBytes"]),
                (&json!(200), &json!(true)),
                "{seen}"
            );
            assert_eq!(
                answer["headers"],
                json!([{ "key": "Content-Type", "value": "application/json" }]),
                "{seen}"
            );
            assert_eq!(answer["body"]["expires_in"], lifetime);
            assert!(
                text(&answer["body"]["access_token"]).starts_with("OauthNG.JWS."),
                "{seen}"
            );
        }
        assert_eq!(
            seen["works"],
            json!({ "member": 200, "refresh": 200, "refreshError": null }),
            "{seen}"
        );
        let call = &seen["made"][0];
        assert_eq!(
            [&call["method"], &call["status"]],
            [&json!("POST"), &json!(200)],
            "{seen}"
        );
        assert_eq!(text(&call["path"]), format!("{prefix}/_api/oauth2/token"));
        assert!(
            text(&call["gateway"]).contains("method-fqn=wix.identity.oauth2.v1.Oauth2Ng.Token,"),
            "{call}"
        );
    }
}

pub(super) fn refusals() {
    let seen = seen("");
    for (which, error) in [
        ("client", "invalid_client"),
        ("grant", "unsupported_grant_type"),
        ("refresh", "invalid_grant"),
        ("json", "invalid_request"),
        ("empty", "invalid_request"),
    ] {
        let answer = &seen["refused"][which];
        assert_eq!(
            (&answer["statusCode"], &answer["body"]["error"]),
            (&json!(400), &json!(error)),
            "{which}: {seen}"
        );
        assert!(
            answer["body"]["error_description"].is_string(),
            "{which}: {seen}"
        );
    }
}

pub(super) fn about() {
    let seen = seen("");
    assert_eq!(
        (&seen["keys"]["statusCode"], &seen["keys"]["body"]),
        (&json!(200), &json!({ "keys": [] })),
        "{seen}"
    );
    assert_eq!(seen["info"]["nothing"]["active"], false, "{seen}");
    let info = &seen["info"]["member"];
    assert_eq!(
        (&info["active"], &info["subjectType"]),
        (&json!(true), &json!("MEMBER")),
        "{seen}"
    );
    let seconds = |name: &str| text(&info[name]).parse::<u64>().unwrap();
    assert_eq!(seconds("exp") - seconds("iat"), 14_400, "{seen}");

    let user = &seen["user"]["member"]["value"];
    assert_eq!(
        (&user["sub"], &user["email"]),
        (&info["subjectId"], &json!("alice@example.com")),
        "{seen}"
    );
    assert_eq!(
        (&user["emailVerified"], &user["name"]),
        (&json!(true), &json!("Alice Example")),
        "{seen}"
    );
    for (which, status, code) in [
        ("visitor", 403, "PERMISSION_DENIED"),
        ("nobody", 401, "UNAUTHENTICATED"),
    ] {
        let fault = &seen["user"][which]["fault"];
        let told = &fault["details"]["applicationError"]["code"];
        assert_eq!(
            (&fault["status"], told),
            (&json!(status), &json!(code)),
            "{which}: {seen}"
        );
        assert!(fault["requestId"].is_string(), "{which}: {seen}");
    }
}

pub(super) fn unknown_method() {
    let seen = seen("");
    let fault = &seen["unknown"];
    assert_eq!(
        (
            &fault["status"],
            &fault["details"]["applicationError"]["code"]
        ),
        (&json!(404), &json!("NOT_FOUND")),
        "{seen}"
    );
    assert!(fault["requestId"].is_string(), "{seen}");
}
