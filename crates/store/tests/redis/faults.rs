//! What happens to sessions when the server, or the way to it, fails.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use libtest_mimic::Trial;
use logout_core::credential::{CredentialDigest, Sealed};
use logout_core::outbox::Outbox as _;
use logout_core::session::Session;
use logout_core::store::{
    EndTarget, Join, Lookup, OpenOutcome, SessionStore as _, StoreUnavailable,
};
use logout_store::{RedisConnectError, RedisStore};

use crate::relay::Relay;
use crate::server::{Server, eventually};
use crate::sessions::{NOW, is_alive, order, session, session_of};
use crate::{connect, fresh_url, named, shared_server};

const MINUTE: Duration = Duration::from_secs(60);
/// What "within a few seconds" is.
const SOON: Duration = Duration::from_secs(6);

pub(crate) fn trials() -> Vec<Trial> {
    macro_rules! cases {
        ($($case:ident)+) => { vec![$((stringify!($case), $case as fn()),)+] };
    }
    named(
        "faults",
        cases! {
            a_sign_out_at_one_hub_is_final_at_the_other
            a_delivery_that_one_hub_holds_is_not_given_to_another_before_the_lease_is_over
            a_server_that_has_forgotten_the_scripts_is_told_them_again
            what_was_answered_survives_a_kill_and_the_store_comes_back_by_itself
            a_paused_server_is_an_error_within_seconds_and_used_again_afterwards
            a_full_server_refuses_logins_and_still_ends_sessions
            a_server_that_has_become_a_replica_is_an_error_until_it_is_a_master_again
            a_server_that_is_slow_is_waited_for_and_one_that_is_too_slow_is_an_error_that_claims_nothing
            a_sign_out_whose_answer_is_cut_off_is_an_error_and_says_what_it_ended_when_repeated
            a_write_without_the_acknowledgements_asked_for_is_an_error
            a_write_with_the_acknowledgements_asked_for_is_answered
            a_server_that_knows_no_waitaof_is_refused_when_it_is_asked_for
            a_server_that_evicts_keys_is_refused
            another_number_of_buckets_is_refused
            a_hub_whose_clock_is_ahead_does_not_make_another_forget_what_ended
            what_an_order_over_several_buckets_ended_is_on_one_receipt
        },
    )
}

