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

fn redirect(base: &str, settings: &[(&str, Setting)]) -> String {
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
        assert_eq!(redirect(base, &settings), page, "{base} {settings:?}");
    }
}

#[test]
fn a_configured_return_address_keeps_its_bytes_and_needs_its_switch() {
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
            redirect("http://dx.example/", &settings),
            page,
            "{settings:?}"
        );
    }
}

#[test]
fn a_return_address_that_cannot_work_is_a_start_up_error() {
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
