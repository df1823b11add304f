//! What the environment changes, and what is printed.

use serde::Deserialize;

use super::vendor::Vendors;
use super::*;

#[test]
fn the_environment_overrides_sections_and_platforms() {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:1\"\n{CMS}{}",
        CMS.replace("cms", "my-shop.eu")
    );
    let config = parse_with(
        &text,
        &[
            ("LOGOUT_HUB__SERVER__LISTEN", "127.0.0.1:2"),
            ("LOGOUT_HUB__SERVER__TLS__CERTIFICATE_FILE", "a.pem"),
            ("LOGOUT_HUB__SERVER__TLS__KEY_FILE", "a.key"),
            ("LOGOUT_HUB__SESSIONS__IDLE_TIMEOUT", "5m"),
            ("LOGOUT_HUB__STORE__URL", "memory:"),
            ("LOGOUT_HUB__REDIRECTS__ALLOW", "[\"https://a.example\"]"),
            ("LOGOUT_HUB__PLATFORM__cms__REACH", "person"),
            ("LOGOUT_HUB__PLATFORM__CMS__COOKIES__SAME_SITE", "strict"),
            ("LOGOUT_HUB__PLATFORM__CMS__DEFAULT_PROVIDER", "4711"),
            ("LOGOUT_HUB__PLATFORM__CMS__LIFETIME", "7"),
            ("LOGOUT_HUB__PLATFORM__CMS__NAMES", "{ session = \"s\" }"),
            (
                "LOGOUT_HUB__PLATFORM__MY_SHOP_EU__REQUIRE_SAME_SITE",
                "true",
            ),
            ("LOGOUT_HUB_REQUIRE", "not ours"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:2");
    assert_eq!(
        config.server.tls.as_ref().map(|tls| tls.key_file.as_path()),
        Some(Path::new("/etc/hub/a.key"))
    );
    assert_eq!(
        (
            config.sessions.idle_timeout.as_secs(),
            config.store.url.kind()
        ),
        (300, "memory")
    );
    assert_eq!(config.redirects.allow, ["https://a.example"]);
    let cms = &config.platforms[0];
    assert_eq!(
        (cms.reach, cms.cookies.same_site),
        (
            logout_core::receipt::Reach::Person,
            logout_core::cookie::SameSite::Strict
        )
    );
    assert!(config.platforms[1].require_same_site && !cms.require_same_site);
    let keys: Vendors = cms.vendor_keys().unwrap();
    assert_eq!(
        (
            keys.default_provider.as_str(),
            keys.lifetime,
            keys.names.session.as_str()
        ),
        ("4711", 7, "s")
    );
}

#[test]
fn a_variable_that_fits_nothing_is_named() {
    for (name, value, said) in [
        (
            "LOGOUT_HUB__SEVER__LISTEN",
            "x",
            "unknown key `sever`; did you mean `server`?",
        ),
        (
            "LOGOUT_HUB__SERVER__LISEN",
            "x",
            "unknown key `server.lisen`; did you mean `listen`?",
        ),
        ("LOGOUT_HUB__SERVER", "x", "`server.<key>` is missing"),
        ("LOGOUT_HUB__SERVER__", "x", "`server.<key>` is missing"),
        (
            "LOGOUT_HUB__PLATFORM__SHOP__REACH",
            "x",
            "unknown key `platform.shop`; known keys: cms",
        ),
        (
            "LOGOUT_HUB__PLATFORM__CMS__REECH",
            "person",
            "unknown key `platform.cms.reech`; did you mean `reach`?",
        ),
        (
            "LOGOUT_HUB__SERVER__MAX_BODY",
            "many",
            "`server.max_body`: must be a whole number, 1 or more, not the text \"many\"",
        ),
        (
            "LOGOUT_HUB__SERVER__LISTEN__PORT",
            "1",
            "`listen.port`: what stands there is no table",
        ),
    ] {
        let config = parse_with(
            &format!("{CMS}[server]\nlisten = \"127.0.0.1:1\""),
            &[(name, value)],
        );
        let error = config
            .and_then(|config| config.platforms[0].vendor_keys::<Vendors>().map(|_| ()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("environment variable {name}: {said}")
        );
    }
}

#[test]
fn a_secret_out_of_the_environment_takes_the_place_of_its_file() {
    let text = format!("{CMS}api_key_file = \"/nowhere\"");
    let config = parse_with(&text, &[("LOGOUT_HUB__PLATFORM__CMS__API_KEY", "canary")]).unwrap();
    #[derive(Deserialize)]
    struct Keys {
        api_key: String,
    }
    assert_eq!(
        config.platforms[0].vendor_keys::<Keys>().unwrap().api_key,
        "canary"
    );
    assert!(
        !config.to_toml().unwrap().contains("canary") && !format!("{config:?}").contains("canary")
    );
}

#[test]
fn the_printed_configuration_is_one_again_and_shows_no_secret() {
    let text = format!(
        "[store]\nurl = \"postgres://u:canary@db/hub\"\n{}{CMS}client_secret = \"canary\"\nlifetime = 5\nnames = {{ session = \"s\" }}\n\
         [[platform.access_key]]\nkey = \"canary\"\nusername = \"a\"\n",
        account("")
    );
    let config = parse(&text).unwrap();
    let printed = config.to_toml().unwrap();
    for secret in ["canary", HASH, "c29tZXNhbHRzb21lc2FsdA"] {
        assert!(
            !printed.contains(secret) && !format!("{config:?}").contains(secret),
            "{printed}"
        );
    }
    let again = parse(&printed.replace(
        "password_hash = \"***\"",
        &format!("password_hash = \"{HASH}\""),
    ))
    .unwrap();
    assert_eq!(again.to_toml().unwrap(), printed);
    assert!(
        printed.contains("idle_timeout = \"30m\"")
            && printed.contains("lifetime = 5")
            && printed.contains("username = \"a\""),
        "{printed}"
    );
}

#[test]
fn a_span_of_time_is_printed_in_one_unit_and_reads_the_same_again() {
    for (written, printed) in [
        ("90d", "90d"),
        ("1h 30m", "90m"),
        ("120s", "2m"),
        ("1500ms", "1500ms"),
        ("1year", "8766h"),
        ("1ns", "1ns"),
        ("0s", "0ns"),
    ] {
        let config = parse(&format!("[server]\nshutdown_timeout = \"{written}\"")).unwrap();
        let text = config.to_toml().unwrap();
        assert!(
            text.contains(&format!("shutdown_timeout = \"{printed}\"")),
            "{written}: {text}"
        );
        assert_eq!(
            parse(&text).unwrap().server.shutdown_timeout,
            config.server.shutdown_timeout
        );
    }
}
