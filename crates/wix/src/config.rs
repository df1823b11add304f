//! What an operator can set, and what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use logout_core::cookie::CookieSpec;
use logout_core::platform::{Platform, PlatformName, SetUpError};
use logout_core::public_suffix::is_public_suffix;
use logout_core::redirect::{ApprovedUrl, RedirectError, RedirectPolicy};
use logout_core::session::ClientId;
use logout_core::sign_out::{ClientClaim, Refusal};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::guid::is_guid;

/// The keys of a `[[platform]]` with `vendor = "wix"`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WixConfig {
    /// The form that sign-outs are answered in. Default: `auto`.
    pub response: ResponseForm,
    /// Whether a sign-out that presents nothing of a member's or visitor's is refused. Default: it
    /// succeeds and ends nothing.
    pub require_authorization: bool,
    /// Whether a session that only a cookie names is left alone, so that no other site's link can
    /// end it. Default: it ends.
    pub require_ticket_for_cookie_logout: bool,
    /// Whether `wixMemberLoggedIn=false` is added to the address that a redirect session leads to.
    /// Default: yes.
    pub member_flag: bool,
    /// Whether a login answers an unknown address otherwise than a wrong password, as the live
    /// service does (observed). Strangers learn who is a member then. Default: it does not.
    pub tells_unknown_address: bool,
    /// How long an access token lives, in seconds. Documented default: 14400.
    pub access_token_lifetime: u32,
    /// Whether a refresh token is good once, and each refresh answers with the next one, as RFC
    /// 9700 asks. One that comes again ends the session. Default: no, the vendor's SDK goes on
    /// using the first one (observed).
    pub rotate_refresh_tokens: bool,
    /// How long a session lives with its refresh token and cookie, in seconds. Default: 14 days
    /// (our choice; Wix says "long-lived").
    pub refresh_token_lifetime: u32,
    /// The names of the cookies.
    pub cookie_names: CookieNames,
    /// The OAuth apps of the site.
    #[serde(rename = "app")]
    pub apps: Vec<App>,
}

/// The form that sign-outs are answered in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseForm {
    /// Whichever the request asks for.
    #[default]
    Auto,
    /// Always 200 with a `RawHttpResponse` in JSON.
    Envelope,
    /// Always the status, headers and page themselves.
    Raw,
}

/// The names of the cookies.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CookieNames {
    /// The member's session at the site. Observed: `smSession`.
    pub member: String,
    /// Further cookies that a sign-out removes. Observed on Wix sites; the stand-in sets none of
    /// them.
    pub extra: Vec<String>,
}

/// An OAuth app of the site.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// Its id, a GUID.
    pub client_id: String,
    /// Its name, shown on the login page.
    pub name: String,
    /// Addresses that its flows may lead to, compared as whole URLs.
    pub redirect_uris: Vec<String>,
    /// Hosts that its flows may lead to by https; with a dot in front, the host's subdomains;
    /// `localhost` by any scheme and port.
    pub redirect_domains: Vec<String>,
    /// A login page of one's own, which gets the parameters of the authorization request. Absent:
    /// the stand-in's form.
    pub login_url: Option<String>,
}

impl Default for WixConfig {
    fn default() -> Self {
        Self {
            response: ResponseForm::Auto,
            require_authorization: false,
            require_ticket_for_cookie_logout: false,
            member_flag: true,
            tells_unknown_address: false,
            rotate_refresh_tokens: false,
            access_token_lifetime: 4 * 60 * 60,
            refresh_token_lifetime: 14 * 24 * 60 * 60,
            cookie_names: CookieNames::default(),
            apps: Vec::new(),
        }
    }
}

impl Default for CookieNames {
    fn default() -> Self {
        let extra = [
            "svSession",
            "hs",
            "XSRF-TOKEN",
            "bSession",
            "server-session-bind",
            "client-session-bind",
        ];
        Self {
            member: "smSession".to_owned(),
            extra: extra.map(str::to_owned).to_vec(),
        }
    }
}

/// What follows from the configuration, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) config: WixConfig,
    pub(crate) platform: PlatformName,
    pub(crate) prefix: String,
    pub(crate) base: String,
    pub(crate) policies: Arc<BTreeMap<ClientId, RedirectPolicy>>,
    pub(crate) member_cookie: CookieSpec,
    pub(crate) extra_cookies: Vec<CookieSpec>,
    login_urls: BTreeMap<ClientId, ApprovedUrl>,
    /// Allows nothing, so that all it refuses for another reason than that is malformed.
    nowhere: RedirectPolicy,
    /// A real site stands behind it: its tokens are not ours to verify.
    pub(crate) has_upstream: bool,
}

