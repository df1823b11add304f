//! Global Token Revocation, received (draft-parecki-oauth-global-token-revocation-06, February
//! 2026). The draft is not finished, so this may change with it.

use std::sync::Arc;

use logout_core::json::unique_object;
use logout_core::session::LONGEST_NAME;
use logout_core::time::Timestamp;
use serde_json::Value;

use crate::algorithm::SignatureAlgorithm;
use crate::jws::is_audience;
use crate::key_set::KeySet;
use crate::logout_token::{
    LogoutTokenError, REMEMBERED_FOR, check_validity, issued_at, signed_claims,
};
use crate::media_type::is_media_type;
use crate::subject_id::{SubjectId, SubjectIdError};

/// The types of tokens that authenticate a request. The draft names none (section 3.5); Okta signs
/// tokens of the second type.
const TYPES: [&str; 2] = ["JWT", "global-token-revocation+jwt"];

/// Why a request is refused with 400. The text is fixed: nothing of the request is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The body did not arrive to its end, not in time, or is too large.
    #[error("the body did not arrive completely, or is too large")]
    Incomplete,
    /// Another media type than the draft asks for.
    #[error("the body must be application/json")]
    MediaType,
    /// No JSON object, or one in which a member is named twice.
    #[error("the body is not a JSON object, or names a member twice")]
    Malformed,
    /// Neither or both of `sub_id` (the draft, Okta) and `subject` (Auth0).
    #[error("the body must have exactly one of sub_id and subject")]
    Subject,
    /// The identifier is not understood.
    #[error(transparent)]
    SubjectId(#[from] SubjectIdError),
}

/// Whose tokens and sessions are to end.
///
/// # Errors
/// The body is no JSON object, or does not name exactly one subject.
pub fn read_revocation_request(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<SubjectId, RevocationError> {
    if !is_media_type(content_type, "application/json") {
        return Err(RevocationError::MediaType);
    }
    let members = unique_object(body).ok_or(RevocationError::Malformed)?;
    match (members.get("sub_id"), members.get("subject")) {
        (Some(subject), None) | (None, Some(subject)) => Ok(SubjectId::read(subject)?),
        _ => Err(RevocationError::Subject),
    }
}

/// A token by which an identity provider authenticates itself.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProviderToken {
    /// Its own name, at most 256 bytes long.
    pub jti: Arc<str>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Until when another token with this `jti` is a repetition.
    pub remember_until: Timestamp,
}

impl ProviderToken {
    /// What `token` says, if `issuer` has signed it for `endpoint` and it is valid at `now`. The
    /// same checks as of a logout token, but for those of its event and its subject.
    ///
    /// # Errors
    /// The token is not valid. Of these, [`LogoutTokenError::UnknownKey`] may pass with newer keys.
    pub fn verify(
        token: &str,
        (issuer, endpoint): (&str, &str),
        keys: &KeySet,
        algorithms: &[SignatureAlgorithm],
        now: Timestamp,
    ) -> Result<Self, LogoutTokenError> {
        let claims = signed_claims(token, keys, algorithms, &TYPES)?;
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(LogoutTokenError::Issuer);
        }
        let audience = claims.get("aud");
        if !audience.is_some_and(|audience| is_audience(audience, endpoint)) {
            return Err(LogoutTokenError::Audience);
        }
        let issued = issued_at(&claims, now)?;
        check_validity(&claims, now)?;
        // A logout token or a security event authenticates no request.
        if claims.contains_key("events") || claims.contains_key("nonce") {
            return Err(LogoutTokenError::Type);
        }
        let jti = claims.get("jti").and_then(Value::as_str);
        let jti = jti.filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_NAME);
        Ok(Self {
            jti: jti.ok_or(LogoutTokenError::TokenId)?.into(),
            issued,
            remember_until: issued.plus(REMEMBERED_FOR),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_exactly_one_subject_under_one_of_two_names() {
        let read = |body: &str| read_revocation_request(Some("application/json"), body.as_bytes());
        let opaque = r#"{"format":"opaque","id":"1"}"#;
        for name in ["sub_id", "subject"] {
            let body = format!(r#"{{"{name}":{opaque},"more":1}}"#);
            assert_eq!(read(&body), Ok(SubjectId::Opaque("1".into())));
        }
        for (body, expected) in [
            (
                format!(r#"{{"sub_id":{opaque},"subject":{opaque}}}"#),
                RevocationError::Subject,
            ),
            ("{}".to_owned(), RevocationError::Subject),
            (
                format!(r#"{{"sub_id":{opaque},"sub_id":{opaque}}}"#),
                RevocationError::Malformed,
            ),
            ("[]".to_owned(), RevocationError::Malformed),
            (String::new(), RevocationError::Malformed),
            (
                r#"{"sub_id":"1"}"#.to_owned(),
                RevocationError::SubjectId(SubjectIdError::Malformed),
            ),
        ] {
            assert_eq!(read(&body), Err(expected), "{body}");
        }
        for media_type in [None, Some("text/plain"), Some("application/jsonx")] {
            assert_eq!(
                read_revocation_request(media_type, b"{}"),
                Err(RevocationError::MediaType)
            );
        }
    }
}
