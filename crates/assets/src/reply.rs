//! The vendor's words for what came out. Pure.

use std::borrow::Cow;

use logout_core::Reply;
use logout_core::SignedOut;
use logout_core::message::{Request, Response};
use logout_core::path::loose_segments;
use logout_core::sign_out::Refusal;
use serde_json::{Value, json};

use crate::config::Dialect;
use crate::request::{LOGOUT, LOGOUT_AND_REDIRECT};

/// The service's answer.
const SUCCESS: &str = r#"{"logoutSuccess":true}"#;

/// A sign-out that was done. Documented: the service says `logoutSuccess` (observed: clients need
/// the JSON boolean), and `/logout` redirects; its 302 is our choice.
///
/// With `cookie_lives`, another session than the one that ended stands behind the caller's cookie:
/// to delete that would leave a session alive that nobody can reach any more.
pub(crate) fn signed_out(
    done: &SignedOut,
    request: &Request<'_>,
    cookie_lives: bool,
    dialect: &Dialect,
) -> Reply {
    let redirects = request.endpoint() == LOGOUT_AND_REDIRECT;
    let answer = match done.redirect() {
        Some(redirect) if redirects => Response::redirect(redirect),
        _ => json_text(200, SUCCESS),
    };
    let deletes = !cookie_lives && (redirects || brought_cookie(request, dialect));
    Reply::signed_out(
        done,
        if deletes {
            answer.cookies(dialect.cookie.clear(request.is_secure()))
        } else {
            answer
        },
    )
}

/// A request that did not become a sign-out, or was refused by another endpoint.
///
/// Documented: the services answer with an error object, by default with HTTP 200. What is no
/// service answers in plain text with a real status (our choice).
pub(crate) fn refused(refusal: &Refusal, request: &Request<'_>, dialect: &Dialect) -> Reply {
    let (status, name, message) = words(refusal);
    let answer = if loose_segments(request.path())
        .first()
        .is_some_and(|first| first == "services")
    {
        let error = json!({ "errorcode": status, "errorname": name, "message": message });
        json_answer(
            if dialect.config.errors_as_status {
                status
            } else {
                200
            },
            &error,
        )
    } else {
        Response::with_text(status, "text/plain;charset=utf-8", message)
    };
    let stale = *refusal == Refusal::NotSignedIn
        && request.endpoint() == LOGOUT
        && brought_cookie(request, dialect);
    Reply::refused(
        refusal,
        if stale {
            answer.cookies(dialect.cookie.clear(request.is_secure()))
        } else {
            answer
        },
    )
}

fn brought_cookie(request: &Request<'_>, dialect: &Dialect) -> bool {
    request.cookies(dialect.cookie.name()).next().is_some()
}

/// `errorcode`, `errorname` and `message`. Those for a caller who is not signed in are the vendor's
/// own (documented in a sample); the other names follow the framework that this one gives away, and
/// the other texts are ours.
///
/// A missing or wrong CSRF token is 403 and not 401: clients take 401 for "signed out" and log in
/// again.
fn words(refusal: &Refusal) -> (u16, &'static str, &'static str) {
    match refusal {
        Refusal::NotSignedIn => (
            401,
            "AuthenticationCredentialsNotFoundException",
            "Not logged in",
        ),
        Refusal::CrossSite | Refusal::Forbidden => {
            (403, "AccessDeniedException", "Access is denied")
        }
        Refusal::CsrfMissing => (
            403,
            "MissingCsrfTokenException",
            "The X-CSRF-TOKEN header is missing",
        ),
        Refusal::CsrfWrong => (
            403,
            "InvalidCsrfTokenException",
            "The X-CSRF-TOKEN header does not belong to this session",
        ),
        Refusal::NotFound => (404, "NoHandlerFoundException", "There is no such service"),
        Refusal::MethodNotAllowed { .. } => (
            405,
            "HttpRequestMethodNotSupportedException",
            "Method not allowed",
        ),
        Refusal::Prefetch => (
            503,
            "ServiceUnavailableException",
            "A sign-out is not fetched ahead of a click",
        ),
        Refusal::TooManyCredentials => (
            431,
            "RequestHeaderFieldsTooLargeException",
            "The request brings too many cookies",
        ),
        Refusal::TooManyLogins { .. } => (
            429,
            "TooManyRequestsException",
            "Too many logins; try again later",
        ),
        Refusal::TooSlow => (
            408,
            "AsyncRequestTimeoutException",
            "The request took too long",
        ),
        Refusal::BodyTooLarge => (
            413,
            "MaxUploadSizeExceededException",
            "The request is too large",
        ),
        Refusal::Unavailable => (
            503,
            "ServiceUnavailableException",
            "Temporarily unavailable; whether anything was changed is not known",
        ),
        _ => (
            400,
            "IllegalArgumentException",
            "The request cannot be understood",
        ),
    }
}

