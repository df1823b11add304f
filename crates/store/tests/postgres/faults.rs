//! What happens when the server dies, hangs, or refuses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use logout_core::store::{
    EndTarget, Join, Lookup, OpenOutcome, SessionStore as _, StoreUnavailable,
};
use logout_store::PostgresStore;

use crate::relay::Relay;
use crate::server::{Server, until};
use crate::sessions::{NOW, is_alive, order, session};

pub(crate) fn tests() -> Vec<(&'static str, fn())> {
    vec![
        (
            "what_was_acknowledged_survives_a_server_that_is_killed_and_the_store_recovers",
            killed_and_restarted,
        ),
        (
            "a_server_that_hangs_is_unavailable_within_seconds_and_of_use_again_afterwards",
            paused,
        ),
        (
            "a_connection_that_is_cut_in_the_middle_of_a_sign_out_is_no_success",
            cut,
        ),
        (
            "a_sign_out_whose_answer_is_cut_off_is_no_success_and_its_receipt_says_that_it_was_carried_out",
            answer_cut,
        ),
        (
            "a_server_that_is_slow_is_waited_for_and_one_that_is_too_slow_is_no_success",
            slow,
        ),
        ("a_server_that_takes_no_writes_is_not_healthy", read_only),
    ]
}

/// A little longer than the store waits at most for a connection and an answer.
const SECONDS: Duration = Duration::from_secs(6);

fn killed_and_restarted() {
    const COUNT: u32 = 600;
    let mut server = Server::start();
    let store = PostgresStore::connect(&server.database()).expect("a store");
    for number in 0..COUNT {
        assert_eq!(
            block_on(store.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    let acknowledged: Vec<AtomicBool> = (0..COUNT).map(|_| AtomicBool::new(false)).collect();
    let count = || {
        acknowledged
            .iter()
            .filter(|one| one.load(Ordering::SeqCst))
            .count()
    };
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let (store, acknowledged) = (&store, &acknowledged);
            scope.spawn(move || {
                for number in (0..COUNT).filter(|number| number % 8 == lane) {
                    match block_on(store.end(order(number, EndTarget::Session(session(number).id))))
                    {
                        Ok(ended) => {
                            assert_eq!(ended.len(), 1, "an order that was answered is credited");
                            acknowledged[number as usize].store(true, Ordering::SeqCst);
                        }
                        Err(StoreUnavailable) => return,
                    }
                }
            });
        }
        until("some are acknowledged", || count() > 40);
        server.kill();
    });
    assert!(count() < COUNT as usize, "killed in the middle of it");
    assert_eq!(block_on(store.health()), Err(StoreUnavailable));
    server.go_on();
    until("the store recovers", || block_on(store.health()).is_ok());
    let mut alive = 0;
    for number in 0..COUNT {
        let is_alive = is_alive(&store, &session(number));
        alive += usize::from(is_alive);
        let receipt =
            block_on(store.receipt(order(number, EndTarget::Session(session(number).id)).receipt));
        assert_eq!(
            receipt.map(|receipt| receipt.is_some()),
            Ok(!is_alive),
            "session {number}"
        );
        if acknowledged[number as usize].load(Ordering::SeqCst) {
            assert!(!is_alive, "session {number} was acknowledged as ended");
        }
    }
    assert!(alive > 0, "killed in the middle of it");
}

