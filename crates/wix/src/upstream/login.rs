//! What a real site's answers to the steps of a login bring. Pure.
//!
//! A member logs in in several steps, and each is known to the next by what it answered: the
//! session token by the authorization, the code by the grant, the refresh token by the next grant.
//! So each renews the session that the first one opened, and the member's name, which only the
//! first one says, stays with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::credential::Secret;
use logout_core::message::Request;
use logout_core::session::{ClientId, Subject};
use logout_core::time::Timestamp;
use logout_core::upstream::{UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamSession};
use serde_json::{Map, Value};
use url::Url;

use super::{cookies, enveloped, is_cookie, object};
use crate::authorization::{Authorization, TOKEN_PREFIX, authorization};
use crate::body::Fields;
use crate::config::Dialect;
use crate::credentials::{
    ACCESS, CLIENT_CLAIM, MEMBER_COOKIE, REFRESH, SESSION_TOKEN, TICKET, VISITOR,
};
use crate::grant::CODE;
use crate::{guid, raw_request, stand_in};

/// The session that an answer opens or renews; it lasts as long as its refresh token is configured
/// to.
pub(crate) fn parse_login(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let inner = enveloped(answer);
    let answer = inner.as_ref().unwrap_or(answer);
    match request.endpoint() {
        stand_in::AUTHORIZATION => authorization_answer(request, answer, now, dialect),
        stand_in::LOGIN => login(request, answer, now, dialect),
        stand_in::LOGIN_FORM => login_form(request, answer, now, dialect),
        stand_in::REDIRECT_SESSION => redirect_session(request, answer, now, dialect),
        stand_in::TOKEN => token(request, answer, now, dialect),
        _ => None,
    }
}

/// A visitor's or a member's tokens. Other grants are not of somebody who signs out.
fn token(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let asked = raw_request::fields(request).ok()?;
    let field = |name, other| asked.either(name, other).ok().flatten();
    let body = object(answer).filter(|_| answer.status == 200)?;
    let access = text(&body, "access_token")?;
    let before = |purpose, secret: Option<&str>| secret.map(|secret| presentable(purpose, secret));
    let renews = match field("grantType", "grant_type")? {
        "anonymous" => None,
        "authorization_code" => before(CODE, field("code", "code")),
        "refresh_token" => before(REFRESH, field("refreshToken", "refresh_token")),
        _ => return None,
    };
    // Observed: a refresh token is not replaced, and need not be repeated.
    let old = renews
        .as_ref()
        .filter(|before| before.purpose == REFRESH)
        .map(|before| before.secret.reveal());
    let refresh = text(&body, "refresh_token").or(old);
    let said = Said::by(access, dialect);
    let is_visitor = field("grantType", "grant_type") == Some("anonymous");
    let session = UpstreamSession {
        bearer: Some(Secret::new(access)),
        client: field("clientId", "client_id")
            .and_then(|text| client(text, dialect))
            .or(said.client),
        others: refresh
            .map(|refresh| (REFRESH.to_owned(), Secret::new(refresh)))
            .into_iter()
            .collect(),
        ..UpstreamSession::default()
    };
    let lifetime = body
        .get("expires_in")
        .and_then(Value::as_u64)
        .filter(|_| refresh.is_none());
    let expires = lifetime.map(|seconds| now.plus(std::time::Duration::from_secs(seconds)));
    let subject = said.subject.unwrap_or_else(|| unnamed(access, dialect));
    let subject = if is_visitor {
        Subject::new(VISITOR, &subject.name)
    } else {
        subject
    };
    Some(
        UpstreamLogin::new(subject, session)
            .with_expiry(expires.or_else(|| lasting(now, dialect)))
            .renewing(renews),
    )
}

