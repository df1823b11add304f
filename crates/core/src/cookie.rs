//! One specification of a cookie for setting *and* clearing it, so that the two cannot drift apart.

use std::time::Duration;

use ::cookie::{Cookie, Expiration};
use serde::{Deserialize, Serialize};

use crate::message::HeaderValue;

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Sent on top-level navigation from elsewhere.
    #[default]
    Lax,
    /// Sent from everywhere. Browsers demand `Secure` with it, so both are left out on plain http.
    None,
    /// Never sent from elsewhere.
    Strict,
}

/// When the `Secure` attribute is set.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Secure {
    /// Whatever the request came by.
    Always,
    /// When the request came by https, or the platform's public URL is https.
    #[default]
    Auto,
    /// Not even on https.
    Never,
}

/// How a platform's cookies are set.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CookiePolicy {
    /// When to set `Secure`.
    pub secure: Secure,
    /// The `Domain` attribute; empty for a host-only cookie.
    pub domain: String,
    /// The `SameSite` attribute.
    pub same_site: SameSite,
    /// Further paths that a sign-out clears cookies under: a product may have set them where the
    /// hub did not see it.
    pub paths: Vec<String>,
    /// Whether cookies are `Partitioned` where they are `Secure`. A sign-out then clears both
    /// kinds, since a browser keeps them apart.
    pub partitioned: bool,
}

/// How many further paths a sign-out may clear: each makes the answer longer by a header or more
/// for every cookie.
const MOST_PATHS: usize = 8;

impl CookiePolicy {
    /// Everything that keeps it from being kept to, by the name of its key; empty when there is
    /// nothing.
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let domain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        // RFC 6265, 4.1.1: no control characters and no semicolon; a space at an end would be cut
        // off.
        let path = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        let are_paths = self
            .paths
            .iter()
            .all(|one| one.starts_with('/') && one.len() <= 1024 && one.bytes().all(path));
        [
            (
                !self.domain.bytes().all(domain),
                "domain",
                "must be a domain such as example.com",
            ),
            (
                self.paths.len() > MOST_PATHS,
                "paths",
                "must be 8 paths at most",
            ),
            (
                !are_paths,
                "paths",
                "must be paths that begin with `/`, such as /services",
            ),
            (
                self.partitioned && self.secure == Secure::Never,
                "partitioned",
                "needs Secure cookies: take another `secure` than never",
            ),
        ]
        .into_iter()
        .filter_map(|(wrong, key, problem)| wrong.then_some((key, problem)))
        .collect()
    }
}

/// Why browsers drop a cookie for its name: one that begins with `__Host-` or `__Secure-` promises
/// attributes that this one has not (RFC 6265bis, section 4.1.3). Says which setting gives them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CookiePrefixError {
    /// `__Host-` with a `Domain`.
    #[error(
        "browsers drop a cookie `__Host-…` that has a Domain; remove `cookies.domain`, or begin the name with `__Secure-`"
    )]
    Domain,
    /// Either prefix without `Secure`, on plain http at least.
    #[error(
        "browsers drop a cookie `__Host-…` or `__Secure-…` that is not Secure; write `cookies.secure = \"always\"`, or an https `public_url`"
    )]
    NotSecure,
    /// `__Host-` below a path.
    #[error(
        "browsers drop a cookie `__Host-…` whose Path is not `/`; remove `prefix`, or begin the name with `__Secure-`"
    )]
    Path,
}

/// A cookie by name and attributes.
#[derive(Clone, Debug)]
pub struct CookieSpec {
    name: String,
    path: String,
    http_only: bool,
    policy: CookiePolicy,
    /// Whether browsers know the platform by https.
    public_https: bool,
    /// `Set-Cookie` values that remove the cookie, for a plain and for a secure request.
    clearing: [Vec<HeaderValue>; 2],
}

impl CookieSpec {
    /// The cookie `name` under `path` (an empty path means `/`), at a platform that browsers know
    /// by https or not.
    pub fn new(
        name: &str,
        path: &str,
        http_only: bool,
        policy: &CookiePolicy,
        public_https: bool,
    ) -> Self {
        let spec = Self {
            name: name.to_owned(),
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            http_only,
            policy: policy.clone(),
            public_https,
            clearing: Default::default(),
        };
        spec.with_clearing()
    }

