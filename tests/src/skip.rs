//! Tests that need programs which not every machine has.
//!
//! A test whose programs are missing is ignored, and listed with the reason at the end of the run.
//! `LOGOUT_HUB_REQUIRE` names programs that must be there, separated by commas: what is missing
//! then is a failure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

use crate::disk::SmallDisk;
use crate::lemonldap;
use crate::process;
use crate::proxy;
use crate::real_relying_party;
use crate::stores::{self, StoreKind};

/// How long it may take to find out whether programs may be traced.
const PATIENCE: Duration = Duration::from_secs(10);

/// The variable that names the programs which must be there.
pub const REQUIRE: &str = "LOGOUT_HUB_REQUIRE";

/// What a test may need.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Need {
    /// Apache with its Lua module, and LuaSocket.
    Apache,
    /// Caddy.
    Caddy,
    /// Chromium and its driver.
    Chromium,
    /// curl.
    Curl,
    /// Envoy.
    Envoy,
    /// HAProxy.
    Haproxy,
    /// LemonLDAP::NG in a version that sends logout tokens, and Plack.
    Lemonldap,
    /// Apache with mod_auth_openidc.
    ModAuthOpenidc,
    /// nginx.
    Nginx,
    /// Node.js with the packages of `tests/clients`.
    Node,
    /// PostgreSQL's server programs.
    Postgres,
    /// redis-server.
    Redis,
    /// A small disk to fill: the right to mount one.
    SmallDisk,
    /// strace, and the right to trace.
    Strace,
    /// Traefik.
    Traefik,
}

impl Need {
    const ALL: [Self; 15] = [
        Self::Apache,
        Self::Caddy,
        Self::Chromium,
        Self::Curl,
        Self::Envoy,
        Self::Haproxy,
        Self::Lemonldap,
        Self::ModAuthOpenidc,
        Self::Nginx,
        Self::Node,
        Self::Postgres,
        Self::Redis,
        Self::SmallDisk,
        Self::Strace,
        Self::Traefik,
    ];

    /// Its name in `LOGOUT_HUB_REQUIRE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apache => "apache",
            Self::Caddy => "caddy",
            Self::Chromium => "chromium",
            Self::Curl => "curl",
            Self::Envoy => "envoy",
            Self::Haproxy => "haproxy",
            Self::Lemonldap => "lemonldap",
            Self::ModAuthOpenidc => "mod-auth-openidc",
            Self::Nginx => "nginx",
            Self::Node => "node",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::SmallDisk => "small-disk",
            Self::Strace => "strace",
            Self::Traefik => "traefik",
        }
    }

    /// Why it cannot be had here; `None` when it can.
    pub fn missing(self) -> Option<String> {
        let programs: &[&str] = match self {
            Self::Apache | Self::ModAuthOpenidc => &["apache2"],
            Self::Chromium => &["chromium", "chromedriver"],
            Self::Curl => &["curl"],
            Self::Haproxy => &["haproxy"],
            Self::Lemonldap => &["perl", "plackup"],
            Self::Nginx => &["nginx"],
            Self::Node => &["node"],
            // They may be out of the path; whoever starts one knows where.
            Self::Caddy | Self::Envoy | Self::Postgres | Self::Traefik => &[],
            Self::Redis => &["redis-server"],
            Self::SmallDisk => &["mount", "umount"],
            Self::Strace => &["strace"],
        };
        let absent = programs
            .iter()
            .find(|program| process::find(program).is_none());
        let reason = absent.map(|program| format!("{program} is not installed"));
        reason.or_else(|| match self {
            Self::Chromium | Self::Curl | Self::Haproxy | Self::Nginx | Self::Redis => None,
            Self::Apache => proxy::apache_missing(),
            Self::Lemonldap => lemonldap::missing(),
            Self::ModAuthOpenidc => real_relying_party::module_missing(),
            Self::Caddy | Self::Envoy | Self::Traefik => proxy::program(self.name()).err(),
            Self::Postgres => logout_engines::postgres::programs().err(),
            Self::Node => packages_missing(&clients()),
            Self::SmallDisk => SmallDisk::mount().err(),
            Self::Strace => not_traceable(),
        })
    }
}

/// Why programs may not be traced here; `None` when they may.
fn not_traceable() -> Option<String> {
    let mut strace = Command::new("strace");
    let traced = process::run(
        strace.args(["-D", "-f", "-o", "/dev/null", "true"]),
        b"",
        PATIENCE,
    );
    let refused = |reason: &str| {
        Some(format!(
            "tracing is refused: {}",
            reason.lines().next().unwrap_or_default()
        ))
    };
    match traced {
        Ok(ended) if ended.status.success() && ended.stderr.is_empty() => None,
        Ok(ended) => refused(&ended.stderr),
        Err(reason) => refused(&reason),
    }
}

