use super::*;

fn set_up(app: App) -> Result<Dialect, SetUpError> {
    let config = WixConfig {
        apps: vec![app],
        ..WixConfig::default()
    };
    Dialect::new(
        config,
        &Platform::new("shop", "https://shop.example/".parse().unwrap()),
    )
}

fn app() -> App {
    App {
        client_id: "12345678-1234-1234-1234-12345678901A".into(),
        ..App::default()
    }
}

#[test]
fn a_broken_app_is_named_by_its_key() {
    for (broken, key) in [
        (
            App {
                client_id: "shop".into(),
                ..app()
            },
            "client_id",
        ),
        (
            App {
                redirect_uris: vec!["/home".into()],
                ..app()
            },
            "redirect_uris",
        ),
        (
            App {
                redirect_uris: vec!["javascript:x".into()],
                ..app()
            },
            "redirect_uris",
        ),
        (
            App {
                redirect_domains: vec!["https://mysite.com".into()],
                ..app()
            },
            "redirect_domains",
        ),
        (
            App {
                redirect_domains: vec!["mysite.com/x".into()],
                ..app()
            },
            "redirect_domains",
        ),
        (
            App {
                redirect_domains: vec!["*.mysite.com".into()],
                ..app()
            },
            "redirect_domains",
        ),
        (
            App {
                redirect_domains: vec!["".into()],
                ..app()
            },
            "redirect_domains",
        ),
        (
            App {
                redirect_domains: vec![".com".into()],
                ..app()
            },
            "redirect_domains",
        ),
        (
            App {
                redirect_domains: vec![".wixsite.com".into()],
                ..app()
            },
            "redirect_domains",
        ),
        (
            App {
                redirect_domains: vec!["mysite.com:444".into()],
                ..app()
            },
            "redirect_domains",
        ),
        (
            App {
                login_url: Some("login".into()),
                ..app()
            },
            "login_url",
        ),
    ] {
        assert_eq!(
            set_up(broken.clone()).map_err(|fault| fault.key()).err(),
            Some(key),
            "{broken:?}"
        );
    }
    let twice = WixConfig {
        apps: vec![app(), app()],
        ..WixConfig::default()
    };
    assert!(
        Dialect::new(
            twice,
            &Platform::new("shop", "https://shop.example/".parse().unwrap())
        )
        .is_err()
    );
}

#[test]
fn a_prefixed_cookie_name_is_refused_where_the_platform_voids_it() {
    let named = |member: &str, url: &str| {
        let cookie_names = CookieNames {
            member: member.into(),
            ..CookieNames::default()
        };
        let config = WixConfig {
            cookie_names,
            ..WixConfig::default()
        };
        Dialect::new(config, &Platform::new("shop", url.parse().unwrap()))
            .map_err(|fault| fault.key())
            .err()
    };
    assert_eq!(named("__Host-member", "https://shop.example/"), None);
    assert_eq!(
        named("__Host-member", "https://shop.example/shop"),
        Some("cookie_names")
    );
    assert_eq!(
        named("__Secure-member", "http://shop.example/"),
        Some("cookie_names")
    );
}

#[test]
fn a_client_is_known_in_either_case_and_only_by_a_guid() {
    let dialect = set_up(app()).unwrap();
    assert!(
        dialect
            .client("12345678-1234-1234-1234-12345678901a")
            .is_ok()
    );
    assert_eq!(
        dialect.client("22345678-1234-1234-1234-123456789012"),
        Err(Refusal::ClientUnknown)
    );
    assert_eq!(
        dialect.client("shop"),
        Err(Refusal::Malformed {
            field: "clientId",
            rule: "INVALID_GUID"
        })
    );
}

#[test]
fn the_platforms_own_origin_is_not_a_return_address_of_an_app() {
    let dialect = set_up(App {
        redirect_domains: vec!["Mysite.com".into(), ".example.org".into()],
        ..app()
    })
    .unwrap();
    let client = dialect.client(&app().client_id).unwrap();
    assert!(
        dialect.approve(&client, "https://mysite.com/a").is_ok()
            && dialect.approve(&client, "https://a.example.org").is_ok()
    );
    assert_eq!(
        dialect.approve(&client, "https://shop.example/"),
        Err(RedirectError::ForeignOrigin)
    );
}

#[test]
fn form_is_told_from_destination() {
    let dialect = set_up(app()).unwrap();
    for fine in ["https://evil.test/", "https://a@evil.test/", "http://x"] {
        assert_eq!(dialect.check_form(fine), Ok(()), "{fine}");
    }
    for malformed in [
        "/home",
        "//evil.test",
        "javascript:alert(1)",
        "ftp://x/",
        "https://",
        "https://a\r\nb",
        "home",
        r"https:\\x",
    ] {
        assert!(dialect.check_form(malformed).is_err(), "{malformed}");
    }
}
