//! One configured instance of a vendor's product.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::check::CheckMode;
use crate::cookie::{CookiePolicy, CookieSpec};
use crate::idp::IdpEndSession;
pub use crate::platform_name::PlatformName;
use crate::receipt::Reach;
use crate::redirect::{ApprovedUrl, RedirectPolicy};

/// What holds for a platform whatever its vendor.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Platform {
    /// Its name.
    pub name: PlatformName,
    /// The base of every URL built for it, its prefix included; never taken from a request.
    pub public_url: Url,
    /// The base path in front of the vendor's paths: empty, or `/segment` without a slash at its
    /// end.
    pub prefix: String,
    /// The least that a sign-out reaches.
    pub reach: Reach,
    /// More allowed return addresses, besides the platform's own origin.
    pub redirects: Vec<String>,
    /// How cookies are set and cleared.
    pub cookies: CookiePolicy,
    /// How long a session may lie unused.
    pub idle_timeout: Option<Duration>,
    /// How long a session lasts at most.
    pub absolute_timeout: Duration,
    /// Whether a real instance stands behind it, whose credentials are not ours; otherwise the hub
    /// is a stand-in.
    pub has_upstream: bool,
    /// The host of that instance's address, where it is known: a cookie's `Domain` that covers it
    /// becomes the platform's.
    pub upstream_host: Option<String>,
    /// Whether a login ends the session that the same browser had here before.
    pub end_previous: bool,
    /// The identity provider that a browser goes on to after a sign-out.
    pub end_session: Option<IdpEndSession>,
    /// What a reverse proxy lets pass.
    pub check: CheckMode,
    /// How many cookies a request may bring.
    pub max_cookies: usize,
}

impl Platform {
    /// A platform at `public_url`, whose path is the prefix, with the documented defaults: reach
    /// `session`, no further return addresses, cookies `Secure` where https is used, half an hour
    /// idle, twelve hours at most, 200 cookies a request.
    pub fn new(name: &str, public_url: Url) -> Self {
        Self {
            name: PlatformName::new(name),
            prefix: public_url.path().trim_end_matches('/').to_owned(),
            public_url,
            reach: Reach::default(),
            redirects: Vec::new(),
            cookies: CookiePolicy::default(),
            idle_timeout: Some(Duration::from_secs(30 * 60)),
            absolute_timeout: Duration::from_secs(12 * 60 * 60),
            has_upstream: false,
            upstream_host: None,
            end_previous: true,
            end_session: None,
            check: CheckMode::default(),
            max_cookies: 200,
        }
    }

    /// The public URL as text without a slash at its end, ready for a path of the vendor's to
    /// follow.
    pub fn base(&self) -> &str {
        self.public_url.as_str().trim_end_matches('/')
    }

    /// The cookie `name` of this platform under `path` (an empty path means `/`), whose name `key`
    /// configures.
    ///
    /// # Errors
    /// Browsers would drop the cookie, since its name promises what the platform's settings do not
    /// keep ([`CookieSpec::check_prefix`]).
    pub fn cookie(
        &self,
        key: &'static str,
        name: &str,
        path: &str,
        http_only: bool,
    ) -> Result<CookieSpec, SetUpError> {
        let spec = CookieSpec::new(
            name,
            path,
            http_only,
            &self.cookies,
            self.public_url.scheme() == "https",
        );
        spec.check_prefix()
            .map(|()| spec)
            .map_err(|fault| SetUpError::new(key, format!("{name:?}: {fault}")))
    }

    /// Where sign-outs may lead by the common keys: the platform's own origin and its `redirects`.
    ///
    /// # Errors
    /// Names the entry that is broken.
    pub fn redirect_policy(&self) -> Result<RedirectPolicy, SetUpError> {
        let own = RedirectPolicy::new(&self.public_url)
            .map_err(|fault| SetUpError::new("public_url", fault))?;
        self.redirects.iter().try_fold(own, |policy, entry| {
            policy
                .allow(entry)
                .map_err(|fault| SetUpError::new("redirects", format!("{entry:?}: {fault}")))
        })
    }

    /// The platform's root as a return address: a path, so that it holds whatever name the browser
    /// knows the platform by.
    ///
    /// # Errors
    /// The prefix cannot stand in a URL.
    pub fn root_redirect(&self) -> Result<ApprovedUrl, SetUpError> {
        ApprovedUrl::from_operator(&self.root()).map_err(|fault| SetUpError::new("prefix", fault))
    }

    /// The path of the platform's root, with a slash at its end: `/`, or the prefix and `/`.
    pub fn root(&self) -> String {
        format!("{}/", self.prefix)
    }
}

/// A provider could not be set up from its configuration.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SetUpError {
    key: &'static str,
    problem: String,
}

impl SetUpError {
    /// The value of `key` has this problem.
    pub fn new(key: &'static str, problem: impl fmt::Display) -> Self {
        Self {
            key,
            problem: problem.to_string(),
        }
    }

    /// What is wrong with its value.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The configuration key at fault.
    pub fn key(&self) -> &'static str {
        self.key
    }
}
