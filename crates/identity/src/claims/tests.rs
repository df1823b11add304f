mod key;
mod signature;

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use logout_core::credential::Secret;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_750_000_000_000);
const SHARED: &[u8] = b"a secret that the platform signs with";

/// One key of every kind.
struct Keys {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Keys {
    fn generate() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    fn pem(&self, algorithm: ClaimAlgorithm) -> String {
        match algorithm {
            ClaimAlgorithm::EdDsa => pem(self.ed.public_key()),
            ClaimAlgorithm::Es256 => pem(self.ec.public_key()),
            ClaimAlgorithm::Hs256 => String::from_utf8(SHARED.to_vec()).unwrap(),
            ClaimAlgorithm::Rs256 => pem(self.rsa.public_key()),
        }
    }

    fn sign(&self, algorithm: ClaimAlgorithm, message: &[u8]) -> Vec<u8> {
        match algorithm {
            ClaimAlgorithm::EdDsa => self.ed.sign(message).as_ref().to_vec(),
            ClaimAlgorithm::Es256 => self
                .ec
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec(),
            ClaimAlgorithm::Hs256 => hmac(SHARED, message),
            ClaimAlgorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa
                    .sign(
                        &RSA_PKCS1_SHA256,
                        &SystemRandom::new(),
                        message,
                        &mut signature,
                    )
                    .unwrap();
                signature
            }
        }
    }

    fn token(&self, algorithm: ClaimAlgorithm, claims: &Value) -> String {
        self.token_with(
            &json!({ "alg": algorithm.as_str(), "typ": "JWT" }).to_string(),
            algorithm,
            claims,
        )
    }

