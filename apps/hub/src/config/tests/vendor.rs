//! The vendors' own keys.

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Vendors {
    pub(super) default_provider: String,
    pub(super) lifetime: u32,
    pub(super) names: Names,
    settings_file: String,
    access_key: Vec<AccessKey>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Names {
    pub(super) session: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct AccessKey {
    key: String,
    username: String,
}

impl Default for Vendors {
    fn default() -> Self {
        Self {
            default_provider: "Default".into(),
            lifetime: 60,
            names: Names::default(),
            settings_file: String::new(),
            access_key: Vec::new(),
        }
    }
}

fn vendor_keys(keys: &str) -> Result<Vendors, String> {
    parse(&format!("{CMS}{keys}")).unwrap().platforms[0]
        .vendor_keys()
        .map_err(|error| error.to_string())
}

#[test]
fn the_vendors_own_keys_reach_the_adapters_type() {
    assert_eq!(vendor_keys("reach = \"person\""), Ok(Vendors::default()));
    let keys = "default_provider = \"Staff\"\nsettings_file = \"a/b.properties\"\nnames = { session = \"sid\" }";
    let read = vendor_keys(keys).unwrap();
    assert_eq!(
        (read.default_provider.as_str(), read.names.session.as_str()),
        ("Staff", "sid")
    );
    assert_eq!(read.settings_file, "/etc/hub/a/b.properties");
}

#[test]
fn what_is_wrong_with_a_vendors_key_is_said_like_everything_else() {
    for (keys, said) in [
        (
            "default_provder = \"x\"",
            "4:1: unknown key `platform.cms.default_provder`; did you mean `default_provider`?",
        ),
        (
            "reech = \"x\"",
            "4:1: unknown key `platform.cms.reech`; did you mean `reach`?",
        ),
        (
            "names = { sesion = \"x\" }",
            "4:11: unknown key `platform.cms.names.sesion`; did you mean `session`?",
        ),
        (
            "lifetime = \"x\"",
            "4:12: `platform.cms.lifetime`: must be a whole number from 0 to 4294967295, not the text \"x\"",
        ),
        (
            "[[platform.access_key]]\nkey = \"k\"",
            "4:1: `platform.cms.access_key.username` is missing",
        ),
    ] {
        assert_eq!(
            vendor_keys(keys),
            Err(format!("/etc/hub/hub.toml:{said}")),
            "{keys}"
        );
    }
    let said = vendor_keys("[[platform.access_key]]\nkey = 4711\nusername = \"a\"").unwrap_err();
    assert!(
        said.contains(":5:7: `platform.cms.access_key.key`: ") && !said.contains("4711"),
        "{said}"
    );
}

#[test]
fn a_secret_of_a_vendor_may_lie_in_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("k"), "opens sesame\n");
    let text = format!("{CMS}[[platform.access_key]]\nkey_file = \"k\"\nusername = \"a\"");
    let config = Config::parse(&text, &folder.path().join("hub.toml"), [], &EVERYTHING).unwrap();
    assert_eq!(
        config.platforms[0]
            .vendor_keys::<Vendors>()
            .unwrap()
            .access_key[0]
            .key,
        "opens sesame"
    );
    assert!(config.to_toml().unwrap().contains("key = \"***\""));
}

#[test]
fn a_fault_that_only_the_adapter_finds_gets_its_place() {
    let config = parse(&format!("{CMS}default_provider = \"\"")).unwrap();
    let platform = &config.platforms[0];
    for (key, said) in [
        (
            Some("default_provider"),
            "4:20: `platform.cms.default_provider`: must not be empty",
        ),
        (
            Some("absent"),
            "1:1: `platform.cms.absent`: must not be empty",
        ),
        (None, "1:1: `platform.cms`: must not be empty"),
    ] {
        assert_eq!(
            platform.error(key, "must not be empty").to_string(),
            format!("/etc/hub/hub.toml:{said}")
        );
    }
}

#[test]
fn a_fault_in_a_table_of_the_platform_gets_its_place_there() {
    let text = |keys: &str| parse(&format!("{CMS}{keys}")).unwrap();
    let said = |keys: &str, key: &str| {
        text(keys).platforms[0]
            .error(Some(key), "is wrong")
            .to_string()
    };
    let inline = "\nconfig_service = { \"redirect.logout\" = \"ture\" }";
    assert_eq!(
        said(inline, "redirect.logout"),
        "/etc/hub/hub.toml:5:40: `platform.cms.config_service.redirect.logout`: is wrong"
    );
    let one = "[[platform.app]]\nclient_id = \"x\"";
    assert_eq!(
        said(one, "client_id"),
        "/etc/hub/hub.toml:5:13: `platform.cms.app.client_id`: is wrong"
    );
    let two = format!("{one}\n{one}");
    assert_eq!(
        said(&two, "client_id"),
        "/etc/hub/hub.toml:1:1: `platform.cms.client_id`: is wrong"
    );
}
