//! What goes to a real instance of a product, and what comes back.

mod session;

use std::fmt;

use cookie::Cookie;

use crate::credential::Secret;
use crate::message::Method;
use crate::session::{SessionId, Subject};
use crate::time::Timestamp;

pub use session::{UpstreamCredential, UpstreamSession};

/// A request to an upstream. Its headers may hold credentials, so it does not print them.
#[derive(Clone)]
#[non_exhaustive]
pub struct UpstreamRequest {
    /// The method.
    pub method: Method,
    /// Path and query, to be put behind the upstream's base address; begins with a slash.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Vec<u8>,
}

impl UpstreamRequest {
    /// A request without headers and body.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// With one more header; the name in lower case. Left out where the value could not stand in a
    /// header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: &str) -> Self {
        if !value.bytes().any(|byte| byte.is_ascii_control()) {
            self.headers.push((name.into(), Secret::new(value)));
        }
        self
    }

    /// With the cookies of `session`, where it has any.
    #[must_use]
    pub fn with_cookies(self, session: &UpstreamSession) -> Self {
        match session.cookie_header() {
            Some(cookies) => self.with_header("cookie", cookies.reveal()),
            None => self,
        }
    }

    /// With this body and its type.
    #[must_use]
    pub fn with_body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with_header("content-type", media_type)
    }
}

impl fmt::Debug for UpstreamRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("UpstreamRequest")
            .field("method", &self.method)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

/// What an upstream answered. Headers and body may hold credentials, so it does not print them.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct UpstreamAnswer {
    /// The status.
    pub status: u16,
    /// Headers in order, names in lower case, values as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, decoded where it came compressed.
    pub body: Vec<u8>,
}

impl UpstreamAnswer {
    /// An answer with this status, without headers and body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// With one more header; the name in lower case.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With more headers; names in lower case.
    #[must_use]
    pub fn with_headers(mut self, headers: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The first header of this name that is text.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.headers_named(name).next()
    }

    /// All headers of this name that are text, in order.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key == name)
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The type of the body, without parameters; empty when there is none.
    pub fn media_type(&self) -> &str {
        self.header("content-type")
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim()
    }

    /// The cookies that it sets, in order, neither unquoted nor percent-decoded; those that it
    /// removes are not among them.
    pub fn cookies_set(&self, now: Timestamp) -> Vec<CookieSet> {
        self.headers_named("set-cookie")
            .filter_map(|text| CookieSet::read(text, now))
            .filter(|cookie| !cookie.is_removal(now))
            .collect()
    }

    /// The `Set-Cookie` headers that remove a cookie, or else those that set one, in order, each
    /// with the cookie's name.
    pub(crate) fn cookie_headers(&self, now: Timestamp, removing: bool) -> Vec<(String, &str)> {
        let read = |text| CookieSet::read(text, now).map(|cookie| (cookie, text));
        let wanted = self
            .headers_named("set-cookie")
            .filter_map(read)
            .filter(|(cookie, _)| cookie.is_removal(now) == removing);
        wanted.map(|(cookie, text)| (cookie.name, text)).collect()
    }
}

impl fmt::Debug for UpstreamAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A cookie that an upstream sets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CookieSet {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// When it goes by itself; absent for one that lasts as long as the browser.
    pub expires: Option<Timestamp>,
}

impl CookieSet {
    fn read(text: &str, now: Timestamp) -> Option<Self> {
        let cookie = Cookie::parse(text).ok()?;
        let at = |seconds: i64| {
            u64::try_from(seconds).map_or(Timestamp::default(), |seconds| {
                Timestamp::from_millis(seconds.saturating_mul(1000))
            })
        };
        // RFC 6265: Max-Age wins over Expires.
        let expires = match (cookie.max_age(), cookie.expires_datetime()) {
            (Some(age), _) => Some(u64::try_from(age.whole_seconds()).map_or(now, |seconds| {
                now.plus(std::time::Duration::from_secs(seconds))
            })),
            (None, Some(moment)) => Some(at(moment.unix_timestamp())),
            (None, None) => None,
        };
        Some(Self {
            name: cookie.name().to_owned(),
            value: Secret::new(cookie.value()),
            expires,
        })
    }

    fn is_removal(&self, now: Timestamp) -> bool {
        self.value.reveal().is_empty() || self.expires.is_some_and(|expires| expires <= now)
    }
}

/// What an upstream's answer to a sign-out means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Confirmation {
    /// The session is over there, whether it was signed out just now or was not signed in any more.
    Confirmed {
        /// Where the upstream would send the browser, as it says it: not approved by anybody yet.
        redirect: Option<String>,
    },
    /// It says that nobody is signed in with that: over as well, but worth telling a caller whom
    /// the hub did not know.
    NotSignedIn,
    /// Not a sign-out: an error, a login page, something that cannot be understood. To be tried
    /// again.
    Refused,
    /// It will not take this sign-out however often it is tried.
    Rejected,
}

/// A session that a login at an upstream has opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamLogin {
    /// Who logged in, as the platform says it.
    pub subject: Subject,
    /// What the upstream knows the session by.
    pub session: UpstreamSession,
    /// When it ends by itself, where the answer says so.
    pub expires: Option<Timestamp>,
    /// What the session was known by before, where the answer renews one: a refresh token that was
    /// presented, say.
    pub renews: Option<UpstreamCredential>,
}

impl UpstreamLogin {
    /// A new session of `subject`, without an end that the answer says.
    pub fn new(subject: Subject, session: UpstreamSession) -> Self {
        Self {
            subject,
            session,
            expires: None,
            renews: None,
        }
    }

    /// The same, ending by itself at `expires` where that is known.
    #[must_use]
    pub fn with_expiry(mut self, expires: Option<Timestamp>) -> Self {
        self.expires = expires;
        self
    }

    /// The same, renewing the session that was known by `renews`, if any.
    #[must_use]
    pub fn renewing(mut self, renews: Option<UpstreamCredential>) -> Self {
        self.renews = renews;
        self
    }
}

/// The address of an upstream session that a delivery is about.
#[derive(Clone, Debug)]
pub struct Addressee {
    /// The session whose sign-out is delivered, the same at each attempt; absent where the hub
    /// never saw it.
    pub delivery: Option<SessionId>,
    /// Whose session it is; unknown where the hub never saw the login.
    pub subject: Option<Subject>,
    /// What the upstream knows it by; empty where the operator's own credential is used.
    pub session: UpstreamSession,
}

/// Why a request to an upstream brought no answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke")]
    Broken,
    /// Nobody listens there, or the name cannot be resolved.
    #[error("no connection")]
    NoConnection,
    /// Its certificate is not one that we accept.
    #[error("the certificate is not accepted")]
    Certificate,
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The answer is larger than is read.
    #[error("the answer is too large")]
    TooLarge,
}

impl UpstreamError {
    const ALL: [Self; 5] = [
        Self::Broken,
        Self::Certificate,
        Self::NoConnection,
        Self::Timeout,
        Self::TooLarge,
    ];

    /// Its word, as stores keep it and interfaces show it. Never changes for a given fault.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Certificate => "certificate",
            Self::NoConnection => "no-connection",
            Self::Timeout => "timeout",
            Self::TooLarge => "too-large",
        }
    }

    /// The fault of this word; `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == word)
    }
}

/// Carries requests to one upstream: implemented by `logout-relay` with an HTTP client.
#[async_trait::async_trait]
pub trait UpstreamClient: fmt::Debug + Send + Sync + 'static {
    /// Sends one request and reads the whole answer, bounded in size and time. Follows no redirect.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn send(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, UpstreamError>;
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
