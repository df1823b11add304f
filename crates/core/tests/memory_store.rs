//! The store in memory keeps every rule of stores.

use std::sync::Arc;

use logout_core::store::{MemoryStore, SessionStore};

mod sessions {
    use super::*;

    fn fresh() -> (Arc<dyn SessionStore>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    logout_core::store_conformance!(fresh);
}

mod outbox {
    use super::*;

    fn fresh() -> (Arc<MemoryStore>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    logout_core::outbox_conformance!(fresh);
}

mod transfer {
    use super::*;

    fn fresh() -> (Arc<MemoryStore>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    logout_core::transfer_conformance!(fresh);
}
