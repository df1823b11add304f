//! ID tokens as hints, and tokens by which a provider authenticates itself.

use logout_standards::{IdTokenHint, LogoutTokenError, ProviderToken, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::signer::{NOW, others};
use crate::token_kinds::{CLIENT, EVENT, ISSUER, provider_keys, signed};

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#;
const ENDPOINT: &str = "https://hub.example/idp/op/global-token-revocation";

fn id_claims() -> Value {
    // Long over.
    json!({ "iss": ISSUER, "aud": CLIENT, "sub": "alice", "sid": "s", "exp": 1, "iat": 0, "nonce": "n" })
}

fn provider_claims() -> Value {
    let now = NOW.as_secs();
    json!({
        "iss": ISSUER, "aud": ENDPOINT, "sub": ISSUER, "jti": "1",
        "iat": now, "nbf": now, "exp": now + 300,
    })
}

fn changed(claims: &Value, name: &str, value: Option<Value>) -> Value {
    let mut claims = claims.clone();
    let members = claims.as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name)),
    }
    claims
}

fn hint(token: &str) -> Result<IdTokenHint, LogoutTokenError> {
    let algorithms = &SignatureAlgorithm::DEFAULT;
    IdTokenHint::verify(
        token,
        ISSUER,
        &[CLIENT, "app"],
        &provider_keys(),
        algorithms,
    )
}

fn provider(token: &str) -> Result<ProviderToken, LogoutTokenError> {
    let (of, algorithms) = ((ISSUER, ENDPOINT), &SignatureAlgorithm::DEFAULT);
    ProviderToken::verify(token, of, &provider_keys(), algorithms, NOW)
}

#[test]
fn an_id_token_counts_as_a_hint_however_old_it_is() {
    let token = signed(HEADER, &id_claims());
    let known = hint(&token).unwrap();
    assert_eq!((&*known.issuer, &*known.subject), (ISSUER, "alice"));
    assert_eq!(known.sid.as_deref(), Some("s"));
    assert!(known.is_for(CLIENT) && !known.is_for("app"));
    assert_eq!(
        IdTokenHint::unverified_issuer(&token).as_deref(),
        Some(ISSUER)
    );
    let several = changed(&id_claims(), "aud", Some(json!(["x", "app"])));
    assert!(hint(&signed(HEADER, &several)).unwrap().is_for("app"));
}

#[test]
fn a_hint_that_is_no_id_token_of_the_provider_is_none() {
    use LogoutTokenError::*;
    let id = id_claims();
    for (name, value, expected) in [
        ("iss", Some(json!("https://other.example")), Issuer),
        ("iss", None, Issuer),
        ("aud", Some(json!("x")), Audience),
        ("aud", None, Audience),
        ("sub", None, Subject),
        ("sub", Some(json!("")), Subject),
        ("sub", Some(json!(7)), Subject),
        ("events", Some(json!({ EVENT: {} })), Event),
    ] {
        let claims = changed(&id, name, value);
        assert_eq!(hint(&signed(HEADER, &claims)), Err(expected), "{claims}");
    }
    let logout = r#"{"alg":"RS256","typ":"logout+jwt","kid":"k1"}"#;
    assert_eq!(hint(&signed(logout, &id)), Err(Type));
    let forged = others().token(SignatureAlgorithm::Rs256, HEADER, &id.to_string());
    assert_eq!(hint(&forged), Err(Signature));
    assert_eq!(hint(&"x".repeat(20_000)), Err(Malformed));
    for token in ["", "x", "a.b.c", &"x".repeat(20_000)] {
        assert_eq!(IdTokenHint::unverified_issuer(token), None, "{token}");
    }
}

#[test]
fn a_provider_authenticates_itself_by_a_token_for_this_address() {
    use LogoutTokenError::*;
    for header in [
        HEADER,
        r#"{"alg":"RS256","typ":"global-token-revocation+jwt","kid":"k1"}"#,
    ] {
        let token = provider(&signed(header, &provider_claims())).unwrap();
        assert_eq!((&*token.jti, token.issued), ("1", NOW));
    }
    let now = NOW.as_secs();
    for (name, value, expected) in [
        ("iss", Some(json!("https://other.example")), Issuer),
        ("aud", Some(json!("https://hub.example/")), Audience),
        ("aud", None, Audience),
        ("iat", None, IssuedAt),
        ("iat", Some(json!(now - 301)), IssuedAt),
        ("exp", Some(json!(now - 30)), Expired),
        ("nbf", Some(json!(now + 301)), NotYetValid),
        ("jti", None, TokenId),
        ("jti", Some(json!("")), TokenId),
        ("events", Some(json!({ EVENT: {} })), Type),
        ("nonce", Some(json!("n")), Type),
    ] {
        let claims = changed(&provider_claims(), name, value);
        assert_eq!(
            provider(&signed(HEADER, &claims)),
            Err(expected),
            "{claims}"
        );
    }
    let logout = r#"{"alg":"RS256","typ":"logout+jwt","kid":"k1"}"#;
    assert_eq!(provider(&signed(logout, &provider_claims())), Err(Type));
}
