//! Security event tokens, one fault at a time.

use logout_core::idp::IdpLogin;
use logout_standards::{
    EventSubject, LogoutTokenError, SecurityEvent, SecurityEventError, SignatureAlgorithm,
    SubjectId, SubjectIdError, read_security_event,
};
use serde_json::{Value, json};

use crate::signer::{NOW, others};
use crate::token_kinds::{ISSUER, provider_keys, signed};

const AUDIENCE: &str = "https://hub.example/events";
const HEADER: &str = r#"{"alg":"RS256","typ":"secevent+jwt","kid":"k1"}"#;
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CHANGED: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": NOW.as_secs(),
        "jti": "4711",
        "txn": 8675309,
        "sub_id": { "format": "opaque", "id": "alice" },
        "events": { REVOKED: { "event_timestamp": NOW.as_secs() } },
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

fn verify_token(token: &str) -> Result<SecurityEvent, SecurityEventError> {
    let of = (ISSUER, AUDIENCE);
    SecurityEvent::verify(
        token,
        of,
        &provider_keys(),
        &SignatureAlgorithm::DEFAULT,
        NOW,
    )
}

fn verify(claims: &Value) -> Result<SecurityEvent, SecurityEventError> {
    verify_token(&signed(HEADER, claims))
}

#[test]
fn an_event_says_what_has_happened_and_to_whom() {
    for (event, expected) in [
        (REVOKED, (true, false, false)),
        (CHANGED, (false, true, false)),
        (VERIFICATION, (false, false, true)),
        (
            "https://schemas.openid.net/secevent/risc/event-type/account-purged",
            (false, false, false),
        ),
    ] {
        let event = verify(&with("events", json!({ event: {} }))).unwrap();
        let said = (
            event.is_session_revoked,
            event.is_credential_change,
            event.is_verification,
        );
        assert_eq!(said, expected);
        assert_eq!(event.subject.is_some(), expected.0 || expected.1);
        assert_eq!((&*event.jti, event.issued), ("4711", NOW));
    }
    let both = json!({ REVOKED: {}, CHANGED: {} });
    let both = verify(&with("events", both)).unwrap();
    assert!(both.is_session_revoked && both.is_credential_change);
}

#[test]
fn every_fault_has_its_code() {
    use LogoutTokenError::*;
    use SecurityEventError::{Events, Forbidden, Token};
    let now = NOW.as_secs();
    for (claims, expected, code) in [
        (
            with("iss", json!("https://idp.example/")),
            Token(Issuer),
            "invalid_issuer",
        ),
        (without("iss"), Token(Issuer), "invalid_issuer"),
        (
            with("aud", json!("https://other.example")),
            Token(Audience),
            "invalid_audience",
        ),
        (without("aud"), Token(Audience), "invalid_audience"),
        (without("iat"), Token(IssuedAt), "invalid_request"),
        (
            with("iat", json!(now + 301)),
            Token(IssuedAt),
            "invalid_request",
        ),
        (
            with("iat", json!(now - 86_401)),
            Token(IssuedAt),
            "invalid_request",
        ),
        (with("sub", json!("alice")), Forbidden, "invalid_request"),
        (with("exp", json!(now + 60)), Forbidden, "invalid_request"),
        (without("events"), Events, "invalid_request"),
        (with("events", json!({})), Events, "invalid_request"),
        (
            with("events", json!({ REVOKED: null })),
            Events,
            "invalid_request",
        ),
        (
            without("sub_id"),
            SubjectIdError::Malformed.into(),
            "invalid_request",
        ),
        (
            with(
                "sub_id",
                json!({ "format": "phone_number", "phone_number": "+1" }),
            ),
            SubjectIdError::Format.into(),
            "invalid_request",
        ),
        (without("jti"), Token(TokenId), "invalid_request"),
        (
            with("jti", json!("x".repeat(257))),
            Token(TokenId),
            "invalid_request",
        ),
    ] {
        let error = verify(&claims).unwrap_err();
        assert_eq!((error, error.code()), (expected, code), "{claims}");
    }
    for claims in [
        with("aud", json!(["https://other.example", AUDIENCE])),
        with("iat", json!(now + 300)),
        with("iat", json!(now - 86_400)),
    ] {
        assert!(verify(&claims).is_ok(), "{claims}");
    }
}

