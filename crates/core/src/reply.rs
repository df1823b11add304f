//! The answer of a sign-out endpoint.

use crate::authority::SignedOut;
use crate::message::{HeaderValue, Method, Response};
use crate::relayed_cookie::name_of;
use crate::sign_out::Refusal;

/// The answer of a sign-out endpoint: only somebody who holds the proof of a sign-out, or a
/// refusal, can make one.
///
/// ```compile_fail,E0423
/// use logout_core::Reply;
/// use logout_core::message::Response;
///
/// fn unproven() -> Reply {
///     Reply(Response::new(200))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Reply(Response);

impl Reply {
    /// A sign-out that was done, in the vendor's words. Adds `Cache-Control: no-store` and
    /// `Logout-Receipt`, and removes cookies where the login was seen to put them and where the
    /// upstream removed them. A redirect leads to the platform's identity provider first, where it
    /// has one.
    pub fn signed_out(done: &SignedOut, in_vendors_words: Response) -> Self {
        let mut response = without_remains(done, in_vendors_words);
        if let Some(way) = done.way_on() {
            response = response.led(|back| way.to(back));
        }
        Self(
            response
                .uncached()
                .header("logout-receipt", done.receipt().to_string()),
        )
    }

    /// A sign-out that was refused, in the vendor's words. Adds `Cache-Control: no-store` and, for
    /// a wrong method, `Allow`, for too many logins `Retry-After`.
    ///
    /// When the store did not answer, the status is 503 whatever the vendor's words say: nobody may
    /// take it for success.
    pub fn refused(refusal: &Refusal, in_vendors_words: Response) -> Self {
        let mut response = in_vendors_words.uncached();
        match refusal {
            Refusal::MethodNotAllowed { allow } => {
                response = response.header("allow", Method::allow(allow))
            }
            // Whatever the vendor's words for an error are: a browser must not keep this answer for
            // the click.
            Refusal::Prefetch | Refusal::Unavailable => {
                response = response.unavailable();
            }
            Refusal::TooManyLogins { retry_after } => response = response.retry_after(*retry_after),
            _ => {}
        }
        Self(response)
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        reply.0
    }
}

/// With what the vendor's words do not know to remove. Which names are removed is the vendor's
/// decision: a cookie that came along may hold another session, which lives on. Where none came,
/// those of the ended session lie under a path that the request was not below.
fn without_remains(done: &SignedOut, response: Response) -> Response {
    if done.removals().is_empty() {
        return response;
    }
    let set: Vec<HeaderValue> = response
        .headers()
        .iter()
        .filter(|(name, _)| *name == "set-cookie")
        .map(|(_, value)| value.clone())
        .collect();
    let is_removed = |name: &str| {
        set.iter()
            .any(|header| name_of(header).eq_ignore_ascii_case(name))
    };
    let remains = done
        .removals()
        .iter()
        .filter(|removal| !done.by_cookie() || is_removed(name_of(removal)))
        .map(|removal| HeaderValue::from(removal.clone()))
        .filter(|removal| !set.contains(removal));
    remains.fold(response, |response, removal| {
        response.header("set-cookie", removal)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_asked_for_too_many_logins_is_told_when_to_come_back() {
        for (millis, seconds) in [(1_000, "1"), (1_001, "2"), (0, "0")] {
            let refusal = Refusal::TooManyLogins {
                retry_after: Duration::from_millis(millis),
            };
            let (_, headers, _) =
                Response::from(Reply::refused(&refusal, Response::new(429))).into_parts();
            assert!(
                headers.contains(&("retry-after", seconds.into())),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_failed_store_is_always_503_and_clears_no_cookie() {
        let reply = Reply::refused(
            &Refusal::Unavailable,
            Response::new(200).header("set-cookie", "a="),
        );
        let (status, headers, _) = Response::from(reply).into_parts();
        assert_eq!(status, 503);
        assert!(headers.iter().all(|(name, _)| *name != "set-cookie"));
    }
}
