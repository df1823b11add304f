//! Links subjects to persons by a claim of the token that their platform issued.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use logout_core::credential::Secret;
use logout_core::ports::Persons;
use logout_core::session::{LONGEST_NAME, Person, Subject};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamSession;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// How far ahead of ours the clock of the platform may be, so that a token is not refused as not
/// valid yet right after the login. Our choice.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The types of tokens that a login hands out: unspecific ones, and access tokens (RFC 9068). A
/// logout token or a security event names its subject as well, and must not pass for a login.
const LOGIN_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// RFC 7518, section 3.2: a key as long as the digest.
const LEAST_SECRET_BYTES: usize = 32;

/// How a platform signs its tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimAlgorithm {
    /// Ed25519, with a public key.
    EdDsa,
    /// ECDSA on P-256 with SHA-256, with a public key.
    Es256,
    /// HMAC with SHA-256, with a shared secret.
    Hs256,
    /// RSA PKCS#1 v1.5 with SHA-256 and 2048 bits or more, with a public key.
    Rs256,
}

impl ClaimAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Hs256, Self::Rs256];

    /// Its name in a JWT (RFC 7518, section 3.1; RFC 8037, section 3.1).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of this name, in its one spelling; `None` for anything else, `none` included.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    const fn of_jwt(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// Why a key cannot verify a platform's tokens. Shows nothing of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimKeyError {
    /// There is no key in it.
    #[error("the secret is empty")]
    Empty,
    /// A public key is no secret: everybody could sign with it.
    #[error("the secret of HS256 is a PEM file, which belongs to another algorithm")]
    NoSecret,
    /// No public key in PEM.
    #[error("there is no PEM public key (BEGIN PUBLIC KEY) in it")]
    NoPublicKey,
    /// An RSA key that can be broken (NIST SP 800-131A).
    #[error("the RSA key has less than 2048 bits; make one of 2048 bits or more")]
    ShortRsa,
    /// A secret that can be guessed: shorter than the digest (RFC 7518, section 3.2).
    #[error("the secret has {0} bytes, and must have {LEAST_SECRET_BYTES} or more")]
    TooShort(usize),
    /// A public key, but of another kind than the algorithm needs.
    #[error("the public key does not fit the algorithm")]
    OtherKind,
}

/// The person whom a claim of the session's own token names.
///
/// - Nothing in a token is believed before its signature has been verified with the one configured
///   key by the one configured algorithm. What the token itself says about its algorithm can only
///   make it refused.
/// - A token must have `exp` and not be over at the instant that the caller names. With `nbf`, it
///   must be valid, give or take a minute. One with `crit` (RFC 7515, section 4.1.11) is refused:
///   no extension is understood.
/// - A `typ` that is given must be one that a login's tokens have, or the configured one.
/// - Issuer and audience count where they are configured. Where no audience is, any is accepted:
///   the token was issued for the platform, and the hub only reads along.
/// - A claim that is missing, not text or blank names nobody. Whoever is not named is `None`, and
///   why is not told.
pub struct PersonByClaim {
    algorithm: ClaimAlgorithm,
    key: DecodingKey,
    claim: String,
    cookie: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    typ: Option<String>,
    lowercase: bool,
}

impl PersonByClaim {
    /// Reads `claim` of the session's bearer token. `key` is what a key file holds: the secret of
    /// HS256 as it stands, but for one line end behind it, or a public key as PEM (`BEGIN PUBLIC
    /// KEY`).
    ///
    /// # Errors
    /// The key is none, or none for this algorithm.
    pub fn new(
        algorithm: ClaimAlgorithm,
        key: &[u8],
        claim: impl Into<String>,
    ) -> Result<Self, ClaimKeyError> {
        // As in `JwtTokens::load`: jsonwebtoken chooses by itself only where its features name
        // exactly one backend.
        let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let key = match algorithm {
            ClaimAlgorithm::Hs256 => secret(key)?,
            ClaimAlgorithm::EdDsa => DecodingKey::from_ed_der(&public_key(key, |der| {
                ParsedPublicKey::new(&ED25519, der).is_ok()
            })?),
            ClaimAlgorithm::Es256 => DecodingKey::from_ec_der(&public_key(key, |der| {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der).is_ok()
            })?),
            ClaimAlgorithm::Rs256 => DecodingKey::from_rsa_der(&public_key(key, |der| {
                ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).is_ok()
            })?),
        };
        Ok(Self {
            algorithm,
            key,
            claim: claim.into(),
            cookie: None,
            issuer: None,
            audience: None,
            typ: None,
            lowercase: false,
        })
    }

    /// Reads the token in this cookie of the session in place of the bearer token.
    #[must_use]
    pub fn in_cookie(mut self, name: impl Into<String>) -> Self {
        self.cookie = Some(name.into());
        self
    }

    /// Accepts tokens of this issuer only.
    #[must_use]
    pub fn issued_by(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Accepts tokens for this audience only, alone or among others.
    #[must_use]
    pub fn for_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Lower-cases the name.
    #[must_use]
    pub fn lowercased(mut self) -> Self {
        self.lowercase = true;
        self
    }

    /// Accepts tokens of this type (`typ`) only, which then have to name it.
    #[must_use]
    pub fn of_type(mut self, typ: impl Into<String>) -> Self {
        self.typ = Some(typ.into());
        self
    }

    /// RFC 7515, section 4.1.9: `typ` may be absent, and may leave out `application/`; its case
    /// does not count.
    fn takes_type(&self, typ: Option<&str>) -> bool {
        let Some(typ) = typ else {
            return self.typ.is_none();
        };
        let is = |known: &str| {
            let bare = |text: &str| {
                text.to_ascii_lowercase()
                    .trim_start_matches("application/")
                    .to_owned()
            };
            bare(typ) == bare(known)
        };
        self.typ
            .as_deref()
            .map_or_else(|| LOGIN_TYPES.iter().any(|known| is(known)), is)
    }

    /// The claims of a token that is valid at `now`.
    fn verified(&self, token: &str, now: Timestamp) -> Option<Map<String, Value>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header: Head = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.alg != self.algorithm.as_str()
            || header.crit.is_some()
            || !self.takes_type(header.typ.as_deref())
        {
            return None;
        }
        if !crypto::verify(
            signature,
            message.as_bytes(),
            &self.key,
            self.algorithm.of_jwt(),
        )
        .unwrap_or(false)
        {
            return None;
        }
        let claims: Map<String, Value> =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let valid = is_in_time(&claims, now)
            && self
                .issuer
                .as_ref()
                .is_none_or(|issuer| claims.get("iss").and_then(Value::as_str) == Some(issuer))
            && self.audience.as_ref().is_none_or(|audience| {
                claims
                    .get("aud")
                    .is_some_and(|given| names(given, audience))
            });
        valid.then_some(claims)
    }
}

