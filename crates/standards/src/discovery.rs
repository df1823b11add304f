//! What relying parties learn of the hub (OpenID Connect Discovery 1.0).

use serde_json::{Value, json};

/// The metadata of an issuer that signs people out and in no other way is an OpenID provider: what
/// section 3 requires for logins, `authorization_endpoint` above all, is not there. Nor is
/// `response_types_supported`, since an empty list is to be left out (section 4.2).
pub fn metadata(issuer: &str, jwks_uri: &str, end_session_endpoint: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "end_session_endpoint": end_session_endpoint,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
    })
}
