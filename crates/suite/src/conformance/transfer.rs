//! The rules of [`Transfer`], one case each. Long because it is the list of the rules.
//!
//! A store's tests call [`transfer_conformance!`](crate::transfer_conformance) with something that
//! makes a fresh, empty store:
//!
//! ```
//! # mod of_memory {
//! use std::sync::Arc;
//! use logout_store::MemoryStore;
//!
//! fn fresh() -> (Arc<MemoryStore>, ()) {
//!     (Arc::new(MemoryStore::new()), ())
//! }
//!
//! logout_suite::transfer_conformance!(fresh);
//! # }
//! ```

mod deliveries;
mod sessions;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use deliveries::*;
pub use futures_executor::block_on;
pub use sessions::*;

use logout_core::credential::CredentialDigest;
use logout_core::outbox::Store;
use logout_core::session::Session;
use logout_core::store::{Lookup, SessionFilter};
use logout_core::time::Timestamp;
use logout_core::transfer::{Record, Tombstone, Transfer};
use logout_store::MemoryStore;
use world::{NOW, World, session};

/// Makes every case a test named after its rule. `$fresh` is called once per test and returns
/// `(Arc<store>, guard)`. Behind `@named` it makes none, and brings a list of their names and
/// functions for a harness of one's own.
#[macro_export]
macro_rules! transfer_conformance {
    ($fresh:expr) => {
        $crate::transfer_conformance! { @list @cases transfer $fresh; }
    };
    (@named $fresh:expr) => {
        $crate::transfer_conformance! { @list @pairs transfer $fresh; }
    };
    (@list $($then:tt)*) => {
        $crate::conformance_tests! { $($then)*
            what_it_gives_out_another_store_takes_in_and_gives_out_the_same
            what_another_store_gives_out_it_takes_in_and_gives_out_the_same
            a_session_that_was_taken_in_is_found_used_listed_and_ended_like_any_other
            siblings_that_were_taken_in_share_their_sign_on_person_and_subject
            what_has_ended_elsewhere_has_ended_here
            a_delivery_that_was_taken_in_is_leased_when_it_is_due_whoever_held_it_before
            a_settled_delivery_that_was_taken_in_stays_as_it_was_and_can_be_retried_if_it_was_given_up
            one_time_values_and_agreed_ones_are_as_they_were_elsewhere
            taking_in_twice_changes_nothing
            a_session_that_has_ended_here_is_not_brought_back
            what_lives_here_goes_on_whatever_comes_from_elsewhere
            what_is_over_is_neither_given_out_nor_taken_in
            parts_are_bounded_and_bring_everything_once
            a_mark_is_kept_and_is_no_part_of_what_is_given_out
            an_empty_store_gives_out_nothing
        }
    };
}

/// How many records are asked for at once: far fewer than there are.
const STEP: usize = 4;
/// How many more a server may bring.
const A_FEW: usize = 16;

type Contents = BTreeMap<(u8, Vec<u8>), Record>;

/// Under what a record is known, within its kind.
fn name(record: &Record) -> (u8, Vec<u8>) {
    match record {
        Record::Agreed(one) => (0, one.name.clone().into_bytes()),
        Record::Tombstone(one) => (1, one.digest.as_bytes().to_vec()),
        Record::Once(one) => (2, one.key.as_bytes().to_vec()),
        Record::Receipt(one) => (3, one.id.as_bytes().to_vec()),
        Record::Delivery(one) => (4, one.session.as_bytes().to_vec()),
        Record::Session(one) => (5, one.id.as_bytes().to_vec()),
    }
}

