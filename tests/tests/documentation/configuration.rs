//! Every key of the configuration and its default, as the operations pages say them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use logout_assets::AssetsConfig;
use logout_core::credential::Secret;
use logout_hcl_dx::HclDxConfig;
use logout_hub::COMPILED;
use logout_hub::Vendor;
use logout_hub::config::{Config, ConfigErrorKind, ConfigErrors};
use logout_sitefinity::SitefinityConfig;
use logout_wix::WixConfig;

use crate::{blocks, files, read};

/// Under each of these headings of the operations pages stands a table of keys. They are read in
/// this configuration, a key in place of `{}`.
const SECTIONS: &[(&str, &str)] = &[
    ("`[server]`", "[server]\n{}"),
    ("`[admin]`", "[admin]\n{}"),
    ("`[store]`", "[store]\n{}"),
    ("`[sessions]`", "[sessions]\n{}"),
    ("`[receipts]`", "[receipts]\n{}"),
    ("`[single_logout]`", "[single_logout]\n{}"),
    ("`[login]`", "[login]\n{}"),
    ("`[redirects]`", "[redirects]\n{}"),
    (
        "`[[account]]`",
        "[[account]]\nname = \"x\"\npassword_hash = \"HASH\"\n{}",
    ),
    (
        "`[[idp]]`",
        "[[idp]]\nname = \"x\"\nissuer = \"https://x\"\nclient_id = \"x\"\njwks_uri = \"https://x\"\n\
         {}",
    ),
    (
        "`[[relying_party]]`",
        "[[relying_party]]\nclient_id = \"x\"\n{}",
    ),
    (
        "`cookies`",
        "[[platform]]\nname = \"p\"\nvendor = \"assets\"\n[platform.cookies]\n{}",
    ),
    (
        "`[[platform]]`",
        "[[platform]]\nname = \"p\"\nvendor = \"assets\"\n{}",
    ),
    (
        "Persons",
        "[[platform]]\nname = \"p\"\nvendor = \"assets\"\nupstream = \"http://127.0.0.1/\"\n[platform.person]\nfrom = \"subject\"\n{}",
    ),
    (
        "Sitefinity",
        "[[platform]]\nname = \"p\"\nvendor = \"sitefinity\"\n{}",
    ),
    (
        "Sitefinity: `cookie_names`",
        "[[platform]]\nname = \"p\"\nvendor = \"sitefinity\"\n[platform.cookie_names]\n{}",
    ),
    (
        "Sitefinity: `[[platform.access_key]]`",
        "[[platform]]\nname = \"p\"\nvendor = \"sitefinity\"\n[[platform.access_key]]\nkey = \"x\"\nusername = \"x\"\n{}",
    ),
    (
        "Sitefinity: `upstream_administrator`",
        "[[platform]]\nname = \"p\"\nvendor = \"sitefinity\"\nupstream = \"http://127.0.0.1/\"\n\
         [platform.upstream_administrator]\nbearer_token = \"x\"\n{}",
    ),
    (
        "Assets",
        "[[platform]]\nname = \"p\"\nvendor = \"assets\"\n{}",
    ),
    ("Wix", "[[platform]]\nname = \"p\"\nvendor = \"wix\"\n{}"),
    (
        "Wix: `cookie_names`",
        "[[platform]]\nname = \"p\"\nvendor = \"wix\"\n[platform.cookie_names]\n{}",
    ),
    (
        "Wix: `[[platform.app]]`",
        "[[platform]]\nname = \"p\"\nvendor = \"wix\"\n[[platform.app]]\nclient_id = \"12345678-1234-1234-1234-123456789012\"\n{}",
    ),
    (
        "HCL DX",
        "[[platform]]\nname = \"p\"\nvendor = \"hcl-dx\"\n{}",
    ),
    (
        "HCL DX: `[[platform.content]]`",
        "[[platform]]\nname = \"p\"\nvendor = \"hcl-dx\"\n[[platform.content]]\nid = \"x\"\n{}",
    ),
];

/// Keys that every platform has, and that are not the vendor's.
const COMMON: &[&str] = logout_hub::config::COMMON_KEYS;