#[test]
fn a_token_of_another_type_or_key_is_refused() {
    use SecurityEventError::Token;
    let header = |typ: Value| json!({ "alg": "RS256", "kid": "k1", "typ": typ }).to_string();
    for typ in ["JWT", "logout+jwt", "at+jwt"] {
        let token = signed(&header(json!(typ)), &claims());
        assert_eq!(
            verify_token(&token),
            Err(Token(LogoutTokenError::Type)),
            "{typ}"
        );
    }
    let untyped = signed(r#"{"alg":"RS256","kid":"k1"}"#, &claims());
    assert_eq!(verify_token(&untyped), Err(Token(LogoutTokenError::Type)));
    assert!(
        verify_token(&signed(
            &header(json!("application/secevent+jwt")),
            &claims()
        ))
        .is_ok()
    );
    let unknown = signed(
        r#"{"alg":"RS256","typ":"secevent+jwt","kid":"k2"}"#,
        &claims(),
    );
    let forged = others().token(SignatureAlgorithm::Rs256, HEADER, &claims().to_string());
    for (token, expected) in [
        (unknown, LogoutTokenError::UnknownKey),
        (forged, LogoutTokenError::Signature),
    ] {
        let error = verify_token(&token).unwrap_err();
        assert_eq!((error, error.code()), (Token(expected), "invalid_key"));
    }
}

#[test]
fn a_subject_is_a_user_or_a_session_of_one() {
    let user = |subject: &EventSubject| subject.user.clone();
    let read = |value: Value| verify(&with("sub_id", value)).map(|event| event.subject.unwrap());
    let simple = read(json!({ "format": "iss_sub", "iss": ISSUER, "sub": "alice" })).unwrap();
    assert_eq!(
        simple.login(ISSUER),
        IdpLogin::new(ISSUER, Some("alice"), None)
    );
    assert_eq!(simple.login("https://other.example"), None);
    let email = read(json!({ "format": "email", "email": "a@b.example" })).unwrap();
    assert_eq!(user(&email), Some(SubjectId::Email("a@b.example".into())));
    assert_eq!(email.login(ISSUER), None);
    let session = json!({ "format": "opaque", "id": "s" });
    let complex = json!({
        "format": "complex",
        "session": session,
        "user": { "format": "opaque", "id": "alice" },
        "device": { "format": "opaque", "id": "d" },
    });
    let complex = read(complex).unwrap();
    assert_eq!(
        complex.login(ISSUER),
        IdpLogin::new(ISSUER, Some("alice"), Some("s"))
    );
    let alone = read(json!({ "format": "complex", "session": session })).unwrap();
    assert_eq!(alone.login(ISSUER), IdpLogin::new(ISSUER, None, Some("s")));
    for value in [
        json!({ "format": "complex" }),
        json!({ "format": "complex", "device": { "format": "opaque", "id": "d" } }),
        json!({ "format": "complex", "session": { "format": "email", "email": "a@b.example" } }),
        json!({ "format": "complex", "session": session, "user": {} }),
    ] {
        assert!(read(value.clone()).is_err(), "{value}");
    }
}

#[test]
fn a_request_has_its_own_media_type() {
    let read = |media_type| read_security_event(media_type, b" token\n");
    assert_eq!(read(Some("application/secevent+jwt")), Ok("token"));
    assert_eq!(read(Some("Application/SecEvent+JWT; x=y")), Ok("token"));
    for media_type in [None, Some("application/jwt"), Some("text/plain")] {
        assert_eq!(read(media_type), Err(SecurityEventError::MediaType));
    }
    let broken = read_security_event(Some("application/secevent+jwt"), b"\xff");
    assert_eq!(broken, Err(LogoutTokenError::Malformed.into()));
}