    fn token_with(&self, header: &str, algorithm: ClaimAlgorithm, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(Keys::generate)
}

fn pem(key: &impl AsDer<PublicKeyX509Der<'static>>) -> String {
    let text = STANDARD.encode(key.as_der().unwrap().as_ref());
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let signature =
        crypto::sign(message, &EncodingKey::from_secret(key), Algorithm::HS256).unwrap();
    URL_SAFE_NO_PAD.decode(signature).unwrap()
}

fn unsigned(header: &str, claims: &Value) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

fn claims() -> Value {
    json!({ "email": "Alice@Example.com", "exp": NOW.as_secs() + 3600 })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn rule(algorithm: ClaimAlgorithm) -> PersonByClaim {
    PersonByClaim::new(algorithm, keys().pem(algorithm).as_bytes(), "email").unwrap()
}

fn of_session(rule: &PersonByClaim, session: &UpstreamSession) -> Option<String> {
    rule.identify(&Subject::new("r", "mallory"), session, NOW)
        .person
        .map(|person| person.as_str().to_owned())
}

fn read(rule: &PersonByClaim, token: &str) -> Option<String> {
    of_session(
        rule,
        &UpstreamSession {
            bearer: Some(Secret::new(token)),
            ..UpstreamSession::default()
        },
    )
}

fn read_claims(rule: &PersonByClaim, claims: &Value) -> Option<String> {
    read(rule, &keys().token(rule.algorithm, claims))
}

#[test]
fn the_claim_of_a_well_signed_token_names_the_person() {
    for algorithm in ClaimAlgorithm::ALL {
        assert_eq!(
            read_claims(&rule(algorithm), &claims()).as_deref(),
            Some("Alice@Example.com"),
            "{algorithm:?}"
        );
        assert_eq!(
            read_claims(&rule(algorithm).lowercased(), &claims()).as_deref(),
            Some("alice@example.com")
        );
    }
}

#[test]
fn a_token_counts_from_its_beginning_to_its_expiry() {
    let rule = rule(ClaimAlgorithm::EdDsa);
    let now = NOW.as_secs();
    for (name, value, valid) in [
        ("exp", json!(now + 1), true),
        ("exp", json!(now as f64 + 0.5), true),
        ("exp", json!(now), false),
        ("exp", json!(now - 1), false),
        ("exp", json!(-1), false),
        ("exp", json!((now + 3600).to_string()), false),
        ("exp", json!(null), false),
        ("nbf", json!(now + 60), true),
        ("nbf", json!(now + 61), false),
        ("nbf", json!("0"), false),
    ] {
        assert_eq!(
            read_claims(&rule, &claims_with(name, value.clone())).is_some(),
            valid,
            "{name} {value}"
        );
    }
    assert_eq!(
        read_claims(&rule, &json!({ "email": "alice" })),
        None,
        "without expiry"
    );
}

#[test]
fn issuer_and_audience_count_where_they_are_configured() {
    let (any, picky) = (
        rule(ClaimAlgorithm::Es256),
        rule(ClaimAlgorithm::Es256)
            .issued_by("https://idp")
            .for_audience("hub"),
    );
    let with = |issuer: Value, audience: Value| json!({ "email": "alice", "exp": NOW.as_secs() + 1, "iss": issuer, "aud": audience });
    for (issuer, audience, accepted) in [
        (json!("https://idp"), json!("hub"), true),
        (json!("https://idp"), json!(["cms", "hub"]), true),
        (json!("https://idp"), json!("cms"), false),
        (json!("https://idp"), json!([]), false),
        (json!("https://idp"), json!(["hubs", ["hub"]]), false),
        (json!("https://idp"), json!(null), false),
        (json!("https://idp/"), json!("hub"), false),
        (json!(["https://idp"]), json!("hub"), false),
        (json!(null), json!("hub"), false),
    ] {
        let claims = with(issuer, audience);
        assert_eq!(read_claims(&picky, &claims).is_some(), accepted, "{claims}");
        assert!(read_claims(&any, &claims).is_some(), "{claims}");
    }
    assert_eq!(read_claims(&picky, &claims()), None, "without either");
}

#[test]
fn a_claim_that_is_no_text_names_nobody() {
    let rule = rule(ClaimAlgorithm::Hs256);
    for value in [
        json!(null),
        json!(7),
        json!(true),
        json!(["alice"]),
        json!({ "name": "alice" }),
        json!(""),
        json!(" \t"),
    ] {
        assert_eq!(
            read_claims(&rule, &claims_with("email", value.clone())),
            None,
            "{value}"
        );
    }
    assert_eq!(
        read_claims(&rule, &json!({ "exp": NOW.as_secs() + 1, "sub": "alice" })),
        None
    );
    assert_eq!(
        read_claims(&rule, &claims_with("email", json!(" alice "))).as_deref(),
        Some("alice")
    );
    for payload in [json!([]), json!("x"), json!(null)] {
        assert_eq!(read_claims(&rule, &payload), None, "{payload}");
    }
}

#[test]
fn the_token_is_the_bearer_or_the_named_cookie_and_no_other() {
    let token = Secret::new(keys().token(ClaimAlgorithm::Rs256, &claims()));
    let (bearer, cookie) = (
        rule(ClaimAlgorithm::Rs256),
        rule(ClaimAlgorithm::Rs256).in_cookie("id_token"),
    );
    let with_bearer = UpstreamSession {
        bearer: Some(token.clone()),
        ..UpstreamSession::default()
    };
    let with_cookie = |name: &str| UpstreamSession {
        cookies: vec![(name.to_owned(), token.clone())],
        ..UpstreamSession::default()
    };
    assert!(
        of_session(&bearer, &with_bearer).is_some()
            && of_session(&cookie, &with_cookie("id_token")).is_some()
    );
    assert!(
        of_session(&cookie, &with_bearer).is_none()
            && of_session(&bearer, &with_cookie("id_token")).is_none()
    );
    assert!(
        of_session(&cookie, &with_cookie("ID_TOKEN")).is_none()
            && of_session(&bearer, &UpstreamSession::default()).is_none()
    );
}

#[test]
fn a_token_of_another_type_names_nobody() {
    let algorithm = ClaimAlgorithm::Es256;
    let typed = |rule: &PersonByClaim, typ: Value| {
        let header = if typ.is_null() {
            json!({ "alg": "ES256" })
        } else {
            json!({ "alg": "ES256", "typ": typ })
        };
        read(
            rule,
            &keys().token_with(&header.to_string(), algorithm, &claims()),
        )
        .is_some()
    };
    let any = rule(algorithm);
    for (typ, counts) in [
        (Value::Null, true),
        (json!("JWT"), true),
        (json!("jwt"), true),
        (json!("at+jwt"), true),
        (json!("application/at+JWT"), true),
        (json!("logout+jwt"), false),
        (json!("secevent+jwt"), false),
        (json!(""), false),
        (json!(1), false),
    ] {
        assert_eq!(typed(&any, typ.clone()), counts, "{typ}");
    }
    let own = rule(algorithm).of_type("login+jwt");
    assert_eq!(
        [json!("login+jwt"), json!("JWT"), Value::Null].map(|typ| typed(&own, typ)),
        [true, false, false]
    );
}

#[test]
fn the_claims_say_which_login_at_the_issuer_the_session_came_from() {
    let rule = rule(ClaimAlgorithm::EdDsa);
    let login = |claims: &Value| {
        let session = UpstreamSession {
            bearer: Some(Secret::new(keys().token(rule.algorithm, claims))),
            ..UpstreamSession::default()
        };
        rule.identify(&Subject::new("r", "mallory"), &session, NOW)
            .idp
    };
    let mut claims = claims_with("iss", json!("https://idp.example"));
    assert_eq!(login(&claims), None);
    claims["sub"] = json!("4711");
    let by_subject = IdpLogin::new("https://idp.example", Some("4711"), None);
    assert_eq!(login(&claims), by_subject);
    claims["sid"] = json!("s");
    let whole = IdpLogin::new("https://idp.example", Some("4711"), Some("s"));
    assert_eq!(login(&claims), whole);
    claims["sid"] = json!(7);
    assert_eq!(login(&claims), by_subject);
    claims["exp"] = json!(NOW.as_secs());
    assert_eq!(login(&claims), None);
}
