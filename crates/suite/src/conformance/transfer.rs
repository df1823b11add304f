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

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use futures_executor::block_on;

use logout_core::credential::{CredentialDigest, random_bytes};
use logout_core::delivery::{DeliveryState, Outcome, Settlement};
use logout_core::outbox::{DeliveryFilter, Store};
use logout_core::session::Session;
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome, SessionFilter};
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Record, Tombstone, Transfer};
use logout_store::MemoryStore;
use world::{NOW, World, after, end, session};

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

/// With every field that it had, and every credential.
pub async fn a_session_that_was_taken_in_is_found_used_listed_and_ended_like_any_other<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let world = moved_here(&*store).await;
    for session in world.live() {
        assert_lives(&*store, session).await;
    }
    let listed = store
        .sessions(&SessionFilter::default(), None, usize::MAX, NOW)
        .await
        .expect("the store answers")
        .items;
    assert_eq!(listed.len(), world.live().count());
    // It is used, gets a credential, and ends with all of them.
    let full = &world.full;
    assert_eq!(store.touch(full.id, after(50)).await, Ok(()));
    let more = world::credential(3_600);
    assert_eq!(
        store.attach(full.id, more.clone(), None, after(50)).await,
        Ok(true)
    );
    world::settle(&*store).await;
    assert!(
        matches!(
            found(&*store, &more.digest, after(100)).await,
            Lookup::Live(..)
        ),
        "idle since its use, not since it was moved"
    );
    assert_eq!(
        end(&*store, EndTarget::Session(full.id), after(100))
            .await
            .len(),
        1
    );
    for digest in full
        .credentials
        .iter()
        .map(|credential| &credential.digest)
        .chain([&more.digest])
    {
        assert_eq!(found(&*store, digest, after(100)).await, Lookup::Ended);
    }
    let delivery = store
        .delivery(full.id)
        .await
        .expect("the store answers")
        .expect("it had an upstream");
    assert_eq!(
        (delivery.state, delivery.sealed),
        (DeliveryState::Pending, full.sealed.clone())
    );
    assert_eq!(
        end(&*store, EndTarget::Session(full.id), after(100)).await,
        []
    );
}

/// Each way to end several reaches all of them and nobody else.
pub async fn siblings_that_were_taken_in_share_their_sign_on_person_and_subject<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let world = moved_here(&*store).await;
    let [one, other] = &world.siblings;
    let joining = Session {
        sign_on: one.sign_on,
        ..session("dam", "carol")
    };
    assert_eq!(
        store.open(joining.clone(), Join::IfLive, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    let sign_on = one.sign_on.expect("they share one");
    let mut ended: Vec<_> = end(&*store, EndTarget::SignOn(sign_on), NOW)
        .await
        .into_iter()
        .map(|ended| ended.id)
        .collect();
    let mut meant = vec![one.id, other.id, joining.id];
    ended.sort();
    meant.sort();
    assert_eq!(ended, meant);
    assert_eq!(
        store
            .open(
                Session {
                    sign_on: Some(sign_on),
                    ..session("dam", "carol")
                },
                Join::IfLive,
                NOW
            )
            .await,
        Ok(OpenOutcome::SignOnEnded)
    );
    let person = world.full.person.clone().expect("it has one");
    assert_eq!(end(&*store, EndTarget::Person(person), NOW).await.len(), 1);
    let bare = &world.bare;
    let of_bare = EndTarget::Subject(bare.platform.clone(), bare.subject.clone());
    assert_eq!(end(&*store, of_bare, NOW).await.len(), 1);
}

/// Until the credential would have expired by itself; and no upstream's session is opened by it
/// again.
pub async fn what_has_ended_elsewhere_has_ended_here<S: Store + Transfer>(store: Arc<S>) {
    let world = moved_here(&*store).await;
    for session in &world.ended {
        assert_has_ended(&*store, session).await;
        let [long, short] = [&session.credentials[0], &session.credentials[1]];
        assert_eq!(
            found(&*store, &short.digest, short.expires).await,
            Lookup::Unknown
        );
        assert_eq!(
            found(&*store, &long.digest, short.expires).await,
            Lookup::Ended
        );
        let again = Session {
            credentials: vec![long.clone()],
            sealed: Some(world::sealed()),
            ..world::session("cms", "alice")
        };
        assert_eq!(
            store.open(again, Join::Always, NOW).await,
            Ok(OpenOutcome::CredentialEnded)
        );
    }
    for receipt in &world.receipts {
        let mut here = store
            .receipt(receipt.id)
            .await
            .expect("the store answers")
            .expect("it was moved");
        here.sessions.sort_by_key(|session| session.id);
        let mut there = receipt.clone();
        there.sessions.sort_by_key(|session| session.id);
        assert_eq!(here, there);
        let sessions: Vec<_> = here.sessions.iter().collect();
        for (session, delivery) in sessions.iter().zip(
            store
                .deliveries_of(&sessions)
                .await
                .expect("the store answers"),
        ) {
            assert_eq!(Ok(delivery), store.delivery(session.id).await);
        }
    }
}

/// Not before, and only to one.
pub async fn a_delivery_that_was_taken_in_is_leased_when_it_is_due_whoever_held_it_before<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let world = moved_here(&*store).await;
    let platform = &world.pending.platform;
    // Besides the one that was never tried, one that somebody held elsewhere.
    let lease = async |now| {
        store
            .lease(platform, 10, now, after(500))
            .await
            .expect("the store answers")
    };
    let leased = lease(NOW).await;
    let mut ids: Vec<_> = leased
        .iter()
        .map(|leased| leased.delivery.session)
        .collect();
    let mut due = vec![world.pending.id, world.held.id];
    ids.sort();
    due.sort();
    assert_eq!(ids, due);
    assert_eq!(lease(NOW).await, []);
    let [later] =
        <[_; 1]>::try_from(lease(world.put_off_until()).await).expect("one that was put off");
    assert_eq!(
        (later.delivery.session, later.delivery.attempts),
        (world.put_off.id, 1)
    );
    for leased in leased.iter().chain([&later]) {
        let confirmed = Settlement {
            attempt: None,
            outcome: Outcome::Confirmed { verified: None },
        };
        assert_eq!(
            store
                .settle(leased.delivery.session, leased.lease, confirmed)
                .await,
            Ok(true)
        );
    }
    assert_eq!(store.next_due(platform).await, Ok(None));
}