/// A login that was told its session token. The visitor whose token came with it goes on.
fn login(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let body = object(answer)
        .filter(|body| answer.status == 200 && text(body, "state") == Some("SUCCESS"))?;
    let session_token = text(&body, "sessionToken")?;
    let asked = Fields::read(request).ok()?;
    let asked = asked.object("loginId").ok().flatten();
    let identity = body.get("identity");
    let address = identity.and_then(|identity| identity.get("email")?.get("address")?.as_str());
    let named = || asked.and_then(|asked| asked.either("email", "username").ok().flatten());
    let id = || identity.and_then(|identity| identity.get("id")?.as_str());
    let name = address
        .filter(|name| !name.is_empty())
        .or_else(named)
        .or_else(id)?;
    let session = UpstreamSession {
        client: match authorization(request) {
            Authorization::Token(token) => Said::by(token, dialect).client,
            Authorization::Absent | Authorization::ApiKey => None,
        },
        others: vec![(SESSION_TOKEN.to_owned(), Secret::new(session_token))],
        ..UpstreamSession::default()
    };
    Some(UpstreamLogin::new(member(name), session).with_expiry(lasting(now, dialect)))
}

/// A code, and perhaps the member's cookie, for a session token or for the cookie.
fn authorization_answer(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let query = request.query();
    let by_token = query
        .first("sessionToken")
        .filter(|token| !token.is_empty())
        .map(|token| presentable(SESSION_TOKEN, token));
    let by_cookie = request
        .cookies(dialect.member_cookie.name())
        .find(|value| !value.is_empty());
    let renews = by_token.or_else(|| by_cookie.map(|value| presentable(MEMBER_COOKIE, value)));
    let brought = cookies(request, dialect);
    let session = authorized(answer, brought, query.first("clientId"), now, dialect)?;
    let known_by = session
        .other(CODE)
        .or_else(|| session.cookie(dialect.member_cookie.name()))?;
    let subject = unnamed(known_by.reveal(), dialect);
    Some(
        UpstreamLogin::new(subject, session)
            .with_expiry(lasting(now, dialect))
            .renewing(renews),
    )
}

/// A login page, filled in. Whoever was signed in in that browser before is somebody else.
fn login_form(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let form = request.form();
    let session = authorized(answer, Vec::new(), form.first("clientId"), now, dialect)?;
    let name = form.first("email").filter(|name| !name.is_empty())?;
    Some(UpstreamLogin::new(member(name), session).with_expiry(lasting(now, dialect)))
}

