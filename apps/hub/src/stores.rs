//! The stores that were compiled in, by the scheme of their address.

use std::sync::Arc;

use futures_executor::block_on;
use logout_core::outbox::Store;
use logout_core::transfer::Transfer;
use logout_store::MemoryStore;

use crate::config::{StoreConfig, StoreUrl};

/// The kinds of stores that this build opens, besides memory.
pub(crate) const COMPILED: &[&str] = &[
    #[cfg(feature = "store-disk")]
    "disk",
    #[cfg(feature = "store-postgres")]
    "postgres",
    #[cfg(feature = "store-redis")]
    "redis",
];

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("store {url}: {problem}")]
pub struct StoreError {
    url: String,
    problem: String,
}

/// Opens the store to serve from.
///
/// # Errors
/// The store cannot be opened, is not compiled in, or is still being filled from another one.
pub(crate) fn open(config: &StoreConfig) -> Result<Arc<dyn Store>, StoreError> {
    opened(config, Served)
}

/// Opens the store to move what it holds, or to take in what another one held.
///
/// # Errors
/// The store cannot be opened, or is not compiled in.
pub(crate) fn open_to_move(config: &StoreConfig) -> Result<Arc<dyn Transfer>, StoreError> {
    opened(config, Moved)
}

/// What a store is opened as.
trait Opening {
    type As;

    fn of<S: Store + Transfer>(self, store: S) -> Result<Self::As, String>;
}

struct Served;

impl Opening for Served {
    type As = Arc<dyn Store>;

    fn of<S: Store + Transfer>(self, store: S) -> Result<Self::As, String> {
        // What was ended elsewhere may not be known here yet, and would pass for alive.
        match block_on(store.checkpoint()) {
            Ok(None) => Ok(Arc::new(store)),
            Ok(Some(_)) => Err(
                "an interrupted copy, which `logout-hub copy-store` has to finish first".to_owned(),
            ),
            Err(fault) => Err(fault.to_string()),
        }
    }
}

struct Moved;

impl Opening for Moved {
    type As = Arc<dyn Transfer>;

    fn of<S: Store + Transfer>(self, store: S) -> Result<Self::As, String> {
        Ok(Arc::new(store))
    }
}

fn opened<O: Opening>(config: &StoreConfig, opening: O) -> Result<O::As, StoreError> {
    let store = match &config.url {
        StoreUrl::Memory => opening.of(MemoryStore::new()),
        #[cfg(feature = "store-disk")]
        StoreUrl::Disk(path) => logout_store::DiskStore::open(path)
            .map_err(|problem| problem.to_string())
            .and_then(|store| opening.of(store)),
        #[cfg(feature = "store-postgres")]
        StoreUrl::Postgres(url) => {
            let connect = if config.migrate {
                logout_store::PostgresStore::connect
            } else {
                logout_store::PostgresStore::connect_unchanged
            };
            connect(url.reveal())
                .map_err(|problem| problem.to_string())
                .and_then(|store| opening.of(store))
        }
        #[cfg(feature = "store-redis")]
        StoreUrl::Redis(url) => logout_store::RedisStore::connect(url.reveal())
            .map_err(|problem| problem.to_string())
            .and_then(|store| opening.of(store)),
        #[allow(
            unreachable_patterns,
            reason = "reached where a store is not compiled in"
        )]
        _ => Err("this kind of store is not part of this build".to_owned()),
    };
    store.map_err(|problem| StoreError {
        url: config.url.to_string(),
        problem,
    })
}
