use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::EncodingKey;
use serde_json::json;

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
    rule.person(&Subject::new("r", "mallory"), session, NOW)
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
fn a_token_that_somebody_else_signed_names_nobody() {
    let stranger = Keys::generate();
    for algorithm in [
        ClaimAlgorithm::EdDsa,
        ClaimAlgorithm::Es256,
        ClaimAlgorithm::Rs256,
    ] {
        assert_eq!(
            read(&rule(algorithm), &stranger.token(algorithm, &claims())),
            None,
            "{algorithm:?}"
        );
    }
    let other = PersonByClaim::new(
        ClaimAlgorithm::Hs256,
        b"another secret that is long enough to be one",
        "email",
    )
    .unwrap();
    assert_eq!(
        read(&other, &keys().token(ClaimAlgorithm::Hs256, &claims())),
        None
    );
}

#[test]
fn every_change_to_a_token_makes_it_name_nobody() {
    for algorithm in ClaimAlgorithm::ALL {
        let (rule, token) = (rule(algorithm), keys().token(algorithm, &claims()));
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                read(&rule, std::str::from_utf8(&changed).unwrap()),
                None,
                "{algorithm:?} at {at}"
            );
            assert_eq!(read(&rule, &token[..at]), None, "{algorithm:?} cut at {at}");
        }
        for other in [
            format!("{token}."),
            format!("{token}="),
            format!(" {token}"),
            format!("Bearer {token}"),
            format!("{token}.x"),
        ] {
            assert_eq!(read(&rule, &other), None);
        }
    }
}

#[test]
fn a_token_without_signature_names_nobody() {
    for algorithm in ClaimAlgorithm::ALL {
        for alg in ["none", "None", "NONE", "", algorithm.as_str()] {
            let message = unsigned(&json!({ "alg": alg }).to_string(), &claims());
            for token in [format!("{message}."), message.clone()] {
                assert_eq!(read(&rule(algorithm), &token), None, "{algorithm:?} {alg}");
            }
        }
    }
}

