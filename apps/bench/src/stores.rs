//! The stores that are measured, by their names.

use std::path::Path;
use std::sync::Arc;

use logout_core::outbox::Store;
use logout_core::transfer::Transfer;
use logout_store::{DiskStore, MemoryStore, PostgresStore, RedisStore};

use crate::process::BoxError;

pub(crate) const MEMORY: &str = "memory";
/// The embedded durable store.
pub(crate) const EMBEDDED: &str = "disk";

/// A store, to serve from and to load.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transfer: Arc<dyn Transfer>,
}

/// Opens the store that `store` names: [`MEMORY`], [`EMBEDDED`] with its files in `folder`, or the
/// URL of a server. Call it inside an actix system.
pub(crate) fn open(store: &str, folder: &Path) -> Result<Opened, BoxError> {
    match scheme(store) {
        MEMORY => Ok(both(MemoryStore::new())),
        EMBEDDED => Ok(both(DiskStore::open(&folder.join("store"))?)),
        "postgres" | "postgresql" => Ok(both(PostgresStore::connect(store)?)),
        "redis" | "rediss" => Ok(both(RedisStore::connect(store)?)),
        other => Err(format!("no such store: {other}").into()),
    }
}

fn both<S: Store + Transfer>(store: S) -> Opened {
    let store = Arc::new(store);
    Opened {
        store: store.clone(),
        transfer: store,
    }
}

/// The part of a store's name or URL that may be printed: the rest of a URL may hold a password.
pub(crate) fn scheme(store: &str) -> &str {
    store.split([':', '+']).next().unwrap_or_default()
}
