//! What a sign-out request asks for. Pure.

use std::borrow::Cow;
use std::collections::HashSet;

use logout_core::credential::SecretDigest;
use logout_core::message::{Method, Request, percent_decode};
use logout_core::ports::Tokens;
use logout_core::provider::Endpoint;
use logout_core::receipt::Reach;
use logout_core::sign_out::{
    CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect, PostLogoutRedirectPolicy,
    PresentedCredential, RequestedRedirect, SignOut, Target,
};
use logout_core::time::Timestamp;

use crate::config::{Dialect, Profile, SESSION_ID, TOKEN};
use crate::reading::bare;

/// `/services/logout`, which answers with JSON.
pub(crate) const LOGOUT: &str = "logout";
/// `/logout`, which answers with a redirect.
pub(crate) const LOGOUT_AND_REDIRECT: &str = "logout-and-redirect";

/// The sign-out endpoints. Documented: Elvis 5 takes GET and POST, from 6 on the service takes POST
/// only; `/logout` takes both everywhere.
pub(crate) fn endpoints(profile: Profile) -> Vec<Endpoint> {
    let both = [Method::Get, Method::Post];
    let service: &[Method] = if profile.has_tokens() {
        &[Method::Post]
    } else {
        &both
    };
    let endpoints = [
        Endpoint::new(LOGOUT, service, "/services/logout", &[]),
        Endpoint::new(LOGOUT_AND_REDIRECT, &both, "/logout", &[]),
    ];
    endpoints
        .into_iter()
        .map(|endpoint| with_session_id(endpoint, profile))
        .collect()
}

/// Observed: clients of Elvis 4 and 5 carry the session in the path, as `;jsessionid=`.
pub(crate) fn with_session_id(endpoint: Endpoint, profile: Profile) -> Endpoint {
    if profile.has_tokens() {
        endpoint
    } else {
        endpoint.with_path_parameters()
    }
}

/// Reads a sign-out. Never fails: what cannot be understood counts as absent. The body of
/// `/services/logout` is not looked at, whatever its type: clients were observed to send JSON
/// headers with nothing behind them, and stray form fields.
pub(crate) fn read(
    request: &Request<'_>,
    dialect: &Dialect,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> SignOut {
    let redirects = request.endpoint() == LOGOUT_AND_REDIRECT;
    SignOut {
        credentials: credentials(request, dialect, tokens, now),
        credential_policy: CredentialPolicy::FirstValid,
        // `/logout` is documented as a plain link, so it cannot ask for a header.
        csrf: if redirects {
            CsrfProof::NotNeeded
        } else {
            CsrfProof::Presented(csrf_token(request))
        },
        client: None,
        target: Target::Caller,
        reach: Reach::Session,
        no_session: if redirects {
            NoSessionPolicy::Succeed
        } else {
            NoSessionPolicy::Reject
        },
        redirect: PostLogoutRedirect {
            requested: if redirects {
                requested(request)
            } else {
                RequestedRedirect::Nothing
            },
            policy: PostLogoutRedirectPolicy::Platform(dialect.redirects.clone()),
            default: Some(dialect.landing_page.clone()),
            reject_invalid: false,
        },
    }
}

/// Everything that was presented, each value once, in order of precedence: the bearer token and
/// then the cookies; in Elvis 4 and 5 the session id in the path and then the cookies. A token that
/// is forged, expired or of another platform is foreign and never gets as far as the store; in
/// front of a real instance, whose tokens are not ours, none is.
pub(crate) fn credentials(
    request: &Request<'_>,
    dialect: &Dialect,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> Vec<PresentedCredential> {
    let purpose = purpose(dialect);
    let by_hand = by_hand(request, dialect)
        .into_iter()
        .map(|value| PresentedCredential::in_header(purpose, value));
    let by_cookie = request
        .cookies(dialect.cookie.name())
        .map(|value| PresentedCredential::in_cookie(purpose, value));
    let presented = PresentedCredential::each_once(by_hand.chain(by_cookie));
    presented
        .into_iter()
        .map(|one| verified(one, dialect, tokens, now))
        .collect()
}

/// What is presented, foreign where it is none of the stand-in's tokens.
pub(crate) fn verified(
    presented: PresentedCredential,
    dialect: &Dialect,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> PresentedCredential {
    let is_theirs = !dialect.config.profile.has_tokens() || dialect.has_upstream;
    let verify = |token| tokens.verify(bare(token), dialect.platform.as_str(), TOKEN, now);
    if is_theirs || verify(presented.secret.reveal()).is_ok() {
        presented
    } else {
        presented.foreign()
    }
}

/// What the credentials of this profile are for.
pub(crate) fn purpose(dialect: &Dialect) -> &'static str {
    if dialect.config.profile.has_tokens() {
        TOKEN
    } else {
        SESSION_ID
    }
}

/// What no browser sends by itself: a bearer token, or in Elvis 4 and 5 the session ids in the
/// path.
pub(crate) fn by_hand<'a>(request: &'a Request<'_>, dialect: &Dialect) -> Vec<Cow<'a, str>> {
    if dialect.config.profile.has_tokens() {
        request
            .authorization("Bearer")
            .map(Cow::Borrowed)
            .into_iter()
            .collect()
    } else {
        session_ids_in_path(request.path())
    }
}

/// Whether the path names two sessions, so that nothing says which one was meant: servers disagree
/// on which of them counts.
pub(crate) fn contradicts(request: &Request<'_>, dialect: &Dialect) -> bool {
    !dialect.config.profile.has_tokens() && session_ids_in_path(request.path()).len() > 1
}

/// The CSRF token that a request carries.
pub(crate) fn csrf_header<'a>(request: &'a Request<'_>) -> Option<&'a str> {
    request
        .header("x-csrf-token")
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Its digest.
pub(crate) fn csrf_token(request: &Request<'_>) -> Option<SecretDigest> {
    csrf_header(request).map(SecretDigest::of)
}

/// The different session ids in a path, in order. Observed: Tomcat takes parameters out of every
/// segment, up to the next `;` or `/`, before it decodes the path. A server in front may hand on
/// the path decoded, so that is read too (our choice).
fn session_ids_in_path(path: &str) -> Vec<Cow<'_, str>> {
    if !path.contains([';', '%']) {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut ids: Vec<Cow<'_, str>> = parameters(path)
        .filter(|id| seen.insert(*id))
        .map(Cow::Borrowed)
        .collect();
    if path.contains('%') {
        let decoded = percent_decode(path);
        let mut seen: HashSet<&str> = ids.iter().map(AsRef::as_ref).collect();
        let others: Vec<_> = parameters(&decoded)
            .filter(|id| seen.insert(*id))
            .map(|id| Cow::Owned(id.to_owned()))
            .collect();
        ids.extend(others);
    }
    ids
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    let parameters = path
        .split('/')
        .flat_map(|segment| segment.split(';').skip(1));
    parameters
        .filter_map(|parameter| parameter.strip_prefix("jsessionid="))
        .filter(|id| !id.is_empty())
}

/// Query and form count together, so that a value in each is one too many.
fn requested(request: &Request<'_>) -> RequestedRedirect {
    let query = request.query();
    let form = request.form();
    RequestedRedirect::from_values(
        query
            .all("logoutSuccessUrl")
            .chain(form.all("logoutSuccessUrl")),
    )
}

#[cfg(test)]
mod tests;
