//! ID tokens that say which session is to end (OpenID Connect RP-Initiated Logout 1.0, section 2).

use std::sync::Arc;

use logout_core::session::bounded_name;
use serde_json::Value;

use crate::algorithm::SignatureAlgorithm;
use crate::jws::{CompactJws, is_audience};
use crate::key_set::KeySet;
use crate::logout_token::{LogoutTokenError, signed_claims};

/// The largest ID token that is looked at, in bytes. Our choice.
const LARGEST_ID_TOKEN: usize = 16 * 1024;

/// What an ID token says about the session that it was issued for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct IdTokenHint {
    /// The identity provider.
    pub issuer: Arc<str>,
    /// The person, as the provider says it; bounded as by [`bounded_name`].
    pub subject: Arc<str>,
    /// The person's session at the provider; bounded in the same way.
    pub sid: Option<Arc<str>>,
    audience: Value,
}

impl IdTokenHint {
    /// What `token` says, if `issuer` has issued it to one of `clients`. That it is over does not
    /// matter: a session may be older than its ID token (section 2).
    ///
    /// # Errors
    /// The token is not valid. Of these, [`LogoutTokenError::UnknownKey`] may pass with newer keys.
    pub fn verify(
        token: &str,
        issuer: &str,
        clients: &[&str],
        keys: &KeySet,
        algorithms: &[SignatureAlgorithm],
    ) -> Result<Self, LogoutTokenError> {
        if token.len() > LARGEST_ID_TOKEN {
            return Err(LogoutTokenError::Malformed);
        }
        let claims = signed_claims(token, keys, algorithms, &["JWT"])?;
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(LogoutTokenError::Issuer);
        }
        let audience = claims.get("aud").cloned().unwrap_or_default();
        if !clients.iter().any(|client| is_audience(&audience, client)) {
            return Err(LogoutTokenError::Audience);
        }
        // A logout token or a security event names its subject as well.
        if claims.contains_key("events") {
            return Err(LogoutTokenError::Event);
        }
        let text = |name: &str| {
            let text = claims.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(bounded_name)
        };
        Ok(Self {
            issuer: issuer.into(),
            subject: text("sub").ok_or(LogoutTokenError::Subject)?,
            sid: text("sid"),
            audience,
        })
    }

    /// Who says that it issued `token`, before anything of it is verified.
    pub fn unverified_issuer(token: &str) -> Option<String> {
        if token.len() > LARGEST_ID_TOKEN {
            return None;
        }
        let claims = CompactJws::parse(token).ok()?.claims()?;
        Some(claims.get("iss")?.as_str()?.to_owned())
    }

    /// Whether it was issued to `client`.
    pub fn is_for(&self, client: &str) -> bool {
        is_audience(&self.audience, client)
    }
}
