//! Which keys are refused at the start.

use super::*;

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