impl Persons for PersonByClaim {
    fn person(
        &self,
        _subject: &Subject,
        session: &UpstreamSession,
        now: Timestamp,
    ) -> Option<Person> {
        let token = match &self.cookie {
            Some(name) => session.cookie(name)?,
            None => session.bearer.as_ref()?,
        };
        let claims = self.verified(Secret::reveal(token), now)?;
        let name = claims.get(&self.claim)?.as_str()?.trim();
        if name.is_empty() || name.len() > LONGEST_NAME {
            return None;
        }
        Some(if self.lowercase {
            Person::new(name.to_lowercase())
        } else {
            Person::new(name)
        })
    }
}

impl fmt::Debug for PersonByClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonByClaim")
            .field("algorithm", &self.algorithm)
            .field("claim", &self.claim)
            .field("cookie", &self.cookie)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("typ", &self.typ)
            .field("lowercase", &self.lowercase)
            .finish_non_exhaustive()
    }
}

/// What matters of a token's header. Read strictly: a name that is given twice makes it none.
#[derive(Deserialize)]
struct Head {
    alg: String,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

fn secret(key: &[u8]) -> Result<DecodingKey, ClaimKeyError> {
    let key = key
        .strip_suffix(b"\n")
        .map_or(key, |line| line.strip_suffix(b"\r").unwrap_or(line));
    if key.is_empty() {
        return Err(ClaimKeyError::Empty);
    }
    if key.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err(ClaimKeyError::NoSecret);
    }
    if key.len() < LEAST_SECRET_BYTES {
        return Err(ClaimKeyError::TooShort(key.len()));
    }
    Ok(DecodingKey::from_secret(key))
}

fn public_key(
    pem: &[u8],
    fits: impl FnOnce(&[u8]) -> bool,
) -> Result<SubjectPublicKeyInfoDer<'static>, ClaimKeyError> {
    let key =
        SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| ClaimKeyError::NoPublicKey)?;
    match fits(&key) {
        // A key that is too short to verify anything is read all the same.
        _ if is_short_rsa(&key) => Err(ClaimKeyError::ShortRsa),
        true => Ok(key),
        false => Err(ClaimKeyError::OtherKind),
    }
}

/// Whether the library refuses the key for its length. It takes RSA from 2048 bits on, and says no
/// more than this word.
fn is_short_rsa(key: &[u8]) -> bool {
    PublicEncryptingKey::from_der(key).is_err_and(|refused| refused.to_string() == "TooSmall")
}

/// Seconds may have fractions (RFC 7519, section 2, "NumericDate").
fn is_in_time(claims: &Map<String, Value>, now: Timestamp) -> bool {
    let secs = |at: Timestamp| Duration::from_millis(at.as_millis()).as_secs_f64();
    let over = claims
        .get("exp")
        .and_then(Value::as_f64)
        .is_none_or(|exp| exp <= secs(now));
    let early = claims.get("nbf").is_some_and(|nbf| {
        nbf.as_f64()
            .is_none_or(|nbf| nbf > secs(now.plus(CLOCK_SKEW)))
    });
    !over && !early
}

/// `aud` is one text or several.
fn names(given: &Value, audience: &str) -> bool {
    match given {
        Value::Array(several) => several.iter().any(|one| one.as_str() == Some(audience)),
        one => one.as_str() == Some(audience),
    }
}

#[cfg(test)]
mod tests;