/// The whole meaning of a configuration, vendors' keys included.
fn meaning(text: &str) -> Result<String, ConfigErrors> {
    let text = text.replace("HASH", hash());
    let config = Config::parse(&text, Path::new("/etc/hub.toml"), Vec::new(), &COMPILED)?;
    let mut said = format!(
        "{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}",
        config.single_logout,
        config.login,
        config.server,
        config.admin,
        config.store,
        config.sessions,
        config.receipts,
        config.redirects,
        config.accounts
    );
    // Without the places of their keys.
    for idp in &config.idps {
        said += &toml::to_string(idp).unwrap();
    }
    said += &format!("{:?}", config.relying_parties);
    for platform in &config.platforms {
        said += &match platform.vendor {
            Vendor::Assets => format!("{:?}", platform.vendor_keys::<AssetsConfig>()?),
            Vendor::HclDx => format!("{:?}", platform.vendor_keys::<HclDxConfig>()?),
            Vendor::Sitefinity => format!("{:?}", platform.vendor_keys::<SitefinityConfig>()?),
            Vendor::Wix => format!("{:?}", platform.vendor_keys::<WixConfig>()?),
        };
        let common = (
            &platform.public_url,
            &platform.host,
            &platform.prefix,
            &platform.reach,
            &platform.redirects,
        );
        let upstream = (
            &platform.upstream,
            &platform.upstream_ca_file,
            &platform.person,
            &platform.idle_timeout,
        );
        said += &format!(
            "{common:?}{upstream:?}{:?}{:?}{:?}",
            platform.cookies, platform.cors_origins, platform.require_same_site
        );
    }
    Ok(said)
}

fn hash() -> &'static str {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| logout_identity::hash_password(&Secret::new("x")).unwrap())
}

/// The keys that may stand in place of `{}`: what the error about an unknown one says.
fn known_keys(template: &str) -> BTreeSet<String> {
    let errors = meaning(&template.replace("{}", "no-such-key = 1"))
        .expect_err("a key that does not exist is accepted");
    let known = errors.iter().find_map(|error| match &error.fault {
        ConfigErrorKind::UnknownKey { known, .. } => Some(known.iter().cloned().collect()),
        _ => None,
    });
    known.unwrap_or_else(|| panic!("{template}: {errors}"))
}

/// All operations pages, one after the other.
fn operations() -> String {
    let pages = files("md").into_iter().filter(|file| {
        file.parent()
            .is_some_and(|folder| folder.ends_with("docs/operations"))
    });
    pages
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

/// The table under this heading: key to what the column of defaults says.
fn documented(page: &str, heading: &str) -> BTreeMap<String, String> {
    let start = page
        .find(&format!("\n### {heading}\n"))
        .unwrap_or_else(|| panic!("there is no heading {heading}"));
    let body = &page[start + 1..];
    let body = body.find("\n#").map_or(body, |end| &body[..end]);
    let rows = body.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    })
    .collect()
}

#[test]
fn the_operations_pages_name_every_key_and_no_other() {
    let page = operations();
    for (heading, template) in SECTIONS {
        let mut known = known_keys(template);
        let vendors_own = ["Sitefinity", "Assets", "Wix", "HCL DX"].contains(heading);
        if vendors_own {
            known.retain(|key| !COMMON.contains(&key.as_str()));
        }
        let named: BTreeSet<String> = documented(&page, heading).into_keys().collect();
        if *heading == "`[[platform]]`" {
            // What is not a common key goes to the vendor's reader, whose list of known keys has
            // the common ones in it.
            known.retain(|key| COMMON.contains(&key.as_str()));
        }
        assert_eq!(named, known, "{heading}");
    }
}

#[test]
fn the_defaults_of_the_operations_pages_are_those_of_the_code() {
    let page = operations();
    let mut compared = 0;
    for (heading, template) in SECTIONS {
        let without = meaning(&template.replace("{}", ""))
            .unwrap_or_else(|errors| panic!("{heading}: {errors}"));
        for (key, default) in documented(&page, heading) {
            // What is no value is said in words, or names another key.
            let Some(value) = default
                .strip_prefix('`')
                .and_then(|rest| rest.strip_suffix('`'))
            else {
                continue;
            };
            let is_value = value.starts_with(['"', '[', '{'])
                || ["true", "false"].contains(&value)
                || value.parse::<u64>().is_ok();
            if !is_value {
                continue;
            }
            compared += 1;
            let with = meaning(&template.replace("{}", &format!("{key} = {value}")))
                .unwrap_or_else(|errors| panic!("{heading}: {errors}"));
            assert_eq!(
                with, without,
                "{heading}: {key} = {value} is not the default"
            );
        }
    }
    assert!(compared > 40, "only {compared} defaults were found");
}

#[test]
fn the_configurations_that_the_documents_print_are_right() {
    let readme = read("README.md");
    let shown: Vec<&str> = readme
        .split("<<END\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\nEND\n"))
        .map(|(text, _)| text)
        .collect();
    assert_eq!(shown.len(), 1);
    for text in shown {
        meaning(&text.replace("$HASH", hash())).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    }
    meaning(&read("examples/hub.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    for vendor in ["sitefinity", "assets", "wix", "hcl-dx"] {
        let printed = blocks(&read(&format!("docs/vendors/{vendor}.md")), "toml");
        assert!(!printed.is_empty(), "{vendor} shows no configuration");
        for text in printed {
            meaning(&text).unwrap_or_else(|errors| panic!("{vendor}: {errors}\n{text}"));
        }
    }
}
