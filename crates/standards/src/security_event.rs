//! Security event tokens by push (RFC 8417, RFC 8935), as the Shared Signals Framework 1.0 profiles
//! them, with the events of CAEP 1.0 that end sessions.

use std::sync::Arc;
use std::time::Duration;

use logout_core::idp::IdpLogin;
use logout_core::session::LONGEST_NAME;
use logout_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::algorithm::SignatureAlgorithm;
use crate::jws::{CompactJws, is_audience};
use crate::key_set::KeySet;
use crate::logout_token::{LogoutTokenError, seconds, signed_claims};
use crate::media_type::is_media_type;
use crate::subject_id::{SubjectId, SubjectIdError};

/// The type that a security event token must name (RFC 8417, section 2.3; SSF 1.0, section 4.1.2).
pub(crate) const TYPE: &str = "secevent+jwt";

pub(crate) const SESSION_REVOKED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CREDENTIAL_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";
/// Of SSF 1.0, section 7.1.4.2, and of its drafts.
const VERIFICATION: [&str; 2] = [
    "https://schemas.openid.net/secevent/ssf/event-type/verification",
    "https://schemas.openid.net/secevent/sse/event-type/verification",
];

/// How far `iat` may lie ahead of our clock. Our choice.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// How old a token may be. A transmitter tries again for as long as its receiver is down (RFC 8935,
/// section 2.2), so this is longer than for a logout token. Our choice.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest body that is read, in bytes. Our choice.
pub const LARGEST_SECURITY_EVENT: usize = 16 * 1024;

/// Why a security event is refused with 400. The text is fixed: nothing of the token is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityEventError {
    /// The body did not arrive to its end, not in time, or is too large.
    #[error("the body did not arrive completely, or is too large")]
    Incomplete,
    /// Another media type than RFC 8935, section 2.1, asks for.
    #[error("the body must be application/secevent+jwt")]
    MediaType,
    /// The token itself is not valid.
    #[error(transparent)]
    Token(#[from] LogoutTokenError),
    /// `sub` or `exp`, which a token of this profile must not have (SSF 1.0, section 4.1).
    #[error("sub and exp must not be present")]
    Forbidden,
    /// `events` is no object with at least one event.
    #[error("events is not an object of events")]
    Events,
    /// An event that needs a subject, and no `sub_id` that is understood.
    #[error(transparent)]
    Subject(#[from] SubjectIdError),
}

impl SecurityEventError {
    /// Its code in the answer (RFC 8935, section 2.4).
    pub fn code(self) -> &'static str {
        match self {
            Self::Token(LogoutTokenError::Issuer) => "invalid_issuer",
            Self::Token(LogoutTokenError::Audience) => "invalid_audience",
            Self::Token(
                LogoutTokenError::Algorithm
                | LogoutTokenError::AmbiguousKey
                | LogoutTokenError::Encrypted
                | LogoutTokenError::Signature
                | LogoutTokenError::UnknownKey,
            ) => "invalid_key",
            _ => "invalid_request",
        }
    }
}

/// The token in a request (RFC 8935, section 2.1).
///
/// # Errors
/// Another media type, or no text.
pub fn read_security_event<'b>(
    content_type: Option<&str>,
    body: &'b [u8],
) -> Result<&'b str, SecurityEventError> {
    if !is_media_type(content_type, "application/secevent+jwt") {
        return Err(SecurityEventError::MediaType);
    }
    let text = std::str::from_utf8(body).map_err(|_| LogoutTokenError::Malformed)?;
    Ok(text.trim_ascii())
}

/// What a valid security event token says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SecurityEvent {
    /// The token's own name, at most 256 bytes long.
    pub jti: Arc<str>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Until when another token with this `jti` is a repetition.
    pub remember_until: Timestamp,
    /// Whom it is about; absent where no event in it needs that.
    pub subject: Option<EventSubject>,
    /// Whether it says that a session was revoked (CAEP 1.0, section 3.1).
    pub is_session_revoked: bool,
    /// Whether it says that a credential, such as a password, has changed (section 3.3).
    pub is_credential_change: bool,
    /// Whether it only asks for a sign of life (SSF 1.0, section 7.1.4).
    pub is_verification: bool,
}

/// Whom an event is about: a session, a user, or the session of a user.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventSubject {
    /// The session at the issuer (`sid`).
    pub session: Option<Arc<str>>,
    /// The user.
    pub user: Option<SubjectId>,
}

