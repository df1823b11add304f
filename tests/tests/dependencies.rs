//! Which package may depend on which, by cargo's own view of the workspace
//! (`docs/architecture.md`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

const ADAPTERS: [&str; 4] = [
    "logout-assets",
    "logout-hcl-dx",
    "logout-sitefinity",
    "logout-wix",
];
const CORE: &str = "logout-core";
const IDENTITY: &str = "logout-identity";
const STANDARDS: &str = "logout-standards";
const STORE: &str = "logout-store";
const SUITE: &str = "logout-suite";

/// The modules that every adapter has, so that a reader of one knows them all.
const MODULES: [&str; 10] = [
    "config.rs",
    "lib.rs",
    "login.rs",
    "probe.rs",
    "provider.rs",
    "reading.rs",
    "reply.rs",
    "request.rs",
    "stand_in.rs",
    "upstream.rs",
];

/// What decides under which server, runtime or database something runs. Types of HTTP (`http`) and
/// parsers do not.
const FRAMEWORKS: &[&str] = &[
    "actix-codec",
    "actix-http",
    "actix-rt",
    "actix-server",
    "actix-web",
    "axum",
    "hyper",
    "poem",
    "rocket",
    "tower",
    "warp",
];
const CLIENTS: &[&str] = &[
    "awc",
    "curl",
    "hyper-util",
    "isahc",
    "reqwest",
    "surf",
    "ureq",
];
const DATABASES: &[&str] = &[
    "diesel",
    "disk",
    "lsm-tree",
    "postgres",
    "redb",
    "redis",
    "rocksdb",
    "rusqlite",
    "sled",
    "sqlx",
    "tokio-postgres",
];
const TLS: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "boring",
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
    "rustls",
    "tokio-rustls",
];
const RUNTIMES: &[&str] = &[
    "async-executor",
    "async-io",
    "async-std",
    "glommio",
    "mio",
    "monoio",
    "smol",
    "tokio",
    "tokio-util",
];

/// Packages by id, and what each needs when it is built for use on this platform, whatever the
/// features.
struct Workspace {
    metadata: Metadata,
    normal: BTreeMap<PackageId, Vec<PackageId>>,
}

impl Workspace {
    fn read() -> Self {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        // For this platform alone: what others need was not downloaded with the build, and no test
        // goes out for it.
        let version = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .expect("cargo names its host");
        let options = ["--offline", "--filter-platform", host].map(str::to_owned);
        let metadata = MetadataCommand::new()
            .cargo_path(env!("CARGO"))
            .manifest_path(manifest)
            .other_options(options)
            .exec()
            .unwrap();
        let nodes = &metadata.resolve.as_ref().unwrap().nodes;
        let normal = nodes.iter().map(|node| {
            let is_normal = |dependency: &&cargo_metadata::NodeDep| {
                dependency
                    .dep_kinds
                    .iter()
                    .any(|info| info.kind == DependencyKind::Normal)
            };
            (
                node.id.clone(),
                node.deps
                    .iter()
                    .filter(is_normal)
                    .map(|dependency| dependency.pkg.clone())
                    .collect(),
            )
        });
        Self {
            normal: normal.collect(),
            metadata,
        }
    }

    fn id(&self, name: &str) -> PackageId {
        let own = self.metadata.workspace_packages();
        own.iter()
            .find(|package| package.name.as_str() == name)
            .unwrap_or_else(|| panic!("no package {name}"))
            .id
            .clone()
    }