#[test]
fn a_public_key_cannot_be_used_as_a_secret() {
    for algorithm in [
        ClaimAlgorithm::EdDsa,
        ClaimAlgorithm::Es256,
        ClaimAlgorithm::Rs256,
    ] {
        let pem = keys().pem(algorithm);
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap();
        for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), &der] {
            for alg in ["HS256", algorithm.as_str()] {
                let message = unsigned(&json!({ "alg": alg }).to_string(), &claims());
                let token = format!(
                    "{message}.{}",
                    URL_SAFE_NO_PAD.encode(hmac(secret, message.as_bytes()))
                );
                assert_eq!(read(&rule(algorithm), &token), None, "{algorithm:?} {alg}");
            }
        }
        let refused = PersonByClaim::new(ClaimAlgorithm::Hs256, pem.as_bytes(), "email");
        assert_eq!(
            refused.err(),
            Some(ClaimKeyError::NoSecret),
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_token_that_names_another_algorithm_names_nobody_even_when_it_is_well_signed() {
    for algorithm in ClaimAlgorithm::ALL {
        for alg in [
            "none", "HS256", "HS512", "RS256", "RS512", "ES256", "EdDSA", "PS256", "rs256",
        ] {
            let token = keys().token_with(&json!({ "alg": alg }).to_string(), algorithm, &claims());
            assert_eq!(
                read(&rule(algorithm), &token).is_some(),
                alg == algorithm.as_str(),
                "{algorithm:?} {alg}"
            );
        }
    }
}

#[test]
fn a_header_that_cannot_be_understood_names_nobody() {
    let name = ClaimAlgorithm::Hs256;
    for header in [
        r#"{"typ":"JWT"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        "",
        "HS256",
    ] {
        assert_eq!(
            read(&rule(name), &keys().token_with(header, name, &claims())),
            None,
            "{header}"
        );
    }
    assert!(
        read(
            &rule(name),
            &keys().token_with(
                r#"{"kid":"1","alg":"HS256","jku":"https://evil.test"}"#,
                name,
                &claims()
            )
        )
        .is_some()
    );
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
fn a_key_that_does_not_fit_is_refused_at_the_start() {
    let fault = |algorithm, key: &[u8]| PersonByClaim::new(algorithm, key, "email").err();
    for algorithm in [
        ClaimAlgorithm::EdDsa,
        ClaimAlgorithm::Es256,
        ClaimAlgorithm::Rs256,
    ] {
        for other in [
            ClaimAlgorithm::EdDsa,
            ClaimAlgorithm::Es256,
            ClaimAlgorithm::Rs256,
        ] {
            let expected = (algorithm != other).then_some(ClaimKeyError::OtherKind);
            assert_eq!(
                fault(algorithm, keys().pem(other).as_bytes()),
                expected,
                "{algorithm:?} {other:?}"
            );
        }
        let private = keys().pem(algorithm).replace("PUBLIC", "PRIVATE");
        for none in ["", "secret", &private, "-----BEGIN PUBLIC KEY-----\n"] {
            assert_eq!(
                fault(algorithm, none.as_bytes()),
                Some(ClaimKeyError::NoPublicKey),
                "{algorithm:?}"
            );
        }
    }
    for empty in ["", "\n", "\r\n"] {
        assert_eq!(
            fault(ClaimAlgorithm::Hs256, empty.as_bytes()),
            Some(ClaimKeyError::Empty)
        );
    }
}

#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    let short = PersonByClaim::new(ClaimAlgorithm::Hs256, &SHARED[..31], "email");
    assert_eq!(short.err(), Some(ClaimKeyError::TooShort(31)));
    assert!(PersonByClaim::new(ClaimAlgorithm::Hs256, &SHARED[..32], "email").is_ok());
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
fn the_line_end_behind_a_secret_does_not_count() {
    for end in ["", "\n", "\r\n"] {
        let rule = PersonByClaim::new(
            ClaimAlgorithm::Hs256,
            &[SHARED, end.as_bytes()].concat(),
            "email",
        )
        .unwrap();
        assert!(read_claims(&rule, &claims()).is_some(), "{end:?}");
    }
}

#[test]
fn algorithms_have_one_spelling() {
    for algorithm in ClaimAlgorithm::ALL {
        assert_eq!(ClaimAlgorithm::parse(algorithm.as_str()), Some(algorithm));
        assert_eq!(
            ClaimAlgorithm::parse(&algorithm.as_str().to_lowercase()),
            None
        );
    }
    for other in ["none", "", "HS384", "PS256", "ES384"] {
        assert_eq!(ClaimAlgorithm::parse(other), None, "{other}");
    }
}

#[test]
fn a_key_does_not_print_itself() {
    let rule = PersonByClaim::new(
        ClaimAlgorithm::Hs256,
        b"canary canary canary canary canary",
        "email",
    )
    .unwrap();
    assert!(!format!("{rule:?}").contains("canary"));
}

/// A public key of RSA with 1024 bits, which nothing here can make.
const SHORT_RSA: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCjYQFdI9t66QJDSwjNqZh3mZ1j\n\
JNhdF1X/lcxJEzNdEtYgy48GNlwls2O/gkICdxcHZxb3OwM3vy3UDzmAF0SsMOQ9\n\
aSCsHCQpLFH/HVK1CqSaI8UlmjqFxTXtgDC+7oue6CndxrmaA/Iqcqv6zT2o+Ocy\n\
a+dw35yUgyU17GSmcQIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

#[test]
fn a_short_rsa_key_is_refused_by_its_length() {
    let short = PersonByClaim::new(ClaimAlgorithm::Rs256, SHORT_RSA.as_bytes(), "email");
    assert_eq!(short.err(), Some(ClaimKeyError::ShortRsa));
    assert_eq!(
        ClaimKeyError::ShortRsa.to_string(),
        "the RSA key has less than 2048 bits; make one of 2048 bits or more"
    );
}