async fn contents_at(store: &impl Transfer, limit: usize, now: Timestamp) -> Contents {
    let mut contents = Contents::new();
    let mut from = None;
    loop {
        let part = store
            .export(from, limit, now)
            .await
            .expect("the store answers");
        assert!(
            part.items.len() <= limit + A_FEW,
            "{} records, where {limit} were asked for",
            part.items.len()
        );
        for mut record in part.items {
            if let Record::Receipt(receipt) = &mut record {
                // In which order sessions stand in a receipt is for the store to say.
                receipt.sessions.sort_by_key(|session| session.id);
            }
            assert!(
                !matches!(record, Record::Tombstone(_))
                    || !contents.keys().any(|(kind, _)| *kind == 5),
                "a session before a tombstone"
            );
            let twice = contents.insert(name(&record), record);
            assert!(twice.is_none(), "{twice:?} was given out twice");
        }
        from = part.next;
        if from.is_none() {
            return contents;
        }
    }
}

async fn contents(store: &impl Transfer) -> Contents {
    contents_at(store, STEP, NOW).await
}

async fn take_in(store: &impl Transfer, contents: &Contents) {
    assert_eq!(
        store
            .import(contents.values().cloned().collect(), NOW)
            .await,
        Ok(())
    );
}

async fn take_in_one(store: &impl Transfer, record: Record) {
    assert_eq!(store.import(vec![record], NOW).await, Ok(()));
}

/// Fills a store in memory, and takes what that gives out in here.
async fn moved_here(store: &impl Transfer) -> World {
    let elsewhere = MemoryStore::new();
    let world = World::make(&elsewhere).await;
    take_in(store, &contents(&elsewhere).await).await;
    world
}

async fn found(store: &impl Store, digest: &CredentialDigest, now: Timestamp) -> Lookup {
    store.find(digest, now).await.expect("the store answers")
}

async fn assert_lives(store: &impl Store, session: &Session) {
    for credential in &session.credentials {
        match found(store, &credential.digest, NOW).await {
            Lookup::Live(live, by) => assert_eq!((&*live, &by), (session, credential)),
            other => panic!("{} should be alive, but is {other:?}", session.id),
        }
    }
}

async fn assert_has_ended(store: &impl Store, session: &Session) {
    for credential in &session.credentials {
        assert_eq!(
            found(store, &credential.digest, NOW).await,
            Lookup::Ended,
            "{}",
            session.id
        );
    }
    let listed = store
        .sessions(&SessionFilter::default(), None, usize::MAX, NOW)
        .await
        .expect("the store answers");
    assert!(
        listed.items.iter().all(|listed| listed.id != session.id),
        "{} is listed",
        session.id
    );
}

fn tombstones(session: &Session) -> impl Iterator<Item = Record> {
    let of = |credential: &logout_core::credential::Credential| {
        Record::Tombstone(Tombstone {
            digest: credential.digest,
            session: session.id,
            expires: credential.expires,
        })
    };
    session
        .credentials
        .iter()
        .map(of)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Everything that a store can hold, as the calls of a hub have brought it about.
pub async fn what_it_gives_out_another_store_takes_in_and_gives_out_the_same<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let world = World::make(&*store).await;
    let given_out = contents(&*store).await;
    world.assert_is_all_of(&given_out);
    let elsewhere = MemoryStore::new();
    take_in(&elsewhere, &given_out).await;
    assert_eq!(contents(&elsewhere).await, given_out);
}

/// And so back.
pub async fn what_another_store_gives_out_it_takes_in_and_gives_out_the_same<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let elsewhere = MemoryStore::new();
    let world = World::make(&elsewhere).await;
    let given_out = contents(&elsewhere).await;
    world.assert_is_all_of(&given_out);
    take_in(&*store, &given_out).await;
    assert_eq!(contents(&*store).await, given_out);
}

/// Whoever asks again agrees on what was agreed on elsewhere.
pub async fn one_time_values_and_agreed_ones_are_as_they_were_elsewhere<S: Store + Transfer>(
    store: Arc<S>,
) {
    let world = moved_here(&*store).await;
    for (name, value) in &world.agreed {
        assert_eq!(
            store
                .get_or_insert(name, b"another".to_vec())
                .await
                .as_ref(),
            Ok(value)
        );
    }
    let once = &world.once;
    assert_eq!(
        store
            .put_once(once.key, b"another".to_vec(), once.expires)
            .await,
        Ok(false)
    );
    assert_eq!(
        store.take_once(&once.key, NOW).await,
        Ok(Some(once.value.clone()))
    );
    assert_eq!(store.take_once(&once.key, NOW).await, Ok(None));
}

