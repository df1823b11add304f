//! `[store]`: which store, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use logout_core::credential::Secret;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use url::Url;

/// `[store]`: where sessions live.
#[derive(Clone, Debug, Serialize)]
pub struct StoreConfig {
    /// `memory:`, `disk:PATH`, `redis://…` (also `redis+sentinel://…`, `redis+cluster://…`, and
    /// `valkey` for `redis`) or `postgres://…`. Default: `disk:hub-data`, below the
    /// configuration's folder.
    pub url: StoreUrl,
    /// Whether tables are made, and brought up to date, at the start; otherwise `logout-hub
    /// migrate` does it. Default: true.
    pub migrate: bool,
}

/// `[store]` as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StoreKeys {
    pub(super) url: String,
    pub(super) migrate: bool,
}

impl Default for StoreKeys {
    fn default() -> Self {
        Self {
            url: "disk:hub-data".to_owned(),
            migrate: true,
        }
    }
}

/// Which store, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreUrl {
    /// Embedded, in this folder.
    Disk(PathBuf),
    /// In the process's memory.
    Memory,
    /// A PostgreSQL database. The URL may hold a password.
    Postgres(Secret),
    /// A Redis or Valkey server, a master behind sentinels, or a cluster. The URL may hold a
    /// password.
    Redis(Secret),
}

/// Why a store's URL is none. Never repeats the URL, which may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum StoreUrlError {
    #[error("must begin with memory:, disk:, redis:// or postgres://")]
    Scheme,
    #[error("a folder must follow disk:")]
    Path,
    #[error("nothing may follow memory:")]
    Surplus,
    #[error("not a URL")]
    Url,
}

impl StoreUrl {
    pub(crate) fn parse(
        text: &str,
        resolve: impl FnOnce(&Path) -> PathBuf,
    ) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(StoreUrlError::Scheme)?;
        let server = || {
            let (first, _, last) = around_more_hosts(text);
            Url::parse(&[first, last].concat())
                .ok()
                .filter(Url::has_host)
                .map(|_| Secret::new(text))
                .ok_or(StoreUrlError::Url)
        };
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "memory" => Err(StoreUrlError::Surplus),
            // The former name, which configurations may still have.
            "disk" | "fjall" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err(StoreUrlError::Path),
                path => Ok(Self::Disk(resolve(Path::new(path)))),
            },
            "postgres" | "postgresql" => server().map(Self::Postgres),
            other => match other.split_once('+').unwrap_or((other, "")) {
                ("redis" | "rediss" | "valkey" | "valkeys", "" | "cluster" | "sentinel") => {
                    server().map(Self::Redis)
                }
                _ => Err(StoreUrlError::Scheme),
            },
        }
    }

    /// The kind of store, as it stands in the names of cargo features (`store-disk`); memory is
    /// always there.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Disk(_) => "disk",
            Self::Memory => "memory",
            Self::Postgres(_) => "postgres",
            Self::Redis(_) => "redis",
        }
    }
}

impl fmt::Display for StoreUrl {
    /// As it is configured, with the password of a server masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path) => write!(f, "disk:{}", path.display()),
            Self::Memory => f.write_str("memory:"),
            Self::Postgres(url) | Self::Redis(url) => f.write_str(&without_secrets(url.reveal())),
        }
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A URL up to its first host, the other hosts behind commas, which a URL cannot have, and what
/// follows them.
fn around_more_hosts(text: &str) -> (&str, &str, &str) {
    let authority = text.find("://").map_or(text.len(), |at| at + 3);
    let end = text[authority..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| authority + at);
    // A password may hold a comma; it ends at the last @.
    let hosts = text[authority..end]
        .rfind('@')
        .map_or(authority, |at| authority + at + 1);
    let comma = text[hosts..end].find(',').map_or(end, |at| hosts + at);
    (&text[..comma], &text[comma..end], &text[end..])
}

/// A server's URL without its password; its query goes too, because drivers take passwords there.
fn without_secrets(text: &str) -> String {
    let (first, more, last) = around_more_hosts(text);
    let Ok(mut url) = Url::parse(&[first, last].concat()) else {
        return "***".to_owned();
    };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "***".to_owned();
    }
    if url.query().is_some() {
        url.set_query(Some("***"));
    }
    let (first, _, last) = around_more_hosts(url.as_str());
    [first, more, last].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, StoreUrlError> {
        StoreUrl::parse(text, |path| Path::new("/etc/hub").join(path)).map(|url| url.to_string())
    }

    #[test]
    fn a_store_is_named_by_its_url() {
        for (text, url) in [
            ("memory:", "memory:"),
            ("disk:hub-data", "disk:/etc/hub/hub-data"),
            ("fjall:hub-data", "disk:/etc/hub/hub-data"),
            ("disk:/var/lib/hub", "disk:/var/lib/hub"),
            ("disk:///var/lib/hub", "disk:/var/lib/hub"),
            (
                "redis://cache.example:6379/1",
                "redis://cache.example:6379/1",
            ),
            (
                "redis+cluster://one:7000,two:7001,three",
                "redis+cluster://one:7000,two:7001,three",
            ),
            (
                "valkeys+sentinel://:secret@one,two/main",
                "valkeys+sentinel://:***@one,two/main",
            ),
            (
                "postgres://hub:secret@one:5432,two:5433/hub",
                "postgres://hub:***@one:5432,two:5433/hub",
            ),
            (
                "rediss+sentinel://:secret@one:26379,two:26379/main/2",
                "rediss+sentinel://:***@one:26379,two:26379/main/2",
            ),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for (text, fault) in [
            ("", StoreUrlError::Scheme),
            ("hub-data", StoreUrlError::Scheme),
            ("sqlite:hub.db", StoreUrlError::Scheme),
            ("disk:", StoreUrlError::Path),
            ("memory:x", StoreUrlError::Surplus),
            ("redis:", StoreUrlError::Url),
            ("redis+pigeon://h", StoreUrlError::Scheme),
            ("postgres:///db", StoreUrlError::Url),
        ] {
            assert_eq!(shown(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn the_password_of_a_server_is_not_shown() {
        for text in [
            "redis://:canary@h:1/0",
            "postgres://u:canary@h/db",
            "postgres://h/db?password=canary",
            "redis+cluster://:canary,canary@h,i",
        ] {
            let url = StoreUrl::parse(text, Path::to_path_buf).unwrap();
            assert!(!format!("{url} {url:?}").contains("canary"), "{url}");
        }
    }
}
