//! What an operator can set, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use logout_core::cookie::CookieSpec;
use logout_core::platform::{Platform, PlatformName, SetUpError};
use logout_core::redirect::{ApprovedUrl, RedirectPolicy};
use serde::{Deserialize, Serialize};

/// The cookie of a session from 6 on, and what its tokens are minted for.
pub(crate) const TOKEN: &str = "authToken";
/// The cookie of a session in Elvis 4 and 5.
pub(crate) const SESSION_ID: &str = "JSESSIONID";

/// The keys of a `[[platform]]` with `vendor = "assets"`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssetsConfig {
    /// The product that is spoken for. Default: `assets6`.
    pub profile: Profile,
    /// Whether errors of `/services` have an HTTP status of their own. Documented default: they do
    /// not; they come with 200 and an error object, whose `errorcode` is the status that it would
    /// have been.
    pub errors_as_status: bool,
    /// Where `/logout` leads when nothing, or nothing allowed, is asked for: a path below the
    /// platform's prefix, or an absolute URL. Default: `/`, the platform's root.
    pub landing_page: String,
    /// How long a token lives at most, in seconds. Default: 3600, as in the vendor's sample. Elvis
    /// 4 and 5 have no tokens.
    pub token_lifetime: u32,
}

/// Whose version's rules hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Assets Server 6.
    #[default]
    Assets6,
    /// Elvis 4.
    Elvis4,
    /// Elvis 5.
    Elvis5,
    /// Elvis 6.
    Elvis6,
}

impl Profile {
    /// Whether a session is a signed token that may be due for a CSRF proof (documented from 6 on),
    /// or else a `JSESSIONID`.
    pub(crate) fn has_tokens(self) -> bool {
        matches!(self, Self::Assets6 | Self::Elvis6)
    }

    /// What the stand-in calls itself (our choice).
    pub(crate) fn server_version(self) -> &'static str {
        match self {
            Self::Assets6 => "6.100.0.0",
            Self::Elvis4 => "4.6.0.0",
            Self::Elvis5 => "5.26.0.0",
            Self::Elvis6 => "6.7.0.0",
        }
    }
}

impl Default for AssetsConfig {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            errors_as_status: false,
            landing_page: "/".to_owned(),
            token_lifetime: 3600,
        }
    }
}

/// What follows from the configuration, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) config: AssetsConfig,
    pub(crate) platform: PlatformName,
    pub(crate) redirects: Arc<RedirectPolicy>,
    pub(crate) landing_page: ApprovedUrl,
    /// The path of the landing page below the prefix, where the stand-in is to serve it.
    pub(crate) landing_path: Option<String>,
    /// `authToken` or `JSESSIONID`.
    pub(crate) cookie: CookieSpec,
    /// Never longer than a session may last at this platform.
    pub(crate) token_lifetime: Duration,
    /// A real instance stands behind it: its tokens are not ours to verify.
    pub(crate) has_upstream: bool,
}

impl Dialect {
    pub(crate) fn new(config: AssetsConfig, platform: &Platform) -> Result<Self, SetUpError> {
        if config.token_lifetime == 0 {
            return Err(SetUpError::new(
                "token_lifetime",
                "must be at least one second",
            ));
        }
        let cookie = if config.profile.has_tokens() {
            TOKEN
        } else {
            SESSION_ID
        };
        Ok(Self {
            platform: platform.name.clone(),
            redirects: Arc::new(platform.redirect_policy()?),
            landing_page: landing_page(&config.landing_page, &platform.prefix)?,
            landing_path: landing_path(&config.landing_page, &platform.prefix),
            cookie: platform.cookie("profile", cookie, &platform.prefix, true)?,
            token_lifetime: Duration::from_secs(config.token_lifetime.into())
                .min(platform.absolute_timeout),
            has_upstream: platform.has_upstream,
            config,
        })
    }
}

fn landing_page(configured: &str, prefix: &str) -> Result<ApprovedUrl, SetUpError> {
    let fault = |fault| SetUpError::new("landing_page", fault);
    let as_written = ApprovedUrl::from_operator(configured).map_err(fault)?;
    if configured.starts_with('/') {
        ApprovedUrl::from_operator(&format!("{prefix}{configured}")).map_err(fault)
    } else {
        Ok(as_written)
    }
}

/// The root of a platform without a prefix is the hub's own.
fn landing_path(configured: &str, prefix: &str) -> Option<String> {
    let path = configured
        .split(['?', '#'])
        .next()
        .filter(|path| path.starts_with('/'))?;
    (path != "/" || !prefix.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(landing_page: &str, base: &str) -> Result<Dialect, SetUpError> {
        let config = AssetsConfig {
            landing_page: landing_page.to_owned(),
            ..AssetsConfig::default()
        };
        Dialect::new(config, &Platform::new("dam", base.parse().unwrap()))
    }

    #[test]
    fn a_landing_page_is_a_path_below_the_prefix_or_an_absolute_url() {
        for (configured, base, sent, served) in [
            ("/", "http://dam.example/", "/", None),
            ("/", "http://dam.example/dam", "/dam/", Some("/")),
            (
                "/client?x#y",
                "http://dam.example/",
                "/client?x#y",
                Some("/client"),
            ),
            (
                "/client",
                "http://dam.example/dam",
                "/dam/client",
                Some("/client"),
            ),
            (
                "https://www.example.com",
                "http://dam.example/dam",
                "https://www.example.com",
                None,
            ),
        ] {
            let dialect = dialect(configured, base).unwrap();
            assert_eq!(
                (
                    dialect.landing_page.as_str(),
                    dialect.landing_path.as_deref()
                ),
                (sent, served),
                "{configured} {base}"
            );
        }
    }

    #[test]
    fn a_landing_page_that_leads_astray_is_a_fault_of_that_key() {
        for configured in [
            "",
            "client",
            "//evil.test",
            r"/\evil.test",
            "javascript:x",
            "https://a:b@example.com",
        ] {
            assert_eq!(
                dialect(configured, "http://dam.example/dam")
                    .map(|_| ())
                    .unwrap_err()
                    .key(),
                "landing_page",
                "{configured}"
            );
        }
    }

    #[test]
    fn a_token_lives_no_longer_than_a_session_may() {
        let mut platform = Platform::new("dam", "http://dam.example".parse().unwrap());
        platform.absolute_timeout = Duration::from_secs(60);
        assert_eq!(
            Dialect::new(AssetsConfig::default(), &platform)
                .unwrap()
                .token_lifetime,
            Duration::from_secs(60)
        );
        let none = AssetsConfig {
            token_lifetime: 0,
            ..AssetsConfig::default()
        };
        assert_eq!(
            Dialect::new(none, &platform).unwrap_err().key(),
            "token_lifetime"
        );
    }

    #[test]
    fn keys_are_read_in_the_vendors_spelling_and_unknown_ones_refused() {
        let config: AssetsConfig =
            serde_json::from_str(r#"{"profile":"elvis5","errors_as_status":true}"#).unwrap();
        assert!(
            config.profile == Profile::Elvis5
                && config.errors_as_status
                && config.landing_page == "/"
        );
        assert!(serde_json::from_str::<AssetsConfig>(r#"{"profil":"elvis5"}"#).is_err());
    }
}
