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
    /// When the request came by https.
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
}

/// A cookie by name and attributes.
#[derive(Clone, Debug)]
pub struct CookieSpec {
    name: String,
    path: String,
    http_only: bool,
    policy: CookiePolicy,
    /// `Set-Cookie` values that remove the cookie, for a plain and for a secure request.
    clearing: [Vec<String>; 2],
}

impl CookieSpec {
    /// The cookie `name` under `path` (an empty path means `/`).
    pub fn new(name: &str, path: &str, http_only: bool, policy: &CookiePolicy) -> Self {
        let mut spec = Self {
            name: name.to_owned(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            http_only,
            policy: policy.clone(),
            clearing: Default::default(),
        };
        spec.clearing = [spec.clearing_for(false), spec.clearing_for(true)];
        spec
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `Set-Cookie` value that sets it. Without `max_age` it lasts as long as the browser runs.
    /// `secure_request` says whether the request came by https.
    pub fn set(&self, value: &str, secure_request: bool, max_age: Option<Duration>) -> String {
        let mut cookie = self.build(value, secure_request, true);
        cookie.set_max_age(max_age.and_then(|span| ::cookie::time::Duration::try_from(span).ok()));
        cookie.to_string()
    }

    /// The `Set-Cookie` values that remove it: with the attributes it was set with and, where it has a `Domain`, its
    /// host-only twin too.
    pub fn clear(&self, secure_request: bool) -> &[String] {
        &self.clearing[usize::from(secure_request)]
    }

    fn clearing_for(&self, secure_request: bool) -> Vec<String> {
        let twins: &[bool] = if self.policy.domain.is_empty() { &[false] } else { &[true, false] };
        twins
            .iter()
            .map(|with_domain| {
                let mut cookie = self.build("", secure_request, *with_domain);
                cookie.set_max_age(::cookie::time::Duration::ZERO);
                cookie.set_expires(Expiration::from(::cookie::time::OffsetDateTime::UNIX_EPOCH));
                cookie.to_string()
            })
            .collect()
    }

    fn build(&self, value: &str, secure_request: bool, with_domain: bool) -> Cookie<'static> {
        let secure = match self.policy.secure {
            Secure::Always => true,
            Secure::Auto => secure_request,
            Secure::Never => false,
        };
        let mut cookie = Cookie::new(self.name.clone(), value.to_owned());
        cookie.set_path(self.path.clone());
        cookie.set_http_only(self.http_only);
        if secure {
            cookie.set_secure(true);
        }
        match self.policy.same_site {
            SameSite::Lax => cookie.set_same_site(::cookie::SameSite::Lax),
            SameSite::Strict => cookie.set_same_site(::cookie::SameSite::Strict),
            SameSite::None if secure => cookie.set_same_site(::cookie::SameSite::None),
            SameSite::None => {}
        }
        if with_domain && !self.policy.domain.is_empty() {
            cookie.set_domain(self.policy.domain.clone());
        }
        cookie
    }
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
                    for on_https in [false, true] {
                        let policy = CookiePolicy { secure, domain: domain.into(), same_site };
                        let spec = CookieSpec::new("sid", "/cms", true, &policy);
                        let set = attributes(&spec.set("v", on_https, None));
                        let mut cleared = attributes(&spec.clear(on_https)[0]);
                        cleared.retain(|part| !part.starts_with("Max-Age=0") && !part.starts_with("Expires="));
                        assert_eq!(set, cleared, "{policy:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_cookie_with_a_domain_is_cleared_together_with_its_host_only_twin() {
        let policy = CookiePolicy { domain: "example.com".into(), ..CookiePolicy::default() };
        let spec = CookieSpec::new("sid", "", true, &policy);
        let cleared = spec.clear(false);
        assert_eq!(cleared.len(), 2);
        assert!(cleared[0].contains("Domain=example.com") && !cleared[1].contains("Domain"));
        assert!(cleared.iter().all(|header| header.starts_with("sid=; ") && header.contains("Expires=Thu, 01 Jan 1970 00:00:00 GMT")));
    }

    #[test]
    fn same_site_none_goes_together_with_secure() {
        let policy = CookiePolicy { same_site: SameSite::None, ..CookiePolicy::default() };
        let spec = CookieSpec::new("sid", "/", false, &policy);
        assert!(spec.set("v", true, None).contains("SameSite=None"));
        assert!(!spec.set("v", false, None).contains("SameSite"));
    }
}
