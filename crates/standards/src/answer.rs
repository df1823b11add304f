//! The answers to a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.8). None tells
//! whether the person or the session exists, and none is cached: section 2.8 asks for
//! `Cache-Control: no-store`; `Pragma` is for caches of HTTP/1.0.

use std::time::Duration;

use logout_core::{Method, Response};
use serde_json::json;

use crate::logout_request::LogoutRequestError;

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
