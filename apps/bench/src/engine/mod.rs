//! The server behind a store: one that was named by its URL, or one of our own that ends with the
//! measurement.

mod console;
mod postgres;
mod programs;
mod redis;
mod upkeep;

use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use console::{Console, output};

use crate::process::BoxError;

/// How long a server may take to start, and how long it is waited for until what loading set off
/// has been done.
const PATIENCE: Duration = Duration::from_secs(600);

/// A store to measure, with what keeps it.
pub(crate) struct Engine {
    /// `memory`, `fjall`, `postgres` or `redis`.
    pub(crate) name: String,
    /// What a hub is told to use: `memory`, `fjall`, or a URL.
    pub(crate) store: String,
    kind: Kind,
}

enum Kind {
    /// The hub keeps it itself.
    Hub,
    Postgres {
        console: Console,
        own: Option<postgres::Server>,
    },
    Redis {
        url: String,
        own: Option<redis::Server>,
    },
}

impl Engine {
    /// The store that is meant by `memory`, `fjall`, a URL, or `postgres` or `redis` for a server
    /// of our own with its files in `data`.
    pub(crate) fn start(store: &str, data: Option<&Path>) -> Result<Self, BoxError> {
        // Of a URL no more than its scheme: the rest may hold a password.
        let scheme = store.split([':', '+']).next().unwrap_or_default();
        let named = store.contains("://");
        let (name, kind, store) = match scheme {
            "memory" | "fjall" if !named => (scheme, Kind::Hub, store.to_owned()),
            "postgres" | "postgresql" => {
                let own = if named {
                    None
                } else {
                    Some(postgres::Server::start(data)?)
                };
                let url = own
                    .as_ref()
                    .map_or_else(|| store.to_owned(), postgres::Server::url);
                (
                    "postgres",
                    Kind::Postgres {
                        console: Console::new(&url)?,
                        own,
                    },
                    url,
                )
            }
            "redis" | "rediss" => {
                let own = if named {
                    None
                } else {
                    Some(redis::Server::start(data)?)
                };
                let url = own
                    .as_ref()
                    .map_or_else(|| store.to_owned(), redis::Server::url);
                (
                    "redis",
                    Kind::Redis {
                        url: url.clone(),
                        own,
                    },
                    url,
                )
            }
            _ => return Err("a store is `memory`, `fjall`, `postgres`, `redis` or a URL".into()),
        };
        Ok(Self {
            name: name.to_owned(),
            store,
            kind,
        })
    }

    /// PostgreSQL's own programs, pointed at this database.
    pub(crate) fn console(&self) -> Option<&Console> {
        if let Kind::Postgres { console, .. } = &self.kind {
            Some(console)
        } else {
            None
        }
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
