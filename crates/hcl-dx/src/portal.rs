//! The portal's own addresses, as the vendor's properties make them. Nothing here comes from a
//! request.

use logout_core::message::percent_decode;
use logout_core::platform::{Platform, SetUpError};
use logout_core::redirect::ApprovedUrl;
use url::Url;

use crate::config_service::Properties;

/// Where the portal's pages are, and where a logout leads.
#[derive(Clone, Debug)]
pub(crate) struct Portal {
    /// The context root, below the platform's prefix; may be empty.
    pub(crate) context: String,
    /// Path of the public home, below the platform's prefix.
    pub(crate) public_path: String,
    /// Path of the protected home, below the platform's prefix.
    pub(crate) protected_path: String,
    /// Path of the logout address, without the slash at its end.
    pub(crate) logout_path: String,
    pub(crate) public_page: ApprovedUrl,
    pub(crate) protected_page: ApprovedUrl,
    pub(crate) after_logout: ApprovedUrl,
    /// Documented (`uri.home.substitution`): who is signed in is sent from the public home to the
    /// protected one.
    pub(crate) substitutes_home: bool,
    /// Documented (`logout.user.onpublic`): who touches the public home is signed out; only without
    /// substitution.
    pub(crate) logs_out_on_public: bool,
}

impl Portal {
    pub(crate) fn new(
        properties: &Properties,
        logout_state: &str,
        platform: &Platform,
    ) -> Result<Self, SetUpError> {
        let context = path(properties, "uri.context.path", "/wps")?;
        let public_home = home(properties, "uri.home.public", "/portal")?;
        let protected_home = home(properties, "uri.home.protected", "/myportal")?;
        if public_home == protected_home {
            return Err(SetUpError::new(
                "uri.home.protected",
                "must differ from uri.home.public",
            ));
        }
        if logout_state.split('/').any(str::is_empty)
            || !logout_state
                .bytes()
                .all(|byte| is_plain(byte) || b"/!*=".contains(&byte))
        {
            return Err(SetUpError::new(
                "logout_state",
                "not the path of a navigational state",
            ));
        }
        let (public_path, protected_path) = (
            format!("{context}{public_home}"),
            format!("{context}{protected_home}"),
        );

        let origin = origin(properties, platform)?;
        let base_path = platform.public_url.path().trim_end_matches('/');
        let page = |path: &str, key| {
            ApprovedUrl::from_operator(&format!("{origin}{base_path}{path}"))
                .map_err(|fault| SetUpError::new(key, fault))
        };
        let public_page = page(&public_path, "uri.home.public")?;
        let protected_page = page(&protected_path, "uri.home.protected")?;

        let configured = configured_redirect(properties, &origin, platform)?;
        if let Some(redirect) = &configured
            && is_under(redirect, &protected_page)
        {
            return Err(SetUpError::new(
                "redirect.logout.url",
                "leads into the protected area, which sends everybody back to log in",
            ));
        }
        let substitutes_home = properties.flag("uri.home.substitution")?;
        Ok(Self {
            logout_path: format!("{protected_path}/!ut/p/{logout_state}"),
            after_logout: configured.unwrap_or_else(|| public_page.clone()),
            logs_out_on_public: properties.flag("logout.user.onpublic")? && !substitutes_home,
            substitutes_home,
            context,
            public_path,
            protected_path,
            public_page,
            protected_page,
        })
    }
}

impl Portal {
    /// Where the portal's addresses begin: at its context root, or where that is empty, at each of
    /// its homes.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        if self.context.is_empty() {
            vec![self.public_path.clone(), self.protected_path.clone()]
        } else {
            vec![self.context.clone()]
        }
    }
}

