//! Every kind of logout token that was tried at mod_auth_openidc 2.4.12.3, and what is said here.

use logout_standards::{
    KeySet, LogoutRequestError, LogoutToken, LogoutTokenError, LogoutTokenVerifier,
    SignatureAlgorithm, answer, read_logout_request,
};
use serde_json::{Value, json};

use crate::signer::{NOW, hmac_token, keys, message, others, set};

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const CLIENT: &str = "rp1";
pub(crate) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
pub(crate) const HEADER: &str = r#"{"alg":"RS256","typ":"logout+jwt","kid":"k1"}"#;
const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::Rs256;

pub(crate) fn verifier() -> LogoutTokenVerifier {
    LogoutTokenVerifier::new(ISSUER, CLIENT, &SignatureAlgorithm::DEFAULT).unwrap()
}

/// The claims of the recorded exchange.
pub(crate) fn claims() -> Value {
    json!({
        "sub": "alice",
        "events": { EVENT: {} },
        "jti": "EXifnV5r4VtRZaglKFWcnUQznHSWpj4Yu5R3s2_GMzF",
        "sid": "uIW_JCafhFpDbgob_q1zQJsAkbgKt-UArpyUBZm5IoV",
        "aud": CLIENT,
        "exp": NOW.as_secs() + 120,
        "iat": NOW.as_secs(),
        "iss": ISSUER,
    })
}

pub(crate) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

pub(crate) fn without(names: &[&str]) -> Value {
    let mut claims = claims();
    for name in names {
        claims.as_object_mut().unwrap().remove(*name);
    }
    claims
}

pub(crate) fn provider_keys() -> KeySet {
    set(&[keys().jwk(ALGORITHM, "k1")])
}

pub(crate) fn signed(header: &str, claims: &Value) -> String {
    keys().token(ALGORITHM, header, &claims.to_string())
}

pub(crate) fn verify(token: &str) -> Result<LogoutToken, LogoutTokenError> {
    verifier().verify(token, &provider_keys(), NOW)
}

/// The status and error of the answer to a form with this body.
fn answered(body: &str) -> (u16, Option<LogoutRequestError>) {
    let content_type = Some("application/x-www-form-urlencoded");
    let outcome = read_logout_request(content_type, body.as_bytes())
        .and_then(|token| verify(&token).map_err(LogoutRequestError::Token));
    match outcome {
        Ok(_) => (answer::carried_out().status(), None),
        Err(error) => (answer::refused(error).status(), Some(error)),
    }
}

#[test]
fn every_kind_of_token_has_its_answer() {
    use LogoutTokenError::*;
    let now = NOW.as_secs();
    let typed = |typ: &str| json!({ "alg": "RS256", "typ": typ, "kid": "k1" }).to_string();
    let ok = |claims: &Value| (signed(HEADER, claims), None);
    let refused = |claims: &Value, error| (signed(HEADER, claims), Some(error));
    let hs256 = r#"{"alg":"HS256","typ":"logout+jwt","kid":"k1"}"#;
    let none = r#"{"alg":"none","typ":"logout+jwt"}"#;
    let rows: [(&str, (String, Option<LogoutTokenError>)); 27] = [
        ("valid", ok(&claims())),
        ("valid, unknown sid", ok(&with("sid", json!("unknown")))),
        ("sub only", ok(&without(&["sid"]))),
        ("sid only", ok(&without(&["sub"]))),
        ("no exp", ok(&without(&["exp"]))),
        ("aud a list with us", ok(&with("aud", json!(["x", CLIENT])))),
        ("typ JWT", (signed(&typed("JWT"), &claims()), None)),
        ("no iat", refused(&without(&["iat"]), IssuedAt)),
        ("no jti", refused(&without(&["jti"]), TokenId)),
        ("exp past", refused(&with("exp", json!(now - 60)), Expired)),
        (
            "iat an hour old",
            refused(&with("iat", json!(now - 3600)), IssuedAt),
        ),
        (
            "iat an hour ahead",
            refused(&with("iat", json!(now + 3600)), IssuedAt),
        ),
        ("wrong aud", refused(&with("aud", json!("rp2")), Audience)),
        (
            "wrong iss",
            refused(&with("iss", json!("https://evil.example")), Issuer),
        ),
        ("nonce", refused(&with("nonce", json!("n")), Nonce)),
        ("no events", refused(&without(&["events"]), Event)),
        ("events {}", refused(&with("events", json!({})), Event)),
        (
            "event null",
            refused(&with("events", json!({ EVENT: null })), Event),
        ),
        (
            "neither sub nor sid",
            refused(&without(&["sub", "sid"]), Subject),
        ),
        (
            "alg none",
            (
                format!("{}.", message(none, &claims().to_string())),
                Some(Algorithm),
            ),
        ),
        (
            "HS256 with the client secret",
            (
                hmac_token(hs256, &claims().to_string(), b"the client's secret"),
                Some(Algorithm),
            ),
        ),
        ("garbage", ("garbage".to_owned(), Some(Malformed))),
        (
            "right key, unknown kid",
            (
                signed(&HEADER.replace("k1", "k2"), &claims()),
                Some(UnknownKey),
            ),
        ),
        (
            "wrong key",
            (
                others().token(ALGORITHM, HEADER, &claims().to_string()),
                Some(Signature),
            ),
        ),
        ("encrypted", ("a.b.c.d.e".to_owned(), Some(Encrypted))),
        (
            "another type",
            (signed(&typed("at+jwt"), &claims()), Some(Type)),
        ),
        (
            "critical extension",
            (
                signed(&HEADER.replace("{", r#"{"crit":["x"],"x":1,"#), &claims()),
                Some(Critical),
            ),
        ),
    ];
    for (kind, (token, error)) in rows {
        let expected = (
            if error.is_none() { 200 } else { 400 },
            error.map(LogoutRequestError::Token),
        );
        assert_eq!(
            answered(&format!("logout_token={token}")),
            expected,
            "{kind}"
        );
    }
    // The store tells a repeated token, the caller another method.
    assert_eq!(answer::refused(Repeated).status(), 400);
    assert_eq!(answer::method_not_allowed().status(), 405);
    assert_eq!(answered("").1, Some(LogoutRequestError::Missing));
}
