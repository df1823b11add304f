//! Only a token that the configured key has signed names a person.

use super::*;

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
