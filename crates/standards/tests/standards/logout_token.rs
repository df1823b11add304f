//! The checks of a logout token, one by one and in their order.

use logout_core::time::Timestamp;
use logout_standards::{
    KeySetError, LARGEST_LOGOUT_REQUEST, LogoutTokenError, LogoutTokenVerifier, SignatureAlgorithm,
    VerifierError,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::{NOW, keys, others, set};
use crate::token_kinds::{
    CLIENT, EVENT, HEADER, ISSUER, claims, provider_keys, signed, verifier, verify, with, without,
};

fn fault(claims: &Value) -> Option<LogoutTokenError> {
    verify(&signed(HEADER, claims)).err()
}

#[test]
fn a_valid_token_names_its_person_and_how_long_it_is_remembered() {
    let token = verify(&signed(
        HEADER,
        &with("iat", json!(NOW.as_secs() as f64 + 0.25)),
    ))
    .unwrap();
    assert_eq!(
        (&*token.issuer, token.subject.as_deref()),
        (ISSUER, Some("alice"))
    );
    assert_eq!(
        token.sid.as_deref(),
        Some("uIW_JCafhFpDbgob_q1zQJsAkbgKt-UArpyUBZm5IoV")
    );
    assert_eq!(&*token.jti, "EXifnV5r4VtRZaglKFWcnUQznHSWpj4Yu5R3s2_GMzF");
    assert_eq!(token.issued, Timestamp::from_millis(NOW.as_millis() + 250));
    assert_eq!(
        token.remember_until.as_millis(),
        NOW.as_millis() + 250 + 600_000
    );
}

#[test]
fn every_algorithm_verifies_its_own_signatures_and_no_other() {
    for algorithm in SignatureAlgorithm::ALL {
        let verifier = LogoutTokenVerifier::new(ISSUER, CLIENT, &[algorithm]).unwrap();
        let set = set(&[keys().jwk(algorithm, "k1")]);
        for named in SignatureAlgorithm::ALL {
            let header = json!({ "alg": named.as_str(), "kid": "k1" }).to_string();
            let token = keys().token(algorithm, &header, &claims().to_string());
            assert_eq!(
                verifier.verify(&token, &set, NOW).err(),
                (named != algorithm).then_some(LogoutTokenError::Algorithm),
                "{algorithm:?} {named:?}"
            );
        }
        let header = json!({ "alg": algorithm.as_str(), "kid": "k1" }).to_string();
        let token = others().token(algorithm, &header, &claims().to_string());
        assert_eq!(
            verifier.verify(&token, &set, NOW),
            Err(LogoutTokenError::Signature)
        );
    }
}

#[test]
fn no_verifier_is_made_that_could_verify_nothing() {
    let new = |issuer: &str, client: &str, algorithms: &[SignatureAlgorithm]| {
        LogoutTokenVerifier::new(issuer, client, algorithms).err()
    };
    let default = &SignatureAlgorithm::DEFAULT;
    assert_eq!(new("", CLIENT, default), Some(VerifierError::NoIssuer));
    assert_eq!(new(ISSUER, "", default), Some(VerifierError::NoClientId));
    assert_eq!(new(ISSUER, CLIENT, &[]), Some(VerifierError::NoAlgorithm));
    assert_eq!(new(ISSUER, CLIENT, default), None);
}

#[test]
fn every_change_to_a_token_makes_it_refused() {
    let token = signed(HEADER, &claims());
    for at in (0..token.len()).step_by(7) {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(verify(&changed).is_err(), "at {at}");
        assert!(verify(&token[..at]).is_err(), "cut at {at}");
    }
    for other in [
        format!("{token}="),
        format!(" {token}"),
        format!("{token}."),
    ] {
        assert!(verify(&other).is_err(), "{other}");
    }
    let long = format!("{token}{}", "A".repeat(LARGEST_LOGOUT_REQUEST));
    assert_eq!(verify(&long), Err(LogoutTokenError::Malformed));
}

#[test]
fn a_member_that_is_named_twice_is_refused() {
    let claims = claims().to_string();
    for header in [
        r#"{"alg":"RS256","kid":"k1","kid":"k1"}"#,
        r#"{"alg":"RS256","kid":"k1","x":1,"x":2}"#,
    ] {
        let token = keys().token(SignatureAlgorithm::Rs256, header, &claims);
        assert_eq!(verify(&token), Err(LogoutTokenError::Header), "{header}");
    }
    let sub_twice = claims.replacen('{', r#"{"sub":"mallory","#, 1);
    let event_twice = claims.replacen("{}", &format!(r#"{{}},"{EVENT}":{{}}"#), 1);
    for claims in [&*sub_twice, &*event_twice, "[]", "null", "", "\u{0}"] {
        let token = keys().token(SignatureAlgorithm::Rs256, HEADER, claims);
        assert_eq!(verify(&token), Err(LogoutTokenError::Claims), "{claims}");
    }
}

#[test]
fn times_count_to_the_second() {
    let now = NOW.as_secs();
    for (name, value, error) in [
        ("iat", json!(now - 300), None),
        ("iat", json!(now - 301), Some(LogoutTokenError::IssuedAt)),
        ("iat", json!(now + 300), None),
        ("iat", json!(now + 301), Some(LogoutTokenError::IssuedAt)),
        (
            "iat",
            json!(now.to_string()),
            Some(LogoutTokenError::IssuedAt),
        ),
        ("iat", json!(-1), Some(LogoutTokenError::IssuedAt)),
        ("iat", json!(1e300), Some(LogoutTokenError::IssuedAt)),
        ("iat", json!(null), Some(LogoutTokenError::IssuedAt)),
        ("exp", json!(now - 29), None),
        ("exp", json!(now - 30), Some(LogoutTokenError::Expired)),
        ("exp", json!(null), Some(LogoutTokenError::Expired)),
        (
            "exp",
            json!((now + 60).to_string()),
            Some(LogoutTokenError::Expired),
        ),
        ("nbf", json!(now + 300), None),
        ("nbf", json!(now + 301), Some(LogoutTokenError::NotYetValid)),
        ("nbf", json!("0"), Some(LogoutTokenError::NotYetValid)),
    ] {
        assert_eq!(fault(&with(name, value.clone())), error, "{name} {value}");
    }
    let early = Timestamp::from_millis(1000);
    let token = signed(HEADER, &with("iat", json!(-200)));
    assert_eq!(
        verifier().verify(&token, &provider_keys(), early),
        Err(LogoutTokenError::IssuedAt)
    );
}

#[test]
fn claims_have_one_spelling_and_one_type() {
    use LogoutTokenError::*;
    for (name, value, error) in [
        ("iss", json!(format!("{ISSUER}/")), Some(Issuer)),
        ("iss", json!("HTTPS://idp.example"), Some(Issuer)),
        ("iss", json!([ISSUER]), Some(Issuer)),
        ("iss", json!(null), Some(Issuer)),
        ("aud", json!([CLIENT]), None),
        ("aud", json!([]), Some(Audience)),
        ("aud", json!([[CLIENT]]), Some(Audience)),
        ("aud", json!("RP1"), Some(Audience)),
        ("events", json!({ EVENT: { "x": 1 }, "urn:x": {} }), None),
        ("events", json!({ EVENT: [] }), Some(Event)),
        ("events", json!({ EVENT: "" }), Some(Event)),
        ("events", json!([EVENT]), Some(Event)),
        ("events", json!(EVENT), Some(Event)),
        ("sub", json!(""), Some(Subject)),
        ("sub", json!(null), Some(Subject)),
        ("sub", json!(7), Some(Subject)),
        ("sid", json!(""), Some(Subject)),
        ("sid", json!(["s"]), Some(Subject)),
        ("nonce", json!(null), Some(Nonce)),
        ("nonce", json!(""), Some(Nonce)),
        ("nonce", json!({}), Some(Nonce)),
        ("jti", json!(""), Some(TokenId)),
        ("jti", json!(7), Some(TokenId)),
        ("jti", json!("j".repeat(256)), None),
        ("jti", json!("j".repeat(257)), Some(TokenId)),
        ("unknown", json!({ "deep": [1] }), None),
    ] {
        assert_eq!(fault(&with(name, value.clone())), error, "{name} {value}");
    }
}

#[test]
fn the_first_fault_decides() {
    use LogoutTokenError::*;
    let mut all = json!({});
    for (error, name, good) in [
        (Issuer, "iss", json!(ISSUER)),
        (Audience, "aud", json!(CLIENT)),
        (IssuedAt, "iat", json!(NOW.as_secs())),
        (Event, "events", json!({ EVENT: {} })),
        (Subject, "sid", json!("s")),
        (TokenId, "jti", json!("j")),
    ] {
        assert_eq!(fault(&all), Some(error));
        let other = signed(&HEADER.replace("k1", "k2"), &all);
        assert_eq!(verify(&other), Err(UnknownKey), "before {error:?}");
        all[name] = good;
    }
    assert_eq!(fault(&all), None);
    let both = without(&["jti"]).as_object().unwrap().clone();
    let mut both = Value::Object(both);
    both["nonce"] = json!("n");
    assert_eq!(fault(&both), Some(Nonce));
    let header = r#"{"alg":"HS256","typ":"x","crit":[],"kid":"k2"}"#;
    assert_eq!(verify(&signed(header, &claims())), Err(Algorithm));
    let header = r#"{"alg":"RS256","typ":"x","crit":[],"kid":"k2"}"#;
    assert_eq!(verify(&signed(header, &claims())), Err(Critical));
    let header = r#"{"alg":"RS256","typ":"x","kid":"k2"}"#;
    assert_eq!(verify(&signed(header, &claims())), Err(Type));
}

#[test]
fn of_long_names_the_digest_is_kept() {
    let long = "a".repeat(300);
    let mut claims = with("sub", json!(long));
    claims["sid"] = json!("b".repeat(256));
    let token = verify(&signed(HEADER, &claims)).unwrap();
    let subject = token.subject.unwrap();
    assert_eq!((subject.len(), &subject[..7]), (71, "sha256:"));
    assert_eq!(token.sid.unwrap().len(), 256);
}

#[test]
fn errors_say_nothing_of_the_token() {
    let canary = "canary";
    let token = signed(HEADER, &with("iss", json!(canary)));
    let error = verify(&token).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(canary));
    assert_eq!(error.to_string(), "iss is not the configured issuer");
}

#[test]
fn without_a_kid_exactly_one_key_must_fit() {
    let algorithm = SignatureAlgorithm::Rs256;
    let token = keys().token(algorithm, r#"{"alg":"RS256"}"#, &claims().to_string());
    let jwk = |keys: &crate::signer::Keys, kid| keys.jwk(algorithm, kid);
    for (jwks, error) in [
        (vec![jwk(keys(), "a")], None),
        (vec![keys().bare_jwk(algorithm)], None),
        (
            vec![jwk(keys(), "a"), keys().jwk(SignatureAlgorithm::Es256, "b")],
            None,
        ),
        (
            vec![jwk(keys(), "a"), jwk(others(), "b")],
            Some(LogoutTokenError::AmbiguousKey),
        ),
        (vec![jwk(others(), "a")], Some(LogoutTokenError::UnknownKey)),
        (vec![], Some(LogoutTokenError::UnknownKey)),
    ] {
        let outcome = verifier().verify(&token, &set(&jwks), NOW);
        assert_eq!(outcome.err(), error, "{jwks:?}");
    }
}

#[test]
fn of_several_keys_with_one_id_each_that_fits_is_tried() {
    let algorithm = SignatureAlgorithm::Rs256;
    let twins = set(&[
        others().jwk(algorithm, "k1"),
        keys().jwk(SignatureAlgorithm::Es256, "k1"),
        keys().jwk(algorithm, "k1"),
    ]);
    let token = signed(HEADER, &claims());
    assert!(verifier().verify(&token, &twins, NOW).is_ok());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(token in any::<String>(), dots in "[A-Za-z0-9_-]{0,9}(\\.[A-Za-z0-9_-]{0,9}){0,5}") {
        prop_assert!(verify(&token).is_err());
        prop_assert!(verify(&dots).is_err());
    }

    #[test]
    fn no_signed_json_makes_it_panic(
        name in prop::sample::select(vec!["iss", "aud", "iat", "exp", "nbf", "events", "sub", "sid", "nonce", "jti"]),
        text in any::<String>(),
        number in any::<f64>(),
        kind in 0..5,
    ) {
        let value = match kind {
            0 => json!(text),
            1 => json!(number),
            2 => json!([text]),
            3 => json!({ "x": number }),
            _ => Value::Null,
        };
        let claims = with(name, value).to_string();
        // Ed25519 signs fast enough for many cases.
        let header = r#"{"alg":"EdDSA","kid":"k1"}"#;
        let token = keys().token(SignatureAlgorithm::EdDsa, header, &claims);
        let verifier =
            LogoutTokenVerifier::new(ISSUER, CLIENT, &[SignatureAlgorithm::EdDsa]).unwrap();
        let set = set(&[keys().jwk(SignatureAlgorithm::EdDsa, "k1")]);
        let _ = verifier.verify(&token, &set, NOW);
    }

    #[test]
    fn no_document_makes_a_key_set_panic(bytes in any::<Vec<u8>>(), member in any::<String>()) {
        let parse = |bytes: &[u8]| logout_standards::KeySet::parse(bytes, &SignatureAlgorithm::ALL);
        prop_assert_eq!(parse(&bytes).err(), Some(KeySetError::Malformed));
        for kty in ["RSA", "EC", "OKP", "oct"] {
            let key = json!({ "kty": kty, "crv": "P-256", "n": member, "e": "AQAB", "x": member,
                "y": member, "k": member });
            let document = json!({ "keys": [key] }).to_string();
            prop_assert!(parse(document.as_bytes()).is_ok_and(|set| set.is_empty()));
        }
    }
}
