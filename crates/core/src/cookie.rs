//! One specification of a cookie for setting *and* clearing it, so that the two cannot drift apart.

use std::time::Duration;

use ::cookie::{Cookie, Expiration};
use serde::{Deserialize, Serialize};

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
    clearing: [Vec<String>; 2],
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
    pub fn clear(&self, secure_request: bool) -> &[String] {
        &self.clearing[usize::from(secure_request)]
    }

    fn clearing_for(&self, secure_request: bool) -> Vec<String> {
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
        let mut clearing: Vec<String> = Vec::new();
        for place in places {
            let cookie = removed(self.build("", secure_request, &place)).to_string();
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
mod tests {
    use super::*;

    fn attributes(header: &str) -> Vec<String> {
        let mut parts: Vec<String> = header.split("; ").skip(1).map(str::to_owned).collect();
        parts.sort();
        parts
    }

    #[test]
    fn clearing_repeats_every_attribute_of_setting() {
        for secure in [Secure::Auto, Secure::Always, Secure::Never] {
            for same_site in [SameSite::Lax, SameSite::None, SameSite::Strict] {
                for domain in ["", "example.com"] {
                    for (on_https, partitioned) in
                        [(false, false), (true, false), (false, true), (true, true)]
                    {
                        let policy = CookiePolicy {
                            secure,
                            domain: domain.into(),
                            same_site,
                            partitioned,
                            paths: vec!["/".into()],
                        };
                        let spec = CookieSpec::new("sid", "/cms", true, &policy, false);
                        let set = attributes(&spec.set("v", on_https, None));
                        let mut cleared = attributes(&spec.clear(on_https)[0]);
                        cleared.retain(|part| {
                            !part.starts_with("Max-Age=0") && !part.starts_with("Expires=")
                        });
                        assert_eq!(set, cleared, "{policy:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_cookie_with_a_domain_is_cleared_together_with_its_host_only_twin() {
        let policy = CookiePolicy {
            domain: "example.com".into(),
            ..CookiePolicy::default()
        };
        let spec = CookieSpec::new("sid", "", true, &policy, false);
        let cleared = spec.clear(false);
        assert_eq!(cleared.len(), 2);
        assert!(cleared[0].contains("Domain=example.com") && !cleared[1].contains("Domain"));
        assert!(cleared.iter().all(|header| header.starts_with("sid=; ")
            && header.contains("Expires=Thu, 01 Jan 1970 00:00:00 GMT")));
    }

    #[test]
    fn same_site_none_goes_together_with_secure() {
        let policy = CookiePolicy {
            same_site: SameSite::None,
            ..CookiePolicy::default()
        };
        let spec = CookieSpec::new("sid", "/", false, &policy, false);
        assert!(spec.set("v", true, None).contains("SameSite=None"));
        assert!(!spec.set("v", false, None).contains("SameSite"));
    }

    #[test]
    fn a_cookie_is_secure_where_the_request_or_the_public_url_is() {
        let spec = |secure, public_https| {
            CookieSpec::new(
                "sid",
                "/",
                true,
                &CookiePolicy {
                    secure,
                    ..CookiePolicy::default()
                },
                public_https,
            )
        };
        for (secure, public_https, on_https, expected) in [
            (Secure::Auto, false, false, false),
            (Secure::Auto, false, true, true),
            (Secure::Auto, true, false, true),
            (Secure::Never, true, true, false),
            (Secure::Always, false, false, true),
        ] {
            let spec = spec(secure, public_https);
            assert_eq!(
                spec.set("v", on_https, None).contains("; Secure"),
                expected,
                "{secure:?} {public_https} {on_https}"
            );
            assert_eq!(
                spec.clear(on_https)[0].contains("; Secure"),
                expected,
                "{secure:?} {public_https} {on_https}"
            );
            assert_eq!(
                spec.named("other")
                    .set("v", on_https, None)
                    .contains("; Secure"),
                expected
            );
        }
    }

    #[test]
    fn every_path_of_the_policy_is_cleared_with_and_without_its_domain_and_partition() {
        let paths = vec!["/".into(), "/services".into(), "/app".into()];
        let policy = CookiePolicy {
            domain: "example.com".into(),
            paths,
            partitioned: true,
            ..CookiePolicy::default()
        };
        let spec = CookieSpec::new("sid", "/services", true, &policy, false);
        let cleared = spec.clear(true);
        assert_eq!(cleared.len(), 3 * 2 * 2, "{cleared:?}");
        for path in ["/", "/services", "/app"] {
            for domain in [false, true] {
                for partitioned in [false, true] {
                    let is_it = |header: &&String| {
                        let parts: Vec<&str> = header.split("; ").collect();
                        parts.contains(&format!("Path={path}").as_str())
                            && parts.contains(&"Domain=example.com") == domain
                            && parts.contains(&"Partitioned") == partitioned
                    };
                    let found: Vec<_> = cleared.iter().filter(is_it).collect();
                    assert!(
                        found.len() == 1
                            && found[0].contains("Secure")
                            && found[0].contains("Max-Age=0"),
                        "{path} {cleared:?}"
                    );
                }
            }
        }
        // `Partitioned` without `Secure` is refused by browsers.
        assert_eq!(spec.clear(false).len(), 3 * 2);
        assert!(
            spec.clear(false)
                .iter()
                .all(|header| !header.contains("Partitioned"))
        );
    }

    #[test]
    fn a_policy_that_cannot_be_kept_to_is_refused_by_its_key() {
        let paths = |paths: &[&str]| CookiePolicy {
            paths: paths.iter().map(|&path| path.into()).collect(),
            ..CookiePolicy::default()
        };
        for (policy, key) in [
            (paths(&["services"]), "paths"),
            (paths(&["/", ""]), "paths"),
            (paths(&["/a; Domain=example.com"]), "paths"),
            (paths(&["/a\r\n"]), "paths"),
            (paths(&["/"; 9]), "paths"),
            (
                CookiePolicy {
                    domain: "a;b".into(),
                    ..CookiePolicy::default()
                },
                "domain",
            ),
            (
                CookiePolicy {
                    partitioned: true,
                    secure: Secure::Never,
                    ..CookiePolicy::default()
                },
                "partitioned",
            ),
        ] {
            let keys: Vec<_> = policy.problems().into_iter().map(|(key, _)| key).collect();
            assert_eq!(keys, [key], "{policy:?}");
        }
        assert_eq!(paths(&["/", "/services"]).problems(), []);
    }

    #[test]
    fn a_prefixed_name_is_refused_with_settings_that_void_it() {
        use CookiePrefixError::{Domain, NotSecure, Path};
        for (name, path, secure, domain, https, expected) in [
            ("__Host-sid", "", Secure::Auto, "", true, Ok(())),
            ("__Host-sid", "/", Secure::Always, "", false, Ok(())),
            ("__Host-sid", "/", Secure::Auto, "", false, Err(NotSecure)),
            ("__Host-sid", "/", Secure::Never, "", true, Err(NotSecure)),
            (
                "__Host-sid",
                "/",
                Secure::Auto,
                "example.com",
                true,
                Err(Domain),
            ),
            ("__Host-sid", "/cms", Secure::Auto, "", true, Err(Path)),
            ("__HOST-sid", "/cms", Secure::Auto, "", true, Err(Path)),
            (
                "__Secure-sid",
                "/cms",
                Secure::Auto,
                "example.com",
                true,
                Ok(()),
            ),
            ("__Secure-sid", "/", Secure::Auto, "", false, Err(NotSecure)),
            ("__secure-sid", "/", Secure::Never, "", true, Err(NotSecure)),
            (
                "sid__Host-",
                "/cms",
                Secure::Never,
                "example.com",
                false,
                Ok(()),
            ),
            ("__Hos", "/cms", Secure::Never, "example.com", false, Ok(())),
        ] {
            let policy = CookiePolicy {
                secure,
                domain: domain.into(),
                ..CookiePolicy::default()
            };
            let spec = CookieSpec::new(name, path, true, &policy, https);
            assert_eq!(
                spec.check_prefix(),
                expected,
                "{name} {path:?} {secure:?} {domain:?} {https}"
            );
        }
    }
}
