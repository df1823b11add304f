//! Public keys that signatures are verified with.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{DecodingKey, crypto};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

use crate::algorithm::SignatureAlgorithm;

/// Why there is no key to verify with. Shows nothing of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// No PEM file with a public key.
    #[error("there is no PEM public key (BEGIN PUBLIC KEY) in it")]
    NoPublicKey,
    /// An RSA key that can be broken (NIST SP 800-131A; RFC 7518, section 3.3).
    #[error("the RSA key has less than 2048 bits; make one of 2048 bits or more")]
    ShortRsa,
    /// A key of another kind, or none at all.
    #[error("the public key is none of RSA, P-256, P-384 or Ed25519")]
    Unsupported,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum KeyType {
    Ed25519,
    P256,
    P384,
    Rsa,
}

/// A public key that has passed the floors: RSA of 2048 to 8192 bits, a point on P-256 or P-384,
/// or Ed25519.
#[derive(Clone)]
pub struct PublicKey {
    key_type: KeyType,
    key: DecodingKey,
}

impl PublicKey {
    /// Reads PEM (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// There is no key in it, or one that is too weak or of a kind that is not supported.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PublicKeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| PublicKeyError::NoPublicKey)?;
        // The error of RSA comes last, because it alone says more than "another kind".
        Self::ed25519(&der)
            .or_else(|_| Self::p256(&der))
            .or_else(|_| Self::p384(&der))
            .or_else(|_| Self::rsa(&der))
    }

    /// The key of a JWK (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
    ///
    /// # Errors
    /// It is too weak, or of a kind that is not supported.
    pub(crate) fn from_jwk(jwk: &Jwk) -> Result<Self, PublicKeyError> {
        let decode = |text: &str| {
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| PublicKeyError::Unsupported)
        };
        match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(point) => {
                // Each coordinate has the full size of the curve (RFC 7518, section 6.2.1.2).
                let (x, y) = (decode(&point.x)?, decode(&point.y)?);
                let bytes = [&[4], &*x, &*y].concat();
                match (&point.curve, x.len(), y.len()) {
                    (EllipticCurve::P256, 32, 32) => Self::p256(&bytes),
                    (EllipticCurve::P384, 48, 48) => Self::p384(&bytes),
                    _ => Err(PublicKeyError::Unsupported),
                }
            }
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Self::ed25519(&decode(&pair.x)?)
            }
            AlgorithmParameters::RSA(numbers) => {
                let (n, e) = (decode(&numbers.n)?, decode(&numbers.e)?);
                let der = RsaPublicKeyComponents { n, e }
                    .as_der()
                    .map_err(|_| PublicKeyError::Unsupported)?;
                Self::rsa(der.as_ref())
            }
            _ => Err(PublicKeyError::Unsupported),
        }
    }

    fn ed25519(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        parse(&ED25519, bytes)?;
        Ok(Self::new(KeyType::Ed25519, DecodingKey::from_ed_der(bytes)))
    }

    fn p256(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        parse(&ECDSA_P256_SHA256_FIXED, bytes)?;
        Ok(Self::new(KeyType::P256, DecodingKey::from_ec_der(bytes)))
    }

    fn p384(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        parse(&ECDSA_P384_SHA384_FIXED, bytes)?;
        Ok(Self::new(KeyType::P384, DecodingKey::from_ec_der(bytes)))
    }

    fn rsa(der: &[u8]) -> Result<Self, PublicKeyError> {
        // The library takes RSA from 2048 bits on, and says no more than this word of shorter keys.
        PublicEncryptingKey::from_der(der).map_err(|refused| {
            match refused.to_string().as_str() {
                "TooSmall" => PublicKeyError::ShortRsa,
                _ => PublicKeyError::Unsupported,
            }
        })?;
        Ok(Self::new(KeyType::Rsa, DecodingKey::from_rsa_der(der)))
    }

    fn new(key_type: KeyType, key: DecodingKey) -> Self {
        // jsonwebtoken chooses by itself only where its features name exactly one backend.
        let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        Self { key_type, key }
    }

    /// Whether a signature of this algorithm can be verified with the key.
    pub fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        let needed = match algorithm {
            SignatureAlgorithm::EdDsa => KeyType::Ed25519,
            SignatureAlgorithm::Es256 => KeyType::P256,
            SignatureAlgorithm::Es384 => KeyType::P384,
            SignatureAlgorithm::Ps256
            | SignatureAlgorithm::Ps384
            | SignatureAlgorithm::Ps512
            | SignatureAlgorithm::Rs256
            | SignatureAlgorithm::Rs384
            | SignatureAlgorithm::Rs512 => KeyType::Rsa,
        };
        self.key_type == needed
    }

    /// Whether `signature`, in base64url, is one of this key over `message` by `algorithm`. False
    /// where the algorithm does not fit the key.
    pub(crate) fn verifies(
        &self,
        algorithm: SignatureAlgorithm,
        message: &str,
        signature: &str,
    ) -> bool {
        self.fits(algorithm)
            && crypto::verify(signature, message.as_bytes(), &self.key, algorithm.of_jwt())
                .unwrap_or(false)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("key_type", &self.key_type)
            .finish_non_exhaustive()
    }
}

fn parse(
    algorithm: &'static dyn VerificationAlgorithm,
    bytes: &[u8],
) -> Result<ParsedPublicKey, PublicKeyError> {
    ParsedPublicKey::new(algorithm, bytes).map_err(|_| PublicKeyError::Unsupported)
}
