//! How to speak to a real site, and how to read what it answers to a sign-out. Pure.
//!
//! On whose word each line stands: docs/vendors/wix.md, "In front of a real site".

mod login;

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use logout_core::credential::Secret;
use logout_core::message::{Method, Request};
use logout_core::provider::{Endpoint, SignOutDialect, UpstreamLogout};
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamRequest,
    UpstreamSession,
};
use serde_json::{Map, Value};
use url::Url;

use self::login::{parse_login, subject};
use crate::authorization::{Authorization, authorization};
use crate::body::Fields;
use crate::config::Dialect;
use crate::credentials::{ACCESS, MEMBER_COOKIE, REFRESH, SESSION_TOKEN, TICKET, VISITOR};
use crate::grant::CODE;
use crate::provider::WixProvider;
use crate::{paths, stand_in};

/// What the vendor's SDK says it calls (observed): by this, a server knows that the answer is to be
/// an envelope.
const GATEWAY: &str = "method-fqn=wix.iam.authentication.v1.AuthenticationService.Logout";

/// The secrets that are neither cookies nor access tokens, in the words that sign-outs and renewals
/// read them by.
const OTHERS: [&str; 4] = [TICKET, REFRESH, SESSION_TOKEN, CODE];

impl UpstreamLogout for WixProvider {
    fn relayed_endpoints(&self) -> &[Endpoint] {
        &self.relayed_endpoints
    }

    /// In the order in which a sign-out reads them. The cookies beside the member's are sent along,
    /// but name no session.
    fn credentials(&self, session: &UpstreamSession) -> Vec<UpstreamCredential> {
        let dialect = &self.dialect;
        let presentable =
            |purpose, secret: &Secret| UpstreamCredential::new(purpose, secret.clone());
        let others = OTHERS.into_iter().flat_map(|purpose| {
            let called = session
                .others
                .iter()
                .filter(move |(name, _)| name == purpose);
            called.map(move |(_, secret)| presentable(purpose, secret))
        });
        let members = session
            .cookies
            .iter()
            .filter(|(name, _)| name == dialect.member_cookie.name());
        let all = session
            .bearer
            .iter()
            .map(|token| presentable(ACCESS, token))
            .chain(others);
        UpstreamCredential::each_once(
            all.chain(members.map(|(_, secret)| presentable(MEMBER_COOKIE, secret))),
        )
    }

    fn parse_login(
        &self,
        request: &Request<'_>,
        answer: &UpstreamAnswer,
        now: Timestamp,
    ) -> Option<UpstreamLogin> {
        parse_login(request, answer, now, &self.dialect)
    }

    fn subject(&self, realm: Option<&str>, name: &str) -> Subject {
        subject(realm, name)
    }

    fn is_anonymous(&self, subject: &Subject) -> bool {
        &*subject.realm == VISITOR
    }
}

impl SignOutDialect for WixProvider {
    fn owns_cookie(&self, name: &str) -> bool {
        is_cookie(name, &self.dialect)
    }

    /// The call that the vendor's SDK makes: its path, and the header that asks for an envelope, in
    /// which a sign-out cannot be mistaken for a login page. Token and cookie both, since the
    /// cookie may outlive the token.
    ///
    /// A ticket stands in the address, where the link that it comes from has it; only where there
    /// is nothing else. A login that was never turned into tokens has but its session token, which
    /// goes where a token would.
    fn sign_out(&self, to: &Addressee) -> UpstreamRequest {
        let session = &to.session;
        let has_more = session.bearer.is_some() || !session.cookies.is_empty();
        let target = match session.other(TICKET).filter(|_| !has_more) {
            Some(ticket) => {
                format!(
                    "{}?{}",
                    paths::LOGOUT,
                    Serializer::new(String::new())
                        .append_pair(TICKET, ticket.reveal())
                        .finish()
                )
            }
            None => paths::LOGOUT.to_owned(),
        };
        let request = UpstreamRequest::new(Method::Get, target)
            .with_header("accept", "application/json")
            .with_header("x-wix-bi-gateway", GATEWAY);
        let token = session
            .bearer
            .as_ref()
            .or_else(|| session.other(SESSION_TOKEN).filter(|_| !has_more));
        token
            .iter()
            .fold(request.with_cookies(session), |request, token| {
                request.with_header("authorization", token.reveal())
            })
    }

    /// What the answer means, in an envelope or by itself.
    ///
    /// By itself, a page or a redirect could be anybody's. It is the sign-out's where it removes a
    /// cookie of the session, or leads to where an app of the site allows.
    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation {
        let dialect = &self.dialect;
        let inner = enveloped(answer);
        let vouched = inner.is_some();
        let answer = inner.as_ref().unwrap_or(answer);
        let location = || answer.header("location").filter(|address| is_web(address));
        let allowed = |address: &str| {
            dialect
                .policies
                .values()
                .any(|policy| policy.approve_absolute(address).is_ok())
        };
        match answer.status {
            200 if vouched || removes_cookie(answer, dialect) => {
                Confirmation::Confirmed { redirect: None }
            }
            301..=303
                if vouched
                    || removes_cookie(answer, dialect)
                    || location().is_some_and(allowed) =>
            {
                Confirmation::Confirmed {
                    redirect: location().map(str::to_owned),
                }
            }
            401 if vouched || error(answer).is_some() => Confirmation::NotSignedIn,
            400 | 403 | 404
                if error(answer)
                    .is_some_and(|error| code(&error) == Some("FAILED_TO_EXTRACT_SESSION")) =>
            {
                Confirmation::NotSignedIn
            }
            _ => Confirmation::Refused,
        }
    }

