//! The store on PostgreSQL, with servers of our own.
//!
//! Without PostgreSQL the tests are ignored, and a line says so; `LOGOUT_HUB_REQUIRE=postgres`
//! makes that a failure.

mod failover;
mod faults;
mod migration;
mod pair;
#[path = "../relay/mod.rs"]
mod relay;
#[path = "../sessions/mod.rs"]
mod sessions;
mod shared;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use logout_core::store::SessionStore;
use logout_engines::postgres as server;
use logout_store::PostgresStore;

use server::Server;

/// The server that all tests share which do it no harm.
static SERVER: Mutex<Option<Arc<Server>>> = Mutex::new(None);

fn server() -> Arc<Server> {
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let started = server.get_or_insert_with(|| {
        let server = Server::start();
        drop(PostgresStore::connect(&server.database()).expect("tables"));
        // A template must not be in use, and connections take a moment to go.
        let template =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hub0'";
        server.sql("postgres", template).expect("an administrator");
        server
            .sql("postgres", "ALTER DATABASE hub0 RENAME TO prepared")
            .expect("an administrator");
        Arc::new(server)
    });
    started.clone()
}

/// A store on a database of its own.
fn fresh() -> (Arc<PostgresStore>, Arc<Server>) {
    let server = server();
    let store = PostgresStore::connect(&server.database_like("prepared")).expect("a store");
    (Arc::new(store), server)
}

fn fresh_sessions() -> (Arc<dyn SessionStore>, Arc<Server>) {
    let (store, server) = fresh();
    (store, server)
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut tests: Vec<(&str, fn())> = logout_suite::store_conformance!(@named fresh_sessions);
    tests.extend(logout_suite::outbox_conformance!(@named fresh));
    tests.extend(logout_suite::transfer_conformance!(@named fresh));
    tests.extend(shared::tests());
    tests.extend(faults::tests());
    tests.extend(failover::tests());
    tests.extend(migration::tests());
    let missing = server::programs().err();
    let is_required = std::env::var("LOGOUT_HUB_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == "postgres"));
    let trials = tests.into_iter().map(|(name, body)| {
        let missing = missing.clone();
        let is_ignored = missing.is_some() && !is_required;
        let trial = Trial::test(name, move || match missing {
            Some(reason) => Err(reason.into()),
            None => {
                body();
                Ok(())
            }
        });
        trial.with_ignored_flag(is_ignored)
    });
    let outcome = libtest_mimic::run(&arguments, trials.collect());
    if let Some(reason) = missing.filter(|_| !is_required) {
        eprintln!(
            "skipped: the tests of the store on PostgreSQL, because {reason} (LOGOUT_HUB_REQUIRE=postgres makes that a failure)"
        );
    }
    drop(SERVER.lock().unwrap_or_else(PoisonError::into_inner).take());
    outcome.exit_code()
}