/// JSON with the type that the vendor documents, its spelling included.
pub(crate) fn json_answer(status: u16, body: &Value) -> Response {
    json_text(status, body.to_string())
}

fn json_text(status: u16, body: impl Into<Cow<'static, str>>) -> Response {
    Response::with_text(status, "application/json;charset=utf-8", body).uncached()
}

#[cfg(test)]
mod tests {
    use logout_core::Method;
    use logout_core::platform::Platform;

    use super::*;
    use crate::AssetsConfig;

    fn dialect(errors_as_status: bool) -> Dialect {
        let config = AssetsConfig {
            errors_as_status,
            ..AssetsConfig::default()
        };
        Dialect::new(
            config,
            &Platform::new("dam", "http://dam.example/".parse().unwrap()),
        )
        .unwrap()
    }

    const REFUSALS: &[(Refusal, u16)] = &[
        (Refusal::BodyTooLarge, 413),
        (Refusal::CrossSite, 403),
        (Refusal::CsrfMissing, 403),
        (Refusal::CsrfWrong, 403),
        (
            Refusal::Malformed {
                field: "x",
                rule: "y",
            },
            400,
        ),
        (Refusal::MethodNotAllowed { allow: vec![] }, 405),
        (Refusal::NotFound, 404),
        (Refusal::NotSignedIn, 401),
        (Refusal::TooSlow, 408),
        (Refusal::Unavailable, 503),
    ];

    #[test]
    fn a_service_says_the_status_in_its_error_object_and_by_http_only_where_configured() {
        for (refusal, status) in REFUSALS {
            for errors_as_status in [false, true] {
                let request = Request::new(Method::Post, "/services/logout");
                let response =
                    Response::from(refused(refusal, &request, &dialect(errors_as_status)));
                let by_http = errors_as_status || *refusal == Refusal::Unavailable;
                assert_eq!(
                    response.status(),
                    if by_http { *status } else { 200 },
                    "{refusal}"
                );
                let body: Value = serde_json::from_slice(response.body()).unwrap();
                assert_eq!(body["errorcode"], json!(status), "{refusal}");
                assert!(
                    body["errorname"].is_string() && body["message"].is_string(),
                    "{refusal}"
                );
                assert!(
                    response
                        .headers()
                        .contains(&("content-type", "application/json;charset=utf-8".into())),
                    "{refusal}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_service_always_has_a_real_status() {
        for (refusal, status) in REFUSALS {
            let response = Response::from(refused(
                refusal,
                &Request::new(Method::Put, "/logout"),
                &dialect(false),
            ));
            assert_eq!(response.status(), *status, "{refusal}");
            assert!(!response.body().is_empty(), "{refusal}");
        }
    }

    #[test]
    fn an_encoded_path_is_a_service_all_the_same() {
        for path in [
            "/%73ervices/logout;jsessionid=1",
            "//services//logout",
            "/Services/logout",
            "/services",
            "/services%2Flogout",
        ] {
            let request = Request::new(Method::Get, path);
            let refusal = Refusal::MethodNotAllowed {
                allow: vec![Method::Post],
            };
            let response = Response::from(refused(&refusal, &request, &dialect(false)));
            assert_eq!(response.status(), 200, "{path}");
            assert!(
                response.headers().contains(&("allow", "POST".into())),
                "{path}"
            );
        }
    }

    #[test]
    fn only_a_sign_out_deletes_a_stale_cookie_and_only_when_one_came() {
        for (endpoint, cookie, refusal, deleted) in [
            (LOGOUT, "authToken=x", Refusal::NotSignedIn, 1),
            (LOGOUT, "other=x", Refusal::NotSignedIn, 0),
            (LOGOUT, "authToken=x", Refusal::CsrfMissing, 0),
            (LOGOUT, "authToken=x", Refusal::Unavailable, 0),
            ("profile", "authToken=x", Refusal::NotSignedIn, 0),
        ] {
            let request = Request::new(Method::Post, "/services/logout")
                .with_header("cookie", cookie)
                .with_endpoint(endpoint, vec![]);
            let response = Response::from(refused(&refusal, &request, &dialect(false)));
            assert_eq!(
                response
                    .headers()
                    .iter()
                    .filter(|(name, _)| *name == "set-cookie")
                    .count(),
                deleted,
                "{endpoint} {refusal}"
            );
        }
    }
}
