//! What the documents say about the code, compared with the code.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

#[path = "documentation/configuration.rs"]
mod configuration;
#[path = "documentation/security.rs"]
mod security;
#[path = "documentation/wording.rs"]
mod wording;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use cargo_metadata::MetadataCommand;
use logout_assets::{AssetsConfig, AssetsProvider};
use logout_core::LogoutProvider;
use logout_core::platform::Platform;
use logout_hcl_dx::{HclDxConfig, HclDxProvider};
use logout_sitefinity::{SitefinityConfig, SitefinityProvider};
use logout_tests::repository::{read, root};
use logout_wix::{WixConfig, WixProvider};

/// Every file of ours with this extension.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap_or_default()
                .to_owned();
            if path.is_dir() && !path.is_symlink() {
                // A copy of the sources in the build folder would be found, and what npm brings is
                // not ours.
                if !["target", "node_modules", "hub-data"].contains(&name.as_str())
                    && !name.starts_with(".git")
                {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text without code blocks, in which brackets mean something else.
fn prose(text: &str) -> String {
    text.split("\n```")
        .step_by(2)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The blocks of code in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.split_once('\n'))
        .filter(|(own, _)| *own == language)
        .map(|(_, code)| code.to_owned())
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The targets of links: `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// The anchors of headings, as they are made from their text.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading
            .to_lowercase()
            .chars()
            .filter(|each| each.is_alphanumeric() || " -_".contains(*each))
            .collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut broken = Vec::new();
    let mut checked = 0;
    for file in files("md") {
        let text = fs::read_to_string(&file).unwrap();
        for link in links(&text)
            .into_iter()
            .filter(|link| !link.contains("://"))
        {
            checked += 1;
            let (path, anchor) = link
                .split_once('#')
                .map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() {
                file.clone()
            } else {
                file.parent().unwrap().join(path)
            };
            let arrives = target.exists()
                && anchor.is_none_or(|anchor| {
                    fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor))
                });
            if !arrives {
                broken.push(format!(
                    "{}: {link}",
                    file.strip_prefix(root()).unwrap().display()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 40, "only {checked} links were found");
}

#[test]
fn the_readme_names_every_sign_out_endpoint() {
    let platform = Platform::new("p", "http://hub.example/".parse().unwrap());
    let providers: [Box<dyn LogoutProvider>; 4] = [
        Box::new(SitefinityProvider::new(SitefinityConfig::default(), &platform).unwrap()),
        Box::new(AssetsProvider::new(AssetsConfig::default(), &platform).unwrap()),
        Box::new(WixProvider::new(WixConfig::default(), &platform).unwrap()),
        Box::new(HclDxProvider::new(HclDxConfig::default(), &platform).unwrap()),
    ];
    let readme = read("README.md");
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    for provider in &providers {
        assert!(!provider.endpoints().is_empty());
        for endpoint in provider.endpoints() {
            let path = endpoint.path().trim_end_matches('/');
            let row = rows
                .iter()
                .find(|row| quoted(row).any(|token| token == path));
            let row = row.unwrap_or_else(|| panic!("{} {path} is missing", provider.vendor()));
            for method in endpoint.methods() {
                assert!(
                    row.split('`').next().unwrap().contains(method.name()),
                    "{path} takes {}: {row}",
                    method.name()
                );
            }
        }
    }
}

#[test]
fn the_readme_names_every_feature_and_the_minimum_rust_version() {
    let readme = read("README.md");
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec();
    let metadata = metadata.unwrap();
    let hub = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "logout-hub")
        .unwrap();
    for feature in hub.features.keys().filter(|feature| *feature != "default") {
        assert!(readme.contains(&format!("| `{feature}` |")), "{feature}");
    }
    let rust = hub.rust_version.as_ref().unwrap();
    assert!(
        readme.contains(&format!("Rust {}.{} ", rust.major, rust.minor)),
        "{rust}"
    );
}

#[test]
fn no_document_speaks_of_a_machine() {
    for file in files("md") {
        let text = fs::read_to_string(&file).unwrap();
        for word in ["root", "home"].map(|folder| format!("/{folder}/")) {
            assert!(!text.contains(&word), "{}: {word}", file.display());
        }
    }
}
