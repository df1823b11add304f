//! Keys of the hub: the files that they are read from, and what is published of them.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use logout_standards::{SigningKey, SigningKeyError, SigningKeys};
use pkcs8::PrivateKeyInfo;
use serde_json::{Value, json};

/// An RSA key of 1024 bits (PKCS#8), which no library here still makes.
const SHORT: &str = "\
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBANWXWwjepFrxEFgtfaSexqE8aHAIv5OcHGyjtYLX3YP2\
F9BhW9XO1yYRnD5X0rdJ4NqL1oDyzdFZhluW2XzFH0Xofuuxqrn53kbvG5iGW6QgZfwZUFMQMiXZDHaGAiVTRt5Yn1b4\
Q3MR7Fam2Q8jXNEHAYZOWpdGoJNHBxYx1IRDAgMBAAECgYAlYBLh/nOsJjrB81PlFpOTa0qrMBy1679dk1gTyUpN6SZJ\
pH+5bjRfyP0aO6v3vsnF9GpYriQt2giUxlTQbH4IH7qtX6/emUUPvH60J3ZBwYgbAw29ylGFZhU+KhAkDJJnDE7rcO8n\
tFnEgxNk1NHxez+/48XGryskAwGOfLNSgQJBAPO9MxhQstD/Ch0p/Lp9imxL+I3UYJF+1KczEV+zXp17mYA1/qnQDCKf\
zQHhIIBKJsHZaqDjbhdLG0rJ8sdZJ/ECQQDgVevMwY47oYOu4woc5A5HZEroa5aF2/OJS9yjQ9XftN15XGc4seRmpkG+\
3YD7UhmuDBb0runbF0AhQo1EC8NzAkEAwKRrO+6cRl8tSTukSmlq/IlXHBIdeSF7ReMw+ii0wVetTQ5gBysuTDdtOu0K\
WRtCYrhKdHsMylBMc+IFhtXKoQJAWEpYmGhhEyT5D555f29eE0jsllapkhtD2PhLaNIs3XNwavAsC8svihrK61SAC+l/\
A9nsOvaQQVMAQVbRBEPg8wJBAJ/HZydto9szrrYN+FUIoyV5BcQC5dqJbvNmwQPH/meaCn+F+yQZWQJ5AGylE45y0cr6\
B+tMd5BJvusvAD29Rd4=";

/// A file with this in it, as `openssl` writes it.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn published(key: &SigningKey) -> Value {
    let jwks = SigningKeys::new(key.clone(), Vec::new()).jwks();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    jwks["keys"][0].clone()
}

