//! The key of whatever sends logout tokens.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use rcgen::{PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

/// An RSA key that signs with RS256.
#[derive(Debug)]
pub struct SigningKey {
    pem: String,
    pair: RsaKeyPair,
    public: Jwk,
    kid: String,
}

impl SigningKey {
    /// A fresh one.
    ///
    /// # Panics
    /// When none can be made.
    pub fn generate() -> Self {
        let made = rcgen::KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let pair = RsaKeyPair::from_pkcs8(&made.serialize_der()).unwrap();
        let der = pair.public_key().as_der().unwrap();
        let public = DecodingKey::from_rsa_der(der.as_ref());
        let public = Jwk::from_decoding_key(&public, None).unwrap();
        Self {
            pem: made.serialize_pem(),
            kid: public.thumbprint(ThumbprintHash::SHA256).unwrap(),
            public,
            pair,
        }
    }

    /// It as PKCS#8.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its id: the thumbprint of RFC 7638.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public part, as issuers publish it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(&self.public).unwrap();
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = "RS256".into();
        jwk
    }

    /// A logout token with these claims.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn logout_token(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "typ": "logout+jwt", "kid": self.kid });
        let parts = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = parts.join(".");
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
