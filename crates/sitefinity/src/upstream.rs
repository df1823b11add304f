//! How to speak to a real site, and how to read what it answers. Pure.
//!
//! On whose word each line stands: docs/vendors/sitefinity.md, "In front of a real site".

mod login;

use std::borrow::Cow;

use logout_core::credential::Secret;
use logout_core::message::{Method, Request};
use logout_core::provider::{Endpoint, SignOutDialect, UpstreamLogout};
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamRequest,
    UpstreamSession,
};
use serde_json::Value;

use self::login::{UNKNOWN, form_login, grant, silent_sign_in};
use crate::config::{Dialect, UpstreamAdministrator};
use crate::provider::SitefinityProvider;
use crate::request::{ACCESS, REFRESH, SITE, TOKEN_SERVICE, bearer};
use crate::{cookies, stand_in};

/// The address, in the spelling of the documentation.
const SIGN_OUT_PATH: &str = "/Sitefinity/SignOut";

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
}

impl SignOutDialect for SitefinityProvider {
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
                Confirmation::Confirmed { redirect: None }
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

#[cfg(test)]
mod tests;
