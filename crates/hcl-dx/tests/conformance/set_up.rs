//! What the vendor's properties make of a start: the file, the errors, the warnings.

use std::sync::Mutex;

use logout_core::platform::{Platform, SetUpError};
use logout_hcl_dx::{HclDxConfig, HclDxProvider, Setting};

use crate::support::*;

/// Keeps warnings, each behind the name of its platform: other tests warn at the same time.
struct Kept(Mutex<Vec<String>>);

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

impl log::Log for Kept {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let platform = record
            .key_values()
            .get("platform".into())
            .map(|name| name.to_string())
            .unwrap_or_default();
        if record.level() == log::Level::Warn {
            self.0
                .lock()
                .unwrap()
                .push(format!("{platform}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

fn set_up(config: HclDxConfig) -> Result<HclDxProvider, SetUpError> {
    HclDxProvider::new(config, &platform())
}

fn with_file(text: &str) -> (tempfile::NamedTempFile, HclDxConfig) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = HclDxConfig {
        config_service_file: Some(file.path().to_owned()),
        ..config()
    };
    (file, config)
}

fn redirect(config: HclDxConfig) -> String {
    let dx = dx(config);
    let logout = json(&dx.send(cookie(post(LOGOUT), &log_in(&dx, "alice"))));
    logout["redirectUrl"].as_str().unwrap().to_owned()
}

#[test]
fn the_vendors_file_decides_and_the_inline_table_wins_over_it() {
    let (_file, config) = with_file(
        "# portal\n! settings\nredirect.logout = true\nredirect.logout.url: https\\://idp.example/out?\\\n    next=https://h/&id=1\nsome.other.key=x\n",
    );
    assert_eq!(
        redirect(config.clone()),
        "https://idp.example/out?next=https://h/&id=1"
    );
    let inline = with_properties(&[(
        "redirect.logout.url",
        "https://portal.example.com/home".into(),
    )])
    .config_service;
    assert_eq!(
        redirect(HclDxConfig {
            config_service: inline,
            ..config
        }),
        "https://portal.example.com/home"
    );
}

#[test]
fn a_bad_switch_in_either_place_is_an_error_that_names_it() {
    let (_file, config) = with_file("redirect.logout = yes\n");
    assert_eq!(set_up(config).unwrap_err().key(), "redirect.logout");
    assert_eq!(
        set_up(with_properties(&[("redirect.logout.ssl", "on".into())]))
            .unwrap_err()
            .key(),
        "redirect.logout.ssl"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
    let config = HclDxConfig {
        config_service_file: Some("/no/such/ConfigService.properties".into()),
        ..config()
    };
    let fault = set_up(config).unwrap_err();
    assert!(
        fault.key() == "config_service_file"
            && fault
                .to_string()
                .contains("/no/such/ConfigService.properties"),
        "{fault}"
    );
    let (_file, config) = with_file("a=1\nb=\\uXYZ0\n");
    let fault = set_up(config).unwrap_err();
    assert!(
        fault.key() == "config_service_file" && fault.to_string().contains('2'),
        "{fault}"
    );
}

#[test]
fn a_page_after_logout_that_asks_to_log_in_is_refused_at_the_start() {
    for url in [
        "/wps/myportal",
        PORTAL_LOGOUT,
        "https://portal.example.com/wps/myportal/home",
    ] {
        let properties = [
            ("redirect.logout", true.into()),
            ("redirect.logout.url", url.into()),
        ];
        assert_eq!(
            set_up(with_properties(&properties)).unwrap_err().key(),
            "redirect.logout.url",
            "{url}"
        );
    }
}

#[test]
fn what_is_likely_a_mistake_is_a_warning() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let on = ("redirect.logout", Setting::from(true));
    let ssl = ("redirect.logout.ssl", Setting::from(true));
    let url = |address: &str| ("redirect.logout.url", Setting::from(address));
    for (name, properties, warning) in [
        (
            "switched-off",
            vec![url("https://a.example/")],
            Some("redirect.logout is not true"),
        ),
        (
            "plain",
            vec![on.clone(), ssl.clone(), url("http://a.example/")],
            Some("http although redirect.logout.ssl"),
        ),
        (
            "unread",
            vec![("command.logout", "LogoutUserAuth".into())],
            Some("has no effect here"),
        ),
        (
            "fine",
            vec![on.clone(), ssl, url("https://a.example/")],
            None,
        ),
        ("without-ssl", vec![on, url("http://a.example/")], None),
    ] {
        let platform = Platform::new(name, "http://dx.example/".parse().unwrap());
        HclDxProvider::new(with_properties(&properties), &platform).unwrap();
        let kept: Vec<String> = KEPT
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|kept| kept.starts_with(&format!("{name}: ")))
            .cloned()
            .collect();
        match warning {
            Some(warning) => assert!(
                kept.len() == 1 && kept[0].contains(warning),
                "{name} {kept:?}"
            ),
            None => assert!(kept.is_empty(), "{name} {kept:?}"),
        }
    }
}