impl SecurityEvent {
    /// What `token` says, if `issuer` has issued it for `audience` and it is valid at `now`. The
    /// first fault decides: form, `alg` and `crit`, `typ`, the key, the signature, `iss`, `aud`,
    /// `iat`, `sub` and `exp`, `events`, `sub_id`, `jti`. Events that are not understood are left
    /// out (RFC 8417, section 2).
    ///
    /// # Errors
    /// The token is not valid. Of these, [`LogoutTokenError::UnknownKey`] may pass with newer keys.
    pub fn verify(
        token: &str,
        (issuer, audience): (&str, &str),
        keys: &KeySet,
        algorithms: &[SignatureAlgorithm],
        now: Timestamp,
    ) -> Result<Self, SecurityEventError> {
        // Here the type must be named.
        let header = CompactJws::parse(token).map_err(LogoutTokenError::from)?;
        if header.header().typ.is_none() {
            return Err(LogoutTokenError::Type.into());
        }
        let claims = signed_claims(token, keys, algorithms, &[TYPE])?;
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(LogoutTokenError::Issuer.into());
        }
        let named = claims.get("aud");
        if !named.is_some_and(|named| is_audience(named, audience)) {
            return Err(LogoutTokenError::Audience.into());
        }
        let issued = issued_at(&claims, now)?;
        if claims.contains_key("sub") || claims.contains_key("exp") {
            return Err(SecurityEventError::Forbidden);
        }
        let events = claims.get("events").and_then(Value::as_object);
        let events =
            events.filter(|events| !events.is_empty() && events.values().all(Value::is_object));
        let events = events.ok_or(SecurityEventError::Events)?;
        let (is_session_revoked, is_credential_change) = (
            events.contains_key(SESSION_REVOKED),
            events.contains_key(CREDENTIAL_CHANGE),
        );
        let subject = if is_session_revoked || is_credential_change {
            let subject = claims.get("sub_id").ok_or(SubjectIdError::Malformed)?;
            Some(EventSubject::read(subject)?)
        } else {
            None
        };
        let jti = claims.get("jti").and_then(Value::as_str);
        let jti = jti.filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_NAME);
        Ok(Self {
            jti: jti.ok_or(LogoutTokenError::TokenId)?.into(),
            issued,
            remember_until: issued.plus(OLDEST).plus(AHEAD),
            subject,
            is_session_revoked,
            is_credential_change,
            is_verification: VERIFICATION.iter().any(|event| events.contains_key(*event)),
        })
    }
}

impl EventSubject {
    /// Reads a simple subject, or a complex one (SSF 1.0, section 3.2): of that, the session and
    /// the user count.
    fn read(value: &Value) -> Result<Self, SubjectIdError> {
        let members = value.as_object().ok_or(SubjectIdError::Malformed)?;
        if members.get("format").and_then(Value::as_str) != Some("complex") {
            return Ok(Self {
                session: None,
                user: Some(SubjectId::read(value)?),
            });
        }
        let session = match members.get("session").map(SubjectId::read).transpose()? {
            None => None,
            Some(SubjectId::Opaque(sid)) => Some(sid),
            Some(_) => return Err(SubjectIdError::Format),
        };
        let user = members.get("user").map(SubjectId::read).transpose()?;
        if session.is_none() && user.is_none() {
            return Err(SubjectIdError::Members);
        }
        Ok(Self { session, user })
    }

    /// The login at `issuer` that it names; `None` where it names none, or one of another issuer.
    pub fn login(&self, issuer: &str) -> Option<IdpLogin> {
        let subject = match &self.user {
            Some(SubjectId::IssSub { issuer: other, .. }) if other != issuer => return None,
            Some(SubjectId::IssSub { subject, .. } | SubjectId::Opaque(subject)) => {
                Some(&**subject)
            }
            Some(SubjectId::Email(_)) | None => None,
        };
        IdpLogin::new(issuer, subject, self.session.as_deref())
    }
}

/// `iat` in whole milliseconds.
fn issued_at(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, LogoutTokenError> {
    let iat = claims.get("iat").and_then(Value::as_f64);
    let age = |iat: &f64| seconds(now) - iat;
    let fits = |iat: &f64| age(iat) <= OLDEST.as_secs_f64() && -age(iat) <= AHEAD.as_secs_f64();
    let iat = iat.filter(fits).ok_or(LogoutTokenError::IssuedAt)?;
    let since_epoch = Duration::try_from_secs_f64(iat).map_err(|_| LogoutTokenError::IssuedAt)?;
    Ok(Timestamp::default().plus(since_epoch))
}