    /// Asks for the current member, by token or else by cookie. Nobody answers for a login that was
    /// never turned into tokens, nor for a ticket.
    fn probe(&self, to: &Addressee) -> Option<UpstreamRequest> {
        let session = &to.session;
        let request = UpstreamRequest::new(Method::Get, "/members/v1/members/my")
            .with_header("accept", "application/json");
        match &session.bearer {
            Some(token) => Some(request.with_header("authorization", token.reveal())),
            None => (!session.cookies.is_empty()).then(|| request.with_cookies(session)),
        }
    }

    /// A member, or a visitor who may not ask for one, is alive; whoever is not authenticated is
    /// not.
    fn alive(&self, answer: &UpstreamAnswer) -> Option<bool> {
        match answer.status {
            200 => object(answer)?
                .get("member")?
                .get("id")?
                .is_string()
                .then_some(true),
            401 => error(answer).map(|_| false),
            403 => error(answer).map(|_| true),
            _ => None,
        }
    }
}

/// Every step of a login, and the links that browsers sign out by. Probes and pages pass the hub
/// by.
pub(crate) fn relayed_endpoints(dialect: &Dialect) -> Vec<Endpoint> {
    let logins = [
        stand_in::AUTHORIZATION,
        stand_in::LOGIN,
        stand_in::LOGIN_FORM,
        stand_in::REDIRECT_SESSION,
        stand_in::TOKEN,
    ];
    stand_in::endpoints(dialect)
        .into_iter()
        .filter(|endpoint| logins.contains(&endpoint.name()))
        .collect()
}

/// What a request presents: the token of its header, the ticket of a sign-out link, the cookies
/// that a sign-out removes.
pub(crate) fn presented(request: &Request<'_>, dialect: &Dialect) -> UpstreamSession {
    let body = if request.method() == Method::Post {
        Fields::read(request).unwrap_or_default()
    } else {
        Fields::default()
    };
    let query = request.query();
    let ticket = body
        .text(TICKET)
        .ok()
        .flatten()
        .or_else(|| query.first(TICKET).filter(|value| !value.is_empty()));
    UpstreamSession {
        cookies: cookies(request, dialect),
        bearer: match authorization(request) {
            Authorization::Token(token) => Some(Secret::new(token)),
            Authorization::Absent | Authorization::ApiKey => None,
        },
        others: ticket
            .map(|ticket| (TICKET.to_owned(), Secret::new(ticket)))
            .into_iter()
            .collect(),
        ..UpstreamSession::default()
    }
}

/// The cookies of a session that a request brings, each value once.
pub(crate) fn cookies(request: &Request<'_>, dialect: &Dialect) -> Vec<(String, Secret)> {
    let mut seen = HashSet::new();
    let own = request
        .all_cookies()
        .filter(|(name, value)| is_cookie(name, dialect) && !value.is_empty());
    own.filter(|cookie| seen.insert(*cookie))
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .collect()
}

/// Whether a sign-out removes the cookie of this name.
pub(crate) fn is_cookie(name: &str, dialect: &Dialect) -> bool {
    std::iter::once(&dialect.member_cookie)
        .chain(&dialect.extra_cookies)
        .any(|cookie| cookie.name() == name)
}

/// What stands in a `RawHttpResponse`; `None` for an answer that is none.
pub(crate) fn enveloped(answer: &UpstreamAnswer) -> Option<UpstreamAnswer> {
    let envelope = object(answer).filter(|_| answer.status == 200)?;
    let status = u16::try_from(envelope.get("statusCode")?.as_u64()?).ok()?;
    let pairs = envelope
        .get("headers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let header = |pair: &Value| {
        Some((
            pair.get("key")?.as_str()?.to_ascii_lowercase(),
            pair.get("value")?.as_str()?.as_bytes().to_vec(),
        ))
    };
    let body = envelope
        .get("body")
        .and_then(Value::as_str)
        .and_then(|body| STANDARD.decode(body).ok())
        .unwrap_or_default();
    Some(
        UpstreamAnswer::new(status)
            .with_headers(pairs.filter_map(header))
            .with_body(body),
    )
}

/// The body as a JSON object.
pub(crate) fn object(answer: &UpstreamAnswer) -> Option<Map<String, Value>> {
    serde_json::from_slice(&answer.body).ok()
}

/// The vendor's error object. What has another shape may come from a proxy, which knows nothing of
/// the session.
fn error(answer: &UpstreamAnswer) -> Option<Map<String, Value>> {
    object(answer).filter(|error| {
        error.get("message").is_some_and(Value::is_string)
            && error.get("details").is_some_and(Value::is_object)
    })
}

fn code(error: &Map<String, Value>) -> Option<&str> {
    error
        .get("details")?
        .get("applicationError")?
        .get("code")?
        .as_str()
}

fn is_web(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn removes_cookie(answer: &UpstreamAnswer, dialect: &Dialect) -> bool {
    answer.headers_named("set-cookie").any(|text| {
        let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
        let Some((name, value)) = pair.split_once('=') else {
            return false;
        };
        let is_over = |attribute: &str| {
            attribute.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("max-age")
                    && value
                        .trim()
                        .parse::<i64>()
                        .is_ok_and(|seconds| seconds <= 0)
                    || name.trim().eq_ignore_ascii_case("expires") && value.contains("1970")
            })
        };
        is_cookie(name.trim(), dialect)
            && (value.trim().is_empty() || attributes.split(';').any(is_over))
    })
}

#[cfg(test)]
pub(crate) mod tests;
