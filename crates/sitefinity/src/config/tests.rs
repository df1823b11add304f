use super::*;

fn set_up(config: SitefinityConfig) -> Result<Dialect, SetUpError> {
    Dialect::new(
        config,
        &Platform::new("cms", "https://cms.example/".parse().unwrap()),
    )
}

fn with_names(names: CookieNames) -> SitefinityConfig {
    SitefinityConfig {
        cookie_names: names,
        ..SitefinityConfig::default()
    }
}

fn with_administrator(bearer_token: Option<&str>, cookie_token: Option<&str>) -> SitefinityConfig {
    let administrator = UpstreamAdministrator {
        bearer_token: bearer_token.map(Secret::new),
        cookie_token: cookie_token.map(Secret::new),
    };
    SitefinityConfig {
        upstream_administrator: Some(administrator),
        ..Default::default()
    }
}

fn key(text: &str) -> AccessKey {
    AccessKey {
        key: Secret::new(text),
        username: "alice".into(),
        provider: None,
    }
}

#[test]
fn what_cannot_be_used_is_named_by_its_key() {
    let names = CookieNames::default;
    for (config, at) in [
        (
            with_names(CookieNames {
                session: "".into(),
                ..names()
            }),
            "cookie_names",
        ),
        (
            with_names(CookieNames {
                token_service: "a;b".into(),
                ..names()
            }),
            "cookie_names",
        ),
        (
            with_names(CookieNames {
                session: "idsrv".into(),
                ..names()
            }),
            "cookie_names",
        ),
        (
            with_names(CookieNames {
                extra: vec!["x".into(), "x".into()],
                ..names()
            }),
            "cookie_names",
        ),
        (
            SitefinityConfig {
                default_provider: "".into(),
                ..Default::default()
            },
            "default_provider",
        ),
        (
            SitefinityConfig {
                service_path: "".into(),
                ..Default::default()
            },
            "service_path",
        ),
        (
            SitefinityConfig {
                service_path: "/default".into(),
                ..Default::default()
            },
            "service_path",
        ),
        (
            SitefinityConfig {
                service_path: "a/{b}".into(),
                ..Default::default()
            },
            "service_path",
        ),
        (
            SitefinityConfig {
                access_token_lifetime: 0,
                ..Default::default()
            },
            "access_token_lifetime",
        ),
        (
            SitefinityConfig {
                access_keys: vec![key("k"), key("")],
                ..Default::default()
            },
            "access_key",
        ),
        (with_administrator(None, None), "upstream_administrator"),
        (
            with_administrator(Some("a"), Some("b")),
            "upstream_administrator",
        ),
        (with_administrator(Some(""), None), "upstream_administrator"),
        (
            with_administrator(None, Some("a; b=c")),
            "upstream_administrator",
        ),
        (
            with_administrator(Some("a\r\nb"), None),
            "upstream_administrator",
        ),
    ] {
        assert_eq!(
            set_up(config.clone()).map_err(|fault| fault.key()).err(),
            Some(at),
            "{config:?}"
        );
    }
    assert!(
        set_up(SitefinityConfig {
            service_path: "sf/system-2".into(),
            ..Default::default()
        })
        .is_ok()
    );
    assert!(
        set_up(with_names(CookieNames {
            session: "57134.AspNet.Cookies".into(),
            ..names()
        }))
        .is_ok()
    );
}

#[test]
fn prefixed_cookie_names_are_refused_where_the_platform_voids_them() {
    let names = |name: &str| CookieNames {
        extra: vec![name.into()],
        ..CookieNames::default()
    };
    for (url, name, refused) in [
        ("https://cms.example/", "__Host-sf", false),
        ("https://cms.example/cms", "__Secure-sf", false),
        ("https://cms.example/cms", "__Host-sf", true),
        ("http://cms.example/", "__Secure-sf", true),
    ] {
        let fault = Dialect::new(
            with_names(names(name)),
            &Platform::new("cms", url.parse().unwrap()),
        )
        .err();
        assert_eq!(
            fault.map(|fault| fault.key()),
            refused.then_some("cookie_names"),
            "{url} {name}"
        );
    }
}

#[test]
fn an_access_key_neither_prints_nor_serialises_itself() {
    let config: SitefinityConfig =
        serde_json::from_str(r#"{"access_key":[{"key":"canary","username":"alice"}]}"#).unwrap();
    assert!(!serde_json::to_string(&config).unwrap().contains("canary"));
    let dialect = set_up(config).unwrap();
    assert!(!format!("{dialect:?}").contains("canary"));
    assert_eq!(
        dialect.owner_of_access_key("canary"),
        Some(&Subject::new("Default", "alice"))
    );
    assert!(
        dialect.owner_of_access_key("Canary").is_none()
            && dialect.owner_of_access_key("").is_none()
    );
}

#[test]
fn an_administrators_credential_neither_prints_nor_serialises_itself() {
    for key in ["bearer_token", "cookie_token"] {
        let text = format!(r#"{{"upstream_administrator":{{"{key}":"canary"}}}}"#);
        let config: SitefinityConfig = serde_json::from_str(&text).unwrap();
        assert!(!serde_json::to_string(&config).unwrap().contains("canary"));
        assert!(!format!("{:?}", set_up(config).unwrap()).contains("canary"));
    }
    assert!(
        !serde_json::to_string(&SitefinityConfig::default())
            .unwrap()
            .contains("administrator")
    );
    assert!(
        serde_json::from_str::<SitefinityConfig>(r#"{"upstream_administrator":{"bearer":"x"}}"#)
            .is_err()
    );
}

#[test]
fn a_token_lives_no_longer_than_a_session_may() {
    let mut platform = Platform::new("cms", "https://cms.example/".parse().unwrap());
    platform.absolute_timeout = Duration::from_secs(60);
    assert_eq!(
        Dialect::new(SitefinityConfig::default(), &platform)
            .unwrap()
            .token_lifetime,
        Duration::from_secs(60)
    );
}

#[test]
fn two_names_that_accounts_tell_apart_are_two_subjects() {
    let dialect = set_up(SitefinityConfig::default()).unwrap();
    assert_eq!(
        dialect.subject(None, "Alice"),
        dialect.subject(Some("DEFAULT"), "aLICE")
    );
    assert_ne!(dialect.subject(None, "Ö"), dialect.subject(None, "ö"));
}
