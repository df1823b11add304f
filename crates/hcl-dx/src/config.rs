//! What an operator can set, and what follows from it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logout_core::cookie::CookieSpec;
use logout_core::message::Request;
use logout_core::platform::{Platform, PlatformName, SetUpError};
use logout_core::redirect::RedirectPolicy;
use logout_core::sign_out::PresentedCredential;
use serde::{Deserialize, Serialize};

use crate::config_service::{ConfigService, Properties};
use crate::portal::Portal;
use crate::token::LTPA;

/// The older single sign-on cookie that scripts hold beside the newer one (observed).
const OLD_COOKIE: &str = "LtpaToken";

/// The keys of a `[[platform]]` with `vendor = "hcl-dx"`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HclDxConfig {
    /// Properties of the vendor's Configuration Service, by the vendor's names. They win over the
    /// file.
    pub config_service: ConfigService,
    /// The vendor's own `ConfigService.properties`, as an absolute path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_service_file: Option<PathBuf>,
    /// The name of the single sign-on cookie, in the spelling it is set with. Default:
    /// `LtpaToken2`.
    pub cookie_name: String,
    /// How long a token lives from login, in minutes, used or not. Documented default: 120.
    pub token_lifetime: u32,
    /// What `auth/logout` answers when nobody is signed in. Default: `unauthorized`.
    pub logout_without_session: LogoutWithoutSession,
    /// Whether a token is dead after its logout for every endpoint. Default: `true`. With `false`
    /// the stand-in's probes go on accepting it until it expires, as older application servers do;
    /// the session is over all the same.
    pub track_logged_out_tokens: bool,
    /// The navigational state that means "log out" in a portal address: what stands between
    /// `/!ut/p/` and the last slash.
    pub logout_state: String,
    /// What the stand-in serves as web content.
    pub content: Vec<ContentItem>,
}

/// What `auth/logout` answers when nobody is signed in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogoutWithoutSession {
    /// 200, as if somebody had been.
    Ok,
    /// 401.
    #[default]
    Unauthorized,
}

/// A content item of the stand-in.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContentItem {
    /// Its id; the vendor's are UUIDs.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// The text in its body.
    #[serde(default)]
    pub text: String,
    /// Whether it can be read without login.
    #[serde(default)]
    pub anonymous: bool,
    /// Who can read it after login, by user name in any case; no_session: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readers: Option<Vec<String>>,
}

impl ContentItem {
    pub(crate) fn is_readable_by(&self, name: &str) -> bool {
        self.anonymous
            || self.readers.as_ref().is_none_or(|readers| {
                readers
                    .iter()
                    .any(|reader| reader.eq_ignore_ascii_case(name))
            })
    }
}

impl Default for HclDxConfig {
    fn default() -> Self {
        Self {
            config_service: ConfigService::default(),
            config_service_file: None,
            cookie_name: "LtpaToken2".to_owned(),
            token_lifetime: 120,
            logout_without_session: LogoutWithoutSession::default(),
            track_logged_out_tokens: true,
            // Documented: the vendor prints it literally, so it is a constant and holds nothing of
            // a session.
            logout_state: "a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!".to_owned(),
            content: Vec::new(),
        }
    }
}

/// What follows from the configuration, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) config: HclDxConfig,
    pub(crate) platform: PlatformName,
    pub(crate) prefix: String,
    pub(crate) portal: Portal,
    pub(crate) redirects: Arc<RedirectPolicy>,
    pub(crate) cookie: CookieSpec,
    pub(crate) old_cookie: CookieSpec,
    pub(crate) token_lifetime: Duration,
}

impl Dialect {
    pub(crate) fn new(config: HclDxConfig, platform: &Platform) -> Result<Self, SetUpError> {
        check_cookie_name(&config.cookie_name)?;
        if config.token_lifetime == 0 {
            return Err(SetUpError::new(
                "token_lifetime",
                "must be at least one minute",
            ));
        }
        let ids: BTreeSet<&str> = config.content.iter().map(|item| item.id.as_str()).collect();
        if ids.len() != config.content.len() || ids.contains("") {
            return Err(SetUpError::new(
                "content",
                "every item needs an id of its own",
            ));
        }
        let properties = Properties::read(
            &config.config_service,
            config.config_service_file.as_deref(),
            &platform.name,
        )?;
        // Documented: the token's cookie is for the whole host, so its path is `/` below a prefix
        // too.
        let cookie = |name: &str| platform.cookie("cookie_name", name, "/", true);
        Ok(Self {
            platform: platform.name.clone(),
            prefix: platform.prefix.clone(),
            portal: Portal::new(&properties, &config.logout_state, platform)?,
            redirects: Arc::new(platform.redirect_policy()?),
            cookie: cookie(&config.cookie_name)?,
            old_cookie: cookie(OLD_COOKIE)?,
            token_lifetime: Duration::from_secs(u64::from(config.token_lifetime) * 60),
            config,
        })
    }

    /// Whether a cookie of this name holds a token.
    pub(crate) fn holds_token(&self, name: &str) -> bool {
        is_called(name, &self.cookie)
    }

