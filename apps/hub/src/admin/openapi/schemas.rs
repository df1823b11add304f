//! The objects that the listener reads and answers.
//!
//! By hand: bodies are read member by member, so that each mistake is said by its name, and views
//! are written from the core's types, which know no schema. A derive would need a struct beside
//! each of them, and a test compares every answer with its schema as it is.

use serde_json::{Map, Value, json};

use super::reference;

pub(super) fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let name = || {
        json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
            "description": "At most 256 bytes, without control characters",
        })
    };
    let time = || json!({ "type": "string", "description": "RFC 3339 in UTC, or never" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let subject = || {
        let whole = object(json!({ "realm": name(), "name": name() }), &["realm"]);
        json!({ "oneOf": [name(), whole] })
    };
    let progress = json!({
        "state": { "enum": ["confirmed", "given-up", "pending"] },
        "created": time(),
        "due": time(),
        "attempts": count(),
        "verified": { "enum": ["dead", "outlived", "unknown", null] },
        "history": { "type": "array", "items": reference("Attempt") },
    });
    let mut delivery = progress.clone();
    for member in ["id", "platform", "realm", "subject", "receipt"] {
        delivery[member] = text();
    }
    let reason = [
        "account_removed",
        "administrator",
        "credential-reuse",
        "expiry",
        "identity-provider",
        "replaced",
        "user",
    ];
    let of_session = [reason.as_slice(), &["another-platform"]].concat();
    json!({
        "Health": object(json!({ "status": { "enum": ["ok", "ready"] } }), &[]),
        "Problem": object(
            json!({
                "type": text(),
                "title": text(),
                "status": { "type": "integer" },
                "detail": text(),
                "field": text(),
            }),
            &["detail", "field"],
        ),
        "Keys": object(json!({ "keys": { "type": "array", "items": { "type": "object" } } }), &[]),
        "Session": object(
            json!({
                "id": text(),
                "platform": text(),
                "realm": text(),
                "subject": text(),
                "person": nullable("string"),
                "idp": { "oneOf": [{ "type": "null" }, reference("KnownIdpLogin")] },
                "client": nullable("string"),
                "upstream": { "type": "boolean" },
                "opened": time(),
                "seen": time(),
                "expires": time(),
                "address": nullable("string"),
                "user_agent": nullable("string"),
            }),
            &[],
        ),
        "Registration": object(
            json!({
                "platform": name(),
                "subject": subject(),
                "person": name(),
                "idp": reference("IdpLogin"),
                "id_token": { "type": "string", "maxLength": 16_384 },
                "client": name(),
                "cookies": {
                    "type": "object",
                    "maxProperties": 50,
                    "additionalProperties": { "type": "string", "maxLength": 8_192 },
                },
                "bearer": { "type": "string", "maxLength": 16_384 },
                "csrf": { "type": "string", "maxLength": 8_192 },
                "expires": {
                    "type": ["string", "integer"],
                    "description": "RFC 3339, or seconds since 1970; at most ten years away",
                },
                "address": { "type": "string", "description": "An IP address" },
                "user_agent": {
                    "type": "string",
                    "maxLength": 8_192,
                    "description": "256 bytes of it are kept",
                },
            }),
            &[
                "person", "idp", "id_token", "client", "cookies", "bearer", "csrf", "expires",
                "address", "user_agent",
            ],
        ),
        "IdpLogin": {
            "type": "object",
            "description": "A login at an identity provider: the issuer, and its person or session",
            "required": ["iss"],
            "properties": { "iss": name(), "sub": name(), "sid": name() },
            "additionalProperties": false,
            "anyOf": [{ "required": ["sub"] }, { "required": ["sid"] }],
        },
        "KnownIdpLogin": object(
            json!({ "iss": text(), "sub": nullable("string"), "sid": nullable("string") }),
            &[],
        ),
        "Order": { "oneOf": [
            object(json!({ "person": name() }), &[]),
            object(
                json!({ "subject": subject(), "platform": name(), "realm": name() }),
                &["realm"],
            ),
            object(json!({ "session": text() }), &[]),
            object(json!({ "platform": name() }), &[]),
        ] },
        "Ended": object(
            json!({
                "receipt": nullable("string"),
                "ended": count(),
                "deliveries": count(),
                "settled": count(),
            }),
            &[],
        ),
        "Receipt": object(
            json!({
                "id": text(),
                "at": time(),
                "reason": { "enum": reason },
                "platform": nullable("string"),
                "reach": { "enum": ["session", "sign-on", "subject", "person"] },
                "token": { "oneOf": [
                    { "type": "null" },
                    object(json!({ "iss": text(), "jti": text() }), &[]),
                ] },
                "progress": object(json!({ "deliveries": count(), "settled": count() }), &[]),
                "sessions": { "type": "array", "items": reference("EndedSession") },
            }),
            &[],
        ),
        "EndedSession": object(
            json!({
                "id": text(),
                "platform": text(),
                "realm": text(),
                "subject": text(),
                "person": nullable("string"),
                "reason": { "enum": of_session },
                "channel": { "enum": ["browser", "hub", "relying-party", "upstream"] },
                "delivery": { "oneOf": [{ "type": "null" }, reference("Progress")] },
            }),
            &[],
        ),
        "Progress": object(progress, &[]),
        "Delivery": object(delivery, &[]),
        "Attempt": object(
            json!({ "at": time(), "status": nullable("integer"), "fault": nullable("string") }),
            &[],
        ),
    })
}

pub(super) fn page(member: &str, item: &str) -> Value {
    object(
        json!({
            member: { "type": "array", "items": reference(item) },
            "next": nullable("string"),
        }),
        &[],
    )
}

/// An object with these members and no others, all of which are there save the optional ones.
fn object(properties: Value, optional: &[&str]) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let required: Vec<_> = names
        .filter(|name| !optional.contains(&name.as_str()))
        .collect();
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn nullable(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}
