//! How to speak to a real instance, and how to read what it answers. Pure.
//!
//! On whose word each line stands: docs/vendors/assets.md, "In front of a real instance".

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
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

use crate::config::{Dialect, Profile, SESSION_ID, TOKEN};
use crate::fields::Fields;
use crate::provider::AssetsProvider;
use crate::request::{by_hand, csrf_header};
use crate::stand_in;

impl UpstreamLogout for AssetsProvider {
    fn relayed_endpoints(&self) -> &[Endpoint] {
        &self.relayed_endpoints
    }

    /// A token means the same in a header and in a cookie. A CSRF token is due wherever the login
    /// gave one.
    fn credentials(&self, session: &UpstreamSession) -> Vec<UpstreamCredential> {
        let profile = self.dialect.config.profile;
        let has_tokens = profile.has_tokens();
        let purpose = if has_tokens { TOKEN } else { SESSION_ID };
        let by_cookie = session
            .cookies
            .iter()
            .filter(|(name, _)| name == purpose)
            .map(|(_, value)| value);
        let secrets = session
            .bearer
            .iter()
            .filter(|_| has_tokens)
            .chain(by_cookie);
        UpstreamCredential::each_once(secrets.map(|secret| UpstreamCredential {
            csrf_due: has_tokens,
            ..UpstreamCredential::new(purpose, secret.clone())
        }))
    }

    /// The session that a login opens. `None` where it failed, where nothing says who logged in,
    /// and where the answer holds nothing that the session could be known by.
    fn parse_login(
        &self,
        request: &Request<'_>,
        answer: &UpstreamAnswer,
        now: Timestamp,
    ) -> Option<UpstreamLogin> {
        let profile = self.dialect.config.profile;
        // Reading never waits: the body is whole.
        let fields = Fields::read(request).now_or_never()?.ok()?;
        let body = object(answer).unwrap_or_default();
        if !succeeded(answer, &body, &fields, profile) {
            return None;
        }
        let cookie_name = if profile.has_tokens() {
            TOKEN
        } else {
            SESSION_ID
        };
        let set: Vec<_> = answer
            .cookies_set(now)
            .into_iter()
            .filter(|cookie| cookie.name == cookie_name)
            .collect();
        let expires = set.iter().find_map(|cookie| cookie.expires);
        let mut cookies: Vec<(String, Secret)> = set
            .into_iter()
            .map(|cookie| (cookie.name, cookie.value))
            .collect();
        let told = |name: &str| text(&body, name).map(Secret::new);
        let (mut bearer, mut csrf) = (None, None);
        if profile.has_tokens() {
            (bearer, csrf) = (told("authToken"), told("csrfToken"));
        } else if let Some(id) = told("sessionId").filter(|id| {
            cookies
                .iter()
                .all(|(_, known)| known.reveal() != id.reveal())
        }) {
            cookies.push((SESSION_ID.to_owned(), id));
        }
        let claims = bearer
            .iter()
            .chain(cookies.iter().map(|(_, value)| value))
            .find_map(|token| claims(token.reveal()));
        let claims = claims.unwrap_or_default();
        let profile_name = body
            .get("userProfile")
            .and_then(|profile| profile.get("username"))
            .and_then(Value::as_str);
        let name = profile_name
            .map(str::to_owned)
            .or_else(|| fields.name_and_password().map(|(name, _)| name));
        let name = name
            .or_else(|| text(&claims, "sub").map(str::to_owned))
            .filter(|name| !name.is_empty())?;
        let session = UpstreamSession {
            cookies,
            bearer,
            csrf,
            ..UpstreamSession::default()
        };
        if session.is_empty() {
            return None;
        }
        let by_token = claims
            .get("exp")
            .and_then(Value::as_u64)
            .map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
        Some(
            UpstreamLogin::new(self.subject(None, &name), session)
                .with_expiry(by_token.or(expires)),
        )
    }

    /// One list of users for each server, compared without case.
    fn subject(&self, _realm: Option<&str>, name: &str) -> Subject {
        Subject::new("", name.to_lowercase())
    }
}

impl SignOutDialect for AssetsProvider {
    fn owns_cookie(&self, name: &str) -> bool {
        name == self.dialect.cookie.name()
    }

    /// By POST, which every version takes; the body is empty, as clients were observed to send it.
    ///
    /// The cookie of a person's login whose CSRF token is not known signs out by the redirecting
    /// form, which needs none.
    fn sign_out(&self, to: &Addressee) -> UpstreamRequest {
        let session = &to.session;
        let profile = self.dialect.config.profile;
        if profile.has_tokens() && session.bearer.is_none() && session.csrf.is_none() {
            let query = "logoutSuccessUrl=%2Fsigned-out-by-logout-hub";
            return UpstreamRequest::new(Method::Get, format!("/logout?{query}"))
                .with_cookies(session);
        }
        let request = presenting(
            UpstreamRequest::new(Method::Post, "/services/logout"),
            session,
        );
        session.csrf.iter().fold(request, |request, token| {
            request.with_header("x-csrf-token", token.reveal())
        })
    }

