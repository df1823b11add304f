//! The login at an identity provider that a registered session came from.

use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use super::{post, with};
use crate::{assert_names_field, fronts, listed};

const ISSUER: &str = "https://idp.example";

pub(super) fn the_login_of_a_registered_session_is_listed(store: StoreKind) {
    let hub = fronts(store);
    for (number, (login, expected)) in [
        (
            json!({ "iss": ISSUER, "sub": "alice", "sid": "1" }),
            json!({ "iss": ISSUER, "sub": "alice", "sid": "1" }),
        ),
        (
            json!({ "iss": ISSUER, "sub": "Alice Ünal" }),
            json!({ "iss": ISSUER, "sub": "Alice Ünal", "sid": null }),
        ),
        (
            json!({ "iss": ISSUER, "sub": null, "sid": "2" }),
            json!({ "iss": ISSUER, "sub": null, "sid": "2" }),
        ),
        // Kept as it is said: tokens are compared with it byte for byte.
        (
            json!({ "iss": "HTTPS://idp.example/", "sub": " alice" }),
            json!({ "iss": "HTTPS://idp.example/", "sub": " alice", "sid": null }),
        ),
        (Value::Null, Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let cookie = format!("cookie-{number}");
        let body = with(json!({ "cookies": { "LtpaToken2": cookie }, "idp": login }));
        let answer = post(&hub, &body);
        assert_eq!(answer.status, 201, "{login}: {}", answer.text());
        let session = answer.json();
        assert_eq!(session["idp"], expected, "{login}");
        assert!(listed(&hub, "").contains(&session), "{login}");
    }
    let without = post(&hub, &with(json!({})));
    assert_eq!(
        (without.status, &without.json()["idp"]),
        (201, &Value::Null)
    );
}

pub(super) fn what_is_wrong_with_a_login_is_said_by_name_and_nothing_is_registered(
    store: StoreKind,
) {
    let hub = fronts(store);
    let long = "x".repeat(257);
    for (login, field) in [
        (json!(ISSUER), "idp"),
        (json!([ISSUER]), "idp"),
        (json!(7), "idp"),
        (json!(false), "idp"),
        (json!({}), "idp.iss"),
        (json!({ "sub": "alice", "sid": "1" }), "idp.iss"),
        (json!({ "iss": null, "sub": "alice" }), "idp.iss"),
        (json!({ "iss": "", "sub": "alice" }), "idp.iss"),
        (json!({ "iss": 7, "sub": "alice" }), "idp.iss"),
        (json!({ "iss": long, "sub": "alice" }), "idp.iss"),
        (
            json!({ "iss": "https://idp.example\n", "sub": "alice" }),
            "idp.iss",
        ),
        (json!({ "iss": ISSUER }), "idp"),
        (json!({ "iss": ISSUER, "sub": null, "sid": null }), "idp"),
        (json!({ "iss": ISSUER, "sub": "" }), "idp.sub"),
        (json!({ "iss": ISSUER, "sub": 7 }), "idp.sub"),
        (json!({ "iss": ISSUER, "sub": long }), "idp.sub"),
        (json!({ "iss": ISSUER, "sub": "a\u{0}" }), "idp.sub"),
        (
            json!({ "iss": ISSUER, "sub": "alice", "sid": "" }),
            "idp.sid",
        ),
        (
            json!({ "iss": ISSUER, "sub": "alice", "sid": ["1"] }),
            "idp.sid",
        ),
        (json!({ "iss": ISSUER, "sid": long }), "idp.sid"),
        (
            json!({ "iss": ISSUER, "sub": "alice", "email": "a@example.com" }),
            "idp.email",
        ),
        (
            json!({ "issuer": ISSUER, "iss": ISSUER, "sub": "alice" }),
            "idp.issuer",
        ),
    ] {
        let answer = post(&hub, &with(json!({ "idp": login })));
        assert_names_field(&answer, field);
    }
    assert_eq!(listed(&hub, "").len(), 0);
    let answer = post(
        &hub,
        &with(json!({ "idp": { "iss": ISSUER, "sub": "alice" } })),
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
}
