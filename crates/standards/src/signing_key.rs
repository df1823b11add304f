//! Keys that sign what the hub sends: RSA, since relying parties take RS256 (OpenID Connect Core
//! 1.0, section 15.1) and not all of them anything else.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto};
use pkcs8::PrivateKeyInfo;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// Why there is no key to sign with. Shows nothing of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// No PEM file with a private key.
    #[error(
        "there is no PEM private key (BEGIN PRIVATE KEY) in it; make one by \
         `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`"
    )]
    NoPrivateKey,
    /// Not an RSA key of 2048 to 8192 bits.
    #[error("the private key is not an RSA key of 2048 bits or more")]
    Unsupported,
}

/// A private RSA key of 2048 to 8192 bits, with the name that verifiers find its public half by.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    public: Jwk,
    kid: String,
}

impl SigningKey {
    /// A fresh key as PKCS#8 (DER), to be kept for [`SigningKey::from_pkcs8`]. `None` where the
    /// system has no randomness.
    pub fn generate() -> Option<Zeroizing<Vec<u8>>> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// Reads PEM: PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// There is no key in it, or one that is too weak or of another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SigningKeyError> {
        match PrivateKeyDer::from_pem_slice(pem) {
            Ok(PrivateKeyDer::Pkcs8(der)) => Self::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => Self::from_pkcs1(der.secret_pkcs1_der()),
            Ok(_) => Err(SigningKeyError::Unsupported),
            Err(_) => Err(SigningKeyError::NoPrivateKey),
        }
    }

    /// Reads PKCS#8 (DER, RFC 5208).
    ///
    /// # Errors
    /// [`SigningKeyError::Unsupported`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningKeyError> {
        KeyPair::from_pkcs8(der).map_err(|_| SigningKeyError::Unsupported)?;
        let info = PrivateKeyInfo::try_from(der).map_err(|_| SigningKeyError::Unsupported)?;
        Self::from_pkcs1(info.private_key)
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, SigningKeyError> {
        let unsupported = |_| SigningKeyError::Unsupported;
        // jsonwebtoken chooses by itself only where its features name exactly one backend.
        let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let key = EncodingKey::from_rsa_der(der);
        // From here on, signing cannot fail because of the key.
        crypto::sign(b"", &key, Algorithm::RS256).map_err(unsupported)?;
        let mut public = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(unsupported)?;
        let kid = public
            .thumbprint(ThumbprintHash::SHA256)
            .map_err(unsupported)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { key, public, kid })
    }

    /// The name of the key: its thumbprint (RFC 7638, SHA-256).
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The key that signs, and others that still verify.
#[derive(Clone, Debug)]
pub struct SigningKeys {
    current: SigningKey,
    former: Vec<SigningKey>,
}

impl SigningKeys {
    /// `current` signs; `former` keys are published as well, as long as what they signed is about.
    pub fn new(current: SigningKey, former: Vec<SigningKey>) -> Self {
        Self { current, former }
    }

    /// The first signs; `None` where there is no key.
    pub fn of(keys: Vec<SigningKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self::new(keys.next()?, keys.collect()))
    }

    /// The JWK Set of their public halves (RFC 7517).
    pub fn jwks(&self) -> Value {
        let keys = [&self.current].into_iter().chain(&self.former);
        json!({ "keys": keys.map(|key| &key.public).collect::<Vec<_>>() })
    }

    /// A token of this type (`typ`) with these claims, signed by RS256.
    pub(crate) fn sign(&self, token_type: &str, claims: &Map<String, Value>) -> String {
        let header = Header {
            typ: Some(token_type.to_owned()),
            kid: Some(self.current.kid.clone()),
            ..Header::new(Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, claims, &self.current.key).unwrap_or_else(|fault| {
            // The key has signed before. An empty token is refused, and that is seen.
            log::error!(fault:%; "a token could not be signed");
            String::new()
        })
    }
}
