//! The stores that were compiled in, by the scheme of their address.

use std::sync::Arc;

use logout_core::outbox::Store;
use logout_core::store::MemoryStore;

use crate::config::{StoreConfig, StoreUrl};

/// The kinds of stores that this build opens, besides memory.
pub(crate) const COMPILED: &[&str] = &[
    #[cfg(feature = "store-fjall")]
    "fjall",
    #[cfg(feature = "store-postgres")]
    "postgres",
    #[cfg(feature = "store-redis")]
    "redis",
];

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("store {url}: {problem}")]
pub struct StoreFault {
    url: String,
    problem: String,
}

/// Opens the store.
///
/// # Errors
/// The store cannot be opened, or is not compiled in.
pub(crate) fn open(config: &StoreConfig) -> Result<Arc<dyn Store>, StoreFault> {
    let fault = |problem: String| StoreFault { url: config.url.to_string(), problem };
    match &config.url {
        StoreUrl::Memory => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "store-fjall")]
        StoreUrl::Fjall(path) => {
            let store = logout_store::FjallStore::open(path).map_err(|problem| fault(problem.to_string()))?;
            Ok(Arc::new(store))
        }
        #[cfg(feature = "store-postgres")]
        StoreUrl::Postgres(url) => {
            let connect =
                if config.migrate { logout_store::PostgresStore::connect } else { logout_store::PostgresStore::connect_unchanged };
            Ok(Arc::new(connect(url.reveal()).map_err(|problem| fault(problem.to_string()))?))
        }
        #[cfg(feature = "store-redis")]
        StoreUrl::Redis(url) => {
            let store = logout_store::RedisStore::connect(url.reveal()).map_err(|problem| fault(problem.to_string()))?;
            Ok(Arc::new(store))
        }
        #[allow(unreachable_patterns, reason = "reached where a store is not compiled in")]
        _ => Err(fault("this kind of store is not part of this build".to_owned())),
    }
}
