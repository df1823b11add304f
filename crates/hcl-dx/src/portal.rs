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

        let configured = configured_landing(properties, &origin, platform)?;
        if let Some(landing) = &configured
            && is_under(landing, &protected_page)
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

/// The operator's landing, where one is in force. Its bytes are kept; a path becomes absolute (our
/// choice: one form in both `redirectUrl` and `Location`).
fn configured_landing(
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
mod tests {
    use logout_core::platform::PlatformName;

    use super::*;
    use crate::config_service::{ConfigService, Setting};

    fn portal(base: &str, settings: &[(&str, Setting)]) -> Result<Portal, SetUpError> {
        let inline = settings
            .iter()
            .fold(ConfigService::default(), |inline, (name, value)| {
                inline.with(*name, value.clone())
            });
        let properties = Properties::read(&inline, None, &PlatformName::new("dx"))?;
        Portal::new(
            &properties,
            "a1/X!!",
            &Platform::new("dx", base.parse().unwrap()),
        )
    }

    fn landing(base: &str, settings: &[(&str, Setting)]) -> String {
        portal(base, settings)
            .unwrap()
            .after_logout
            .as_str()
            .to_owned()
    }

    #[test]
    fn the_computed_page_is_made_of_the_configuration_only() {
        let ssl = ("redirect.logout.ssl", Setting::from(true));
        let host = ("host.name", Setting::from("Portal.Example.com"));
        for (base, settings, page) in [
            ("http://dx.example/", vec![], "http://dx.example/wps/portal"),
            (
                "http://dx.example:8080/",
                vec![],
                "http://dx.example:8080/wps/portal",
            ),
            (
                "https://dx.example/below/",
                vec![],
                "https://dx.example/below/wps/portal",
            ),
            (
                "http://dx.example/",
                vec![("redirect.logout", true.into())],
                "http://dx.example/wps/portal",
            ),
            (
                "http://dx.example/",
                vec![ssl.clone()],
                "https://dx.example/wps/portal",
            ),
            (
                "http://dx.example:8080/",
                vec![ssl.clone()],
                "https://dx.example/wps/portal",
            ),
            (
                "https://dx.example:8443/",
                vec![ssl.clone()],
                "https://dx.example:8443/wps/portal",
            ),
            (
                "http://dx.example:8080/",
                vec![host.clone()],
                "http://portal.example.com/wps/portal",
            ),
            (
                "http://dx.example/",
                vec![host.clone(), ssl.clone(), ("host.port.https", 8443.into())],
                "https://portal.example.com:8443/wps/portal",
            ),
            (
                "http://dx.example/",
                vec![host.clone(), ("host.port.https", 8443.into())],
                "http://portal.example.com/wps/portal",
            ),
            (
                "http://dx.example/",
                vec![host, ssl, ("host.port.https", "443".into())],
                "https://portal.example.com/wps/portal",
            ),
            (
                "http://dx.example/",
                vec![("host.port.http", 81.into())],
                "http://dx.example:81/wps/portal",
            ),
            (
                "http://[::1]:80/",
                vec![("host.name", "[::1]".into())],
                "http://[::1]/wps/portal",
            ),
        ] {
            assert_eq!(landing(base, &settings), page, "{base} {settings:?}");
        }
    }

    #[test]
    fn a_configured_landing_keeps_its_bytes_and_needs_its_switch() {
        let nested =
            "https://idp.example/logout?post_logout_redirect_uri=https://h/wps/portal&client_id=x";
        let on = ("redirect.logout", Setting::from("true"));
        for (settings, page) in [
            (
                vec![on.clone(), ("redirect.logout.url", nested.into())],
                nested,
            ),
            (
                vec![
                    on.clone(),
                    ("redirect.logout.url", "https://Portal.example.com".into()),
                ],
                "https://Portal.example.com",
            ),
            (
                vec![
                    on.clone(),
                    ("redirect.logout.url", "http://plain.example/x".into()),
                    ("redirect.logout.ssl", true.into()),
                ],
                "http://plain.example/x",
            ),
            (
                vec![
                    on.clone(),
                    ("redirect.logout.url", "/wps/portal?a=b".into()),
                ],
                "http://dx.example/wps/portal?a=b",
            ),
            (
                vec![
                    on.clone(),
                    ("redirect.logout.url", "/bye".into()),
                    ("redirect.logout.ssl", true.into()),
                ],
                "https://dx.example/bye",
            ),
            (
                vec![on, ("redirect.logout.url", "  ".into())],
                "http://dx.example/wps/portal",
            ),
            (
                vec![("redirect.logout.url", nested.into())],
                "http://dx.example/wps/portal",
            ),
            (
                vec![
                    ("redirect.logout", false.into()),
                    ("redirect.logout.url", nested.into()),
                ],
                "http://dx.example/wps/portal",
            ),
        ] {
            assert_eq!(
                landing("http://dx.example/", &settings),
                page,
                "{settings:?}"
            );
        }
    }

    #[test]
    fn a_landing_that_cannot_work_is_a_start_up_error() {
        for url in [
            "/wps/myportal",
            "/wps/myportal/",
            "/wps/myportal/!ut/p/a1/X!!/",
            "/wps/./myportal/page",
            "/wps/m%79portal",
            "https://portal.example.com/wps/myportal/!ut/p/a1/X!!",
            "//evil.example",
            "home",
            "javascript:alert(1)",
            "https://u:p@portal.example.com/",
            "https://portal.example.com/ü",
            "https://portal.example.com/a b",
            r"https://portal.example.com\x",
        ] {
            let fault = portal(
                "http://dx.example/",
                &[
                    ("redirect.logout", true.into()),
                    ("redirect.logout.url", url.into()),
                ],
            );
            assert_eq!(
                fault.map(|_| ()).unwrap_err().key(),
                "redirect.logout.url",
                "{url}"
            );
        }
        for url in [
            "/wps/myportals",
            "/wps",
            "/wps/portal",
            "https://portal.example.com/x?to=/wps/myportal",
        ] {
            assert!(
                portal(
                    "http://dx.example/",
                    &[
                        ("redirect.logout", true.into()),
                        ("redirect.logout.url", url.into())
                    ]
                )
                .is_ok(),
                "{url}"
            );
        }
    }

    #[test]
    fn homes_and_logout_address_move_with_the_context_root() {
        for (context, public, logout) in [
            ("/wps", "/wps/portal", "/wps/myportal/!ut/p/a1/X!!"),
            ("", "/portal", "/myportal/!ut/p/a1/X!!"),
            ("/", "/portal", "/myportal/!ut/p/a1/X!!"),
            ("dx/web/", "/dx/web/portal", "/dx/web/myportal/!ut/p/a1/X!!"),
        ] {
            let portal = portal(
                "http://dx.example/",
                &[("uri.context.path", context.into())],
            )
            .unwrap();
            assert_eq!(
                (portal.public_path.as_str(), portal.logout_path.as_str()),
                (public, logout),
                "{context}"
            );
            assert_eq!(
                portal.after_logout.as_str(),
                format!("http://dx.example{public}")
            );
        }
    }

    #[test]
    fn a_property_that_cannot_be_used_is_named() {
        for (key, value) in [
            ("uri.context.path", "/a/../b"),
            ("uri.context.path", "/a b"),
            ("uri.home.public", ""),
            ("uri.home.protected", "portal"),
            ("host.name", "portal.example.com:80"),
            ("host.name", "a/b"),
            ("host.name", "u@h"),
            ("host.port.http", "http"),
            ("redirect.logout", "maybe"),
            ("redirect.logout.ssl", "2"),
            ("uri.home.substitution", "on"),
            ("logout.user.onpublic", "on"),
        ] {
            assert_eq!(
                portal("http://dx.example/", &[(key, value.into())])
                    .map(|_| ())
                    .unwrap_err()
                    .key(),
                key,
                "{value}"
            );
        }
    }

    #[test]
    fn touching_the_public_home_signs_out_only_without_substitution() {
        let both = [
            ("logout.user.onpublic", Setting::from(true)),
            ("uri.home.substitution", Setting::from(true)),
        ];
        assert!(
            portal("http://dx.example/", &both[..1])
                .unwrap()
                .logs_out_on_public
        );
        assert!(
            !portal("http://dx.example/", &both)
                .unwrap()
                .logs_out_on_public
        );
    }
}
