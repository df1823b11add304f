//! What an operator can set, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use logout_core::cookie::CookieSpec;
use logout_core::credential::{Secret, SecretDigest};
use logout_core::platform::{Platform, PlatformName, SetUpError};
use logout_core::receipt::Reach;
use logout_core::redirect::{ApprovedUrl, RedirectPolicy};
use logout_core::session::Subject;
use serde::{Deserialize, Deserializer, Serialize};

/// Where the token service signs people in, below the prefix (our choice).
pub(crate) const SIGN_IN_PATH: &str = "/Sitefinity/Authenticate/OpenID/connect/authorize";

/// The keys of a `[[platform]]` with `vendor = "sitefinity"`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SitefinityConfig {
    /// The names of the cookies. Observed: sites rename them, and development sites prefix them
    /// with the port.
    pub cookie_names: CookieNames,
    /// The membership provider that is meant when none is named. Default: `Default`.
    pub default_provider: String,
    /// The path of the web service below `/api/`. Default: `default`.
    pub service_path: String,
    /// Whether `<page>/SignOut`, the login widget's own link, signs out below every page of the
    /// site. Default: yes. A site that has pages of its own at such addresses switches it off.
    pub widget_sign_out: bool,
    /// How long an OAuth2 access token lives, in seconds, used or not; never longer than a session
    /// may last at this platform. Documented default: 3600.
    pub access_token_lifetime: u32,
    /// Keys for machine-to-machine calls; a sign-out never revokes one.
    #[serde(rename = "access_key")]
    pub access_keys: Vec<AccessKey>,
    /// An administrator of the real site, with whose credential sessions are ended by the user's
    /// name. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_administrator: Option<UpstreamAdministrator>,
}

/// What an administrator of the real site is known by there: one of both.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamAdministrator {
    /// An access token.
    #[serde(deserialize_with = "some_secret", skip_serializing)]
    pub bearer_token: Option<Secret>,
    /// The value of the site's session cookie.
    #[serde(deserialize_with = "some_secret", skip_serializing)]
    pub cookie_token: Option<Secret>,
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
    #[serde(deserialize_with = "secret", skip_serializing)]
    pub key: Secret,
    /// The user's name.
    pub username: String,
    /// The user's membership provider; the default one where it is missing.
    pub provider: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

fn some_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    secret(deserializer).map(Some)
}

impl Default for SitefinityConfig {
    fn default() -> Self {
        Self {
            cookie_names: CookieNames::default(),
            default_provider: "Default".to_owned(),
            service_path: "default".to_owned(),
            widget_sign_out: true,
            access_token_lifetime: 3600,
            access_keys: Vec::new(),
            upstream_administrator: None,
        }
    }
}

impl Default for CookieNames {
    fn default() -> Self {
        Self {
            session: ".AspNet.Cookies".to_owned(),
            token_service: "idsrv".to_owned(),
            extra: vec!["SF-TokenId".to_owned()],
        }
    }
}

/// What follows from the configuration, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) config: SitefinityConfig,
    pub(crate) platform: PlatformName,
    pub(crate) prefix: String,
    /// The least that a sign-out reaches here.
    pub(crate) reach: Reach,
    /// Whether a real site stands behind the platform.
    pub(crate) has_upstream: bool,
    pub(crate) redirects: Arc<RedirectPolicy>,
    pub(crate) root: ApprovedUrl,
    /// Where the token service signs people in.
    pub(crate) sign_in: ApprovedUrl,
    pub(crate) session_cookie: CookieSpec,
    pub(crate) token_service_cookie: CookieSpec,
    pub(crate) extra_cookies: Vec<CookieSpec>,
    /// Never longer than a session may last at this platform.
    pub(crate) token_lifetime: Duration,
    access_keys: Vec<(SecretDigest, Subject)>,
}

