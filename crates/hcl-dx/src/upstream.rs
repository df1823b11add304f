//! How to speak to a real portal, and how to read what it answers. Pure.
//!
//! On whose word each line stands: docs/vendors/hcl-dx.md, "In front of a real portal".

use std::collections::BTreeMap;

use logout_core::credential::{Secret, SecretDigest};
use logout_core::message::{Method, Request};
use logout_core::provider::{Endpoint, SignOutDialect, UpstreamLogout};
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamRequest,
    UpstreamSession,
};
use serde_json::Value;

use crate::config::{Dialect, is_called};
use crate::provider::HclDxProvider;
use crate::request::{CORE_API, CORE_LOGOUT_PATH};
use crate::token::LTPA;
use crate::{stand_in, who};

/// The realm of sessions whose user no answer has told.
const UNKNOWN: &str = "(unknown)";

impl UpstreamLogout for HclDxProvider {
    fn relayed_endpoints(&self) -> &[Endpoint] {
        &self.relayed_endpoints
    }

    fn credentials(&self, session: &UpstreamSession) -> Vec<UpstreamCredential> {
        credentials(session, &self.dialect)
    }

    /// A login that went well: 200, with the token in its cookie. The user is whom the answer
    /// names, else whom the request does.
    ///
    /// Without a lifetime of the cookie no expiry is known: how long a token lives is a setting of
    /// the application server.
    fn parse_login(
        &self,
        request: &Request<'_>,
        answer: &UpstreamAnswer,
        now: Timestamp,
    ) -> Option<UpstreamLogin> {
        let dialect = &self.dialect;
        if request.endpoint() != stand_in::LOGIN
            || request.method() != Method::Post
            || answer.status != 200
        {
            return None;
        }
        let said = who::members(&answer.body);
        if said.as_ref().is_some_and(|said| said.contains_key("error")) {
            return None;
        }
        let set = answer.cookies_set(now);
        // Of several of one name browsers keep the last.
        let last = |requested: &str| {
            set.iter()
                .rfind(|cookie| cookie.name.eq_ignore_ascii_case(requested))
        };
        let token = last(dialect.cookie.name())?;
        let mut cookies = vec![(dialect.cookie.name().to_owned(), token.value.clone())];
        let old = dialect.old_cookie.name();
        cookies.extend(
            last(old)
                .filter(|_| !dialect.holds_token(old))
                .map(|cookie| (old.to_owned(), cookie.value.clone())),
        );

        let text = |value: Option<&Value>| {
            value
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
        };
        let named = said.and_then(|said| text(said.get("data")?.get("UId")));
        let named = named.or_else(|| text(who::members(request.body())?.get("username")));
        let subject = named.map_or_else(|| unknown(&token.value), |name| who::subject(None, &name));
        let session = UpstreamSession {
            cookies,
            ..UpstreamSession::default()
        };
        Some(UpstreamLogin::new(subject, session).with_expiry(token.expires))
    }

    fn subject(&self, realm: Option<&str>, name: &str) -> Subject {
        who::subject(realm, name)
    }
}

impl SignOutDialect for HclDxProvider {
    fn owns_cookie(&self, name: &str) -> bool {
        [&self.dialect.cookie, &self.dialect.old_cookie]
            .iter()
            .any(|cookie| cookie.name().eq_ignore_ascii_case(name))
    }

    /// Documented: POST without a body, and the cookie alone is enough.
    fn sign_out(&self, to: &Addressee) -> UpstreamRequest {
        call(CORE_LOGOUT_PATH, &to.session)
    }

    /// Documented: 200 with the object that says so and where to go; 401 for who is not signed in.
    /// Versions before the target was added say the same without it.
    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation {
        match answer.status {
            200 => match who::members(&answer.body).filter(is_success) {
                Some(said) => {
                    let redirect = said
                        .get("redirectUrl")
                        .and_then(Value::as_str)
                        .filter(|url| !url.is_empty());
                    Confirmation::Confirmed {
                        redirect: redirect.map(str::to_owned),
                    }
                }
                None => Confirmation::Refused,
            },
            401 if is_about_the_session(answer) => Confirmation::NotSignedIn,
            _ => Confirmation::Refused,
        }
    }

    /// Documented: who presents a live token is told so, and who does not gets 401.
    fn probe(&self, to: &Addressee) -> Option<UpstreamRequest> {
        let dialect = &self.dialect;
        (!credentials(&to.session, dialect).is_empty())
            .then(|| call(stand_in::VALIDATE_PATH, &to.session))
    }

    fn alive(&self, answer: &UpstreamAnswer) -> Option<bool> {
        match answer.status {
            200 => who::members(&answer.body).filter(is_success).map(|_| true),
            401 if is_about_the_session(answer) => Some(false),
            _ => None,
        }
    }
}

/// The login, and the question of a browser whether a page of another origin may call it.
/// Validation opens nothing.
pub(crate) fn relayed_endpoints() -> Vec<Endpoint> {
    let path = format!("{CORE_API}{}", stand_in::LOGIN_PATH);
    vec![Endpoint::new(
        stand_in::LOGIN,
        &[Method::Post, Method::Options],
        path,
        &[],
    )]
}

/// The tokens of a request, under the name that the portal sets them by; and the older token beside
/// them, which the application server takes as well, but by which nobody is recognised here.
pub(crate) fn presented(request: &Request<'_>, dialect: &Dialect) -> UpstreamSession {
    let named = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
    let mut cookies: Vec<(String, Secret)> = dialect
        .tokens(request)
        .map(|token| named(dialect.cookie.name(), token))
        .collect();
    let old = dialect.old_cookie.name();
    if !cookies.is_empty() && !dialect.holds_token(old) {
        let olds = request
            .all_cookies()
            .filter(|(name, value)| is_called(name, &dialect.old_cookie) && !value.is_empty());
        cookies.extend(olds.map(|(_, value)| named(old, value)));
    }
    UpstreamSession {
        cookies,
        ..UpstreamSession::default()
    }
}

pub(crate) fn credentials(session: &UpstreamSession, dialect: &Dialect) -> Vec<UpstreamCredential> {
    let tokens = session
        .cookies
        .iter()
        .filter(|(name, _)| dialect.holds_token(name));
    UpstreamCredential::each_once(
        tokens.map(|(_, token)| UpstreamCredential::new(LTPA, token.clone())),
    )
}

/// Somebody whom nobody has named: a subject of its own, so that nobody ends with somebody else.
fn unknown(token: &Secret) -> Subject {
    let digest = SecretDigest::of(token.reveal());
    Subject::new(
        UNKNOWN,
        digest.as_bytes()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}

fn call(path: &str, session: &UpstreamSession) -> UpstreamRequest {
    UpstreamRequest::new(Method::Post, format!("{CORE_API}{path}"))
        .with_header("accept", "application/json")
        .with_cookies(session)
}

/// The object of a call that went well: its own status is 200 too, and it holds no error.
fn is_success(said: &BTreeMap<String, Value>) -> bool {
    said.get("statusCode").and_then(Value::as_u64) == Some(200) && !said.contains_key("error")
}

/// Whether a 401 is the portal's word on the session, and not that of somebody in front of it who
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

#[cfg(test)]
mod tests;