impl Dialect {
    pub(crate) fn new(config: WixConfig, platform: &Platform) -> Result<Self, SetUpError> {
        let nowhere = RedirectPolicy::new(&platform.public_url)
            .map_err(|fault| SetUpError::new("public_url", fault))?
            .without_own_origin();
        if config.access_token_lifetime == 0 {
            return Err(SetUpError::new(
                "access_token_lifetime",
                "must be at least one second",
            ));
        }
        if config.refresh_token_lifetime == 0 {
            return Err(SetUpError::new(
                "refresh_token_lifetime",
                "must be at least one second",
            ));
        }
        let (mut policies, mut login_urls) = (BTreeMap::new(), BTreeMap::new());
        for app in &config.apps {
            if !is_guid(&app.client_id) {
                return Err(SetUpError::new(
                    "client_id",
                    format!("{:?} is not a GUID", app.client_id),
                ));
            }
            let id = client_id(&app.client_id);
            if let Some(address) = &app.login_url {
                let fault = |fault| SetUpError::new("login_url", format!("{address:?}: {fault}"));
                login_urls.insert(
                    id.clone(),
                    ApprovedUrl::from_operator(address).map_err(fault)?,
                );
            }
            if policies.insert(id, policy(app, &nowhere)?).is_some() {
                return Err(SetUpError::new(
                    "client_id",
                    format!("{} is given twice", app.client_id),
                ));
            }
        }
        let cookie = |name: &str, http_only| {
            platform.cookie("cookie_names", name, &platform.prefix, http_only)
        };
        // Observed: pages read this one cookie to repeat it in a header.
        let extra_cookie = |name: &String| cookie(name, !name.eq_ignore_ascii_case("XSRF-TOKEN"));
        let extra_cookies = config
            .cookie_names
            .extra
            .iter()
            .map(extra_cookie)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            platform: platform.name.clone(),
            prefix: platform.prefix.clone(),
            base: platform.base().to_owned(),
            policies: Arc::new(policies),
            member_cookie: cookie(&config.cookie_names.member, true)?,
            extra_cookies,
            login_urls,
            nowhere,
            has_upstream: platform.has_upstream,
            config,
        })
    }

    /// The client that `text` names, and whether it is one of the apps.
    ///
    /// # Errors
    /// It is no GUID.
    pub(crate) fn claim(&self, text: &str) -> Result<ClientClaim, Refusal> {
        if !is_guid(text) {
            return Err(Refusal::Malformed {
                field: "clientId",
                rule: "INVALID_GUID",
            });
        }
        let id = client_id(text);
        Ok(ClientClaim {
            known: self.policies.contains_key(&id),
            id,
        })
    }

    /// The app that `text` names.
    ///
    /// # Errors
    /// It is no GUID, or nobody's.
    pub(crate) fn client(&self, text: &str) -> Result<ClientId, Refusal> {
        let claim = self.claim(text)?;
        if claim.known {
            Ok(claim.id)
        } else {
            Err(Refusal::ClientUnknown)
        }
    }

    /// Whether `address` could be allowed to some app.
    ///
    /// # Errors
    /// What is wrong with it whoever asks.
    pub(crate) fn check_form(&self, address: &str) -> Result<(), RedirectError> {
        match self.nowhere.approve_absolute(address) {
            Err(fault) if is_malformed(fault) => Err(fault),
            _ => Ok(()),
        }
    }

    /// Approves `address` as one that flows of `client` may lead to.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn approve(
        &self,
        client: &ClientId,
        address: &str,
    ) -> Result<ApprovedUrl, RedirectError> {
        self.policies
            .get(client)
            .ok_or(RedirectError::ForeignOrigin)?
            .approve_absolute(address)
    }

    /// The app's own login page.
    pub(crate) fn login_url(&self, client: &ClientId) -> Option<&ApprovedUrl> {
        self.login_urls.get(client)
    }

    /// The name to show for an app.
    pub(crate) fn app_name(&self, client: &ClientId) -> &str {
        let app = self
            .config
            .apps
            .iter()
            .find(|app| app.client_id.eq_ignore_ascii_case(client.as_str()));
        app.map(|app| app.name.as_str())
            .filter(|name| !name.is_empty())
            .unwrap_or(self.platform.as_str())
    }

    pub(crate) fn access_token_lifetime(&self) -> Duration {
        Duration::from_secs(self.config.access_token_lifetime.into())
    }

    pub(crate) fn session_lifetime(&self) -> Duration {
        Duration::from_secs(self.config.refresh_token_lifetime.into())
    }
}

/// Whether an address is refused for its form, and not for where it leads.
pub(crate) fn is_malformed(fault: RedirectError) -> bool {
    !matches!(
        fault,
        RedirectError::EncodedSlash | RedirectError::ForeignOrigin | RedirectError::UserInfo
    )
}

/// GUIDs have no case.
fn client_id(guid: &str) -> ClientId {
    ClientId::new(guid.to_ascii_lowercase())
}

fn policy(app: &App, nowhere: &RedirectPolicy) -> Result<RedirectPolicy, SetUpError> {
    let mut policy = nowhere.clone();
    for entry in &app.redirect_uris {
        policy = policy
            .allow_exactly(entry)
            .map_err(|fault| SetUpError::new("redirect_uris", format!("{entry:?}: {fault}")))?;
    }
    for entry in &app.redirect_domains {
        let host = entry.strip_prefix('.').unwrap_or(entry);
        let parsed = Url::parse(&format!("https://{host}/")).ok();
        let is_host = parsed
            .as_ref()
            .and_then(Url::domain)
            .is_some_and(|domain| domain.eq_ignore_ascii_case(host) && !host.contains('*'));
        if !is_host {
            return Err(SetUpError::new(
                "redirect_domains",
                format!("{entry:?} is not a host name"),
            ));
        }
        if entry.starts_with('.') && is_public_suffix(host) {
            return Err(SetUpError::new(
                "redirect_domains",
                format!("{entry:?}: anybody can register a name there"),
            ));
        }
        policy = policy.allow_domain(entry);
    }
    Ok(policy)
}

#[cfg(test)]
mod tests;