/// What is sealed for it goes along.
pub async fn a_settled_delivery_that_was_taken_in_stays_as_it_was_and_can_be_retried_if_it_was_given_up<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let world = moved_here(&*store).await;
    let delivery = async |session: &Session| {
        store
            .delivery(session.id)
            .await
            .expect("the store answers")
            .expect("it was moved")
    };
    let confirmed = delivery(&world.confirmed).await;
    assert_eq!(
        (confirmed.state, confirmed.sealed.as_ref()),
        (DeliveryState::Confirmed, None)
    );
    assert!(confirmed.verified.is_some() && confirmed.history.len() == 1);
    assert_eq!(store.retry(confirmed.session, NOW).await, Ok(false));
    let given_up = delivery(&world.given_up).await;
    assert_eq!(
        (given_up.state, &given_up.sealed),
        (DeliveryState::GivenUp, &world.given_up.sealed)
    );
    assert_eq!(store.retry(given_up.session, NOW).await, Ok(true));
    let leased = store
        .lease(&given_up.platform, 10, NOW, after(9))
        .await
        .expect("the store answers");
    assert!(
        leased
            .iter()
            .any(|leased| leased.delivery.session == given_up.session)
    );
    let listed = store
        .deliveries(&DeliveryFilter::default(), None, usize::MAX)
        .await
        .expect("the store answers");
    assert_eq!(listed.items.len(), 5);
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

/// Whether or not anybody is to be told of its end, and in whichever order its records come.
pub async fn a_session_that_has_ended_here_is_not_brought_back<S: Store + Transfer>(store: Arc<S>) {
    let with_upstream = Session {
        sealed: Some(world::sealed()),
        ..session("cms", "alice")
    };
    for session in [session("cms", "alice"), with_upstream] {
        take_in_one(&*store, Record::Session(session.clone())).await;
        assert_lives(&*store, &session).await;
        assert_eq!(
            end(&*store, EndTarget::Session(session.id), NOW)
                .await
                .len(),
            1
        );
        take_in_one(&*store, Record::Session(session.clone())).await;
        assert_has_ended(&*store, &session).await;
        assert_eq!(end(&*store, EndTarget::Session(session.id), NOW).await, []);
    }
    let elsewhere = session("cms", "bob");
    let records = tombstones(&elsewhere).chain([Record::Session(elsewhere.clone())]);
    assert_eq!(store.import(records.collect(), NOW).await, Ok(()));
    assert_has_ended(&*store, &elsewhere).await;
}

/// Nothing that is taken in takes the place of anything.
pub async fn what_lives_here_goes_on_whatever_comes_from_elsewhere<S: Store + Transfer>(
    store: Arc<S>,
) {
    let lives = Session {
        sealed: Some(world::sealed()),
        ..session("cms", "alice")
    };
    assert_eq!(
        store.open(lives.clone(), Join::Always, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(
        store.get_or_insert("key", b"ours".to_vec()).await,
        Ok(b"ours".to_vec())
    );
    let once = Once {
        key: CredentialDigest::from_bytes(random_bytes()),
        value: b"theirs".to_vec(),
        expires: after(60),
    };
    assert_eq!(
        store
            .put_once(once.key, b"ours".to_vec(), once.expires)
            .await,
        Ok(true)
    );

    let elsewhere = MemoryStore::new();
    let older = Session {
        administrator: true,
        credentials: lives.credentials[..1].to_vec(),
        ..lives.clone()
    };
    take_in_one(&elsewhere, Record::Session(older.clone())).await;
    assert_eq!(
        end(&elsewhere, EndTarget::Session(older.id), NOW)
            .await
            .len(),
        1
    );
    let mut records: Vec<Record> = contents(&elsewhere).await.into_values().collect();
    records.extend(tombstones(&lives));
    records.push(Record::Session(older));
    records.push(Record::Agreed(Agreed {
        name: "key".to_owned(),
        value: b"theirs".to_vec(),
    }));
    records.push(Record::Once(once.clone()));
    assert_eq!(store.import(records, NOW).await, Ok(()));

    assert_lives(&*store, &lives).await;
    assert_eq!(store.delivery(lives.id).await, Ok(None));
    assert_eq!(
        store.get_or_insert("key", b"ours".to_vec()).await,
        Ok(b"ours".to_vec())
    );
    assert_eq!(
        store.take_once(&once.key, NOW).await,
        Ok(Some(b"ours".to_vec()))
    );
    // And ends like any other.
    assert_eq!(
        end(&*store, EndTarget::Session(lives.id), NOW).await.len(),
        1
    );
    assert_has_ended(&*store, &lives).await;
    assert!(
        store
            .delivery(lives.id)
            .await
            .is_ok_and(|delivery| delivery.is_some())
    );
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
