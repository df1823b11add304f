//! The embedded store keeps every rule of outboxes, and what it promises about deliveries over a
//! restart.
#![cfg(feature = "disk")]

mod sessions;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use futures_util::future::{join, join3};
use logout_core::credential::Sealed;
use logout_core::delivery::{
    AttemptAnswer, AttemptRecord, Delivery, DeliveryState, Leased, Outcome, Settlement,
    Verification,
};
use logout_core::outbox::{DeliveryFilter, Outbox as _};
use logout_core::session::{Session, SessionId};
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome, SessionStore as _};
use logout_core::time::Timestamp;
use logout_store::DiskStore;
use sessions::{NOW, is_alive, order, session};

fn fresh() -> (Arc<DiskStore>, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = DiskStore::open(directory.path()).expect("a new store");
    (Arc::new(store), directory)
}

mod conformance {
    logout_suite::outbox_conformance!(super::fresh);
}

const MINUTE: Duration = Duration::from_secs(60);

fn at_upstream(number: u32) -> Session {
    Session {
        sealed: Some(Sealed::new(format!("sealed {number}"))),
        ..session(number)
    }
}

fn open(directory: &Path) -> DiskStore {
    DiskStore::open(directory).expect("the store opens")
}

async fn ended(store: &DiskStore, number: u32) -> SessionId {
    let session = at_upstream(number);
    assert_eq!(
        store.open(session.clone(), Join::Always, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(
        store
            .end(order(number, EndTarget::Session(session.id)))
            .await
            .map(|ended| ended.len()),
        Ok(1)
    );
    session.id
}

async fn lease(store: &DiskStore, limit: usize, now: Timestamp) -> Vec<Leased> {
    store
        .lease(&session(0).platform, limit, now, now.plus(MINUTE))
        .await
        .expect("the store answers")
}

async fn settle(store: &DiskStore, leased: &Leased, outcome: Outcome) -> bool {
    let attempt = Some(AttemptRecord {
        at: NOW,
        answer: AttemptAnswer::Status(500),
    });
    store
        .settle(
            leased.delivery.session,
            leased.lease,
            Settlement { attempt, outcome },
        )
        .await
        .expect("the store answers")
}

async fn all(store: &DiskStore) -> Vec<Delivery> {
    store
        .deliveries(&DeliveryFilter::default(), None, 1_000)
        .await
        .expect("the store answers")
        .items
}

#[test]
fn deliveries_survive_a_restart_as_they_were_and_leases_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (before, held) = block_on(async {
        for number in 0..6 {
            ended(&store, number).await;
        }
        let leased = lease(&store, 5, NOW).await;
        assert!(
            settle(
                &store,
                &leased[0],
                Outcome::Confirmed {
                    verified: Some(Verification::Dead)
                }
            )
            .await
        );
        assert!(settle(&store, &leased[1], Outcome::GivenUp).await);
        assert!(
            settle(
                &store,
                &leased[2],
                Outcome::Again {
                    due: NOW.plus(MINUTE)
                }
            )
            .await
        );
        assert!(settle(&store, &leased[3], Outcome::GivenUp).await);
        assert_eq!(
            store
                .retry(leased[3].delivery.session, NOW.plus(2 * MINUTE))
                .await,
            Ok(true)
        );
        (all(&store).await, leased[4].clone())
    });
    assert_eq!(before.len(), 6);
    drop(store);

    let store = open(directory.path());
    block_on(async {
        assert_eq!(all(&store).await, before);
        for delivery in &before {
            assert_eq!(
                store.delivery(delivery.session).await.as_ref(),
                Ok(&Some(delivery.clone()))
            );
        }
        assert!(
            !settle(&store, &held, Outcome::GivenUp).await,
            "a lease from before the restart"
        );
        let due = |leased: Vec<Leased>| {
            leased
                .into_iter()
                .map(|leased| leased.delivery)
                .collect::<Vec<_>>()
        };
        let mut at_once = due(lease(&store, 9, NOW).await);
        at_once.sort_by_key(|delivery| delivery.session);
        let untouched: Vec<_> = before
            .iter()
            .filter(|delivery| delivery.attempts == 0)
            .cloned()
            .collect();
        assert_eq!((at_once.len(), at_once), (2, untouched));
        assert_eq!(
            store.next_due(&session(0).platform).await,
            Ok(Some(NOW.plus(MINUTE)))
        );
        assert!(
            lease(&store, 9, NOW.plus(2 * MINUTE))
                .await
                .iter()
                .any(|leased| leased.delivery.due == NOW.plus(2 * MINUTE))
        );
    });
}

#[test]
fn a_tombstone_keeps_a_credential_from_its_upstream_over_a_restart_and_does_not_concern_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let first = at_upstream(0);
    block_on(ended(&store, 0));
    drop(store);
    let store = open(directory.path());
    let again = Session {
        credentials: first.credentials.clone(),
        ..at_upstream(1)
    };
    assert_eq!(
        block_on(store.open(again.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::CredentialEnded)
    );
    assert_eq!(
        block_on(store.find(&first.credentials[0].digest, NOW)),
        Ok(Lookup::Ended)
    );
    let ours = Session {
        sealed: None,
        ..again
    };
    assert_eq!(
        block_on(store.open(ours.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    assert!(is_alive(&store, &ours));
}

/// Whatever else is asked at the same time, and decided in the same group.
#[test]
fn a_session_that_is_ended_while_its_credential_is_registered_again_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for number in 0..200 {
        let first = at_upstream(2 * number);
        let again = Session {
            credentials: first.credentials.clone(),
            ..at_upstream(2 * number + 1)
        };
        let (ended, opened, found) = block_on(async {
            assert_eq!(
                store.open(first.clone(), Join::Always, NOW).await,
                Ok(OpenOutcome::Opened)
            );
            let end = store.end(order(number, EndTarget::Session(first.id)));
            let (ended, opened) = join(end, store.open(again.clone(), Join::Always, NOW)).await;
            (
                ended.unwrap().len(),
                opened.unwrap(),
                store.find(&first.credentials[0].digest, NOW).await.unwrap(),
            )
        });
        assert_eq!(ended, 1);
        match opened {
            // It came first: then the credential was this session's when the other ended.
            OpenOutcome::Opened => {
                assert!(matches!(found, Lookup::Live(live, _) if live.id == again.id))
            }
            OpenOutcome::CredentialEnded => assert_eq!(found, Lookup::Ended),
            OpenOutcome::SignOnEnded => panic!("it joins none"),
        }
    }
}

#[test]
fn of_many_who_settle_and_retry_one_delivery_at_once_each_sees_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    block_on(async {
        let session = ended(&store, 0).await;
        let leased = lease(&store, 1, NOW).await.remove(0);
        let (first, second, retried) = join3(
            settle(&store, &leased, Outcome::GivenUp),
            settle(&store, &leased, Outcome::GivenUp),
            store.retry(session, NOW.plus(MINUTE)),
        )
        .await;
        assert_eq!((first, second, retried), (true, false, Ok(true)));
        let delivery = store.delivery(session).await.unwrap().unwrap();
        assert_eq!(
            (delivery.state, delivery.attempts, delivery.due),
            (DeliveryState::Pending, 1, NOW.plus(MINUTE))
        );
        assert_eq!(all(&store).await, [delivery]);
    });
}

/// The reader looks at two tables, between which deliveries move all the time.
#[test]
fn a_delivery_that_is_settled_and_retried_all_the_time_is_always_listed_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let session = block_on(ended(&store, 0));
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mover = scope.spawn(|| {
            for _ in 0..20_000 {
                if enough.load(Ordering::Relaxed) {
                    return;
                }
                block_on(async {
                    let leased = lease(&store, 1, NOW).await.remove(0);
                    assert!(settle(&store, &leased, Outcome::GivenUp).await);
                    assert_eq!(store.retry(session, NOW).await, Ok(true));
                });
            }
        });
        let mut states = [0, 0];
        while !mover.is_finished() {
            let listed = block_on(all(&store));
            assert_eq!(
                listed
                    .iter()
                    .map(|delivery| delivery.session)
                    .collect::<Vec<_>>(),
                [session]
            );
            assert!(block_on(store.delivery(session)).unwrap().is_some());
            states[usize::from(listed[0].state == DeliveryState::Pending)] += 1;
            enough.store(states.iter().all(|seen| *seen > 200), Ordering::Relaxed);
        }
        assert!(
            states.iter().all(|seen| *seen > 0),
            "it never moved while somebody looked: {states:?}"
        );
    });
}

#[test]
fn housekeeping_that_looks_at_one_record_at_a_time_comes_to_all_deliveries() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    block_on(async {
        for number in 0..9 {
            ended(&store, number).await;
        }
        for leased in lease(&store, 6, NOW).await {
            assert!(settle(&store, &leased, Outcome::GivenUp).await);
        }
        let (mut from, mut steps) = (None, 0);
        loop {
            from = store
                .sweep(from, 1, NOW, NOW.plus(MINUTE))
                .await
                .unwrap()
                .next;
            steps += 1;
            assert!(steps < 1_000, "housekeeping does not come to an end");
            if from.is_none() {
                break;
            }
        }
        let left = all(&store).await;
        assert_eq!(
            (
                left.len(),
                left.iter()
                    .all(|delivery| delivery.state == DeliveryState::Pending)
            ),
            (3, true)
        );
    });
}
