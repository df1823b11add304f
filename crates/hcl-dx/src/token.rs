//! The LTPA token: opaque, in standard base64, never the same twice.
//!
//! Observed: standard base64 with `+`, `/` and `=`. Two logins never share a token: real servers
//! that handed out a cached one again locked people out once it had been logged out
//! (docs/vendors/hcl-dx.md, "Tokens").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logout_core::SessionAuthority;
use logout_core::credential::{Secret, random_bytes};
use logout_core::ports::TokenClaims;
use logout_core::session::Session;
use logout_core::sign_out::Refusal;

/// The purpose of the token's digest.
pub(crate) const LTPA: &str = "ltpa";

/// A token that means nothing by itself: the store knows what it opens.
pub(crate) fn opaque() -> Secret {
    Secret::new(STANDARD.encode(random_bytes::<64>()))
}

/// A token that says whose it is and until when, signed. Needed only where a logged-out token is to
/// be accepted until it expires: no trace of an ended session says who it was of.
pub(crate) fn telling(session: &Session, sessions: &SessionAuthority) -> Result<Secret, Refusal> {
    let claims = TokenClaims {
        iss: session.platform.as_str().to_owned(),
        aud: LTPA.to_owned(),
        sub: session.subject.name.to_string(),
        jti: session.id.to_string(),
        iat: session.opened.as_secs(),
        // Rounded up: the tombstone, which is exact, ends first.
        exp: session.expires.as_millis().div_ceil(1000),
        vendor: Default::default(),
    };
    let signed = sessions
        .tokens()
        .mint(&claims)
        .map_err(|_| Refusal::Unavailable)?;
    Ok(Secret::new(STANDARD.encode(signed.reveal())))
}

/// Whose a token is that tells it, and that has not expired.
pub(crate) fn told(token: &str, sessions: &SessionAuthority) -> Option<String> {
    let signed = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let claims = sessions
        .tokens()
        .verify(
            &signed,
            sessions.platform().name.as_str(),
            LTPA,
            sessions.now(),
        )
        .ok()?;
    Some(claims.sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_tokens_are_padded_base64_and_differ() {
        let (one, two) = (opaque(), opaque());
        assert_ne!(one.reveal(), two.reveal());
        assert!(
            one.reveal().ends_with("==")
                && STANDARD
                    .decode(one.reveal())
                    .is_ok_and(|bytes| bytes.len() == 64)
        );
    }
}