    /// The names of everything that `name` is built with.
    fn tree(&self, name: &str) -> BTreeSet<&str> {
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![self.id(name)]);
        while let Some(id) = ahead.pop() {
            if seen.insert(id.clone()) {
                ahead.extend_from_slice(&self.normal[&id]);
            }
        }
        seen.iter()
            .map(|id| self.metadata[id].name.as_str())
            .collect()
    }

    /// The names of our own packages, by the folder they stand in.
    fn own(&self, folder: &str) -> BTreeSet<&str> {
        let folder = self.metadata.workspace_root.join(folder);
        let packages = self
            .metadata
            .workspace_packages()
            .into_iter()
            .filter(|package| package.manifest_path.starts_with(&folder));
        packages.map(|package| package.name.as_str()).collect()
    }

    /// The folder with the sources of a package.
    fn sources(&self, name: &str) -> PathBuf {
        self.metadata[&self.id(name)]
            .manifest_path
            .parent()
            .unwrap()
            .join("src")
            .into()
    }
}

fn heavy() -> impl Iterator<Item = &'static str> {
    [FRAMEWORKS, CLIENTS, DATABASES, TLS, RUNTIMES]
        .concat()
        .into_iter()
}

#[test]
fn a_library_knows_the_core_and_nothing_else_of_ours() {
    let workspace = Workspace::read();
    let own: BTreeSet<&str> = ["crates", "apps", "tests"]
        .iter()
        .flat_map(|folder| workspace.own(folder))
        .collect();
    let libraries = workspace.own("crates");
    assert!(
        ADAPTERS.iter().all(|adapter| libraries.contains(adapter)),
        "{libraries:?}"
    );
    assert!(!workspace.tree("logout-hub").contains(SUITE));
    for library in libraries {
        let known: Vec<&str> = workspace
            .tree(library)
            .into_iter()
            .filter(|name| own.contains(name) && *name != library)
            .collect();
        let allowed: &[&str] = match library {
            CORE => &[],
            // Its persons come out of signed tokens, and signatures are verified in one place.
            IDENTITY => &[CORE, STANDARDS],
            // Its stand-in keeps sessions in memory. Only tests are built with it.
            SUITE => &[CORE, STORE],
            _ => &[CORE],
        };
        assert_eq!(known, allowed, "{library}");
    }
}

#[test]
fn core_and_adapters_run_under_any_server_runtime_and_database() {
    let workspace = Workspace::read();
    for name in ADAPTERS.iter().chain([&CORE]) {
        let tree = workspace.tree(name);
        let found: Vec<&str> = heavy().filter(|heavy| tree.contains(heavy)).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}");
    }
}

#[test]
fn standards_do_no_input_and_output() {
    let workspace = Workspace::read();
    let tree = workspace.tree(STANDARDS);
    // Not TLS: that list names AWS-LC, with which signatures are verified.
    let lists = [FRAMEWORKS, CLIENTS, DATABASES, RUNTIMES].concat();
    let found: Vec<&&str> = lists.iter().filter(|name| tree.contains(**name)).collect();
    assert!(found.is_empty(), "{STANDARDS} depends on {found:?}");
}

#[test]
fn the_names_that_are_looked_for_are_those_that_packages_have() {
    let workspace = Workspace::read();
    let tree = workspace.tree("logout-hub");
    // The hub has what its libraries must not have, so a misspelt list would show here.
    for list in [FRAMEWORKS, DATABASES, TLS, RUNTIMES] {
        assert!(
            list.iter().any(|name| tree.contains(name)),
            "none of {list:?} is in the hub"
        );
    }
    assert!(ADAPTERS.iter().all(|adapter| tree.contains(adapter)));
}

#[test]
fn every_adapter_has_the_same_modules() {
    let workspace = Workspace::read();
    for adapter in ADAPTERS {
        for module in MODULES {
            assert!(
                workspace.sources(adapter).join(module).is_file(),
                "{adapter} has no {module}"
            );
        }
    }
}

#[test]
fn vendors_are_chosen_in_one_file_of_the_hub() {
    let workspace = Workspace::read();
    let vendors = ADAPTERS
        .map(|adapter| format!("feature = \"{}\"", adapter.strip_prefix("logout-").unwrap()));
    let choosing: Vec<String> = files(&workspace.sources("logout-hub"))
        .into_iter()
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            vendors.iter().any(|vendor| text.contains(vendor))
        })
        .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(choosing, ["vendors.rs"]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .collect()
}
