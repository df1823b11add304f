//! The answers to a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.8). None tells
//! whether the person or the session exists, and none is cached: section 2.8 asks for
//! `Cache-Control: no-store`; `Pragma` is for caches of HTTP/1.0.

use std::time::Duration;

use logout_core::{Method, Response};
use serde_json::{Value, json};

use crate::event_poll::PollError;
use crate::logout_request::LogoutRequestError;
use crate::logout_token::LogoutTokenError;
use crate::revocation::RevocationError;
use crate::security_event::SecurityEventError;
use crate::token_revocation::TokenRevocationError;

/// 200 and empty: the token is carried out, also where there was nothing to end.
pub fn carried_out() -> Response {
    uncached(Response::new(200))
}

/// 400: the request or the token is not valid. It will not become valid by being sent again.
pub fn refused(error: impl Into<LogoutRequestError>) -> Response {
    fault(400, "invalid_request", &error.into().to_string())
}

/// 404: there is no provider of that name here.
pub fn not_found() -> Response {
    fault(404, "not_found", "there is no such identity provider")
}

/// 405: only `POST` is understood.
pub fn method_not_allowed() -> Response {
    fault(405, "invalid_request", "the method must be POST")
        .header("allow", Method::allow(&[Method::Post]))
}

/// 204: what was asked for is done, also where there was nothing to end (Global Token Revocation).
pub fn revoked() -> Response {
    uncached(Response::new(204))
}

/// 400 to a revocation.
pub fn bad_revocation(error: RevocationError) -> Response {
    fault(400, "invalid_request", &error.to_string())
}

/// 200 to a token revocation: the token opens nothing any more, or never did (RFC 7009, section
/// 2.2).
pub fn token_revoked() -> Response {
    uncached(Response::new(200))
}

/// 401 to a client that is not known, and 400 for any other reason (RFC 7009, section 2.2.1; RFC
/// 6749, section 5.2).
pub fn token_not_revoked(error: TokenRevocationError) -> Response {
    let (code, description) = (error.code(), error.to_string());
    if code == "invalid_client" {
        let challenge = "Basic realm=\"token revocation\"";
        fault(401, code, &description).header("www-authenticate", challenge)
    } else {
        fault(400, code, &description)
    }
}

/// 404 to a token revocation: there is no platform of that name here.
pub fn no_platform() -> Response {
    fault(404, "not_found", "there is no such platform")
}

/// 202 to a security event: it is carried out, was so before, or needs nothing (RFC 8935, section
/// 2.2).
pub fn accepted() -> Response {
    uncached(Response::new(202))
}

/// 400 to a security event (RFC 8935, section 2.3).
pub fn bad_event(error: SecurityEventError) -> Response {
    let body = json!({ "err": error.code(), "description": error.to_string() });
    uncached(Response::with_text(
        400,
        "application/json",
        body.to_string(),
    ))
}

/// 200 to a receiver that polls (RFC 8936, section 2.3).
pub fn events(body: &Value) -> Response {
    uncached(Response::with_text(
        200,
        "application/json",
        body.to_string(),
    ))
}

/// 400 to a receiver that polls (RFC 8936, section 2.4.2, by RFC 8935, section 2.3).
pub fn bad_poll(error: PollError) -> Response {
    let body = json!({ "err": "invalid_request", "description": error.to_string() });
    uncached(Response::with_text(
        400,
        "application/json",
        body.to_string(),
    ))
}

/// 401: the caller is not authenticated (RFC 6750, section 3). Without a token nothing is said of
/// one (section 3.1).
pub fn unauthorized(error: Option<LogoutTokenError>) -> Response {
    let description = error.map_or("a bearer token is needed".to_owned(), |it| it.to_string());
    let challenge = match error {
        Some(_) => format!("Bearer error=\"invalid_token\", error_description=\"{description}\""),
        None => "Bearer".to_owned(),
    };
    fault(401, "invalid_token", &description).header("www-authenticate", challenge)
}

/// 403: the subject is another issuer's.
pub fn forbidden() -> Response {
    fault(
        403,
        "access_denied",
        "the subject is not of this identity provider",
    )
}

/// 429: more was asked for than is carried out in this time (RFC 6585, section 4). The draft of
/// Global Token Revocation lists the statuses that "can be used" without it; Okta's own endpoint
/// has it.
pub fn too_many_requests(retry_after: Duration) -> Response {
    fault(
        429,
        "too_many_requests",
        "there were too many requests; send it again later",
    )
    .retry_after(retry_after)
}

/// 503: the sessions or the keys cannot be read, so the token may be a good one. Our choice; the
/// standard knows 400 only, after which a provider would not try again.
pub fn unavailable(retry_after: Duration) -> Response {
    fault(
        503,
        "temporarily_unavailable",
        "the token cannot be carried out now; send it again",
    )
    .retry_after(retry_after)
}

fn fault(status: u16, error: &str, description: &str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    uncached(Response::with_text(
        status,
        "application/json",
        body.to_string(),
    ))
}

fn uncached(response: Response) -> Response {
    response.uncached().header("pragma", "no-cache")
}
