//! What an operator can set, and what follows from it.

use std::sync::Arc;

use logout_core::cookie::CookieSpec;
use logout_core::platform::{Platform, PlatformName, SetUpFault};
use logout_core::redirect::{ApprovedUrl, RedirectPolicy};
use logout_core::session::Subject;
use serde::{Deserialize, Serialize};

/// The keys of a `[[platform]]` with `vendor = "sitefinity"`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SitefinityConfig {
    /// The names of the cookies. Observed: sites rename them, and development sites prefix them with the port.
    pub cookie_names: CookieNames,
    /// The membership provider that is meant when none is named. Default: `Default`.
    pub default_provider: String,
    /// The path of the web service below `/api/`. Default: `default`.
    pub service_path: String,
    /// How long an OAuth2 access token lives, in seconds. Documented default: 3600.
    pub access_token_lifetime: u32,
    /// Keys for machine-to-machine calls; a sign-out never revokes one.
    #[serde(rename = "access_key")]
    pub access_keys: Vec<AccessKey>,
}

/// The names of the cookies.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CookieNames {
    /// The site's session. Documented: `.AspNet.Cookies`.
    pub session: String,
    /// The token service's session. Documented: `idsrv`.
    pub token_service: String,
    /// Cookies that come and go with the site's session. Observed: `SF-TokenId`.
    pub extra: Vec<String>,
}

/// A key that stands for a user.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The value of `X-SF-Access-Key`.
    pub key: String,
    /// The user's name.
    pub username: String,
    /// The user's membership provider; the default one where it is missing.
    pub provider: Option<String>,
}

impl Default for SitefinityConfig {
    fn default() -> Self {
        Self {
            cookie_names: CookieNames::default(),
            default_provider: "Default".to_owned(),
            service_path: "default".to_owned(),
            access_token_lifetime: 3600,
            access_keys: Vec::new(),
        }
    }
}

impl Default for CookieNames {
    fn default() -> Self {
        Self { session: ".AspNet.Cookies".to_owned(), token_service: "idsrv".to_owned(), extra: vec!["SF-TokenId".to_owned()] }
    }
}

/// What follows from the configuration, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) config: SitefinityConfig,
    pub(crate) platform: PlatformName,
    pub(crate) prefix: String,
    pub(crate) redirects: Arc<RedirectPolicy>,
    pub(crate) root: ApprovedUrl,
    pub(crate) session_cookie: CookieSpec,
    pub(crate) token_service_cookie: CookieSpec,
    pub(crate) extra_cookies: Vec<CookieSpec>,
}

impl Dialect {
    pub(crate) fn new(config: SitefinityConfig, platform: &Platform) -> Result<Self, SetUpFault> {
        let cookie = |name: &str| CookieSpec::new(name, &platform.prefix, true, &platform.cookies);
        Ok(Self {
            platform: platform.name.clone(),
            prefix: platform.prefix.clone(),
            redirects: Arc::new(platform.redirect_policy()?),
            root: platform.root_landing()?,
            session_cookie: cookie(&config.cookie_names.session),
            token_service_cookie: cookie(&config.cookie_names.token_service),
            extra_cookies: config.cookie_names.extra.iter().map(|name| cookie(name)).collect(),
            config,
        })
    }

    /// The subject of that name. Names and membership providers are compared without regard to case (our choice, from the
    /// habits of ASP.NET), so subjects are kept in lower case.
    pub(crate) fn subject(&self, provider: Option<&str>, name: &str) -> Subject {
        let provider = provider.filter(|text| !text.is_empty()).unwrap_or(&self.config.default_provider);
        Subject::new(provider.to_lowercase(), name.to_lowercase())
    }
}
