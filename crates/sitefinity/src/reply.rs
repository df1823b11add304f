//! The vendor's words for what came out. Pure.

use std::collections::HashSet;

use logout_core::Reply;
use logout_core::SignedOut;
use logout_core::message::{Request, Response};
use logout_core::receipt::Reach;
use logout_core::sign_out::Refusal;
use serde_json::{Value, json};

use crate::config::Dialect;
use crate::cookies;

/// A sign-out that was done: 302 to the return address, or with `redirect=false` an empty 200.
///
/// Observed: a client counts 200 as success and 302 as failure when it asked for `redirect=false`,
/// and reads no body.
pub(crate) fn signed_out(
    done: &SignedOut,
    stays: bool,
    request: &Request<'_>,
    dialect: &Dialect,
) -> Reply {
    let answer = match done.redirect() {
        Some(redirect) if !stays => Response::redirect(redirect),
        _ => Response::new(200),
    };
    let mut answer = never_cached(answer);
    if done.caller_included() {
        answer = clear_cookies(answer, done.reach(), request, dialect);
    }
    Reply::signed_out(done, answer)
}

/// Our choice, from what the vendor's sign-out widget sends.
fn never_cached(answer: Response) -> Response {
    answer
        .header("cache-control", "no-cache, no-store")
        .header("pragma", "no-cache")
}

fn clear_cookies(
    answer: Response,
    reach: Reach,
    request: &Request<'_>,
    dialect: &Dialect,
) -> Response {
    let secure = request.is_secure();
    let mut answer = answer.cookies(dialect.session_cookie.clear(secure));
    for cookie in &dialect.extra_cookies {
        answer = answer.cookies(cookie.clear(secure));
    }
    let mut spread = vec![dialect.session_cookie.name()];
    if reach >= Reach::SignOn {
        answer = answer.cookies(dialect.token_service_cookie.clear(secure));
        spread.push(dialect.token_service_cookie.name());
    }
    // Browsers know a cookie by its name as it was set: a chunk, or the name in another case.
    let others = request.all_cookies().map(|(name, _)| name).filter(|name| {
        spread
            .iter()
            .any(|whole| name != whole && cookies::belongs(name, whole))
    });
    let mut seen = HashSet::new();
    others
        .filter(|name| seen.insert(*name))
        .fold(answer, |answer, name| {
            answer.cookies(dialect.cookie(name).clear(secure))
        })
}

/// A request that did not become a sign-out. Statuses are our choice; `X-Authentication-Error:
/// NeedAdminRights` was observed at the vendor's services.
pub(crate) fn refused(refusal: &Refusal) -> Reply {
    let (status, text) = match refusal {
        Refusal::NotSignedIn => (401, "Sign in first."),
        Refusal::Forbidden => (
            403,
            "Administrator rights are needed to sign out another user.",
        ),
        Refusal::CrossSite => (403, "Sign-out from another site is not allowed here."),
        Refusal::NotFound => (404, "There is nothing at this address."),
        Refusal::MethodNotAllowed { .. } => (405, "Method not allowed."),
        Refusal::Prefetch => (503, "A sign-out is not fetched ahead of a click."),
        Refusal::TooManyCredentials => (431, "The request brings too many cookies."),
        Refusal::TooManyLogins { .. } => (429, "Too many logins. Try again later."),
        Refusal::TooSlow => (408, "The request took too long."),
        Refusal::BodyTooLarge => (413, "The request is too large."),
        Refusal::Unavailable => (
            503,
            "Temporarily unavailable. Whether anybody was signed out is not known; try again.",
        ),
        _ => (400, "The request cannot be understood."),
    };
    let answer = never_cached(Response::with_text(
        status,
        "text/plain; charset=utf-8",
        text,
    ));
    let answer = match refusal {
        Refusal::Forbidden => answer.header("x-authentication-error", "NeedAdminRights"),
        // RFC 9110: a 401 names a way to sign in.
        Refusal::NotSignedIn => answer.header("www-authenticate", "Bearer"),
        _ => answer,
    };
    Reply::refused(refusal, answer)
}

/// A web service that there is not. Observed: the shape, which the vendor's own client reads; the
/// words are ours.
pub(crate) fn no_such_service() -> Reply {
    let fault =
        json!({ "error": { "code": "NotFound", "message": "There is nothing at this address." } });
    Reply::refused(&Refusal::NotFound, json_answer(404, &fault))
}

/// The answer of a login or probe.
pub(crate) fn json_answer(status: u16, body: &Value) -> Response {
    Response::with_text(status, "application/json; charset=utf-8", body.to_string()).uncached()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_refusal_has_a_status_and_a_text() {
        for (refusal, status) in [
            (Refusal::NotSignedIn, 401),
            (Refusal::Forbidden, 403),
            (Refusal::CrossSite, 403),
            (Refusal::NotFound, 404),
            (Refusal::MethodNotAllowed { allow: vec![] }, 405),
            (Refusal::TooSlow, 408),
            (Refusal::BodyTooLarge, 413),
            (
                Refusal::Malformed {
                    field: "x",
                    rule: "y",
                },
                400,
            ),
            (Refusal::Prefetch, 503),
            (Refusal::TooManyCredentials, 431),
            (
                Refusal::TooManyLogins {
                    retry_after: Duration::from_millis(1_001),
                },
                429,
            ),
            (Refusal::Unavailable, 503),
        ] {
            let response = Response::from(refused(&refusal));
            assert_eq!(response.status(), status, "{refusal}");
            assert!(!response.body().is_empty());
            let has = |requested: &str| {
                response
                    .headers()
                    .iter()
                    .any(|(name, _)| *name == requested)
            };
            assert_eq!(has("x-authentication-error"), refusal == Refusal::Forbidden);
            assert_eq!(has("www-authenticate"), refusal == Refusal::NotSignedIn);
            assert!(has("pragma") && !has("logout-receipt"));
        }
    }
}
