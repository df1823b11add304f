//! Which keys of a document are in the set.

use logout_standards::{
    KeySet, KeySetError, LARGEST_KEY_SET, MOST_KEYS, NoKey, SignatureAlgorithm,
};
use serde_json::{Value, json};

use crate::signer::{keys, set};

/// The modulus of an RSA key with 1024 bits, which nothing here can make.
const SHORT_MODULUS: &str = "o2EBXSPbeukCQ0sIzamYd5mdYyTYXRdX_5XMSRMzXRLWIMuPBjZcJbNjv4JCAncX\
    B2cW9zsDN78t1A85gBdErDDkPWkgrBwkKSxR_x1StQqkmiPFJZo6hcU17YAwvu6LnugpzcR65mgPyKnKr-s0_qPjsmvncN-\
    clIMlNexkpnE";

fn rsa_with(name: &str, value: Value) -> Value {
    let mut jwk = keys().jwk(SignatureAlgorithm::Rs256, "k1");
    jwk[name] = value;
    jwk
}

#[test]
fn keys_that_cannot_verify_are_left_out_and_do_no_harm() {
    let es256 = keys().jwk(SignatureAlgorithm::Es256, "k2");
    let ec_with = |name: &str, value: Value| {
        let mut jwk = es256.clone();
        jwk[name] = value;
        jwk
    };
    for (reason, left_out) in [
        ("no object", json!("key")),
        ("no kty", json!({ "kid": "k1" })),
        ("unknown kty", json!({ "kty": "AKP", "pub": "AA" })),
        ("symmetric", json!({ "kty": "oct", "k": "c2VjcmV0" })),
        ("for encryption", rsa_with("use", json!("enc"))),
        ("unknown use", rsa_with("use", json!("SIG"))),
        ("for signing only", rsa_with("key_ops", json!(["sign"]))),
        ("no operation", rsa_with("key_ops", json!([]))),
        ("HMAC", rsa_with("alg", json!("HS256"))),
        ("alg not accepted", rsa_with("alg", json!("RS512"))),
        ("alg of encryption", rsa_with("alg", json!("RSA-OAEP"))),
        ("alg no text", rsa_with("alg", json!(1))),
        ("alg null", rsa_with("alg", json!(null))),
        ("alg of another type", rsa_with("alg", json!("ES256"))),
        ("kid no text", rsa_with("kid", json!(1))),
        ("short", rsa_with("n", json!(SHORT_MODULUS))),
        ("no modulus", rsa_with("n", json!(""))),
        ("no base64url", rsa_with("n", json!("+/="))),
        ("even exponent", rsa_with("e", json!("AA"))),
        ("not on the curve", ec_with("x", json!("A".repeat(43)))),
        ("short coordinate", ec_with("x", json!("AQAB"))),
        ("unknown curve", ec_with("crv", json!("P-521"))),
        ("another curve", ec_with("crv", json!("P-384"))),
        (
            "type not accepted",
            keys().bare_jwk(SignatureAlgorithm::Es384),
        ),
        (
            "OKP that does not sign",
            json!({ "kty": "OKP", "crv": "X25519", "x": "A".repeat(43) }),
        ),
        (
            "OKP of wrong length",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" }),
        ),
    ] {
        let good = keys().jwk(SignatureAlgorithm::Rs256, "good");
        let document = json!({ "keys": [left_out, good], "other": 1 }).to_string();
        let accepted = [
            SignatureAlgorithm::Rs256,
            SignatureAlgorithm::Es256,
            SignatureAlgorithm::EdDsa,
        ];
        let set = KeySet::parse(document.as_bytes(), &accepted).unwrap();
        assert_eq!((set.len(), set.left_out()), (1, 1), "{reason}");
    }
}

#[test]
fn keys_that_say_less_serve_all_that_their_type_can() {
    let verify = rsa_with("key_ops", json!(["verify"]));
    let mut bare = keys().bare_jwk(SignatureAlgorithm::Rs256);
    bare["kid"] = json!("bare");
    let set = set(&[verify, bare]);
    let fits = |kid, algorithm| set.candidates(Some(kid), algorithm).map(|keys| keys.len());
    assert_eq!(fits("bare", SignatureAlgorithm::Rs256), Ok(1));
    assert_eq!(fits("bare", SignatureAlgorithm::Ps512), Ok(1));
    assert_eq!(fits("k1", SignatureAlgorithm::Rs256), Ok(1));
    assert_eq!(
        fits("k1", SignatureAlgorithm::Ps256),
        Err(NoKey::OtherAlgorithm)
    );
    assert_eq!(
        fits("bare", SignatureAlgorithm::Es256),
        Err(NoKey::OtherAlgorithm)
    );
    assert_eq!(fits("K1", SignatureAlgorithm::Rs256), Err(NoKey::Unknown));
    assert_eq!(
        set.candidates(None, SignatureAlgorithm::Rs256).err(),
        Some(NoKey::Ambiguous)
    );
}

#[test]
fn a_document_is_bounded_and_unambiguous() {
    let parse = |document: &str| KeySet::parse(document.as_bytes(), &SignatureAlgorithm::ALL);
    for document in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kid":"a","kid":"b"}]}"#,
        "<html>",
    ] {
        assert_eq!(
            parse(document).err(),
            Some(KeySetError::Malformed),
            "{document}"
        );
    }
    assert!(parse(r#"{"keys":[]}"#).is_ok_and(|set| set.is_empty()));
    let with = |count: usize| json!({ "keys": vec![json!({ "kty": "oct" }); count] }).to_string();
    assert_eq!(parse(&with(MOST_KEYS)).unwrap().left_out(), MOST_KEYS);
    assert_eq!(
        parse(&with(MOST_KEYS + 1)).err(),
        Some(KeySetError::TooMany)
    );
    let sized = |size: usize| {
        let start = r#"{"keys":[]"#;
        format!("{start}{}}}", " ".repeat(size - start.len() - 1))
    };
    assert!(parse(&sized(LARGEST_KEY_SET)).is_ok());
    assert_eq!(
        parse(&sized(LARGEST_KEY_SET + 1)).err(),
        Some(KeySetError::TooLarge)
    );
}