    /// The cookie of another name with the same attributes.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
        .with_clearing()
    }

    /// Whether browsers accept the cookie by its name, whatever a request comes by.
    ///
    /// # Errors
    /// The name begins with `__Host-` or `__Secure-`, in any case, and an attribute does not keep
    /// that promise.
    pub fn check_prefix(&self) -> Result<(), CookiePrefixError> {
        let begins = |prefix: &str| {
            self.name
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let host = begins("__Host-");
        if (host || begins("__Secure-")) && !self.is_secure(false) {
            return Err(CookiePrefixError::NotSecure);
        }
        if host && !self.policy.domain.is_empty() {
            return Err(CookiePrefixError::Domain);
        }
        if host && self.path != "/" {
            Err(CookiePrefixError::Path)
        } else {
            Ok(())
        }
    }

    fn is_secure(&self, secure_request: bool) -> bool {
        match self.policy.secure {
            Secure::Always => true,
            Secure::Auto => secure_request || self.public_https,
            Secure::Never => false,
        }
    }

    fn with_clearing(mut self) -> Self {
        self.clearing = [self.clearing_for(false), self.clearing_for(true)];
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `Set-Cookie` value that sets it. Without `max_age` it lasts as long as the browser runs.
    /// `secure_request` says whether the request came by https.
    pub fn set(&self, value: &str, secure_request: bool, max_age: Option<Duration>) -> String {
        let mut cookie = self.build(value, secure_request, &self.as_set());
        cookie.set_max_age(max_age.and_then(|span| ::cookie::time::Duration::try_from(span).ok()));
        cookie.to_string()
    }

    /// The `Set-Cookie` values that remove it, the first with the attributes it was set with: under
    /// its own path and each of the policy's, where it has a `Domain` its host-only twin too, and
    /// where it is `Partitioned` its twin that is not.
    pub fn clear(&self, secure_request: bool) -> &[HeaderValue] {
        &self.clearing[usize::from(secure_request)]
    }

    fn clearing_for(&self, secure_request: bool) -> Vec<HeaderValue> {
        let own = self.as_set();
        let paths = std::iter::once(own.path).chain(
            self.policy
                .paths
                .iter()
                .map(String::as_str)
                .filter(|path| *path != own.path),
        );
        let domains: &[bool] = if own.with_domain {
            &[true, false]
        } else {
            &[false]
        };
        let kinds: &[bool] = if own.partitioned {
            &[true, false]
        } else {
            &[false]
        };
        let places =
            paths.flat_map(|path| domains.iter().map(move |with_domain| (path, *with_domain)));
        let places = places.flat_map(|(path, with_domain)| {
            kinds.iter().map(move |kind| Place {
                path,
                with_domain,
                partitioned: *kind,
            })
        });
        let mut clearing: Vec<HeaderValue> = Vec::new();
        for place in places {
            let cookie = removed(self.build("", secure_request, &place));
            let cookie = HeaderValue::prepared(cookie.to_string());
            // On plain http nothing is `Partitioned`.
            if !clearing.contains(&cookie) {
                clearing.push(cookie);
            }
        }
        clearing
    }

    fn as_set(&self) -> Place<'_> {
        Place {
            path: &self.path,
            with_domain: !self.policy.domain.is_empty(),
            partitioned: self.policy.partitioned,
        }
    }

    fn build(&self, value: &str, secure_request: bool, place: &Place<'_>) -> Cookie<'static> {
        let secure = self.is_secure(secure_request);
        let mut cookie = Cookie::new(self.name.clone(), value.to_owned());
        cookie.set_path(place.path.to_owned());
        cookie.set_http_only(self.http_only);
        if secure {
            cookie.set_secure(true);
        }
        if secure && place.partitioned {
            cookie.set_partitioned(true);
        }
        match self.policy.same_site {
            SameSite::Lax => cookie.set_same_site(::cookie::SameSite::Lax),
            SameSite::Strict => cookie.set_same_site(::cookie::SameSite::Strict),
            SameSite::None if secure => cookie.set_same_site(::cookie::SameSite::None),
            SameSite::None => {}
        }
        if place.with_domain {
            cookie.set_domain(self.policy.domain.clone());
        }
        cookie
    }
}

/// Where a cookie lies in a browser, besides its name.
struct Place<'a> {
    path: &'a str,
    with_domain: bool,
    partitioned: bool,
}

/// The cookie as a `Set-Cookie` that removes it: everything that it is told apart by stays.
pub(crate) fn removed(mut cookie: Cookie<'_>) -> Cookie<'_> {
    cookie.set_value("");
    cookie.set_max_age(::cookie::time::Duration::ZERO);
    cookie.set_expires(Expiration::from(::cookie::time::OffsetDateTime::UNIX_EPOCH));
    cookie
}

#[cfg(test)]
#[path = "cookie_tests.rs"]
mod tests;
