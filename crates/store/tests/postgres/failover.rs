//! A primary and its standby: what is acknowledged, and who is asked when one of them is gone.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use logout_core::store::{
    EndTarget, Join, Lookup, OpenOutcome, SessionStore as _, StoreUnavailable,
};
use logout_store::PostgresStore;

use crate::pair::{Commits, Pair};
use crate::server::until;
use crate::sessions::{NOW, is_alive, order, session};

pub(crate) fn tests() -> Vec<(&'static str, fn())> {
    vec![
        (
            "failover::nothing_that_was_acknowledged_is_lost_with_the_primary_and_the_promoted_standby_is_found",
            synchronous,
        ),
        (
            "failover::of_a_standby_that_nobody_waits_for_the_losses_are_counted",
            asynchronous,
        ),
        (
            "failover::while_the_standby_is_gone_nothing_is_acknowledged_and_the_store_is_not_healthy",
            standby_gone,
        ),
        (
            "failover::a_wait_for_the_standby_that_is_cut_short_is_no_success",
            wait_cut_short,
        ),
        (
            "failover::a_primary_that_hangs_is_left_for_the_one_that_was_promoted",
            primary_hangs,
        ),
        (
            "failover::a_primary_that_has_become_read_only_is_read_from_no_more",
            primary_read_only,
        ),
    ]
}

/// Longer than the store waits at most for a connection and an answer.
const SECONDS: Duration = Duration::from_secs(10);
/// How long everything that the primary says is on its way to the standby: what nobody waits for
/// has not arrived when it dies.
const APART: Duration = Duration::from_millis(100);
const SESSIONS: u32 = 2_000;
/// Where the numbers of sessions begin that are opened under load.
const OPENED: u32 = 100_000;

/// How many were acknowledged, and how many of those the new primary does not know of.
#[derive(Default)]
struct Outcome {
    sign_outs: (usize, usize),
    logins: (usize, usize),
}

/// Kills the primary under load, promotes the standby, and signs out on it whoever has not been
/// yet.
fn lose_primary_under_load(commits: Commits) -> Outcome {
    let mut pair = Pair::start(commits);
    let store = PostgresStore::connect(&pair.url()).expect("a store");
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let store = &store;
            scope.spawn(move || {
                (0..SESSIONS)
                    .filter(|number| number % 8 == lane)
                    .for_each(|number| open(store, number))
            });
        }
    });
    let up_to_date = "SELECT replay_lsn = pg_current_wal_lsn() FROM pg_stat_replication";
    until("the standby has them", || {
        pair.primary.sql("postgres", up_to_date).as_deref() == Ok("t")
    });
    pair.way.delay(APART);

    let (dead, ended, opened) = (
        AtomicBool::new(false),
        Mutex::new(BTreeSet::new()),
        Mutex::new(BTreeSet::new()),
    );
    let count = |acknowledged: &Mutex<BTreeSet<u32>>| acknowledged.lock().expect("no panic").len();
    std::thread::scope(|scope| {
        for lane in 0..16 {
            let (store, dead, ended, opened) = (&store, &dead, &ended, &opened);
            scope.spawn(move || {
                for number in (0..SESSIONS).filter(|number| number % 16 == lane) {
                    match end(store, number) {
                        Ok(credited) => {
                            assert_eq!(credited, 1, "an order that was answered is credited");
                            ended.lock().expect("no panic").insert(number);
                        }
                        Err(StoreUnavailable) => break,
                    }
                    if lane < 4
                        && block_on(store.open(session(OPENED + number), Join::Always, NOW))
                            == Ok(OpenOutcome::Opened)
                    {
                        opened.lock().expect("no panic").insert(OPENED + number);
                    }
                }
                assert!(
                    dead.load(Ordering::SeqCst),
                    "the primary is alive and its standby follows"
                );
            });
        }
        until("many are acknowledged", || {
            count(&ended) > 300 && count(&opened) > 30
        });
        dead.store(true, Ordering::SeqCst);
        pair.lose_primary();
    });
    assert_eq!(block_on(store.health()), Err(StoreUnavailable));
    pair.promote();
    until("the store finds the new primary", || {
        block_on(store.health()).is_ok()
    });

    let (ended, opened) = (
        ended.into_inner().expect("no panic"),
        opened.into_inner().expect("no panic"),
    );
    let is_lost = |number: &&u32| is_alive(&store, &session(**number));
    let lost_sign_outs = ended.iter().filter(is_lost).count();
    let is_unknown = |number: &&u32| {
        block_on(store.find(&session(**number).credentials[0].digest, NOW)) == Ok(Lookup::Unknown)
    };
    let lost_logins = opened.iter().filter(is_unknown).count();
    for number in ended.iter().filter(|number| !is_lost(number)) {
        assert!(
            block_on(store.receipt(order(*number, EndTarget::Session(session(0).id)).receipt))
                .is_ok_and(|found| found.is_some())
        );
    }
    let rest = (0..SESSIONS)
        .filter(|number| !ended.contains(number))
        .take(200);
    for number in rest {
        let was_alive = is_alive(&store, &session(number));
        assert_eq!(
            end(&store, number),
            Ok(usize::from(was_alive)),
            "session {number}"
        );
        assert!(!is_alive(&store, &session(number)));
    }
    Outcome {
        sign_outs: (ended.len(), lost_sign_outs),
        logins: (opened.len(), lost_logins),
    }
}

