//! Which session a real site's answer to a login opens. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use logout_core::credential::{Secret, SecretDigest};
use logout_core::message::{Parameters, Request};
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamSession};
use serde::Deserialize;
use serde_json::Value;

use super::{is_known, pairs};
use crate::config::Dialect;
use crate::cookies;
use crate::request::{REFRESH, TOKEN_SERVICE};

/// The realm of sessions whose user no answer has told. No membership provider is called so.
pub(super) const UNKNOWN: &str = "(unknown)";

/// A form login that went well: the site's cookie is set, and the address to go to does not speak
/// of an error. Without the latter a failed login would count whose answer prolongs the cookie of
/// whoever was signed in before.
///
/// No expiry: that of the cookie slides with use that the hub does not see.
pub(super) fn form_login(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let session = site_session(answer, now, dialect)?;
    let form = request.form();
    let name = form
        .first_ignoring_case("username")
        .map(str::trim)
        .filter(|name| !name.is_empty())?;
    let subject = dialect.subject(form.first_ignoring_case("MembershipProviderName"), name);
    Some(UpstreamLogin::new(subject, session))
}

/// The token service's sign-in opens a new session of the site for whoever it knows, without saying
/// who that is. So it renews the session that the token service's cookie belongs to.
pub(super) fn silent_sign_in(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let mut session = site_session(answer, now, dialect)?;
    let sent: Vec<(&str, &str)> = request.all_cookies().collect();
    let name = dialect.token_service_cookie.name();
    if cookies::is_ambiguous(&sent, name) {
        return None;
    }
    let parent = Secret::new(cookies::values(&sent, name).next()?);
    if session.cookie(name).is_none() {
        let own = sent
            .iter()
            .filter(|(known, _)| cookies::belongs(known, name));
        session
            .cookies
            .extend(own.map(|(name, value)| ((*name).to_owned(), Secret::new(*value))));
    }
    let renews = UpstreamCredential::new(TOKEN_SERVICE, parent.clone());
    Some(UpstreamLogin::new(unknown(&parent), session).renewing(Some(renews)))
}

/// A grant of OAuth2 that stands for a user.
pub(super) fn grant(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    #[derive(Deserialize)]
    struct Granted {
        access_token: String,
        expires_in: Option<Value>,
        refresh_token: Option<String>,
    }
    let granted: Granted = Some(&answer.body)
        .filter(|_| answer.status == 200)
        .and_then(|body| serde_json::from_slice(body).ok())?;
    let access = Some(granted.access_token)
        .filter(|token| !token.is_empty())
        .map(Secret::new)?;
    let refresh = granted
        .refresh_token
        .filter(|token| !token.is_empty())
        .map(Secret::new);
    let form = request.form();
    let (subject, renews) = match form.first("grant_type")? {
        "password" => (
            dialect.subject(
                form.first("membership_provider"),
                form.first("username").filter(|name| !name.is_empty())?,
            ),
            None,
        ),
        "authorization_code" => (unknown(&access), None),
        "refresh_token" => {
            let secret = Secret::new(
                form.first("refresh_token")
                    .filter(|token| !token.is_empty())?,
            );
            (
                unknown(&access),
                Some(UpstreamCredential::new(REFRESH, secret)),
            )
        }
        _ => return None,
    };
    let seconds = granted.expires_in.and_then(|value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    });
    // With a refresh token the session outlives the access token.
    let ends = seconds.filter(|_| refresh.is_none() && renews.is_none());
    let expires = ends.map(|seconds| now.plus(Duration::from_secs(seconds.min(u32::MAX.into()))));
    let others = refresh
        .into_iter()
        .map(|token| (REFRESH.to_owned(), token))
        .collect();
    let session = UpstreamSession {
        bearer: Some(access),
        others,
        ..UpstreamSession::default()
    };
    Some(
        UpstreamLogin::new(subject, session)
            .with_expiry(expires)
            .renewing(renews),
    )
}

/// The cookies that an answer sets, where a session of the site is among them; of several of one
/// name the last, as browsers do.
fn site_session(
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamSession> {
    if !(200..400).contains(&answer.status)
        || speaks_of_error(answer.header("location").unwrap_or_default())
    {
        return None;
    }
    let mut cookies: Vec<(String, Secret)> = Vec::new();
    for set in answer
        .cookies_set(now)
        .into_iter()
        .filter(|set| is_known(&set.name, dialect))
    {
        cookies.retain(|(name, _)| *name != set.name);
        cookies.push((set.name, set.value));
    }
    cookies::values(&pairs(&cookies), dialect.session_cookie.name()).next()?;
    Some(UpstreamSession {
        cookies,
        ..UpstreamSession::default()
    })
}

/// Observed: the address that a failed login leads to carries `loginerror=True`.
fn speaks_of_error(location: &str) -> bool {
    let query = location
        .split('#')
        .next()
        .and_then(|address| address.split_once('?'))
        .map_or("", |(_, query)| query);
    Parameters::read(query.as_bytes())
        .first_ignoring_case("loginerror")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Somebody whom no answer has named: a subject of its own, so that nothing is ended because nobody
/// is known by name twice.
fn unknown(secret: &Secret) -> Subject {
    let digest = SecretDigest::of(secret.reveal());
    let name = digest.as_bytes()[..16]
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
    Subject::new(UNKNOWN, name)
}
