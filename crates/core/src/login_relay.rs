//! Logins at a real instance, through the hub: it reads out of the answer what session was opened.

use std::sync::Arc;

use url::Url;

use crate::authority::SessionAuthority;
use crate::message::Request;
use crate::provider::Upstream;
use crate::registration::{Registration, RegistrationError};
use crate::relayed_cookie::{removals_of_login, rescoped};
use crate::session::Session;
use crate::store::StoreUnavailable;
use crate::upstream::{UpstreamAnswer, UpstreamError, UpstreamRequest, UpstreamSession};

/// Headers that belong to one connection, not to the message (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a login was not relayed. The client is to hold it for not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The upstream did not answer.
    #[error("the upstream did not answer: {0}")]
    Upstream(#[from] UpstreamError),
    /// The session was opened there, but cannot be registered here.
    #[error("the session cannot be registered")]
    Unavailable,
}

/// Carries logins to one upstream and registers the sessions that they open.
#[derive(Clone, Debug)]
pub struct LoginRelay {
    upstream: Upstream,
    /// The base address of the upstream, without a slash at its end.
    base: Url,
    sessions: SessionAuthority,
}

impl LoginRelay {
    /// Relays logins of the platform of `sessions` to `upstream`, whose base address is `base`.
    pub fn new(upstream: Upstream, base: Url, sessions: SessionAuthority) -> Self {
        Self {
            upstream,
            base,
            sessions,
        }
    }

    /// Speaks the upstream's language.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Forwards `request`, registers the session that it opens, and gives back the answer:
    /// unchanged, save for headers of the connection, an absolute `Location` and a cookie's
    /// `Domain` of the upstream, which become the platform's.
    ///
    /// # Errors
    /// [`RelayError`]; nothing of the answer may reach the client then.
    pub async fn login(&self, request: &Request<'_>) -> Result<UpstreamAnswer, RelayError> {
        let answer = self.upstream.client.send(self.outgoing(request)).await?;
        if answer.status < 200 {
            // The client swallows interim answers, so this would be a change of protocol, which no
            // login asks for.
            return Err(UpstreamError::Broken.into());
        }
        if answer
            .header("content-encoding")
            .is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"))
        {
            log::warn!(platform = self.sessions.platform().name.as_str();
                "an answer to a login came encoded, though that was not asked for: what session it opens is not known");
        }
        if let Some(mut learned) =
            self.upstream
                .provider
                .parse_login(request, &answer, self.sessions.now())
        {
            learned.session.removals = self.removals(request, &answer);
            let provider = &*self.upstream.provider;
            let renewed = match &learned.renews {
                Some(before) => self
                    .sessions
                    .renew(provider, before, &learned.session, learned.expires)
                    .await
                    .map_err(|_| RelayError::Unavailable)?,
                None => None,
            };
            if renewed.is_none() {
                let former = self
                    .replaced(request, &answer)
                    .await
                    .map_err(|_| RelayError::Unavailable)?;
                let registration = Registration {
                    subject: learned.subject,
                    person: None,
                    session: learned.session,
                    expires: learned.expires,
                    device: request.device(),
                    idp: None,
                    id_token: None,
                };
                match self.sessions.register(provider, registration).await {
                    Ok(session) => {
                        self.sessions
                            .end_former(&former, session, None)
                            .await
                            .map_err(|_| RelayError::Unavailable)?;
                        log::info!(platform = self.sessions.platform().name.as_str(), session:% = session; "a login was relayed");
                    }
                    Err(RegistrationError::Unavailable(_)) => return Err(RelayError::Unavailable),
                    Err(fault) => {
                        log::warn!(platform = self.sessions.platform().name.as_str(), reason:% = fault; "a relayed login was not registered");
                    }
                }
            }
        }
        Ok(self.incoming(answer))
    }

    /// The live sessions behind those cookies of the request that the answer puts others in the
    /// place of. Nothing else is replaced: a client that brought a token in a header has both then.
    async fn replaced(
        &self,
        request: &Request<'_>,
        answer: &UpstreamAnswer,
    ) -> Result<Vec<Arc<Session>>, StoreUnavailable> {
        let provider = &*self.upstream.provider;
        let set = answer.cookies_set(self.sessions.now());
        let mut cookies = provider.presented(request).cookies;
        cookies.retain(|(known, _)| set.iter().any(|cookie| cookie.name == *known));
        let presented = provider.credentials(&UpstreamSession {
            cookies,
            ..UpstreamSession::default()
        });
        let cookies: Vec<_> = presented
            .iter()
            .map(|one| (one.purpose, one.secret.reveal()))
            .collect();
        self.sessions.former_sessions(&cookies).await
    }