/// What an authorization gives out; `None` where that is neither a code nor a member's cookie.
fn authorized(
    answer: &UpstreamAnswer,
    brought: Vec<(String, Secret)>,
    named: Option<&str>,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamSession> {
    let code = answer
        .header("location")
        .filter(|_| matches!(answer.status, 301..=303))
        .and_then(|address| parameter(address, CODE));
    let set: Vec<_> = answer
        .cookies_set(now)
        .into_iter()
        .filter(|cookie| is_cookie(&cookie.name, dialect))
        .collect();
    let logs_in = set
        .iter()
        .any(|cookie| cookie.name == dialect.member_cookie.name());
    if code.is_none() && !logs_in {
        return None;
    }
    let before = UpstreamSession {
        cookies: brought,
        ..UpstreamSession::default()
    };
    let fresh = UpstreamSession {
        cookies: set
            .into_iter()
            .map(|cookie| (cookie.name, cookie.value))
            .collect(),
        client: named.and_then(|text| client(text, dialect)),
        others: code
            .map(|code| (CODE.to_owned(), code))
            .into_iter()
            .collect(),
        ..UpstreamSession::default()
    };
    Some(fresh.renewing(before))
}

/// The ticket in a sign-out link, which is one more credential of the session whose token asked for
/// it.
fn redirect_session(
    request: &Request<'_>,
    answer: &UpstreamAnswer,
    now: Timestamp,
    dialect: &Dialect,
) -> Option<UpstreamLogin> {
    let Authorization::Token(token) = authorization(request) else {
        return None;
    };
    let asked = Fields::read(request).ok()?;
    let intent = asked.object("logout").ok().flatten()?;
    let body = object(answer).filter(|_| answer.status == 200)?;
    let ticket = parameter(
        body.get("redirectSession")?.get("fullUrl")?.as_str()?,
        TICKET,
    )?;
    let said = Said::by(token, dialect);
    let session = UpstreamSession {
        bearer: Some(Secret::new(token)),
        client: intent
            .text("clientId")
            .ok()
            .flatten()
            .and_then(|text| client(text, dialect))
            .or(said.client),
        others: vec![(TICKET.to_owned(), ticket)],
        ..UpstreamSession::default()
    };
    let subject = said.subject.unwrap_or_else(|| unnamed(token, dialect));
    Some(
        UpstreamLogin::new(subject, session)
            .with_expiry(lasting(now, dialect))
            .renewing(Some(presentable(ACCESS, token))),
    )
}

/// What an access token says of itself, unverified: it serves our own bookkeeping only, and opens
/// nothing.
#[derive(Default)]
struct Said {
    subject: Option<Subject>,
    client: Option<ClientId>,
}

impl Said {
    /// Observed: the payload of a real token has a `data` text with an `instance`, whose `uid` is a
    /// member and `aid` a visitor. A stand-in's has `sub`. A client counts only where it is an app
    /// of the site.
    fn by(token: &str, dialect: &Dialect) -> Self {
        let payload = |token: &str| -> Option<Map<String, Value>> {
            let jwt = token.strip_prefix(TOKEN_PREFIX).unwrap_or(token);
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?).ok()
        };
        let Some(payload) = payload(token) else {
            return Self::default();
        };
        let data = text(&payload, "data").and_then(|data| serde_json::from_str::<Value>(data).ok());
        let instance = data
            .as_ref()
            .and_then(|data| data.get("instance"))
            .and_then(Value::as_object);
        let of_instance = |name| instance.and_then(|instance| text(instance, name));
        let named = text(&payload, "sub")
            .or_else(|| of_instance("uid"))
            .map(member);
        let client = text(&payload, CLIENT_CLAIM).or_else(|| of_instance("appDefId"));
        Self {
            subject: named.or_else(|| of_instance("aid").map(|id| subject(Some(VISITOR), id))),
            client: client.and_then(|text| dialect.client(text).ok()),
        }
    }
}

/// One list of members for each site, compared without case, and visitors beside it.
pub(crate) fn subject(realm: Option<&str>, name: &str) -> Subject {
    Subject::new(
        realm.filter(|realm| *realm == VISITOR).unwrap_or_default(),
        name.to_lowercase(),
    )
}

fn member(name: &str) -> Subject {
    subject(None, name)
}

/// Somebody whom no answer names: an id of our own, one for each session.
fn unnamed(secret: &str, dialect: &Dialect) -> Subject {
    Subject::new(
        "",
        guid::of_subject(&dialect.platform, &Subject::new("unnamed", secret)),
    )
}

fn client(text: &str, dialect: &Dialect) -> Option<ClientId> {
    dialect.claim(text).ok().map(|claim| claim.id)
}

/// Lifetimes are the vendor's, and it does not publish that of a refresh token.
fn lasting(now: Timestamp, dialect: &Dialect) -> Option<Timestamp> {
    Some(now.plus(dialect.session_lifetime()))
}

fn presentable(purpose: &'static str, secret: &str) -> UpstreamCredential {
    UpstreamCredential {
        purpose,
        secret: Secret::new(secret),
        csrf_due: false,
    }
}

/// A parameter out of an address, in its query or in its fragment.
fn parameter(address: &str, name: &str) -> Option<Secret> {
    let url = Url::parse(address).ok()?;
    let in_fragment = form_urlencoded::parse(url.fragment().unwrap_or_default().as_bytes());
    let mut all = url
        .query_pairs()
        .chain(in_fragment)
        .filter(|(key, value)| key == name && !value.is_empty());
    all.next().map(|(_, value)| Secret::new(value))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
