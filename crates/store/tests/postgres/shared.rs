//! What several hubs on one database may rely on.

mod database;
mod races;

use std::time::Duration;

use futures_executor::block_on;
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::session::{Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionStore as _};
use logout_store::PostgresStore;

use crate::sessions::{NOW, is_alive, order, session};
use crate::{fresh, server};

pub(crate) fn tests() -> Vec<(&'static str, fn())> {
    vec![
        (
            "what_one_hub_opens_another_knows_and_what_one_ends_is_dead_at_the_other",
            what_one_hub_opens_another_knows,
        ),
        (
            "of_orders_of_two_hubs_for_one_session_exactly_one_is_credited",
            races::exactly_one_hub_is_credited,
        ),
        (
            "wide_and_narrow_orders_of_two_hubs_do_not_wait_for_each_other_in_a_circle",
            races::no_circles,
        ),
        (
            "joining_a_login_at_one_hub_while_another_ends_the_person_leaves_nothing_alive",
            races::joining_while_the_person_ends,
        ),
        (
            "hubs_that_start_at_once_make_the_tables_once",
            database::tables_are_made_once,
        ),
        (
            "tables_of_another_version_are_refused",
            database::other_versions_are_refused,
        ),
        (
            "a_url_that_is_not_understood_is_not_repeated",
            database::urls_are_not_repeated,
        ),
        ("names_may_hold_anything_and_be_long", any_name),
        (
            "an_order_that_is_refused_takes_no_other_down_with_it",
            races::bad_company,
        ),
        (
            "the_clock_of_a_hub_that_is_behind_brings_nothing_back",
            clocks_apart,
        ),
        (
            "who_was_seen_before_an_order_has_not_expired_by_it",
            seen_before_an_order,
        ),
        (
            "what_was_used_just_before_a_store_is_dropped_is_known_to_the_next_one",
            last_touches,
        ),
        (
            "commits_are_synchronous_unless_the_url_says_otherwise",
            database::commits_are_synchronous,
        ),
    ]
}

fn two_hubs() -> (PostgresStore, PostgresStore) {
    let url = server().database_like("prepared");
    (
        PostgresStore::connect(&url).expect("a store"),
        PostgresStore::connect_unchanged(&url).expect("another"),
    )
}

fn what_one_hub_opens_another_knows() {
    let (one, other) = two_hubs();
    for number in 0..20 {
        let session = session(number);
        assert_eq!(
            block_on(one.open(session.clone(), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
        assert!(is_alive(&other, &session));
        assert_eq!(
            block_on(one.end(order(number, EndTarget::Session(session.id))))
                .map(|ended| ended.len()),
            Ok(1)
        );
        for credential in &session.credentials {
            assert_eq!(
                block_on(other.find(&credential.digest, NOW)),
                Ok(Lookup::Ended)
            );
        }
        assert_eq!(
            block_on(other.end(order(100 + number, EndTarget::Session(session.id)))),
            Ok(Vec::new())
        );
        assert!(!is_alive(&other, &session));
    }
}

fn seen_before_an_order() {
    let (store, _server) = fresh();
    let minute = Duration::from_secs(60);
    let session = Session {
        idle_timeout: Some(30 * minute),
        ..session(0)
    };
    assert_eq!(
        block_on(store.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(
        block_on(store.touch(session.id, NOW.plus(20 * minute))),
        Ok(())
    );
    let order = EndOrder {
        at: NOW.plus(49 * minute),
        ..order(0, EndTarget::Expired(session.id))
    };
    assert_eq!(block_on(store.end(order)), Ok(Vec::new()));
}

fn last_touches() {
    let url = server().database_like("prepared");
    let minute = Duration::from_secs(60);
    let session = Session {
        idle_timeout: Some(30 * minute),
        ..session(0)
    };
    let store = PostgresStore::connect(&url).expect("a store");
    assert_eq!(
        block_on(store.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(
        block_on(store.touch(session.id, NOW.plus(20 * minute))),
        Ok(())
    );
    drop(store);
    let next = PostgresStore::connect_unchanged(&url).expect("another");
    let found = block_on(next.find(&session.credentials[0].digest, NOW.plus(49 * minute)));
    assert!(matches!(found, Ok(Lookup::Live(..))), "{found:?}");
}

fn session_id(number: u32) -> SessionId {
    session(number).id
}

fn any_name() {
    let (store, _server) = fresh();
    for (number, name) in (0..).zip(
        ["a\0b", "a\x010b", "a\u{1}b", "o'hara\\", "\u{10ffff}"]
            .into_iter()
            .map(str::to_owned)
            .chain(["x".repeat(20_000)]),
    ) {
        let plain = session(number);
        let session = Session {
            subject: Subject::new("Default", &name),
            person: Some(Person::new(&name)),
            ..plain
        };
        assert_eq!(
            block_on(store.open(session.clone(), Join::Always, NOW)),
            Ok(OpenOutcome::Opened),
            "{number}"
        );
        assert!(is_alive(&*store, &session));
        let ended = block_on(store.end(order(number, EndTarget::Person(Person::new(&name)))))
            .expect("the store answers");
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].subject, session.subject);
        assert!(!is_alive(&*store, &session));
    }
}

fn clocks_apart() {
    let (ahead, behind) = two_hubs();
    let five_minutes = Duration::from_secs(300);
    let brief = || Credential {
        digest: CredentialDigest::from_bytes(random_bytes()),
        expires: NOW.plus(Duration::from_secs(900)),
        csrf_due: false,
    };
    let session = Session {
        credentials: vec![brief()],
        ..session(1)
    };
    assert_eq!(
        block_on(behind.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    let order = EndOrder {
        at: NOW.plus(five_minutes),
        ..order(1, EndTarget::Session(session.id))
    };
    assert_eq!(block_on(ahead.end(order)).map(|ended| ended.len()), Ok(1));
    assert_eq!(
        block_on(behind.find(&session.credentials[0].digest, NOW)),
        Ok(Lookup::Ended)
    );
    assert_eq!(
        block_on(behind.attach(session.id, brief(), None, NOW)),
        Ok(false)
    );
    block_on(behind.touch(session.id, NOW)).expect("the store answers");
    // The one that is ahead forgets first; what it has forgotten opens nothing at the other.
    let later = NOW.plus(Duration::from_secs(900));
    block_on(ahead.sweep(None, 100, later, NOW)).expect("the store answers");
    assert_eq!(
        block_on(behind.find(
            &session.credentials[0].digest,
            NOW.plus(Duration::from_secs(600))
        )),
        Ok(Lookup::Unknown)
    );
}
