//! The embedded store keeps every rule of stores.
#![cfg(feature = "disk")]

use std::sync::Arc;

use logout_core::store::SessionStore;
use logout_store::DiskStore;

fn fresh_store() -> (Arc<DiskStore>, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = DiskStore::open(directory.path()).expect("a new store");
    (Arc::new(store), directory)
}

fn fresh() -> (Arc<dyn SessionStore>, tempfile::TempDir) {
    let (store, directory) = fresh_store();
    (store, directory)
}

logout_suite::store_conformance!(fresh);

mod transfer {
    use super::fresh_store;

    logout_suite::transfer_conformance!(fresh_store);
}