/// The folder of the npm clients.
pub fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Why the packages that `package.json` pins are not there; `None` when they are.
fn packages_missing(folder: &Path) -> Option<String> {
    let read = |path: &Path| -> Option<serde_json::Value> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    };
    let pinned = read(&folder.join("package.json"))?["dependencies"]
        .as_object()?
        .clone();
    let missing = pinned.iter().find(|(name, version)| {
        let installed = read(&folder.join("node_modules").join(name).join("package.json"));
        installed.is_none_or(|package| package["version"] != **version)
    });
    missing.map(|(name, version)| {
        format!(
            "{name} {} is not installed; run `npm ci --prefix tests/clients`",
            version.as_str().unwrap_or_default()
        )
    })
}

/// What must be there, as `LOGOUT_HUB_REQUIRE` says it.
///
/// # Errors
/// It names something that no test needs, which would otherwise require nothing without anybody
/// noticing.
pub fn required(list: &str) -> Result<BTreeSet<Need>, String> {
    let names = Need::ALL.map(Need::name).join(", ");
    let words = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let known = |word: &str| Need::ALL.into_iter().find(|need| need.name() == word);
    words
        .map(|word| {
            known(word).ok_or_else(|| format!("{REQUIRE} names {word:?}; known are {names}"))
        })
        .collect()
}

/// A run of tests with needs.
#[derive(Debug)]
pub struct Run {
    arguments: Arguments,
    required: BTreeSet<Need>,
    trials: Vec<Trial>,
    skipped: Vec<(String, String)>,
}

impl Run {
    /// A run as the command line and the environment ask for it.
    ///
    /// # Panics
    /// When `LOGOUT_HUB_REQUIRE` cannot be understood.
    pub fn from_environment() -> Self {
        let list = std::env::var(REQUIRE).unwrap_or_default();
        let required = required(&list).unwrap_or_else(|fault| panic!("{fault}"));
        Self {
            arguments: Arguments::from_args(),
            required,
            trials: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Adds a test. Its name is a sentence in words joined by `_`, behind the client and `::`.
    pub fn test(&mut self, name: &str, needs: &[Need], body: fn()) {
        self.add(name, needs, body);
    }

    /// Adds a test for each kind of store, of which it is told. The name of an engine stands in
    /// front of the test's.
    pub fn on_every_store(
        &mut self,
        name: &str,
        needs: &[Need],
        body: impl Fn(StoreKind) + Clone + Send + 'static,
    ) {
        for store in StoreKind::ALL {
            let body = body.clone();
            let name = store
                .name()
                .map_or_else(|| name.to_owned(), |engine| format!("{engine}::{name}"));
            let needs: Vec<Need> = needs.iter().copied().chain(store.need()).collect();
            self.add(&name, &needs, move || body(store));
        }
    }

    /// Adds a test that brings what it was made with.
    pub fn add(&mut self, name: &str, needs: &[Need], body: impl FnOnce() + Send + 'static) {
        let missing: Vec<(Need, String)> = needs
            .iter()
            .filter_map(|need| Some((*need, need.missing()?)))
            .collect();
        let reason = missing
            .iter()
            .map(|(_, reason)| reason.as_str())
            .collect::<Vec<_>>()
            .join(", and ");
        let is_failure = missing.iter().any(|(need, _)| self.required.contains(need));
        if missing.is_empty() {
            self.trials.push(Trial::test(name, move || {
                body();
                Ok(())
            }));
            return;
        }
        if !is_failure {
            self.skipped.push((name.to_owned(), reason.clone()));
        }
        self.trials
            .push(Trial::test(name, move || Err(reason.into())).with_ignored_flag(!is_failure));
    }

    /// Runs the tests, and then lists those that were skipped.
    pub fn finish(self) -> ExitCode {
        let runs_ignored = self.arguments.ignored || self.arguments.include_ignored;
        let was_asked_for = |name: &str| {
            self.arguments
                .filter
                .as_ref()
                .is_none_or(|filter| name.contains(filter.as_str()))
        };
        let mut skipped = self.skipped;
        skipped.retain(|(name, _)| was_asked_for(name) && !runs_ignored && !self.arguments.list);
        let outcome = libtest_mimic::run(&self.arguments, self.trials);
        stores::stop();
        if !skipped.is_empty() {
            eprintln!(
                "skipped, because this machine lacks something ({REQUIRE} makes that a failure):"
            );
            for (name, reason) in skipped {
                eprintln!("    {name}: {reason}");
            }
            eprintln!();
        }
        outcome.exit_code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_is_a_list_of_known_names() {
        assert_eq!(required("").unwrap(), BTreeSet::new());
        assert_eq!(
            required("node, chromium,").unwrap(),
            [Need::Chromium, Need::Node].into()
        );
        assert!(required("node,chrome").unwrap_err().contains("\"chrome\""));
    }

    #[test]
    fn packages_count_only_in_the_pinned_version() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("package.json", r#"{"dependencies":{"@a/b":"1.0.0"}}"#);
        assert!(
            packages_missing(folder.path())
                .unwrap()
                .contains("npm ci --prefix tests/clients")
        );
        write("node_modules/@a/b/package.json", r#"{"version":"1.0.1"}"#);
        assert!(
            packages_missing(folder.path())
                .unwrap()
                .contains("@a/b 1.0.0")
        );
        write("node_modules/@a/b/package.json", r#"{"version":"1.0.0"}"#);
        assert_eq!(packages_missing(folder.path()), None);
    }
}
