//! The store on Redis keeps every rule of stores and outboxes, and what it promises of failures.
//!
//! Needs `redis-server`; without it, its tests are listed as ignored, unless `LOGOUT_HUB_REQUIRE`
//! names `redis`.

mod cluster;
mod faults;
mod losses;
mod older_records;
mod receipts;
#[path = "../relay/mod.rs"]
mod relay;
mod sentinel;
#[path = "../sessions/mod.rs"]
mod sessions;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};
use logout_core::store::SessionStore;
use logout_engines::redis as server;
use logout_store::RedisStore;
use server::Server;

static SHARED: OnceLock<String> = OnceLock::new();
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The URL of an empty store: keys of its own, on a server that several tests share.
fn fresh_url(server: &str, query: &str) -> String {
    format!(
        "{server}?prefix=t{}:{query}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

fn connect(url: &str) -> Arc<RedisStore> {
    Arc::new(RedisStore::connect(url).expect("the store opens"))
}

fn shared_server() -> &'static str {
    SHARED.get().expect("the server runs")
}

fn shared(query: &str) -> Arc<RedisStore> {
    connect(&fresh_url(shared_server(), query))
}

fn single() -> (Arc<dyn SessionStore>, ()) {
    (shared(""), ())
}

fn single_outbox() -> (Arc<RedisStore>, ()) {
    (shared(""), ())
}

/// As a cluster has it: pointers, hints, and orders over several buckets.
fn spread() -> (Arc<dyn SessionStore>, ()) {
    (shared("&buckets=16"), ())
}

fn spread_outbox() -> (Arc<RedisStore>, ()) {
    (shared("&buckets=16"), ())
}

fn named(kind: &str, cases: Vec<(&str, fn())>) -> Vec<Trial> {
    cases
        .into_iter()
        .map(|(name, case)| {
            Trial::test(format!("{kind}::{name}"), move || {
                case();
                Ok(())
            })
        })
        .collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    trials.extend(named(
        "single",
        logout_suite::store_conformance!(@named single),
    ));
    trials.extend(named(
        "single_outbox",
        logout_suite::outbox_conformance!(@named single_outbox),
    ));
    trials.extend(named(
        "spread",
        logout_suite::store_conformance!(@named spread),
    ));
    trials.extend(named(
        "spread_outbox",
        logout_suite::outbox_conformance!(@named spread_outbox),
    ));
    trials.extend(named(
        "single_transfer",
        logout_suite::transfer_conformance!(@named single_outbox),
    ));
    trials.extend(named(
        "spread_transfer",
        logout_suite::transfer_conformance!(@named spread_outbox),
    ));
    trials.extend(faults::trials());
    trials.extend(cluster::trials());
    trials.extend(sentinel::trials());
    trials.extend(losses::trials());
    trials.extend(receipts::trials());
    trials.extend(older_records::trials());
    let there = ["redis-server", "redis-cli"]
        .into_iter()
        .all(server::is_there);
    let required = std::env::var("LOGOUT_HUB_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|name| name.trim() == "redis");
    if !there && required {
        eprintln!(
            "LOGOUT_HUB_REQUIRE names redis, but redis-server or redis-cli cannot be started"
        );
        return ExitCode::FAILURE;
    }
    if !there || arguments.list {
        let trials = trials
            .into_iter()
            .map(|trial| trial.with_ignored_flag(!there))
            .collect();
        let conclusion = libtest_mimic::run(&arguments, trials);
        if !there {
            eprintln!(
                "skipped: the tests of the store on Redis need redis-server, which is not installed"
            );
        }
        return conclusion.exit_code();
    }
    let server = Server::start(&["--appendonly", "no"]);
    SHARED.set(server.url()).expect("set once");
    // Held until the tests are over. Six more processes are worth starting only for tests that are
    // asked for.
    let _cluster = trials
        .iter()
        .any(|trial| is_asked_for(&arguments, trial))
        .then(cluster::start_shared);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Whether a test of the cluster will run.
fn is_asked_for(arguments: &Arguments, trial: &Trial) -> bool {
    trial.name().starts_with("cluster") && !arguments.is_filtered_out(trial)
}
