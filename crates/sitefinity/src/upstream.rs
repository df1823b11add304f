//! How to speak to a real site, and how to read what it answers. Pure.
//!
//! On whose word each line stands: docs/vendors/sitefinity.md, "In front of a real site".

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use logout_core::credential::{Secret, SecretDigest};
use logout_core::message::{Method, Parameters, Request};
use logout_core::provider::{Endpoint, UpstreamLogout};
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamRequest,
    UpstreamSession,
};
use serde::Deserialize;
use serde_json::Value;

use crate::config::{Dialect, UpstreamAdministrator};
use crate::provider::SitefinityProvider;
use crate::request::{ACCESS, REFRESH, SITE, TOKEN_SERVICE, bearer};
use crate::{cookies, stand_in};

/// The address, in the spelling of the documentation.
const SIGN_OUT_PATH: &str = "/Sitefinity/SignOut";

/// The realm of sessions whose user no answer has told. No membership provider is called so.
const UNKNOWN: &str = "(unknown)";

impl UpstreamLogout for SitefinityProvider {
    fn relayed_endpoints(&self) -> &[Endpoint] {
        &self.relayed_endpoints
    }

    /// What a sign-out is recognised by, in the order in which it is read; and what a renewal is.
    /// Extra cookies are none.
    fn credentials(&self, session: &UpstreamSession) -> Vec<UpstreamCredential> {
        let dialect = &self.dialect;
        let sent = pairs(&session.cookies);
        let text = |purpose| {
            move |value: Cow<'_, str>| UpstreamCredential::new(purpose, Secret::new(value))
        };
        let access = session
            .bearer
            .iter()
            .map(|token| UpstreamCredential::new(ACCESS, token.clone()));
        let site = cookies::values(&sent, dialect.session_cookie.name()).map(text(SITE));
        let token_service =
            cookies::values(&sent, dialect.token_service_cookie.name()).map(text(TOKEN_SERVICE));
        let refresh = session
            .other(REFRESH)
            .into_iter()
            .map(|token| UpstreamCredential::new(REFRESH, token.clone()));
        UpstreamCredential::each_once(access.chain(site).chain(token_service).chain(refresh))
    }

    fn parse_login(
        &self,
        request: &Request<'_>,
        answer: &UpstreamAnswer,
        now: Timestamp,
    ) -> Option<UpstreamLogin> {
        let dialect = &self.dialect;
        match request.endpoint() {
            stand_in::LOGIN_FORM => form_login(request, answer, now, dialect),
            stand_in::TOKEN => grant(request, answer, now, dialect),
            stand_in::TOKEN_SERVICE => silent_sign_in(request, answer, now, dialect),
            _ => None,
        }
    }

    fn subject(&self, realm: Option<&str>, name: &str) -> Subject {
        self.dialect.subject(realm, name)
    }

    fn signs_out_by_name(&self) -> bool {
        self.dialect.config.upstream_administrator.is_some()
    }

    fn owns_cookie(&self, name: &str) -> bool {
        is_known(name, &self.dialect)
    }

    /// By the user's name with an administrator's credential, which works with a stale cookie too;
    /// else with the session's own.
    fn sign_out(&self, to: &Addressee) -> UpstreamRequest {
        let dialect = &self.dialect;
        let named = to
            .subject
            .as_ref()
            .filter(|subject| &*subject.realm != UNKNOWN && !subject.name.is_empty());
        let request = match (&dialect.config.upstream_administrator, named) {
            (Some(administrator), Some(subject)) => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query
                    .append_pair("provider", provider_of(subject, dialect))
                    .append_pair("username", &subject.name);
                query.append_pair("redirect", "false");
                with_administrator(
                    UpstreamRequest::new(
                        Method::Get,
                        format!("{SIGN_OUT_PATH}?{}", query.finish()),
                    ),
                    administrator,
                    dialect,
                )
            }
            _ => {
                let request = UpstreamRequest::new(
                    Method::Get,
                    format!("{SIGN_OUT_PATH}?sts_signout=true&redirect=false"),
                );
                with_bearer(
                    request.with_cookies(&to.session),
                    to.session.bearer.as_ref(),
                )
            }
        };
        request.with_header("accept", "application/json")
    }

    /// Observed: with `redirect=false`, 200 is success and 302 is none. The body is empty there; a
    /// page, or JSON that is broken or speaks of an error, is no sign-out, whatever the status.
    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation {
        let dialect = &self.dialect;
        match answer.status {
            200 | 204 if says_nothing_else(&answer.body) => {
                Confirmation::Confirmed { landing: None }
            }
            // With an administrator configured this may be the administrator who is not signed in,
            // and then nobody is signed out.
            401 if dialect.config.upstream_administrator.is_none()
                && is_about_the_session(answer) =>
            {
                Confirmation::NotSignedIn
            }
            _ => Confirmation::Refused,
        }
    }

    /// Who is signed in: by the token alone where there is one, else by the site's cookies. The
    /// token service has no such call.
    fn probe(&self, to: &Addressee) -> Option<UpstreamRequest> {
        let dialect = &self.dialect;
        let request = match &to.session.bearer {
            Some(token) => with_bearer(
                UpstreamRequest::new(Method::Get, stand_in::current_user_path(dialect)),
                Some(token),
            ),
            None => {
                let token_service = dialect.token_service_cookie.name();
                let sites = |name: &str| !cookies::belongs(name, token_service);
                let own = to
                    .session
                    .cookies
                    .iter()
                    .filter(|(name, _)| sites(name))
                    .cloned()
                    .collect();
                let session = UpstreamSession {
                    cookies: own,
                    ..UpstreamSession::default()
                };
                cookies::values(&pairs(&session.cookies), dialect.session_cookie.name()).next()?;
                UpstreamRequest::new(Method::Get, stand_in::LOGIN_STATUS_PATH)
                    .with_cookies(&session)
            }
        };
        Some(request.with_header("accept", "application/json"))
    }

    fn alive(&self, answer: &UpstreamAnswer) -> Option<bool> {
        match answer.status {
            200 => {
                let body: Value = serde_json::from_slice(&answer.body).ok()?;
                body.get("IsLoggedIn")
                    .or_else(|| body.get("value")?.get("IsAuthenticated"))?
                    .as_bool()
            }
            401 if is_about_the_session(answer) => Some(false),
            _ => None,
        }
    }
}

