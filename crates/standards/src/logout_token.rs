//! Logout tokens of OpenID Connect Back-Channel Logout 1.0.

use std::sync::Arc;
use std::time::Duration;

use logout_core::session::{LONGEST_NAME, bounded_name};
use logout_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::algorithm::SignatureAlgorithm;
use crate::jws::{CompactJws, JwsError, is_audience, is_same_type};
use crate::key_set::{KeySet, NoKey};
use crate::logout_request::LARGEST_LOGOUT_REQUEST;

/// The member of `events` that makes a token a logout token (section 2.4).
pub(crate) const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The types that a logout token may have. `logout+jwt` is recommended (section 2.4), and some
/// providers write `JWT`.
const TYPES: [&str; 2] = ["logout+jwt", "JWT"];

/// How far `iat` may lie from our clock, either way. Our choice; the range is the receiver's
/// (OpenID Connect Core 1.0, section 3.1.3.7, rule 10).
const ISSUED_WITHIN: Duration = Duration::from_secs(5 * 60);

/// How long after `exp` a token still counts, for clocks that differ (RFC 7519, section 4.1.4).
const EXPIRY_LEEWAY: Duration = Duration::from_secs(30);

/// How long after `iat` a `jti` is remembered: for twice as long as the token can be accepted.
pub(crate) const REMEMBERED_FOR: Duration = Duration::from_secs(10 * 60);

/// Why a logout token is refused. The text is fixed: nothing of the token is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutTokenError {
    /// Not a JWS of three parts.
    #[error("the token is not a signed JWT")]
    Malformed,
    /// A JWE, which is not supported.
    #[error("the token is encrypted, which is not supported")]
    Encrypted,
    /// The header cannot be read, or names a member twice.
    #[error("the header of the token is malformed")]
    Header,
    /// An algorithm that is not accepted, or does not fit the key that the token names.
    #[error("the algorithm of the token is not accepted")]
    Algorithm,
    /// The header has `crit`, and no extension is understood (RFC 7515, section 4.1.11).
    #[error("the token has a critical extension")]
    Critical,
    /// Another type of token.
    #[error("the type of the token is not accepted")]
    Type,
    /// The token names a key that is not in the set; or it names none, and the keys that are there
    /// did not sign it. Newer keys may verify it: [`crate::KeyCache::refresh`].
    #[error("the key of the token is not known")]
    UnknownKey,
    /// The token names no key, and several could have signed it.
    #[error("the token names no key, and several fit")]
    AmbiguousKey,
    /// The key that the token names did not sign it.
    #[error("the signature of the token is not valid")]
    Signature,
    /// The claims are no JSON object, or an object names a member twice.
    #[error("the claims of the token are malformed")]
    Claims,
    /// Another issuer, or none.
    #[error("iss is not the configured issuer")]
    Issuer,
    /// For another client.
    #[error("aud does not name the configured client")]
    Audience,
    /// No `iat`, or one that is too far away.
    #[error("iat is missing or more than 5 minutes away")]
    IssuedAt,
    /// Over, or `exp` is no number.
    #[error("exp is past or not a number")]
    Expired,
    /// Not valid yet, or `nbf` is no number.
    #[error("nbf is ahead or not a number")]
    NotYetValid,
    /// No logout event.
    #[error("events does not contain the logout event as an object")]
    Event,
    /// Neither `sub` nor `sid`, or one of them is no text.
    #[error("sub and sid must be non-empty strings, and one of them is needed")]
    Subject,
    /// It has a `nonce`, so it may be an ID token.
    #[error("nonce must not be present")]
    Nonce,
    /// No usable `jti`.
    #[error("jti is missing, empty or longer than 256 bytes")]
    TokenId,
    /// A token of this `jti` has been carried out. The store says so, not the verifier.
    #[error("the token has been carried out before")]
    Repeated,
}

/// Why no verifier can be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// No algorithm, so that nothing could be verified.
    #[error("no algorithm is accepted; name at least one")]
    NoAlgorithm,
    /// An empty client id.
    #[error("the client id is empty")]
    NoClientId,
    /// An empty issuer.
    #[error("the issuer is empty")]
    NoIssuer,
}