    /// What takes from the browser what this login puts there.
    fn removals(&self, request: &Request<'_>, answer: &UpstreamAnswer) -> Vec<String> {
        let place = (
            self.sessions.platform(),
            self.base.host_str().unwrap_or_default(),
        );
        removals_of_login(
            &*self.upstream.provider,
            answer,
            place,
            request.path(),
            self.sessions.now(),
        )
    }

    /// The request as the upstream gets it: its own `Host` (the client's doing), nothing of the
    /// connection, no wish for compression that the adapter could not read, and the client's
    /// address.
    fn outgoing(&self, request: &Request<'_>) -> UpstreamRequest {
        let query = request.raw_query();
        let joint = if query.is_empty() { "" } else { "?" };
        let mut outgoing = UpstreamRequest::new(
            request.method(),
            format!("{}{joint}{query}", request.path()),
        );
        outgoing.body = request.body().to_vec();
        let connection = named_by_connection(
            request
                .headers()
                .map(|(name, value)| (name, value.as_bytes())),
        );
        for (name, value) in request.headers() {
            let dropped = HOP_BY_HOP.contains(&name)
                || connection.iter().any(|named| named == name)
                || matches!(
                    name,
                    "host" | "content-length" | "accept-encoding" | "forwarded"
                )
                || name.starts_with("x-forwarded-");
            if !dropped {
                outgoing = outgoing.with_header(name, value);
            }
        }
        let public = &self.sessions.platform().public_url;
        if let Some(client) = request.client() {
            outgoing = outgoing.with_header("x-forwarded-for", &client.to_string());
        }
        let host = authority(public);
        let scheme = if request.is_secure() { "https" } else { "http" };
        outgoing
            .with_header("x-forwarded-host", &host)
            .with_header("x-forwarded-proto", scheme)
    }

    fn incoming(&self, mut answer: UpstreamAnswer) -> UpstreamAnswer {
        // The client has put the body together, so how it was cut up on the way does not hold any
        // more.
        let connection = named_by_connection(
            answer
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice())),
        );
        let dropped = |name: &str| {
            HOP_BY_HOP.contains(&name)
                || name == "content-length"
                || connection.iter().any(|named| named == name)
        };
        answer.headers.retain(|(name, _)| !dropped(name));
        for (name, value) in &mut answer.headers {
            let mapped = match (name.as_str(), std::str::from_utf8(value)) {
                ("location" | "content-location", Ok(text)) => self.mapped_location(text),
                ("set-cookie", Ok(text)) => rescoped(
                    text,
                    self.base.host_str().unwrap_or_default(),
                    self.sessions.platform(),
                ),
                _ => None,
            };
            if let Some(mapped) = mapped {
                *value = mapped.into_bytes();
            }
        }
        answer
    }

    /// An absolute address of the upstream as one of the platform; `None` for any other. The scheme
    /// does not count: behind a hub that clients reach by https, a product says `https` of its own
    /// address too, and `//host` names none at all.
    fn mapped_location(&self, text: &str) -> Option<String> {
        let url = if text.starts_with("//") {
            self.base.join(text)
        } else {
            Url::parse(text)
        }
        .ok()?;
        let below = self.base.path().trim_end_matches('/');
        let is_upstream = matches!(url.scheme(), "http" | "https")
            && url.host() == self.base.host()
            && url.port() == self.base.port();
        if !is_upstream {
            return None;
        }
        let path = url
            .path()
            .strip_prefix(below)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let query = url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let fragment = url
            .fragment()
            .map(|fragment| format!("#{fragment}"))
            .unwrap_or_default();
        Some(format!(
            "{}{path}{query}{fragment}",
            self.sessions.platform().base()
        ))
    }
}

/// The headers that `Connection` says belong to the connection too.
fn named_by_connection<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<String> {
    let values = headers
        .filter(|(name, _)| *name == "connection")
        .filter_map(|(_, value)| std::str::from_utf8(value).ok());
    values
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
