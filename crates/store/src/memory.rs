//! Sessions in this process's memory alone.

use std::sync::{Arc, Mutex};

use logout_core::store::StoreUnavailable;

use crate::local::{Journal, LocalStore};
use crate::model::Model;

/// Keeps everything in this process's memory, for tests and for embedding. Nothing survives a
/// restart.
pub type MemoryStore = LocalStore<NoJournal>;

/// Makes nothing last.
#[derive(Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn check(&self) -> Result<(), StoreUnavailable> {
        Ok(())
    }

    fn append(&self, _: &mut Model) -> u64 {
        0
    }

    async fn durable(&self, _: u64) -> Result<(), StoreUnavailable> {
        Ok(())
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::of(Arc::new(Mutex::new(Model::new(false))), NoJournal)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}