/// What a valid logout token says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LogoutToken {
    /// The identity provider.
    pub issuer: Arc<str>,
    /// The person, as the provider says it; bounded as by [`bounded_name`].
    pub subject: Option<Arc<str>>,
    /// The person's session at the provider; bounded as by [`bounded_name`]. Where there is none,
    /// all sessions of the subject are meant (section 2.4).
    pub sid: Option<Arc<str>>,
    /// The person's e-mail address, where the provider says it and does not say that it is
    /// unverified (OpenID Connect Core 1.0, section 5.1); at most 256 bytes long.
    pub email: Option<Arc<str>>,
    /// The token's own name, at most 256 bytes long. Together with the issuer it is unique.
    pub jti: Arc<str>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Until when another token with this `jti` is a repetition. The store records it in the step
    /// that ends the sessions, never before: else a step that failed could not be repeated.
    pub remember_until: Timestamp,
}

/// Verifies the logout tokens of one identity provider (section 2.6).
#[derive(Clone, Debug)]
pub struct LogoutTokenVerifier {
    issuer: Arc<str>,
    client_id: String,
    algorithms: Vec<SignatureAlgorithm>,
}

impl LogoutTokenVerifier {
    /// Accepts tokens of `issuer` for `client_id` that are signed by one of `algorithms`.
    ///
    /// # Errors
    /// One of them is empty.
    pub fn new(
        issuer: impl Into<Arc<str>>,
        client_id: impl Into<String>,
        algorithms: &[SignatureAlgorithm],
    ) -> Result<Self, VerifierError> {
        let (issuer, client_id) = (issuer.into(), client_id.into());
        if issuer.is_empty() {
            return Err(VerifierError::NoIssuer);
        }
        if client_id.is_empty() {
            return Err(VerifierError::NoClientId);
        }
        if algorithms.is_empty() {
            return Err(VerifierError::NoAlgorithm);
        }
        Ok(Self {
            issuer,
            client_id,
            algorithms: algorithms.to_vec(),
        })
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The client.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The algorithms that it accepts, for [`KeySet::parse`].
    pub fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    /// What `token` says, if it is valid at `now`. The first fault decides, in this order: form,
    /// `alg` and `crit`, `typ`, the key, the signature, `iss`, `aud`, `iat` with `exp` and `nbf`,
    /// `events`, `sub` and `sid`, `nonce`, `jti`. No claim is read before the signature is
    /// verified.
    ///
    /// `exp` is required since errata set 1 (section 2.4), but providers that follow the text of
    /// 2022 leave it out, so it counts where it is present; `iat` bounds the token in any case.
    /// Claims that are not understood are ignored (section 2.4).
    ///
    /// # Errors
    /// The token is not valid. Of these, [`LogoutTokenError::UnknownKey`] may pass with newer keys.
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<LogoutToken, LogoutTokenError> {
        if token.len() > LARGEST_LOGOUT_REQUEST {
            return Err(LogoutTokenError::Malformed);
        }
        self.read(&signed_claims(token, keys, &self.algorithms, &TYPES)?, now)
    }

    fn read(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<LogoutToken, LogoutTokenError> {
        // Byte for byte: no normalisation of addresses (OpenID Connect Core 1.0, section 3.1.3.7,
        // rule 2).
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(LogoutTokenError::Issuer);
        }
        if !claims
            .get("aud")
            .is_some_and(|aud| is_audience(aud, &self.client_id))
        {
            return Err(LogoutTokenError::Audience);
        }
        let issued = issued_at(claims, now)?;
        check_validity(claims, now)?;
        let event = claims
            .get("events")
            .and_then(Value::as_object)
            .and_then(|events| events.get(LOGOUT_EVENT));
        if !event.is_some_and(Value::is_object) {
            return Err(LogoutTokenError::Event);
        }
        let (subject, sid) = (text(claims, "sub")?, text(claims, "sid")?);
        if subject.is_none() && sid.is_none() {
            return Err(LogoutTokenError::Subject);
        }
        if claims.contains_key("nonce") {
            return Err(LogoutTokenError::Nonce);
        }
        let jti = claims.get("jti").and_then(Value::as_str);
        let jti = jti
            .filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_NAME)
            .ok_or(LogoutTokenError::TokenId)?;
        Ok(LogoutToken {
            issuer: Arc::clone(&self.issuer),
            subject: subject.map(bounded_name),
            sid: sid.map(bounded_name),
            email: email(claims),
            jti: jti.into(),
            issued,
            remember_until: issued.plus(REMEMBERED_FOR),
        })
    }
}