/// However the records are put together.
pub async fn taking_in_twice_changes_nothing<S: Store + Transfer>(store: Arc<S>) {
    let elsewhere = MemoryStore::new();
    World::make(&elsewhere).await;
    let given_out = contents(&elsewhere).await;
    take_in(&*store, &given_out).await;
    take_in(&*store, &given_out).await;
    for record in given_out.values().rev() {
        assert_eq!(
            store
                .import(vec![record.clone(), record.clone()], NOW)
                .await,
            Ok(())
        );
    }
    assert_eq!(contents(&*store).await, given_out);
}

/// By the instant that the caller names.
pub async fn what_is_over_is_neither_given_out_nor_taken_in<S: Store + Transfer>(store: Arc<S>) {
    let world = World::make(&*store).await;
    let late = world.last_expiry();
    let all = contents(&*store).await;
    let left = contents_at(&*store, STEP, late).await;
    let over = |record: &&Record| {
        matches!(
            record,
            Record::Once(_) | Record::Session(_) | Record::Tombstone(_)
        )
    };
    assert!(all.values().any(|record| over(&record)));
    assert_eq!(left.values().find(over), None);
    assert_eq!(
        left,
        all.into_iter()
            .filter(|(_, record)| !over(&record))
            .collect()
    );

    let elsewhere = MemoryStore::new();
    World::make(&elsewhere).await;
    let records = contents(&elsewhere)
        .await
        .into_values()
        .filter(|record| over(&record))
        .collect();
    assert_eq!(store.import(records, late).await, Ok(()));
    assert_eq!(contents_at(&*store, STEP, late).await, left);
    assert_eq!(
        contents(&*store).await.values().filter(over).count(),
        world.over_by_and_by()
    );
}

/// Whatever is asked for at once, and across kinds.
pub async fn parts_are_bounded_and_bring_everything_once<S: Store + Transfer>(store: Arc<S>) {
    World::make(&*store).await;
    let records = (0..40).map(|number| Record::Session(session("cms", &format!("user{number}"))));
    assert_eq!(store.import(records.collect(), NOW).await, Ok(()));
    let all = contents_at(&*store, 1_000, NOW).await;
    for limit in [1, 3, 7, 41] {
        assert_eq!(
            contents_at(&*store, limit, NOW).await,
            all,
            "{limit} at once"
        );
    }
    let size_hint = store.size_hint().await.expect("the store answers");
    assert!(
        size_hint <= 10 * all.len() as u64,
        "{size_hint} is not about {}",
        all.len()
    );
}

/// For whoever fills the store to know where they are.
pub async fn a_mark_is_kept_and_is_no_part_of_what_is_given_out<S: Store + Transfer>(
    store: Arc<S>,
) {
    assert_eq!(store.checkpoint().await, Ok(None));
    for checkpoint in [b"one".to_vec(), vec![0, 255], Vec::new()] {
        assert_eq!(store.set_checkpoint(Some(checkpoint.clone())).await, Ok(()));
        assert_eq!(store.checkpoint().await, Ok(Some(checkpoint)));
    }
    assert_eq!(contents(&*store).await, Contents::new());
    assert_eq!(store.set_checkpoint(None).await, Ok(()));
    assert_eq!(
        (store.checkpoint().await, store.set_checkpoint(None).await),
        (Ok(None), Ok(()))
    );
}

/// In one part.
pub async fn an_empty_store_gives_out_nothing<S: Store + Transfer>(store: Arc<S>) {
    assert_eq!(contents(&*store).await, Contents::new());
    assert_eq!(store.import(Vec::new(), NOW).await, Ok(()));
    assert_eq!(store.size_hint().await, Ok(0));
}
