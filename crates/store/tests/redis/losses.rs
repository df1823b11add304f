//! How many sign-outs that were answered are lost with a server.
//!
//! Prints the lines of the table in `docs/operations/several-hubs.md`; `LOGOUT_HUB_ROUNDS` says how
//! often each is tried.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use libtest_mimic::Trial;
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome, SessionStore as _};
use logout_store::RedisStore;

use crate::sentinel::{Group, is_ended};
use crate::server::{Server, eventually};
use crate::sessions::{NOW, order, session};
use crate::{connect, named};

const SESSIONS: u32 = 4_000;
const LANES: u32 = 16;
/// How many are answered, at least, before the server dies.
const ANSWERED: usize = 300;
/// How long what the master says is on its way to a replica that is behind.
const BEHIND: Duration = Duration::from_millis(100);

pub(crate) fn trials() -> Vec<Trial> {
    macro_rules! cases {
        ($($case:ident)+) => { vec![$((stringify!($case), $case as fn()),)+] };
    }
    named(
        "losses",
        cases! {
            a_server_that_keeps_nothing_loses_all_and_says_so
            a_file_that_is_synced_every_second_outlives_the_process
            a_file_that_is_always_synced_loses_nothing
            a_replica_that_nobody_waits_for_takes_over_without_what_it_has_not_got
            a_replica_that_is_near_takes_over_with_nearly_all
            a_replica_that_is_waited_for_loses_nothing
        },
    )
}

/// Repeats what answers how many sign-outs were acknowledged and how many of those were lost, and
/// prints the sums.
fn count(setting: &str, round: impl Fn() -> (usize, usize)) -> (usize, usize) {
    let rounds = std::env::var("LOGOUT_HUB_ROUNDS")
        .map_or(1, |rounds| rounds.parse().expect("a number of rounds"));
    let (mut acknowledged, mut lost) = (0, 0);
    for _ in 0..rounds {
        let (more, of_them) = round();
        acknowledged += more;
        lost += of_them;
    }
    eprintln!("| {setting} | {rounds} | {acknowledged} | {lost} |");
    (acknowledged, lost)
}

fn open_all(store: &RedisStore) {
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            scope.spawn(move || {
                for number in (0..SESSIONS).filter(|number| number % LANES == lane) {
                    assert_eq!(
                        block_on(store.open(session(number), Join::Always, NOW)),
                        Ok(OpenOutcome::Opened)
                    );
                }
            });
        }
    });
}

/// Ends sessions from many threads until `kill` has been called and no more is answered; which
/// were.
fn end_until_killed(store: &RedisStore, kill: impl FnOnce()) -> Vec<u32> {
    let (answered, dying) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (answered, dying) = (&answered, &dying);
            scope.spawn(move || {
                for number in (0..SESSIONS).filter(|number| number % LANES == lane) {
                    match block_on(store.end(order(number, EndTarget::Session(session(number).id))))
                    {
                        Ok(ended) => {
                            assert_eq!(ended.len(), 1, "an order that was answered is credited");
                            answered.lock().expect("no panic").push(number);
                        }
                        Err(_) if dying.load(Ordering::SeqCst) => return,
                        Err(_) => panic!("the server is alive"),
                    }
                }
            });
        }
        eventually("many are answered", || {
            answered.lock().expect("no panic").len() > ANSWERED
        });
        // Before the kill, so that no error comes as a surprise to the other threads.
        dying.store(true, Ordering::SeqCst);
        kill();
    });
    let answered = answered.into_inner().expect("no panic");
    assert!(
        answered.len() < SESSIONS as usize,
        "killed in the middle of it"
    );
    answered
}

fn lost(store: &RedisStore, answered: &[u32]) -> usize {
    answered
        .iter()
        .filter(|number| !is_ended(store, **number))
        .count()
}

/// `kill -9`, and the same server again on the files that it has left.
fn restart(setting: &str, settings: &[&str]) -> (usize, usize) {
    count(setting, || {
        let mut server = Server::start(settings);
        let store = connect(&server.url());
        open_all(&store);
        let answered = end_until_killed(&store, || server.kill());
        server.restart();
        eventually("the store answers again", || {
            block_on(store.health()).is_ok()
        });
        let lost = lost(&store, &answered);
        if lost == answered.len() {
            for number in 0..SESSIONS {
                let found = block_on(store.find(&session(number).credentials[0].digest, NOW));
                assert_eq!(
                    found,
                    Ok(Lookup::Unknown),
                    "session {number}: what is gone is not alive either"
                );
                let receipt = block_on(
                    store.receipt(order(number, EndTarget::Session(session(0).id)).receipt),
                );
                assert_eq!(receipt, Ok(None), "session {number}");
            }
        }
        (answered.len(), lost)
    })
}

fn a_server_that_keeps_nothing_loses_all_and_says_so() {
    let (answered, lost) = restart(
        "no append-only file, process killed",
        &["--appendonly", "no"],
    );
    assert_eq!(lost, answered);
}

fn a_file_that_is_synced_every_second_outlives_the_process() {
    let settings = ["--appendonly", "yes", "--appendfsync", "everysec"];
    let (answered, lost) = restart("`appendfsync everysec`, process killed", &settings);
    // The server writes before it answers, unless a sync takes longer than a second; then it may
    // fall two seconds behind.
    assert!(lost < answered);
}

fn a_file_that_is_always_synced_loses_nothing() {
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    assert_eq!(
        restart("`appendfsync always`, process killed", &settings).1,
        0
    );
}

/// The master dies, and the sentinels put its only replica in its place.
fn fail_over(setting: &str, query: &str, behind: Duration) -> (usize, usize) {
    count(setting, || {
        let mut group = Group::start(1);
        let (lenient, store) = (connect(&group.url("")), connect(&group.url(query)));
        open_all(&lenient);
        eventually("the replica has them", || {
            let info = group.master.ask("INFO replication");
            let offset = info
                .lines()
                .find_map(|line| line.trim().strip_prefix("master_repl_offset:"))
                .unwrap_or("?");
            info.contains(&format!(",offset={offset},"))
        });
        group.way.delay(behind);
        let answered = end_until_killed(&store, || group.lose_master());
        eventually("the replica is the master", || {
            block_on(lenient.health()).is_ok()
        });
        assert!(group.replicas[0].ask("ROLE").contains("master"));
        (answered.len(), lost(&lenient, &answered))
    })
}

fn a_replica_that_nobody_waits_for_takes_over_without_what_it_has_not_got() {
    let (_, lost) = fail_over("failover to a replica 100 ms behind", "", BEHIND);
    assert!(
        lost > 0,
        "this run shows that the one that waits could lose some"
    );
}

fn a_replica_that_is_near_takes_over_with_nearly_all() {
    let (answered, lost) = fail_over(
        "failover to a replica on the same machine",
        "",
        Duration::ZERO,
    );
    assert!(lost < answered);
}

fn a_replica_that_is_waited_for_loses_nothing() {
    let (_, lost) = fail_over(
        "the same with `wait_replicas=1`",
        "?wait_replicas=1&wait_ms=5000",
        BEHIND,
    );
    assert_eq!(lost, 0);
}
