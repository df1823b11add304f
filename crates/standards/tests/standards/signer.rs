//! Keys, the sets that publish them, and tokens that they sign.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey, crypto};
use logout_core::time::Timestamp;
use logout_standards::{KeySet, SignatureAlgorithm};
use serde_json::{Value, json};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_745_868_000);

/// One private key of every type.
pub(crate) struct Keys {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

/// The provider's keys.
pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(Keys::generate)
}

/// Keys that the provider has not published.
pub(crate) fn others() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(Keys::generate)
}

impl Keys {
    fn generate() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The public key for this algorithm as a JWK without `alg`, `use` and `kid`.
    pub(crate) fn bare_jwk(&self, algorithm: SignatureAlgorithm) -> Value {
        let key = match algorithm {
            SignatureAlgorithm::EdDsa => DecodingKey::from_ed_der(self.ed.public_key().as_ref()),
            SignatureAlgorithm::Es256 => DecodingKey::from_ec_der(self.p256.public_key().as_ref()),
            SignatureAlgorithm::Es384 => DecodingKey::from_ec_der(self.p384.public_key().as_ref()),
            _ => {
                let der = self.rsa.public_key().as_der().unwrap();
                DecodingKey::from_rsa_der(der.as_ref())
            }
        };
        serde_json::to_value(Jwk::from_decoding_key(&key, None).unwrap()).unwrap()
    }

    /// The public key as providers publish it.
    pub(crate) fn jwk(&self, algorithm: SignatureAlgorithm, kid: &str) -> Value {
        let mut jwk = self.bare_jwk(algorithm);
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = algorithm.as_str().into();
        jwk
    }

    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, message: &str) -> String {
        let message = message.as_bytes();
        let random = SystemRandom::new();
        let rsa = |padding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa
                .sign(padding, &random, message, &mut signature)
                .unwrap();
            signature
        };
        let signature = match algorithm {
            SignatureAlgorithm::EdDsa => self.ed.sign(message).as_ref().to_vec(),
            SignatureAlgorithm::Es256 => {
                self.p256.sign(&random, message).unwrap().as_ref().to_vec()
            }
            SignatureAlgorithm::Es384 => {
                self.p384.sign(&random, message).unwrap().as_ref().to_vec()
            }
            SignatureAlgorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            SignatureAlgorithm::Ps384 => rsa(&RSA_PSS_SHA384),
            SignatureAlgorithm::Ps512 => rsa(&RSA_PSS_SHA512),
            SignatureAlgorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            SignatureAlgorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
            SignatureAlgorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
        };
        URL_SAFE_NO_PAD.encode(signature)
    }

    /// A token with these parts as they stand.
    pub(crate) fn token(
        &self,
        algorithm: SignatureAlgorithm,
        header: &str,
        claims: &str,
    ) -> String {
        let message = message(header, claims);
        let signature = self.sign(algorithm, &message);
        format!("{message}.{signature}")
    }
}

pub(crate) fn message(header: &str, claims: &str) -> String {
    let (header, claims) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
    );
    format!("{header}.{claims}")
}

/// A token by HMAC, which only a careless verifier takes.
pub(crate) fn hmac_token(header: &str, claims: &str, secret: &[u8]) -> String {
    let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let message = message(header, claims);
    let key = EncodingKey::from_secret(secret);
    let signature = crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// A set of these JWKs, of which every supported algorithm is accepted.
pub(crate) fn set(jwks: &[Value]) -> KeySet {
    let document = json!({ "keys": jwks }).to_string();
    KeySet::parse(document.as_bytes(), &SignatureAlgorithm::ALL).unwrap()
}