fn paused() {
    let server = Server::start();
    let store = PostgresStore::connect(&server.database()).expect("a store");
    for number in 0..50 {
        assert_eq!(
            block_on(store.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    // Written before an order is carried out, and adding nothing to how long that may take.
    for number in 0..50 {
        assert_eq!(block_on(store.touch(session(number).id, NOW)), Ok(()));
    }
    server.pause(true);
    let began = Instant::now();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let store = &store;
        let asking = (0..40).map(|number| {
            scope.spawn(move || match number % 4 {
                0 => block_on(store.health()).is_ok(),
                1 => block_on(store.find(&session(number).credentials[0].digest, NOW)).is_ok(),
                2 => block_on(store.open(session(1_000 + number), Join::Always, NOW)).is_ok(),
                _ => block_on(store.end(order(number, EndTarget::Session(session(number).id))))
                    .is_ok(),
            })
        });
        asking
            .collect::<Vec<_>>()
            .into_iter()
            .map(|asking| asking.join().expect("no panic"))
            .collect()
    });
    let waited = began.elapsed();
    server.pause(false);
    assert!(
        outcomes.iter().all(|is_ok| !is_ok),
        "nobody is told a success"
    );
    assert!(waited < SECONDS, "waited {waited:?}");
    until("the store recovers", || block_on(store.health()).is_ok());
    for number in 0..50 {
        // Whether or not the server carried it out when it went on, all that is known of the
        // session agrees.
        let was_alive = is_alive(&store, &session(number));
        let ended = block_on(store.end(order(
            2_000 + number,
            EndTarget::Session(session(number).id),
        )))
        .expect("the store answers");
        assert_eq!(ended.len(), usize::from(was_alive));
        assert!(!is_alive(&store, &session(number)));
    }
}

fn cut() {
    let server = Server::start();
    let url = server.database();
    let name = url.rsplit('/').next().expect("a name");
    let store = PostgresStore::connect(&url).expect("a store");
    let session = session(1);
    assert_eq!(
        block_on(store.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    std::thread::scope(|scope| {
        let server = &server;
        // Somebody holds the session, so that the sign-out cannot go on.
        let hold = format!(
            "BEGIN; SELECT FROM logout_sessions WHERE id = '{}' FOR UPDATE; SELECT pg_sleep(60)",
            session.id
        );
        let holder = scope.spawn(move || server.sql(name, &hold));
        let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        until("the session is held", || {
            server.sql(name, held).as_deref() == Ok("1")
        });
        let ending = scope.spawn(|| block_on(store.end(order(1, EndTarget::Session(session.id)))));
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        until("the sign-out waits", || {
            server.sql(name, waiting).as_deref() == Ok("1")
        });
        let cut =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        server.sql(name, cut).expect("an administrator");
        assert_eq!(ending.join().expect("no panic"), Err(StoreUnavailable));
        server.sql(name, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").expect("an administrator");
        assert!(holder.join().expect("no panic").is_err());
    });
    assert!(is_alive(&store, &session));
    assert_eq!(
        block_on(store.end(order(2, EndTarget::Session(session.id)))).map(|ended| ended.len()),
        Ok(1)
    );
    assert_eq!(
        block_on(store.find(&session.credentials[0].digest, NOW)),
        Ok(Lookup::Ended)
    );
}

/// A store behind a relay, and one beside it. Sessions from 0 to 19 live.
fn behind_a_relay(server: &Server) -> (PostgresStore, PostgresStore, Relay) {
    let (url, relay) = (server.database(), Relay::start(server.port));
    let store =
        PostgresStore::connect(&url.replace(&server.port.to_string(), &relay.port.to_string()))
            .expect("a store");
    let direct = PostgresStore::connect_unchanged(&url).expect("another");
    for number in 0..40 {
        assert_eq!(
            block_on(store.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    // So that the statement is known on every connection: the answer that goes astray is not that
    // of preparing it.
    for number in 20..40 {
        assert_eq!(end(&store, number), Ok(1));
    }
    (store, direct, relay)
}

fn end(store: &PostgresStore, number: u32) -> Result<usize, StoreUnavailable> {
    block_on(store.end(order(number, EndTarget::Session(session(number).id))))
        .map(|ended| ended.len())
}

fn answer_cut() {
    let server = Server::start();
    let (store, direct, relay) = behind_a_relay(&server);
    relay.cut(true);
    assert_eq!(end(&store, 1), Err(StoreUnavailable));
    until("the order that had arrived is carried out", || {
        !is_alive(&direct, &session(1))
    });
    relay.cut(false);
    until("the store recovers", || block_on(store.health()).is_ok());
    let receipt = order(1, EndTarget::Session(session(1).id)).receipt;
    let kept = block_on(store.receipt(receipt))
        .expect("the store answers")
        .expect("a receipt");
    assert_eq!(
        kept.sessions
            .iter()
            .map(|ended| ended.id)
            .collect::<Vec<_>>(),
        [session(1).id]
    );
    assert_eq!(end(&store, 1), Ok(0), "the same order again");
    assert_eq!(
        block_on(store.receipt(receipt)),
        Ok(Some(kept)),
        "which changes nothing"
    );
}

fn slow() {
    let server = Server::start();
    let (store, direct, relay) = behind_a_relay(&server);
    relay.delay(Duration::from_millis(200));
    assert_eq!(end(&store, 0), Ok(1));
    assert_eq!(
        block_on(store.open(session(100), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(block_on(store.health()), Ok(()));
    relay.delay(Duration::from_secs(6));
    for asking in [
        |store: &PostgresStore| end(store, 1).is_ok(),
        |store: &PostgresStore| block_on(store.health()).is_ok(),
    ] {
        let began = Instant::now();
        assert!(!asking(&store));
        assert!(began.elapsed() < SECONDS, "waited {:?}", began.elapsed());
    }
    until("the order that had arrived is carried out", || {
        !is_alive(&direct, &session(1))
    });
    assert!(is_alive(&direct, &session(2)));
    relay.delay(Duration::ZERO);
    until("the store recovers", || block_on(store.health()).is_ok());
    assert_eq!(end(&store, 1), Ok(0), "it was carried out");
    assert_eq!(end(&store, 2), Ok(1));
}

fn read_only() {
    let server = Server::start();
    let url = server.database();
    let name = url.rsplit('/').next().expect("a name");
    let store = PostgresStore::connect(&url).expect("a store");
    let session = session(1);
    assert_eq!(
        block_on(store.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    let set = |value: &str| {
        server
            .sql(
                name,
                &format!("ALTER SYSTEM SET default_transaction_read_only = {value}"),
            )
            .expect("an administrator");
        server
            .sql(name, "SELECT pg_reload_conf()")
            .expect("an administrator");
    };
    set("on");
    until("it is known to be read-only", || {
        block_on(store.health()) == Err(StoreUnavailable)
    });
    assert_eq!(
        block_on(store.end(order(1, EndTarget::Session(session.id)))),
        Err(StoreUnavailable)
    );
    assert!(is_alive(&store, &session));
    set("off");
    until("it is known to take writes again", || {
        block_on(store.health()).is_ok()
    });
    assert_eq!(
        block_on(store.end(order(2, EndTarget::Session(session.id)))).map(|ended| ended.len()),
        Ok(1)
    );
}
