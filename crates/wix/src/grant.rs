//! What an authorization request asks for, and what its code is good for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::credential::SecretDigest;
use logout_core::session::ClientId;
use serde::{Deserialize, Serialize};

/// A code, as a credential of the session that it hands out tokens of: it dies with the session.
pub(crate) const CODE: &str = "code";
/// What a code is good for, to be taken once.
pub(crate) const GRANT: &str = "code-grant";

/// The parameters of an authorization request that go along from step to step.
pub(crate) const PARAMETERS: [&str; 8] = [
    "clientId",
    "redirectUri",
    "responseType",
    "responseMode",
    "scope",
    "state",
    "codeChallenge",
    "codeChallengeMethod",
];

/// What a code is bound to until it is exchanged.
#[derive(Deserialize, Serialize)]
pub(crate) struct Grant {
    pub(crate) client: ClientId,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: SecretDigest,
}

/// An S256 challenge: the base64url of a SHA-256 (RFC 7636).
pub(crate) fn challenge_digest(challenge: &str) -> Option<SecretDigest> {
    let bytes = URL_SAFE_NO_PAD
        .decode(challenge.trim_end_matches('='))
        .ok()?;
    bytes.try_into().ok().map(SecretDigest::from_bytes)
}
