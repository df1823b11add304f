//! The server behind a store: one that was named by its URL, or one of our own that ends with the
//! measurement.

mod postgres;
mod programs;
mod redis;
mod upkeep;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::BoxError;
use crate::procfs::Usage;
use crate::stores::{EMBEDDED, MEMORY, scheme};

/// How long a server may take to start, and how long it is waited for until what loading set off
/// has been done.
const PATIENCE: Duration = Duration::from_secs(600);

/// A store to measure, with the server that keeps it.
pub(crate) struct Engine {
    /// `memory`, `postgres`, `redis`, or the embedded store's name.
    pub(crate) name: &'static str,
    /// The store that a hub is told to use: a name or a URL.
    pub(crate) store: String,
    kind: Kind,
}

enum Kind {
    /// The hub keeps it itself.
    Hub,
    Postgres(Option<postgres::Server>),
    Redis(Option<redis::Server>),
}

impl Engine {
    /// The store that is meant by its name or a URL. `postgres` and `redis` are servers of our own
    /// with their files in `data`.
    pub(crate) fn start(store: &str, data: Option<&Path>) -> Result<Self, BoxError> {
        let named = store.contains("://");
        let (name, kind) = match scheme(store) {
            MEMORY if !named => (MEMORY, Kind::Hub),
            EMBEDDED if !named => (EMBEDDED, Kind::Hub),
            "postgres" | "postgresql" => {
                let own = (!named)
                    .then(|| postgres::Server::start(data))
                    .transpose()?;
                ("postgres", Kind::Postgres(own))
            }
            "redis" | "rediss" => {
                let own = (!named).then(|| redis::Server::start(data)).transpose()?;
                ("redis", Kind::Redis(own))
            }
            _ => {
                return Err(format!(
                    "a store is `{MEMORY}`, `{EMBEDDED}`, `postgres`, `redis` or a URL"
                )
                .into());
            }
        };
        let own = match &kind {
            Kind::Postgres(Some(own)) => Some(own.url()),
            Kind::Redis(Some(own)) => Some(own.url()),
            _ => None,
        };
        Ok(Self {
            name,
            store: own.unwrap_or_else(|| store.to_owned()),
            kind,
        })
    }

    /// Whether a server of our own keeps the store.
    pub(crate) fn is_own_server(&self) -> bool {
        self.process().is_some()
    }

    fn process(&self) -> Option<u32> {
        match &self.kind {
            Kind::Postgres(Some(own)) => own.id(),
            Kind::Redis(Some(own)) => own.id(),
            Kind::Hub | Kind::Postgres(None) | Kind::Redis(None) => None,
        }
    }

    /// CPU time that a server of our own has used so far, its children's included.
    pub(crate) fn cpu(&self) -> Result<Option<Duration>, BoxError> {
        let used = |process| Ok(Usage::with_children(process)?.total());
        self.process().map(used).transpose()
    }
}

/// Asks until the answer is yes.
fn until(mut done: impl FnMut() -> Result<bool, BoxError>) -> Result<(), BoxError> {
    let started = Instant::now();
    while !done()? {
        if started.elapsed() > PATIENCE {
            return Err(format!("not within {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