/// The operator's return address, where one is in force. Its bytes are kept; a path becomes
/// absolute (our choice: one form in both `redirectUrl` and `Location`).
fn configured_redirect(
    properties: &Properties,
    origin: &str,
    platform: &Platform,
) -> Result<Option<ApprovedUrl>, SetUpError> {
    const KEY: &str = "redirect.logout.url";
    let is_on = properties.flag("redirect.logout")?;
    let Some(url) = properties.text(KEY) else {
        return Ok(None);
    };
    if !is_on {
        log::warn!(platform = platform.name.as_str(); "redirect.logout.url has no effect while redirect.logout is not true");
        return Ok(None);
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SetUpError::new(
            KEY,
            "must be ASCII without spaces; percent-encode anything else",
        ));
    }
    let approved = ApprovedUrl::from_operator(url).map_err(|fault| SetUpError::new(KEY, fault))?;
    if url.starts_with('/') {
        return ApprovedUrl::from_operator(&format!("{origin}{url}"))
            .map(Some)
            .map_err(|fault| SetUpError::new(KEY, fault));
    }
    if properties.flag("redirect.logout.ssl")?
        && Url::parse(url).is_ok_and(|url| url.scheme() == "http")
    {
        log::warn!(platform = platform.name.as_str(); "redirect.logout.url is http although redirect.logout.ssl is true, which only concerns the computed page");
    }
    Ok(Some(approved))
}

/// Scheme and authority of the addresses that are computed. A port belongs to its scheme, so that
/// of the public URL is not kept when `redirect.logout.ssl` changes the scheme.
fn origin(properties: &Properties, platform: &Platform) -> Result<String, SetUpError> {
    let (http, https) = (
        properties.port("host.port.http")?,
        properties.port("host.port.https")?,
    );
    let scheme = if properties.flag("redirect.logout.ssl")? {
        "https"
    } else {
        platform.public_url.scheme()
    };
    let (host, own_port) = match properties.text("host.name") {
        Some(name) => (host_name(name)?, None),
        None => {
            let host = platform
                .public_url
                .host_str()
                .ok_or_else(|| SetUpError::new("public_url", "has no host"))?;
            (
                host.to_owned(),
                platform
                    .public_url
                    .port()
                    .filter(|_| platform.public_url.scheme() == scheme),
            )
        }
    };
    let (configured, usual) = if scheme == "https" {
        (https, 443)
    } else {
        (http, 80)
    };
    let port = configured.or(own_port).filter(|port| *port != usual);
    Ok(port.map_or_else(
        || format!("{scheme}://{host}"),
        |port| format!("{scheme}://{host}:{port}"),
    ))
}

fn host_name(name: &str) -> Result<String, SetUpError> {
    let parsed = Url::parse(&format!("http://{name}/")).ok();
    let host = parsed
        .as_ref()
        .and_then(Url::host_str)
        .filter(|host| host.eq_ignore_ascii_case(name));
    host.map(str::to_owned)
        .ok_or_else(|| SetUpError::new("host.name", format!("{name:?} is not a bare host name")))
}

fn home(properties: &Properties, key: &'static str, default: &str) -> Result<String, SetUpError> {
    let home = path(properties, key, default)?;
    if home.is_empty() {
        Err(SetUpError::new(key, "must not be empty"))
    } else {
        Ok(home)
    }
}

/// A path with a slash in front and none behind. Documented: the context root may be empty.
fn path(properties: &Properties, key: &'static str, default: &str) -> Result<String, SetUpError> {
    let text = properties.raw(key).unwrap_or(default).trim_end_matches('/');
    let path = if text.is_empty() || text.starts_with('/') {
        text.to_owned()
    } else {
        format!("/{text}")
    };
    let fits = path
        .split('/')
        .skip(1)
        .all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain));
    if fits {
        Ok(path)
    } else {
        Err(SetUpError::new(
            key,
            format!("{path:?} is not a plain path"),
        ))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Whether an address leads to the path of `area` or below it, on any host: a portal has several
/// names.
fn is_under(address: &ApprovedUrl, area: &ApprovedUrl) -> bool {
    let path = |address: &ApprovedUrl| {
        Url::parse(address.as_str())
            .ok()
            .map(|url| percent_decode(url.path()).into_owned())
    };
    match (path(address), path(area)) {
        (Some(path), Some(area)) => path
            .strip_prefix(&area)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