impl Dialect {
    pub(crate) fn new(config: SitefinityConfig, platform: &Platform) -> Result<Self, SetUpError> {
        check(&config)?;
        let cookie = |name: &str| platform.cookie("cookie_names", name, &platform.prefix, true);
        let owner = |key: &AccessKey| {
            let provider = key.provider.as_deref().unwrap_or(&config.default_provider);
            (
                SecretDigest::of(key.key.reveal()),
                Subject::new(provider, &key.username),
            )
        };
        Ok(Self {
            platform: platform.name.clone(),
            prefix: platform.prefix.clone(),
            reach: platform.reach,
            has_upstream: platform.has_upstream,
            redirects: Arc::new(platform.redirect_policy()?),
            root: platform.root_redirect()?,
            sign_in: ApprovedUrl::from_operator(&format!("{}{SIGN_IN_PATH}", platform.prefix))
                .map_err(|fault| SetUpError::new("prefix", fault))?,
            session_cookie: cookie(&config.cookie_names.session)?,
            token_service_cookie: cookie(&config.cookie_names.token_service)?,
            extra_cookies: config
                .cookie_names
                .extra
                .iter()
                .map(|name| cookie(name))
                .collect::<Result<_, _>>()?,
            token_lifetime: Duration::from_secs(config.access_token_lifetime.into())
                .min(platform.absolute_timeout),
            access_keys: config.access_keys.iter().map(owner).collect(),
            config,
        })
    }

    /// The subject of that name. Names and membership providers are compared without regard to case
    /// (our choice, from the habits of ASP.NET), so subjects are kept in lower case: in ASCII only,
    /// as accounts compare them, since a wider folding could make one subject of two accounts.
    pub(crate) fn subject(&self, provider: Option<&str>, name: &str) -> Subject {
        let provider = provider
            .filter(|text| !text.is_empty())
            .unwrap_or(&self.config.default_provider);
        Subject::new(provider.to_ascii_lowercase(), name.to_ascii_lowercase())
    }

    /// The cookie of this name, with the attributes that all of them have here.
    pub(crate) fn cookie(&self, name: &str) -> CookieSpec {
        self.session_cookie.named(name)
    }

    /// Whose access key this is.
    pub(crate) fn owner_of_access_key(&self, key: &str) -> Option<&Subject> {
        let digest = SecretDigest::of(key);
        self.access_keys
            .iter()
            .find(|(known, _)| known.matches(&digest))
            .map(|(_, owner)| owner)
    }
}

fn check(config: &SitefinityConfig) -> Result<(), SetUpError> {
    let names = &config.cookie_names;
    let mut seen: Vec<&str> = Vec::new();
    for name in [&names.session, &names.token_service]
        .into_iter()
        .chain(&names.extra)
    {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(SetUpError::new(
                "cookie_names",
                format!("{name:?} cannot be the name of a cookie"),
            ));
        }
        if seen.contains(&name.as_str()) {
            return Err(SetUpError::new(
                "cookie_names",
                format!("{name:?} is given twice"),
            ));
        }
        seen.push(name);
    }
    if config.default_provider.is_empty() {
        return Err(SetUpError::new("default_provider", "must not be empty"));
    }
    if !config.service_path.split('/').all(is_plain_segment) {
        return Err(SetUpError::new(
            "service_path",
            "must be a path such as default, without a slash at its ends",
        ));
    }
    if config.access_token_lifetime == 0 {
        return Err(SetUpError::new(
            "access_token_lifetime",
            "must be at least one second",
        ));
    }
    // An empty key would make everybody who sends an empty header its owner.
    if config
        .access_keys
        .iter()
        .any(|key| key.key.reveal().trim().is_empty())
    {
        return Err(SetUpError::new("access_key", "the key must not be empty"));
    }
    if let Some(administrator) = &config.upstream_administrator {
        let (UpstreamAdministrator {
            bearer_token: Some(secret),
            cookie_token: None,
        }
        | UpstreamAdministrator {
            bearer_token: None,
            cookie_token: Some(secret),
        }) = administrator
        else {
            return Err(SetUpError::new(
                "upstream_administrator",
                "needs either bearer_token or cookie_token",
            ));
        };
        // What could not stand in a header would be left out, and the sign-out be an anonymous one.
        if secret.reveal().is_empty()
            || !secret
                .reveal()
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b';')
        {
            return Err(SetUpError::new(
                "upstream_administrator",
                "the token must be visible ASCII, without semicolons",
            ));
        }
    }
    Ok(())
}

/// Whether a byte may stand in a token of RFC 9110, which the name of a cookie is.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_plain_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests;