fn open(store: &PostgresStore, number: u32) {
    assert_eq!(
        block_on(store.open(session(number), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
}

fn end(store: &PostgresStore, number: u32) -> Result<usize, StoreUnavailable> {
    block_on(store.end(order(number, EndTarget::Session(session(number).id))))
        .map(|ended| ended.len())
}

/// Repeats it as often as `LOGOUT_HUB_ROUNDS` says, and prints a line of the table in
/// `docs/operations/several-hubs.md`.
fn count(setting: &str, commits: Commits) -> Outcome {
    let rounds = std::env::var("LOGOUT_HUB_ROUNDS")
        .map_or(1, |rounds| rounds.parse().expect("a number of rounds"));
    let sum = |all: (usize, usize), one: (usize, usize)| (all.0 + one.0, all.1 + one.1);
    let outcome = (0..rounds).map(|_| lose_primary_under_load(commits)).fold(
        Outcome::default(),
        |all, one| Outcome {
            sign_outs: sum(all.sign_outs, one.sign_outs),
            logins: sum(all.logins, one.logins),
        },
    );
    let Outcome {
        sign_outs: (sign_outs, lost),
        logins: (logins, lost_logins),
    } = &outcome;
    eprintln!(
        "| {setting} | {rounds} | {sign_outs} | {lost} | (and of {logins} logins {lost_logins})"
    );
    outcome
}

fn synchronous() {
    let outcome = count(
        "failover to a synchronous standby 100 ms behind",
        Commits::Synchronous,
    );
    assert_eq!(
        (outcome.sign_outs.1, outcome.logins.1),
        (0, 0),
        "lost sign-outs and logins"
    );
}

fn asynchronous() {
    let outcome = count(
        "failover to an asynchronous standby 100 ms behind",
        Commits::Asynchronous,
    );
    assert!(
        outcome.sign_outs.1 > 0,
        "this run shows that the other one could lose some"
    );
}

fn standby_gone() {
    let pair = Pair::start(Commits::Synchronous);
    let store = PostgresStore::connect(&pair.url()).expect("a store");
    open(&store, 1);
    open(&store, 2);
    pair.standby.pause(true);
    let began = Instant::now();
    // Longer than the server gives any statement: it does not count its own commits in.
    assert_eq!(end(&store, 1), Err(StoreUnavailable));
    assert_eq!(
        block_on(store.open(session(3), Join::Always, NOW)),
        Err(StoreUnavailable)
    );
    assert_eq!(block_on(store.health()), Err(StoreUnavailable));
    assert!(
        began.elapsed() < 3 * SECONDS,
        "waited {:?}",
        began.elapsed()
    );
    assert!(
        is_alive(&store, &session(1)),
        "what may be gone with this server is not shown"
    );
    assert_eq!(
        end(&store, 1),
        Err(StoreUnavailable),
        "nor is anybody told that there was nothing left to end"
    );
    let probes = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_logical_emit_message%' AND pid <> pg_backend_pid()";
    until("no probe is left at the server", || {
        pair.primary.sql("postgres", probes).as_deref() == Ok("0")
    });
    let waiting = "SELECT count(*) >= 2 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    assert_eq!(
        pair.primary.sql("postgres", waiting).as_deref(),
        Ok("t"),
        "the sign-out and the login wait on, whoever has given up"
    );
    pair.standby.pause(false);
    until("the store recovers", || block_on(store.health()).is_ok());
    until("what was under way is done", || {
        !is_alive(&store, &session(1))
    });
    assert_eq!(end(&store, 2), Ok(1));
}

fn wait_cut_short() {
    let pair = Pair::start(Commits::Synchronous);
    let store = PostgresStore::connect(&pair.url()).expect("a store");
    for (number, cut) in [(1, "pg_cancel_backend"), (2, "pg_terminate_backend")] {
        open(&store, number);
        pair.standby.pause(true);
        std::thread::scope(|scope| {
            let ending = scope.spawn(|| end(&store, number));
            let waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            until("the sign-out waits for the standby", || {
                pair.primary
                    .sql("postgres", &format!("SELECT count(*) {waiting}"))
                    .as_deref()
                    == Ok("1")
            });
            pair.primary
                .sql("postgres", &format!("SELECT {cut}(pid) {waiting}"))
                .expect("an administrator");
            assert_eq!(
                ending.join().expect("no panic"),
                Err(StoreUnavailable),
                "{cut}"
            );
        });
        assert!(
            !is_alive(&store, &session(number)),
            "{cut}: it was committed here"
        );
        pair.standby.pause(false);
        until("the store recovers", || block_on(store.health()).is_ok());
    }
}

/// Looks up the same credential in many places at once, so that many connections are in the pool.
fn find_at_once(store: &PostgresStore, number: u32, expected: impl Fn(Lookup) -> bool + Sync) {
    let finds = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let session = session(number);
                for _ in 0..10 {
                    let found = block_on(store.find(&session.credentials[0].digest, NOW))
                        .expect("the store answers");
                    assert!(expected(found));
                    block_on(store.receipt(order(number, EndTarget::Session(session.id)).receipt))
                        .expect("the store answers");
                    finds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(finds.into_inner(), 240);
}

fn primary_hangs() {
    let pair = Pair::start(Commits::Synchronous);
    let store = PostgresStore::connect(&pair.url()).expect("a store");
    open(&store, 1);
    pair.primary.pause(true);
    pair.promote();
    until("the store finds the new primary", || {
        block_on(store.health()).is_ok()
    });
    assert_eq!(end(&store, 1), Ok(1));
    assert!(!is_alive(&store, &session(1)));
}

fn primary_read_only() {
    let pair = Pair::start(Commits::Synchronous);
    let store = PostgresStore::connect(&pair.url()).expect("a store");
    open(&store, 1);
    find_at_once(&store, 1, |found| matches!(found, Lookup::Live(..)));
    let connections = || {
        let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'logout-hub'";
        pair.primary
            .sql("postgres", ours)
            .expect("an administrator")
            .parse::<usize>()
            .expect("a number")
    };
    assert!(connections() > 4, "{} connections", connections());
    // Fenced: from now on it only reads.
    pair.set_at_primary("default_transaction_read_only", "on");
    until("it takes no writes", || {
        pair.primary
            .sql("postgres", "SHOW transaction_read_only")
            .as_deref()
            == Ok("on")
    });
    pair.promote();
    let refused = AtomicUsize::new(0);
    until("the sign-out is carried out by the new primary", || {
        let outcome = end(&store, 1);
        refused.fetch_add(usize::from(outcome.is_err()), Ordering::Relaxed);
        outcome.is_ok()
    });
    // One that was on its way when the setting came, and one that was told of it: not each
    // connection has to be told.
    assert!(refused.into_inner() <= 2);
    find_at_once(&store, 1, |found| found == Lookup::Ended);
    until("no connection to the old one is left", || {
        connections() == 0
    });
}
