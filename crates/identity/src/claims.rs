//! Links subjects to persons by a claim of the token that their platform issued.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use logout_core::idp::IdpLogin;
use logout_core::ports::{Identity, Persons};
use logout_core::session::{LONGEST_NAME, Person, Subject};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamSession;
use logout_standards::{
    CompactJws, PublicKey, PublicKeyError, SignatureAlgorithm, is_audience, is_same_type,
};
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
        match self.signature() {
            Some(algorithm) => algorithm.as_str(),
            None => "HS256",
        }
    }

    /// The algorithm of this name, in its one spelling; `None` for anything else, `none` included.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    /// The algorithm with a public key that it is; `None` for HMAC.
    const fn signature(self) -> Option<SignatureAlgorithm> {
        match self {
            Self::EdDsa => Some(SignatureAlgorithm::EdDsa),
            Self::Es256 => Some(SignatureAlgorithm::Es256),
            Self::Hs256 => None,
            Self::Rs256 => Some(SignatureAlgorithm::Rs256),
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

impl From<PublicKeyError> for ClaimKeyError {
    fn from(error: PublicKeyError) -> Self {
        match error {
            PublicKeyError::NoPublicKey => Self::NoPublicKey,
            PublicKeyError::ShortRsa => Self::ShortRsa,
            _ => Self::OtherKind,
        }
    }
}

/// The one configured key.
enum Key {
    Public(SignatureAlgorithm, PublicKey),
    Secret(DecodingKey),
}

impl Key {
    fn has_signed(&self, token: &CompactJws<'_>) -> bool {
        match self {
            Self::Public(algorithm, key) => token.is_signed(key, *algorithm),
            Self::Secret(key) => crypto::verify(
                token.signature(),
                token.message().as_bytes(),
                key,
                Algorithm::HS256,
            )
            .unwrap_or(false),
        }
    }
}

/// The person whom a claim of the session's own token names.
///
/// - Nothing in a token is believed before its signature has been verified with the one configured
///   key by the one configured algorithm. What the token itself says about its algorithm can only
///   make it refused.
/// - A token must have `exp` and not be over at the instant that the caller names. With `nbf`, it
///   must be valid, give or take a minute. One that names a member twice is refused, and one with
///   `crit` (RFC 7515, section 4.1.11): no extension is understood.
/// - A `typ` that is given must be one that a login's tokens have, or the configured one.
/// - Issuer and audience count where they are configured. Where no audience is, any is accepted:
///   the token was issued for the platform, and the hub only reads along.
/// - `iss`, `sub` and `sid` say which login at the issuer the session came from.
/// - A claim that is missing, not text or blank names nobody. Whoever is not named is `None`, and
///   why is not told.
pub struct PersonByClaim {
    algorithm: ClaimAlgorithm,
    key: Key,
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
        let key = match algorithm.signature() {
            Some(signature) => {
                let key = PublicKey::from_pem(key)?;
                if !key.fits(signature) {
                    return Err(ClaimKeyError::OtherKind);
                }
                Key::Public(signature, key)
            }
            None => {
                // As in `JwtTokens::load`: jsonwebtoken chooses by itself only where its features
                // name exactly one backend.
                let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
                Key::Secret(secret(key)?)
            }
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

    fn takes_type(&self, typ: Option<&str>) -> bool {
        match (typ, &self.typ) {
            (None, needed) => needed.is_none(),
            (Some(typ), Some(needed)) => is_same_type(typ, needed),
            (Some(typ), None) => LOGIN_TYPES.iter().any(|known| is_same_type(typ, known)),
        }
    }

    /// The claims of a token that is valid at `now`.
    fn verified(&self, token: &str, now: Timestamp) -> Option<Map<String, Value>> {
        let token = CompactJws::parse(token).ok()?;
        let header = token.header();
        if header.alg != self.algorithm.as_str()
            || header.is_critical
            || !self.takes_type(header.typ.as_deref())
            || !self.key.has_signed(&token)
        {
            return None;
        }
        let claims = token.claims()?;
        let valid = is_in_time(&claims, now)
            && self
                .issuer
                .as_ref()
                .is_none_or(|issuer| claims.get("iss").and_then(Value::as_str) == Some(issuer))
            && self.audience.as_ref().is_none_or(|audience| {
                claims
                    .get("aud")
                    .is_some_and(|given| is_audience(given, audience))
            });
        valid.then_some(claims)
    }

    fn person(&self, claims: &Map<String, Value>) -> Option<Person> {
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

/// The login that `iss`, `sub` and `sid` name.
fn idp_login(claims: &Map<String, Value>) -> Option<IdpLogin> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    IdpLogin::new(text("iss")?, text("sub"), text("sid"))
}

impl Persons for PersonByClaim {
    fn identify(&self, _: &Subject, session: &UpstreamSession, now: Timestamp) -> Identity {
        let token = match &self.cookie {
            Some(name) => session.cookie(name),
            None => session.bearer.as_ref(),
        };
        let claims = token.and_then(|token| self.verified(token.reveal(), now));
        claims.map_or_else(Identity::default, |claims| Identity {
            person: self.person(&claims),
            idp: idp_login(&claims),
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

#[cfg(test)]
mod tests;