    /// The tokens that a request presents, in order, byte for byte. Observed: the server compares
    /// the cookie's name without case and without a leading `$`, and the value is base64 whose `+`
    /// and `/` nobody encodes.
    pub(crate) fn tokens<'a>(&'a self, request: &'a Request<'_>) -> impl Iterator<Item = &'a str> {
        presented(request, &self.cookie)
    }

    /// The same, as the flow reads them.
    pub(crate) fn presented(&self, request: &Request<'_>) -> Vec<PresentedCredential> {
        PresentedCredential::each_once(
            self.tokens(request)
                .map(|token| PresentedCredential::in_cookie(LTPA, token)),
        )
    }

    /// The cookies that a request presents of those a logout clears.
    pub(crate) fn presented_cookies(&self, request: &Request<'_>) -> Vec<&CookieSpec> {
        if self.tokens(request).next().is_none() {
            return Vec::new();
        }
        let old = presented(request, &self.old_cookie).next().is_some()
            && !self.cookie.name().eq_ignore_ascii_case(OLD_COOKIE);
        [Some(&self.cookie), old.then_some(&self.old_cookie)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The values of a cookie; an empty one is none.
fn presented<'a>(
    request: &'a Request<'_>,
    cookie: &'a CookieSpec,
) -> impl Iterator<Item = &'a str> {
    request
        .all_cookies()
        .filter(|(name, value)| is_called(name, cookie) && !value.is_empty())
        .map(|(_, value)| value)
}

/// Whether the server takes a cookie that is sent as `name` for this one. Observed: before Servlet
/// 6.0 its parser takes one `$` off the front of a name (docs/vendors/hcl-dx.md, "Spellings of a
/// token").
pub(crate) fn is_called(name: &str, cookie: &CookieSpec) -> bool {
    [Some(name), name.strip_prefix('$')]
        .into_iter()
        .flatten()
        .any(|name| name.eq_ignore_ascii_case(cookie.name()))
}

fn check_cookie_name(name: &str) -> Result<(), SetUpError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_token) {
        Ok(())
    } else {
        Err(SetUpError::new("cookie_name", "not a name for a cookie"))
    }
}

#[cfg(test)]
mod tests {
    use logout_core::Method;

    use super::*;

    fn set_up(config: HclDxConfig) -> Result<Dialect, SetUpError> {
        Dialect::new(
            config,
            &Platform::new("dx", "http://dx.example/".parse().unwrap()),
        )
    }

    #[test]
    fn what_cannot_work_is_an_error_that_names_its_key() {
        let item = |id: &str| ContentItem {
            id: id.into(),
            ..ContentItem::default()
        };
        for (config, key) in [
            (
                HclDxConfig {
                    cookie_name: String::new(),
                    ..HclDxConfig::default()
                },
                "cookie_name",
            ),
            (
                HclDxConfig {
                    cookie_name: "a;b".into(),
                    ..HclDxConfig::default()
                },
                "cookie_name",
            ),
            (
                HclDxConfig {
                    cookie_name: "__Secure-Ltpa".into(),
                    ..HclDxConfig::default()
                },
                "cookie_name",
            ),
            (
                HclDxConfig {
                    token_lifetime: 0,
                    ..HclDxConfig::default()
                },
                "token_lifetime",
            ),
            (
                HclDxConfig {
                    content: vec![item("1"), item("1")],
                    ..HclDxConfig::default()
                },
                "content",
            ),
            (
                HclDxConfig {
                    content: vec![item("")],
                    ..HclDxConfig::default()
                },
                "content",
            ),
            (
                HclDxConfig {
                    logout_state: "a b".into(),
                    ..HclDxConfig::default()
                },
                "logout_state",
            ),
            (
                HclDxConfig {
                    config_service_file: Some("/nowhere/at/all".into()),
                    ..HclDxConfig::default()
                },
                "config_service_file",
            ),
        ] {
            assert_eq!(set_up(config).unwrap_err().key(), key);
        }
    }

    #[test]
    fn a_token_is_found_behind_one_dollar_sign_too() {
        let dialect = set_up(HclDxConfig::default()).unwrap();
        let request = Request::new(Method::Get, "/").with_header(
            "cookie",
            "$LtpaToken2=a; $ltpatoken2=b; $$LtpaToken2=c; LtpaToken2=d; $=e",
        );
        assert_eq!(
            dialect.tokens(&request).collect::<Vec<_>>(),
            ["a", "b", "d"]
        );
        let request =
            Request::new(Method::Get, "/").with_header("cookie", "$LtpaToken2=a; $LtpaToken=b");
        assert_eq!(dialect.presented_cookies(&request).len(), 2);
    }

    #[test]
    fn a_token_is_found_by_name_without_case_and_left_as_it_is() {
        let dialect = set_up(HclDxConfig::default()).unwrap();
        let request = Request::new(Method::Get, "/").with_header(
            "cookie",
            "ltpatoken2=a+b/c==; LtpaToken=v1; LtpaToken2=%2B; other=1",
        );
        assert_eq!(
            dialect.tokens(&request).collect::<Vec<_>>(),
            ["a+b/c==", "%2B"]
        );
    }

    #[test]
    fn the_older_cookie_is_cleared_only_together_with_the_newer_one() {
        let dialect = set_up(HclDxConfig::default()).unwrap();
        for (cookies, cleared) in [
            ("LtpaToken2=x", vec!["LtpaToken2"]),
            (
                "LtpaToken2=x; LtpaToken=y; JSESSIONID=z",
                vec!["LtpaToken2", "LtpaToken"],
            ),
            ("LtpaToken=y", vec![]),
            ("", vec![]),
        ] {
            let request = Request::new(Method::Get, "/").with_header("cookie", cookies);
            assert_eq!(
                dialect
                    .presented_cookies(&request)
                    .iter()
                    .map(|cookie| cookie.name())
                    .collect::<Vec<_>>(),
                cleared,
                "{cookies}"
            );
        }
    }
}