/// The logins and what they need first. Authorization may be asked for by POST as well (RFC 6749,
/// OpenID Connect).
pub(crate) fn relayed_endpoints() -> Vec<Endpoint> {
    stand_in::logins(&[Method::Get, Method::Post])
}

/// The cookies that sessions are known by here, those that come and go with them, and the access
/// token.
pub(crate) fn presented(request: &Request<'_>, dialect: &Dialect) -> UpstreamSession {
    let known = request
        .all_cookies()
        .filter(|(name, value)| is_known(name, dialect) && !value.is_empty());
    UpstreamSession {
        cookies: known
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect(),
        bearer: bearer(request).map(Secret::new),
        ..UpstreamSession::default()
    }
}

/// A form login that went well: the site's cookie is set, and the address to go to does not speak
/// of an error. Without the latter a failed login would count whose answer prolongs the cookie of
/// whoever was signed in before.
///
/// No expiry: that of the cookie slides with use that the hub does not see.
fn form_login(
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
    Some(UpstreamLogin {
        subject,
        session,
        expires: None,
        renews: None,
    })
}

/// The token service's sign-in opens a new session of the site for whoever it knows, without saying
/// who that is. So it renews the session that the token service's cookie belongs to.
fn silent_sign_in(
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
    Some(UpstreamLogin {
        subject: unknown(&parent),
        session,
        expires: None,
        renews: Some(renews),
    })
}

/// A grant of OAuth2 that stands for a user.
fn grant(
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
    Some(UpstreamLogin {
        subject,
        session,
        expires,
        renews,
    })
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

/// The membership provider as the site spells it, as far as that is known: subjects are kept in
/// lower case.
fn provider_of<'a>(subject: &'a Subject, dialect: &'a Dialect) -> &'a str {
    let default = &dialect.config.default_provider;
    if subject.realm.is_empty() || subject.realm.eq_ignore_ascii_case(default) {
        default
    } else {
        &subject.realm
    }
}

fn with_administrator(
    request: UpstreamRequest,
    administrator: &UpstreamAdministrator,
    dialect: &Dialect,
) -> UpstreamRequest {
    match &administrator.cookie_token {
        Some(value) => request.with_header(
            "cookie",
            &format!("{}={}", dialect.session_cookie.name(), value.reveal()),
        ),
        None => with_bearer(request, administrator.bearer_token.as_ref()),
    }
}

fn with_bearer(request: UpstreamRequest, token: Option<&Secret>) -> UpstreamRequest {
    match token {
        Some(token) => request.with_header("authorization", &format!("Bearer {}", token.reveal())),
        None => request,
    }
}

fn says_nothing_else(body: &[u8]) -> bool {
    if body.trim_ascii().is_empty() {
        return true;
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) => members
            .keys()
            .all(|name| !name.eq_ignore_ascii_case("error")),
        Ok(value) => value != Value::Bool(false),
        Err(_) => false,
    }
}

/// Whether a 401 is the site's word on the session, and not that of somebody in front of it who
/// wants a password first.
fn is_about_the_session(answer: &UpstreamAnswer) -> bool {
    let others = ["basic", "digest", "negotiate", "ntlm"];
    let mut schemes = answer
        .headers_named("www-authenticate")
        .filter_map(|value| value.split_whitespace().next());
    schemes.all(|scheme| {
        !others
            .iter()
            .any(|other| scheme.trim_end_matches(',').eq_ignore_ascii_case(other))
    })
}

pub(crate) fn is_known(name: &str, dialect: &Dialect) -> bool {
    let spread = [&dialect.session_cookie, &dialect.token_service_cookie];
    spread
        .iter()
        .any(|cookie| cookies::belongs(name, cookie.name()))
        || dialect
            .extra_cookies
            .iter()
            .any(|cookie| cookie.name().eq_ignore_ascii_case(name))
}

fn pairs(cookies: &[(String, Secret)]) -> Vec<(&str, &str)> {
    cookies
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect()
}