/// The claims of a token that one of `keys` has signed by one of `algorithms`, and that is of one
/// of `types` or names none. The first fault decides: form, `alg` and `crit`, `typ`, the key, the
/// signature.
pub(crate) fn signed_claims(
    token: &str,
    keys: &KeySet,
    algorithms: &[SignatureAlgorithm],
    types: &[&str],
) -> Result<Map<String, Value>, LogoutTokenError> {
    let jws = CompactJws::parse(token)?;
    let header = jws.header();
    let algorithm = SignatureAlgorithm::parse(&header.alg)
        .ok()
        .filter(|algorithm| algorithms.contains(algorithm))
        .ok_or(LogoutTokenError::Algorithm)?;
    if header.is_critical {
        return Err(LogoutTokenError::Critical);
    }
    let typ = header.typ.as_deref();
    if typ.is_some_and(|typ| !types.iter().any(|known| is_same_type(typ, known))) {
        return Err(LogoutTokenError::Type);
    }
    let kid = header.kid.as_deref();
    let candidates = keys.candidates(kid, algorithm)?;
    if !candidates.iter().any(|key| jws.is_signed(key, algorithm)) {
        // Without a name, a key that has been exchanged looks like a wrong signature.
        return Err(match kid {
            Some(_) => LogoutTokenError::Signature,
            None => LogoutTokenError::UnknownKey,
        });
    }
    jws.claims().ok_or(LogoutTokenError::Claims)
}

/// `iat` in whole milliseconds. Seconds may have fractions (RFC 7519, section 2, "NumericDate").
pub(crate) fn issued_at(
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<Timestamp, LogoutTokenError> {
    let iat = claims
        .get("iat")
        .and_then(Value::as_f64)
        .filter(|iat| (iat - seconds(now)).abs() <= ISSUED_WITHIN.as_secs_f64())
        .ok_or(LogoutTokenError::IssuedAt)?;
    let since_epoch = Duration::try_from_secs_f64(iat).map_err(|_| LogoutTokenError::IssuedAt)?;
    Ok(Timestamp::default().plus(since_epoch))
}

/// `exp` and `nbf` (RFC 7519, sections 4.1.4 and 4.1.5), where they are present. Providers set
/// `nbf` to `iat`, so it has the same leeway.
pub(crate) fn check_validity(
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<(), LogoutTokenError> {
    let fails = |name, passes: &dyn Fn(f64) -> bool| {
        claims
            .get(name)
            .is_some_and(|value| !value.as_f64().is_some_and(passes))
    };
    if fails("exp", &|exp| {
        seconds(now) < exp + EXPIRY_LEEWAY.as_secs_f64()
    }) {
        return Err(LogoutTokenError::Expired);
    }
    if fails("nbf", &|nbf| {
        nbf <= seconds(now) + ISSUED_WITHIN.as_secs_f64()
    }) {
        return Err(LogoutTokenError::NotYetValid);
    }
    Ok(())
}

pub(crate) fn seconds(at: Timestamp) -> f64 {
    Duration::from_millis(at.as_millis()).as_secs_f64()
}

fn email(claims: &Map<String, Value>) -> Option<Arc<str>> {
    let is_unverified = claims
        .get("email_verified")
        .is_some_and(|verified| *verified != Value::Bool(true));
    let email = claims.get("email").and_then(Value::as_str)?;
    let is_usable = !is_unverified && !email.is_empty() && email.len() <= LONGEST_NAME;
    is_usable.then(|| email.into())
}

/// A claim that must be a non-empty string where it is present.
fn text<'a>(
    claims: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, LogoutTokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(LogoutTokenError::Subject),
    }
}

impl From<JwsError> for LogoutTokenError {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Encrypted => Self::Encrypted,
            JwsError::Header => Self::Header,
            JwsError::Malformed => Self::Malformed,
        }
    }
}

impl From<NoKey> for LogoutTokenError {
    fn from(error: NoKey) -> Self {
        match error {
            NoKey::Ambiguous => Self::AmbiguousKey,
            NoKey::OtherAlgorithm => Self::Algorithm,
            NoKey::Unknown => Self::UnknownKey,
        }
    }
}
