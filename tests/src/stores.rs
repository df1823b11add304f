//! The kinds of stores that hubs are tested on.
//!
//! Of each kind that is a server there is one for a run of tests, started when the first test asks
//! for it. Tests do not meet there: each has a name space of its own.

use std::sync::{Mutex, PoisonError};

use logout_engines::{postgres, redis};

use crate::skip::Need;

static POSTGRES: Mutex<Option<postgres::Server>> = Mutex::new(None);
static REDIS: Mutex<Option<(redis::Server, u32)>> = Mutex::new(None);

/// A kind of store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoreKind {
    /// Files in the folder of the hub.
    Disk,
    /// A PostgreSQL server.
    Postgres,
    /// A Redis server that syncs what it writes.
    Redis,
}

impl StoreKind {
    /// All of them, the embedded one first.
    pub const ALL: [Self; 3] = [Self::Disk, Self::Postgres, Self::Redis];

    /// Its name in the names of tests; of the embedded one, which is the default of the hub, they
    /// say nothing.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Disk => None,
            Self::Postgres => Some("postgres"),
            Self::Redis => Some("redis"),
        }
    }

    /// What it takes to have one.
    pub(crate) fn need(self) -> Option<Need> {
        match self {
            Self::Disk => None,
            Self::Postgres => Some(Need::Postgres),
            Self::Redis => Some(Need::Redis),
        }
    }

    /// The URL of an empty store that nobody else is given. What is kept in files is relative to
    /// the folder of the hub.
    ///
    /// # Panics
    /// When the server does not start.
    pub fn empty(self) -> String {
        match self {
            Self::Disk => "disk:sessions".to_owned(),
            Self::Postgres => {
                let mut server = POSTGRES.lock().unwrap_or_else(PoisonError::into_inner);
                server.get_or_insert_with(postgres::Server::start).schema()
            }
            Self::Redis => {
                let mut server = REDIS.lock().unwrap_or_else(PoisonError::into_inner);
                let start = || {
                    (
                        redis::Server::start(&["--appendonly", "yes", "--appendfsync", "always"]),
                        0,
                    )
                };
                let (server, stores) = server.get_or_insert_with(start);
                *stores += 1;
                format!("{}?prefix=t{stores}:", server.url())
            }
        }
    }
}

/// Stops the servers: what a process leaves in its statics is not dropped when it ends.
pub(crate) fn stop() {
    drop(
        POSTGRES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
    drop(REDIS.lock().unwrap_or_else(PoisonError::into_inner).take());
}