/// The thumbprint of an RSA key (RFC 7638, section 3).
fn thumbprint(jwk: &Value) -> String {
    let text = format!(
        r#"{{"e":{},"kty":{},"n":{}}}"#,
        jwk["e"], jwk["kty"], jwk["n"]
    );
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[test]
fn the_same_key_is_read_from_every_kind_of_file() {
    let der = SigningKey::generate().unwrap();
    let key = SigningKey::from_pkcs8(&der).unwrap();
    let pkcs8 = pem("PRIVATE KEY", &der);
    let inner = PrivateKeyInfo::try_from(&**der).unwrap().private_key;
    let pkcs1 = pem("RSA PRIVATE KEY", inner);
    for file in [
        pkcs8.clone(),
        pkcs1.clone(),
        format!("\u{feff}# of the wiki\r\n{}", pkcs8.replace('\n', "\r\n")),
        format!("{pkcs1}{pkcs8}"),
    ] {
        let read = SigningKey::from_pem(file.as_bytes()).unwrap();
        assert_eq!(read.kid(), key.kid());
        assert_eq!(published(&read), published(&key));
    }
}

#[test]
fn a_file_without_a_strong_rsa_key_is_refused() {
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ec = ec.to_pkcs8v1().unwrap();
    let ed = Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap();
    let der = SigningKey::generate().unwrap();
    let short = STANDARD.decode(SHORT).unwrap();
    let short_inner = PrivateKeyInfo::try_from(&*short).unwrap().private_key;
    let inner = PrivateKeyInfo::try_from(&**der).unwrap().private_key;
    let whole = pem("PRIVATE KEY", &der);
    use SigningKeyError::{NoPrivateKey, Unsupported};
    for (what, file, error) in [
        ("1024 bits", pem("PRIVATE KEY", &short), Unsupported),
        (
            "1024 bits, PKCS#1",
            pem("RSA PRIVATE KEY", short_inner),
            Unsupported,
        ),
        ("P-256", pem("PRIVATE KEY", ec.as_ref()), Unsupported),
        (
            "P-256, SEC 1",
            pem("EC PRIVATE KEY", ec.as_ref()),
            Unsupported,
        ),
        ("Ed25519", pem("PRIVATE KEY", ed.as_ref()), Unsupported),
        (
            "PKCS#1 under PKCS#8's name",
            pem("PRIVATE KEY", inner),
            Unsupported,
        ),
        (
            "PKCS#8 under PKCS#1's name",
            pem("RSA PRIVATE KEY", &der),
            Unsupported,
        ),
        ("half", pem("PRIVATE KEY", &der[..600]), Unsupported),
        ("no base64", whole.replace("MII", "M!I"), NoPrivateKey),
        ("no end", whole.replace("-----END", "END"), NoPrivateKey),
        (
            "a certificate",
            whole.replace("PRIVATE KEY", "CERTIFICATE"),
            NoPrivateKey,
        ),
        ("a JWK", json!({ "kty": "RSA" }).to_string(), NoPrivateKey),
        ("nothing", String::new(), NoPrivateKey),
    ] {
        let read = SigningKey::from_pem(file.as_bytes());
        assert_eq!(read.err(), Some(error), "{what}");
    }
    let fresh = SigningKey::from_pkcs8(&[&**der, b"more"].concat());
    assert_eq!(fresh.err(), Some(Unsupported));
}

#[test]
fn a_key_is_named_by_its_thumbprint_and_published_without_its_private_half() {
    let der = SigningKey::generate().unwrap();
    let key = SigningKey::from_pkcs8(&der).unwrap();
    let jwk = published(&key);
    assert_eq!(key.kid(), thumbprint(&jwk));
    let members: Vec<&str> = jwk
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(
        (&jwk["alg"], &jwk["kid"], &jwk["use"], &jwk["e"]),
        (
            &json!("RS256"),
            &json!(key.kid()),
            &json!("sig"),
            &json!("AQAB")
        )
    );
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    assert_eq!(modulus.len(), 256);
    // The modulus that the file holds.
    assert!(der.windows(modulus.len()).any(|part| part == modulus));
}

#[test]
fn all_keys_are_published_in_their_order() {
    let [first, second, third] = [(); 3].map(|()| {
        let der = SigningKey::generate().unwrap();
        SigningKey::from_pkcs8(&der).unwrap()
    });
    let kids = [&first, &second, &third].map(|key| key.kid().to_owned());
    let keys = SigningKeys::of(vec![first, second, third]).unwrap();
    let jwks = keys.jwks();
    let published = jwks["keys"].as_array().unwrap().iter();
    let published: Vec<&str> = published.map(|jwk| jwk["kid"].as_str().unwrap()).collect();
    assert_eq!(published, kids);
    assert_ne!(kids[0], kids[1]);
    assert!(SigningKeys::of(Vec::new()).is_none());
}

#[test]
fn nothing_that_is_printed_shows_a_key() {
    let der = SigningKey::generate().unwrap();
    let key = SigningKey::from_pkcs8(&der).unwrap();
    let kid = key.kid().to_owned();
    assert_eq!(
        format!("{key:?}"),
        format!("SigningKey {{ kid: \"{kid}\", .. }}")
    );
    let keys = SigningKeys::new(key.clone(), vec![key]);
    let each = format!("SigningKey {{ kid: \"{kid}\", .. }}");
    assert_eq!(
        format!("{keys:?}"),
        format!("SigningKeys {{ current: {each}, former: [{each}] }}")
    );
}
