//! The store in memory keeps every rule of stores.

use std::sync::Arc;

use logout_core::store::SessionStore;
use logout_store::MemoryStore;

mod sessions {
    use super::*;

    fn fresh() -> (Arc<dyn SessionStore>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    logout_suite::store_conformance!(fresh);
}

mod outbox {
    use super::*;

    fn fresh() -> (Arc<MemoryStore>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    logout_suite::outbox_conformance!(fresh);
}

mod transfer {
    use super::*;

    fn fresh() -> (Arc<MemoryStore>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    logout_suite::transfer_conformance!(fresh);
}