    /// What the answer means. An error comes with 200 or with its own status, as the server is
    /// configured, and is an object in either case. A redirect counts only to the address that was
    /// asked for: others lead to https, or to a login.
    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation {
        let arrives =
            |location: &str| location.ends_with(SIGNED_OUT) && !location.contains(['?', '#']);
        if matches!(answer.status, 301..=303) && answer.header("location").is_some_and(arrives) {
            return Confirmation::Confirmed { redirect: None };
        }
        let Some(body) = object(answer) else {
            return Confirmation::Refused;
        };
        if is_not_signed_in(answer, &body) {
            Confirmation::NotSignedIn
        } else if answer.status == 200
            && body.get("logoutSuccess") == Some(&Value::Bool(true))
            && !body.contains_key("errorcode")
        {
            Confirmation::Confirmed { redirect: None }
        } else {
            Confirmation::Refused
        }
    }

    /// By GET, which needs no CSRF token.
    fn probe(&self, to: &Addressee) -> Option<UpstreamRequest> {
        let session = &to.session;
        (!session.is_empty()).then(|| {
            presenting(
                UpstreamRequest::new(Method::Get, "/services/profile"),
                session,
            )
        })
    }

    /// A profile with a name in it, or the error that nobody is signed in.
    fn alive(&self, answer: &UpstreamAnswer) -> Option<bool> {
        let body = object(answer)?;
        if is_not_signed_in(answer, &body) {
            return Some(false);
        }
        (answer.status == 200
            && !body.contains_key("errorcode")
            && text(&body, "username").is_some())
        .then_some(true)
    }
}

/// The logins. Probes and pages pass the hub by.
pub(crate) fn relayed_endpoints(profile: Profile) -> Vec<Endpoint> {
    let logins = [stand_in::LOGIN, stand_in::API_LOGIN];
    stand_in::endpoints(profile)
        .into_iter()
        .filter(|endpoint| logins.contains(&endpoint.name()))
        .collect()
}

/// What a request presents, in the order in which a sign-out reads it. The session id in a path of
/// Elvis 4 and 5 is the value of the cookie (documented), so it is kept as one: no path of ours
/// carries a secret.
pub(crate) fn presented(request: &Request<'_>, dialect: &Dialect) -> UpstreamSession {
    let name = dialect.cookie.name();
    let has_tokens = dialect.config.profile.has_tokens();
    let by_hand = by_hand(request, dialect);
    let (bearer, in_path) = if has_tokens {
        (by_hand.first(), &[][..])
    } else {
        (None, &by_hand[..])
    };
    let mut seen = HashSet::new();
    let values = in_path
        .iter()
        .map(AsRef::as_ref)
        .chain(request.cookies(name));
    let cookies = values
        .filter(|value| !value.is_empty() && seen.insert(*value))
        .map(|value| (name.to_owned(), Secret::new(value)));
    UpstreamSession {
        cookies: cookies.collect(),
        bearer: bearer
            .filter(|value| !value.is_empty())
            .map(|value| Secret::new(value.as_ref())),
        csrf: csrf_header(request).filter(|_| has_tokens).map(Secret::new),
        ..UpstreamSession::default()
    }
}

/// Whether a login did succeed. From 6 on the answer says so; in Elvis 4 and 5 it may be a redirect
/// instead, to `nextUrl` or to `failUrl`.
fn succeeded(
    answer: &UpstreamAnswer,
    body: &Map<String, Value>,
    fields: &Fields<'_>,
    profile: Profile,
) -> bool {
    if answer.status == 200 {
        return body.get("loginSuccess") == Some(&Value::Bool(true))
            && !body.contains_key("errorcode");
    }
    let (false, true, Some(location)) = (
        profile.has_tokens(),
        matches!(answer.status, 301..=303),
        answer.header("location"),
    ) else {
        return false;
    };
    // A server may write the address out in full.
    let leads_to = |name| {
        let named = |address: &str| {
            location == address
                || location.ends_with(&format!("/{}", address.trim_start_matches('/')))
        };
        fields.first(name).is_some_and(named)
    };
    leads_to("nextUrl") && !leads_to("failUrl")
}

/// What a token says of itself, unverified, where it can be read at all: the vendor's own are
/// compressed. It serves our own bookkeeping only.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Where a sign-out by redirect is asked to lead: an address that no other redirect leads to.
/// Nobody goes there.
const SIGNED_OUT: &str = "/signed-out-by-logout-hub";

fn presenting(request: UpstreamRequest, session: &UpstreamSession) -> UpstreamRequest {
    let request = request
        .with_header("accept", "application/json")
        .with_cookies(session);
    session.bearer.iter().fold(request, |request, token| {
        request.with_header("authorization", &format!("Bearer {}", token.reveal()))
    })
}

/// A 401 without the vendor's object may be that of a proxy in between, which knows nothing of the
/// session.
fn is_not_signed_in(answer: &UpstreamAnswer, body: &Map<String, Value>) -> bool {
    matches!(answer.status, 200 | 401) && body.get("errorcode").and_then(Value::as_u64) == Some(401)
}

fn object(answer: &UpstreamAnswer) -> Option<Map<String, Value>> {
    serde_json::from_slice(&answer.body).ok()
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