fn open(store: &RedisStore, session: &Session) {
    assert_eq!(
        block_on(store.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
}

fn end(store: &RedisStore, number: u32) -> Result<usize, StoreUnavailable> {
    block_on(store.end(order(number, EndTarget::Session(session(number).id))))
        .map(|ended| ended.len())
}

fn refused_soon<T: std::fmt::Debug + PartialEq>(ask: impl FnOnce() -> Result<T, StoreUnavailable>) {
    let begun = Instant::now();
    assert_eq!(ask(), Err(StoreUnavailable));
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
}

fn recovers(store: &RedisStore) {
    eventually("the store answers again", || {
        block_on(store.health()).is_ok()
    });
}

fn a_sign_out_at_one_hub_is_final_at_the_other() {
    let url = fresh_url(shared_server(), "");
    let (here, there) = (connect(&url), connect(&url));
    open(&here, &session(1));
    assert!(is_alive(&*there, &session(1)));
    assert_eq!(end(&here, 1), Ok(1));
    assert!(!is_alive(&*there, &session(1)));
    let other = order(2, EndTarget::Session(session(1).id));
    assert_eq!(block_on(there.end(other)), Ok(Vec::new()));
}

fn a_delivery_that_one_hub_holds_is_not_given_to_another_before_the_lease_is_over() {
    let url = fresh_url(shared_server(), "");
    let (here, there) = (connect(&url), connect(&url));
    open(
        &here,
        &Session {
            sealed: Some(Sealed::new(*b"x")),
            ..session(1)
        },
    );
    assert_eq!(end(&here, 1), Ok(1));
    let lease = |store: &RedisStore, now| {
        block_on(store.lease(&session(1).platform, 9, now, now.plus(MINUTE))).expect("it answers")
    };
    assert_eq!(lease(&here, NOW).len(), 1);
    drop(here);
    assert_eq!(lease(&there, NOW.plus(MINUTE / 2)), []);
    assert_eq!(lease(&there, NOW.plus(MINUTE)).len(), 1);
}

fn a_server_that_has_forgotten_the_scripts_is_told_them_again() {
    let server = Server::start(&[]);
    let store = connect(&server.url());
    open(&store, &session(1));
    assert!(server.ask("SCRIPT FLUSH").contains("OK"));
    assert_eq!(end(&store, 1), Ok(1));
    assert!(!is_alive(&*store, &session(1)));
}

fn what_was_answered_survives_a_kill_and_the_store_comes_back_by_itself() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = connect(&server.url());
    for number in 0..20 {
        open(
            &store,
            &Session {
                sealed: Some(Sealed::new(*b"x")),
                ..session(number)
            },
        );
    }
    for number in 0..10 {
        assert_eq!(end(&store, number), Ok(1));
    }
    server.kill();
    refused_soon(|| end(&store, 10));
    refused_soon(|| block_on(store.health()));
    server.restart();
    recovers(&store);
    for number in 0..20 {
        let session = Session {
            sealed: Some(Sealed::new(*b"x")),
            ..session(number)
        };
        assert_eq!(
            is_alive(&*store, &session),
            number >= 10,
            "session {number}"
        );
    }
    let leased =
        block_on(store.lease(&session(0).platform, 99, NOW, NOW.plus(MINUTE))).expect("it answers");
    assert_eq!(leased.len(), 10);
}

fn a_paused_server_is_an_error_within_seconds_and_used_again_afterwards() {
    let server = Server::start(&[]);
    let store = connect(&server.url());
    open(&store, &session(1));
    server.signal("-STOP");
    refused_soon(|| block_on(store.find(&session(1).credentials[0].digest, NOW)));
    refused_soon(|| end(&store, 2));
    refused_soon(|| block_on(store.health()));
    server.signal("-CONT");
    recovers(&store);
    assert!(is_alive(&*store, &session(1)));
}

fn a_full_server_refuses_logins_and_still_ends_sessions() {
    let server = Server::start(&[]);
    let store = connect(&server.url());
    open(
        &store,
        &Session {
            sealed: Some(Sealed::new(*b"x")),
            ..session(1)
        },
    );
    assert!(server.ask("CONFIG SET maxmemory 1mb").contains("OK"));
    assert_eq!(
        block_on(store.open(session(2), Join::Always, NOW)),
        Err(StoreUnavailable)
    );
    assert_eq!(block_on(store.health()), Err(StoreUnavailable));
    assert_eq!(end(&store, 1), Ok(1));
    assert_eq!(
        block_on(store.find(&session(1).credentials[0].digest, NOW)),
        Ok(Lookup::Ended)
    );
    assert!(
        block_on(store.delivery(session(1).id))
            .expect("it answers")
            .is_some()
    );
    assert!(server.ask("CONFIG SET maxmemory 0").contains("OK"));
    open(&store, &session(2));
}

fn a_server_that_has_become_a_replica_is_an_error_until_it_is_a_master_again() {
    let server = Server::start(&[]);
    let store = connect(&server.url());
    open(&store, &session(1));
    assert!(server.ask("REPLICAOF 127.0.0.1 1").contains("OK"));
    refused_soon(|| end(&store, 1));
    refused_soon(|| block_on(store.health()));
    assert!(server.ask("REPLICAOF NO ONE").contains("OK"));
    recovers(&store);
    assert_eq!(end(&store, 1), Ok(1));
}

fn a_server_that_is_slow_is_waited_for_and_one_that_is_too_slow_is_an_error_that_claims_nothing() {
    let server = Server::start(&[]);
    let relay = Relay::start(server.port);
    let (store, direct) = (
        connect(&format!("redis://127.0.0.1:{}", relay.port)),
        connect(&server.url()),
    );
    relay.delay(Duration::from_millis(200));
    for number in 0..4 {
        open(&store, &session(number));
    }
    assert_eq!(end(&store, 0), Ok(1));
    assert_eq!(block_on(store.health()), Ok(()));
    relay.delay(Duration::from_secs(6));
    refused_soon(|| end(&store, 1));
    refused_soon(|| block_on(store.find(&session(2).credentials[0].digest, NOW)));
    refused_soon(|| block_on(store.health()));
    assert!(!is_alive(&*direct, &session(1)), "the order had arrived");
    assert!(is_alive(&*direct, &session(2)));
    relay.delay(Duration::ZERO);
    recovers(&store);
    assert_eq!(end(&store, 1), Ok(1), "the same order");
    assert_eq!(end(&store, 2), Ok(1));
}

fn a_sign_out_whose_answer_is_cut_off_is_an_error_and_says_what_it_ended_when_repeated() {
    let server = Server::start(&[]);
    let relay = Relay::start(server.port);
    let (store, direct) = (
        connect(&format!("redis://127.0.0.1:{}", relay.port)),
        connect(&server.url()),
    );
    open(&store, &session(1));
    // So that the server has the script already: the answer that is cut off is not its question for
    // it.
    assert_eq!(end(&store, 3), Ok(0));
    relay.cut(true);
    refused_soon(|| end(&store, 1));
    assert!(!is_alive(&*direct, &session(1)), "the order had arrived");
    relay.cut(false);
    recovers(&store);
    assert_eq!(end(&store, 1), Ok(1), "the same order");
    let other = order(2, EndTarget::Session(session(1).id));
    assert_eq!(block_on(store.end(other)), Ok(Vec::new()), "another order");
    let receipt = block_on(store.receipt(order(1, EndTarget::Session(session(1).id)).receipt))
        .expect("it answers");
    assert_eq!(receipt.expect("a receipt").sessions.len(), 1);
}

fn a_write_without_the_acknowledgements_asked_for_is_an_error() {
    let server = Server::start(&[]);
    let lenient = connect(&server.url());
    open(&lenient, &session(1));
    let replica = Server::start(&["--replicaof", "127.0.0.1", &server.port.to_string()]);
    eventually("the replica follows", || {
        replica
            .ask("INFO replication")
            .contains("master_link_status:up")
    });
    let store = connect(&format!("{}?wait_replicas=1&wait_ms=200", server.url()));
    drop(replica);
    eventually("the master knows that it is gone", || {
        server
            .ask("INFO replication")
            .contains("connected_slaves:0")
    });
    refused_soon(|| end(&store, 1));
    refused_soon(|| block_on(store.health()));
    assert!(
        !is_alive(&*lenient, &session(1)),
        "it was carried out all the same"
    );
}

fn a_write_with_the_acknowledgements_asked_for_is_answered() {
    let server = Server::start(&[]);
    let replica = Server::start(&["--replicaof", "127.0.0.1", &server.port.to_string()]);
    eventually("the replica follows", || {
        replica
            .ask("INFO replication")
            .contains("master_link_status:up")
    });
    let store = connect(&format!("{}?wait_replicas=1&wait_ms=2000", server.url()));
    open(&store, &session(1));
    assert_eq!(end(&store, 1), Ok(1));
    // No store can be opened on a replica.
    let there = replica.ask("KEYS logout:{0}s:*");
    assert_eq!(there.trim(), "*0", "no session key is left on the replica");
}

fn a_server_that_knows_no_waitaof_is_refused_when_it_is_asked_for() {
    let server = Server::start(&["--appendonly", "yes"]);
    // The length of a command's description: nothing, where the command is not known.
    let knows = server.ask("COMMAND INFO WAITAOF").contains("waitaof");
    let opened = RedisStore::connect(&format!("{}?wait_aof=1&wait_ms=2000", server.url()));
    assert_eq!(opened.is_ok(), knows, "{opened:?}");
}

fn a_server_that_evicts_keys_is_refused() {
    let server = Server::start(&["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]);
    let refused = RedisStore::connect(&server.url());
    assert!(
        matches!(&refused, Err(RedisConnectError::Evicts(policy)) if policy == "volatile-lru"),
        "{refused:?}"
    );
}

fn another_number_of_buckets_is_refused() {
    let server = Server::start(&[]);
    let store = connect(&server.url());
    open(&store, &session(1));
    let refused = RedisStore::connect(&format!("{}?buckets=8", server.url()));
    assert!(
        matches!(refused, Err(RedisConnectError::Buckets { asked: 8, .. })),
        "{refused:?}"
    );
}

fn a_hub_whose_clock_is_ahead_does_not_make_another_forget_what_ended() {
    let url = fresh_url(shared_server(), "");
    let (ahead, behind) = (connect(&url), connect(&url));
    let session = session(1);
    // Opened, ended and swept by the one whose clock is five minutes ahead.
    let soon = NOW.plus(5 * MINUTE);
    assert_eq!(
        block_on(ahead.open(session.clone(), Join::Always, soon)),
        Ok(OpenOutcome::Opened)
    );
    let ended = logout_core::store::EndOrder {
        at: soon,
        ..order(1, EndTarget::Session(session.id))
    };
    assert_eq!(block_on(ahead.end(ended)).map(|ended| ended.len()), Ok(1));
    let expiry = session.credentials[0].expires;
    assert!(block_on(ahead.sweep(None, 1_000, expiry.plus(MINUTE), NOW)).is_ok());
    let found = |store: &RedisStore, now| block_on(store.find(&session.credentials[0].digest, now));
    assert_eq!(found(&ahead, expiry.plus(MINUTE)), Ok(Lookup::Unknown));
    let by_the_other_clock = logout_core::time::Timestamp::from_millis(expiry.as_millis() - 1);
    assert_eq!(found(&behind, by_the_other_clock), Ok(Lookup::Ended));
    let again = Session {
        sealed: Some(Sealed::new(*b"x")),
        id: session_of(2, 1).id,
        ..session.clone()
    };
    assert_eq!(
        block_on(behind.open(again, Join::Always, by_the_other_clock)),
        Ok(OpenOutcome::CredentialEnded)
    );
}

fn what_an_order_over_several_buckets_ended_is_on_one_receipt() {
    let store = connect(&fresh_url(shared_server(), "&buckets=16"));
    for number in 0..100 {
        open(&store, &session(number));
    }
    let all = order(1, EndTarget::Platform(session(0).platform));
    let ended = block_on(store.end(all.clone())).expect("it answers");
    assert_eq!(ended.len(), 100);
    let mut receipt = block_on(store.receipt(all.receipt))
        .expect("it answers")
        .expect("a receipt");
    let mut expected = all.receipt_for(ended.clone());
    receipt.sessions.sort_by_key(|session| session.id);
    expected.sessions.sort_by_key(|session| session.id);
    assert_eq!(receipt, expected);
    let page = block_on(store.receipts(None, 10)).expect("it answers");
    assert_eq!(
        page.items
            .iter()
            .map(|receipt| (receipt.id, receipt.sessions.len()))
            .collect::<Vec<_>>(),
        [(all.receipt, 100)]
    );
    assert_eq!(
        block_on(store.end(all)).map(|ended| ended.len()),
        Ok(100),
        "the same order again"
    );
    let nobody = CredentialDigest::from_bytes([9; 32]);
    assert_eq!(block_on(store.find(&nobody, NOW)), Ok(Lookup::Unknown));
}
