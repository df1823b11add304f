//! The rules of [`Outbox`](logout_core::outbox::Outbox) and of sessions that have an upstream, one
//! case each.
//!
//! A store's tests call [`outbox_conformance!`](crate::outbox_conformance) with something that
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
//! logout_suite::outbox_conformance!(fresh);
//! # }
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::time::Duration;

pub use futures_executor::block_on;

use logout_core::credential::{Credential, CredentialDigest, Sealed, random_bytes};
use logout_core::delivery::{
    Attempt, AttemptAnswer, Delivery, DeliveryState, Leased, Outcome, Settlement, Verification,
};
use logout_core::outbox::{DeliveryFilter, Store};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Join, Lookup, OpenOutcome};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamError;

/// Makes every case a test named after its rule. `$fresh` is called once per test and returns
/// `(Arc<store>, guard)`. Behind `@named` it makes none, and brings a list of their names and
/// functions for a harness of one's own.
#[macro_export]
macro_rules! outbox_conformance {
    ($fresh:expr) => {
        $crate::outbox_conformance! { @list @cases outbox $fresh; }
    };
    (@named $fresh:expr) => {
        $crate::outbox_conformance! { @list @pairs outbox $fresh; }
    };
    (@list $($then:tt)*) => {
        $crate::conformance_tests! { $($then)*
            ending_a_session_with_an_upstream_leaves_one_delivery
            ending_a_session_without_one_leaves_none
            a_delivery_carries_what_was_sealed_last
            a_delivery_is_leased_to_one_at_a_time
            a_lease_that_has_run_out_is_given_out_again
            the_soonest_are_leased_first_and_no_more_than_asked_for
            platforms_have_queues_of_their_own
            a_settlement_counts_once_and_only_under_the_latest_lease
            a_confirmed_delivery_is_done_and_keeps_nothing_sealed
            a_delivery_that_is_tried_again_waits_until_it_is_due
            a_given_up_delivery_is_left_alone_until_somebody_retries_it
            retrying_does_not_take_a_delivery_from_who_holds_it
            deliveries_are_listed_in_pages_by_platform_and_state
            the_deliveries_of_many_sessions_come_in_the_order_asked_for
            housekeeping_forgets_settled_deliveries_and_keeps_pending_ones
            what_is_sealed_for_a_given_up_delivery_is_erased_when_it_has_expired
            a_session_whose_credential_has_a_tombstone_is_not_opened_again
            a_person_s_thousand_sessions_become_a_thousand_deliveries_in_one_order
            of_many_who_lease_at_once_each_delivery_goes_to_one
        }
    };
}

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn credential() -> Credential {
    Credential {
        digest: CredentialDigest::from_bytes(random_bytes()),
        expires: after(3_600),
        csrf_due: false,
    }
}

/// A session at an upstream.
fn session(platform: &str, name: &str) -> Session {
    Session {
        id: SessionId::at(NOW),
        platform: PlatformName::new(platform),
        sign_on: None,
        subject: Subject::new("Default", name),
        person: Some(Person::new(format!("{name}@example.com"))),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![credential()],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: None,
        expires: after(3_600),
        device: Device::default(),
        sealed: Some(Sealed::new(format!("sealed for {name} at {platform}"))),
    }
}

async fn open(store: &impl Store, session: Session) -> Session {
    assert_eq!(
        store.open(session.clone(), Join::Always, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    session
}

async fn end(
    store: &impl Store,
    target: EndTarget,
    at: Timestamp,
) -> (ReceiptId, Vec<EndedSession>) {
    let receipt = ReceiptId::at(at);
    let order = EndOrder {
        receipt,
        at,
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets: vec![target],
    };
    (receipt, store.end(order).await.expect("the store answers"))
}

/// Opens a session of `name` at `platform` and ends it at `at`.
async fn ended(store: &impl Store, platform: &str, name: &str, at: Timestamp) -> Session {
    let session = open(store, session(platform, name)).await;
    assert_eq!(
        end(store, EndTarget::Session(session.id), at).await.1.len(),
        1
    );
    session
}

async fn lease(store: &impl Store, platform: &str, limit: usize, now: Timestamp) -> Vec<Leased> {
    let until = now.plus(Duration::from_secs(30));
    store
        .lease(&PlatformName::new(platform), limit, now, until)
        .await
        .expect("the store answers")
}

fn tried(at: Timestamp, answer: AttemptAnswer, outcome: Outcome) -> Settlement {
    Settlement {
        attempt: Some(Attempt { at, answer }),
        outcome,
    }
}

fn confirmed(verified: Option<Verification>) -> Settlement {
    tried(
        NOW,
        AttemptAnswer::Status(200),
        Outcome::Confirmed { verified },
    )
}

async fn only(store: &impl Store, platform: &str, now: Timestamp) -> Leased {
    let mut leased = lease(store, platform, 10, now).await;
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

/// Session, receipt, subject and what is sealed are the ended session's; it is due at once.
pub async fn ending_a_session_with_an_upstream_leaves_one_delivery<S: Store>(store: Arc<S>) {
    let session = open(&*store, session("cms", "alice")).await;
    let (receipt, ended) = end(&*store, EndTarget::Session(session.id), after(1)).await;
    assert!(ended[0].upstream);
    let delivery = store
        .delivery(session.id)
        .await
        .expect("the store answers")
        .expect("a delivery");
    assert_eq!(
        (delivery.session, delivery.receipt, &delivery.subject),
        (session.id, receipt, &session.subject)
    );
    assert_eq!(
        (delivery.created, delivery.due, delivery.expires),
        (after(1), after(1), session.expires)
    );
    assert_eq!(
        (delivery.state, delivery.attempts, &delivery.sealed),
        (DeliveryState::Pending, 0, &session.sealed)
    );
    assert_eq!(store.next_due(&session.platform).await, Ok(Some(after(1))));
    assert!(
        store
            .receipt(receipt)
            .await
            .expect("the store answers")
            .is_some_and(|receipt| receipt.sessions[0].upstream)
    );
    assert_eq!(
        end(&*store, EndTarget::Session(session.id), after(2))
            .await
            .1,
        []
    );
    assert_eq!(only(&*store, "cms", after(3)).await.delivery, delivery);
}

/// A stand-in's session ends here and nowhere else.
pub async fn ending_a_session_without_one_leaves_none<S: Store>(store: Arc<S>) {
    let session = open(
        &*store,
        Session {
            sealed: None,
            ..session("cms", "alice")
        },
    )
    .await;
    assert!(!end(&*store, EndTarget::Session(session.id), NOW).await.1[0].upstream);
    assert_eq!(
        (
            store.delivery(session.id).await,
            store.next_due(&session.platform).await
        ),
        (Ok(None), Ok(None))
    );
}

/// A renewed token takes the place of the old one.
pub async fn a_delivery_carries_what_was_sealed_last<S: Store>(store: Arc<S>) {
    let session = open(&*store, session("cms", "alice")).await;
    let sealed = Sealed::new(*b"renewed");
    assert_eq!(
        store
            .attach(session.id, credential(), Some(sealed.clone()), NOW)
            .await,
        Ok(true)
    );
    assert_eq!(
        store.attach(session.id, credential(), None, NOW).await,
        Ok(true)
    );
    end(&*store, EndTarget::Session(session.id), NOW).await;
    assert_eq!(
        only(&*store, "cms", NOW).await.delivery.sealed,
        Some(sealed)
    );
}

/// Whoever comes second gets nothing.
pub async fn a_delivery_is_leased_to_one_at_a_time<S: Store>(store: Arc<S>) {
    ended(&*store, "cms", "alice", NOW).await;
    only(&*store, "cms", NOW).await;
    assert_eq!(lease(&*store, "cms", 10, after(29)).await, []);
    assert_eq!(
        store.next_due(&PlatformName::new("cms")).await,
        Ok(Some(after(30)))
    );
}

/// Its holder may have died.
pub async fn a_lease_that_has_run_out_is_given_out_again<S: Store>(store: Arc<S>) {
    ended(&*store, "cms", "alice", NOW).await;
    let first = only(&*store, "cms", NOW).await;
    let second = only(&*store, "cms", after(30)).await;
    assert_eq!(first.delivery, second.delivery);
    assert_ne!(first.lease, second.lease);
}

/// By the instant at which they are due.
pub async fn the_soonest_are_leased_first_and_no_more_than_asked_for<S: Store>(store: Arc<S>) {
    for (name, at) in [("carol", 3), ("alice", 1), ("dave", 9), ("bob", 2)] {
        ended(&*store, "cms", name, after(at)).await;
    }
    let names = |leased: Vec<Leased>| -> Vec<String> {
        leased
            .iter()
            .map(|leased| leased.delivery.subject.name.to_string())
            .collect()
    };
    assert_eq!(lease(&*store, "cms", 10, NOW).await, []);
    assert_eq!(
        names(lease(&*store, "cms", 2, after(5)).await),
        ["alice", "bob"]
    );
    assert_eq!(names(lease(&*store, "cms", 2, after(5)).await), ["carol"]);
    assert_eq!(
        store.next_due(&PlatformName::new("cms")).await,
        Ok(Some(after(9)))
    );
}

/// One whose upstream is dead does not stand in the way of another.
pub async fn platforms_have_queues_of_their_own<S: Store>(store: Arc<S>) {
    ended(&*store, "cms", "alice", NOW).await;
    ended(&*store, "dam", "alice", after(5)).await;
    assert_eq!(
        store.next_due(&PlatformName::new("dam")).await,
        Ok(Some(after(5)))
    );
    assert_eq!(
        only(&*store, "dam", after(5)).await.delivery.platform,
        PlatformName::new("dam")
    );
    assert_eq!(lease(&*store, "shop", 10, after(99)).await, []);
    assert_eq!(
        only(&*store, "cms", after(5)).await.delivery.platform,
        PlatformName::new("cms")
    );
}

/// A holder that was slow cannot undo what its successor did.
pub async fn a_settlement_counts_once_and_only_under_the_latest_lease<S: Store>(store: Arc<S>) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let first = only(&*store, "cms", NOW).await;
    let second = only(&*store, "cms", after(31)).await;
    assert_eq!(
        store.settle(session.id, first.lease, confirmed(None)).await,
        Ok(false)
    );
    let again = tried(
        after(31),
        AttemptAnswer::Error(UpstreamError::Timeout),
        Outcome::Again { due: after(40) },
    );
    assert_eq!(
        store.settle(session.id, second.lease, again.clone()).await,
        Ok(true)
    );
    assert_eq!(
        store.settle(session.id, second.lease, again).await,
        Ok(false)
    );
    let third = only(&*store, "cms", after(40)).await;
    assert_eq!(third.delivery.attempts, 1);
    assert_eq!(
        store.settle(session.id, third.lease, confirmed(None)).await,
        Ok(true)
    );
    assert_eq!(
        store.settle(session.id, third.lease, confirmed(None)).await,
        Ok(false)
    );
    assert_eq!(
        store.settle(SessionId::at(NOW), 1, confirmed(None)).await,
        Ok(false)
    );
}

/// What it says is kept; what could be misused is not.
pub async fn a_confirmed_delivery_is_done_and_keeps_nothing_sealed<S: Store>(store: Arc<S>) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let leased = only(&*store, "cms", NOW).await;
    assert_eq!(
        store
            .settle(
                session.id,
                leased.lease,
                confirmed(Some(Verification::Outlived))
            )
            .await,
        Ok(true)
    );
    let delivery = store
        .delivery(session.id)
        .await
        .expect("the store answers")
        .expect("a delivery");
    assert_eq!(
        (delivery.state, delivery.verified, &delivery.sealed),
        (
            DeliveryState::Confirmed,
            Some(Verification::Outlived),
            &None
        )
    );
    assert_eq!(
        delivery.history,
        [Attempt {
            at: NOW,
            answer: AttemptAnswer::Status(200)
        }]
    );
    assert_eq!(lease(&*store, "cms", 10, after(9_999)).await, []);
    assert_eq!(store.next_due(&session.platform).await, Ok(None));
    assert_eq!(store.retry(session.id, NOW).await, Ok(false));
}

/// With what came of it before.
pub async fn a_delivery_that_is_tried_again_waits_until_it_is_due<S: Store>(store: Arc<S>) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let answers = [
        AttemptAnswer::Error(UpstreamError::NoConnection),
        AttemptAnswer::Status(503),
        AttemptAnswer::Unsealable,
    ];
    for (round, answer) in answers.into_iter().enumerate() {
        let at = after(60 * round as u64);
        let leased = only(&*store, "cms", at).await;
        let due = at.plus(Duration::from_secs(60));
        assert_eq!(
            store
                .settle(
                    session.id,
                    leased.lease,
                    tried(at, answer, Outcome::Again { due })
                )
                .await,
            Ok(true)
        );
        assert_eq!(store.next_due(&session.platform).await, Ok(Some(due)));
        assert_eq!(
            lease(
                &*store,
                "cms",
                10,
                Timestamp::from_millis(due.as_millis() - 1)
            )
            .await,
            []
        );
    }
    let delivery = only(&*store, "cms", after(180)).await.delivery;
    assert_eq!(
        delivery
            .history
            .iter()
            .map(|attempt| attempt.answer)
            .collect::<Vec<_>>(),
        answers
    );
    assert_eq!((delivery.attempts, delivery.sealed), (3, session.sealed));
}

/// It still has what another try needs.
pub async fn a_given_up_delivery_is_left_alone_until_somebody_retries_it<S: Store>(store: Arc<S>) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let leased = only(&*store, "cms", NOW).await;
    assert_eq!(
        store
            .settle(
                session.id,
                leased.lease,
                tried(NOW, AttemptAnswer::Status(500), Outcome::GivenUp)
            )
            .await,
        Ok(true)
    );
    assert_eq!(
        (
            lease(&*store, "cms", 10, after(9_999)).await,
            store.next_due(&session.platform).await
        ),
        (vec![], Ok(None))
    );
    assert_eq!(store.retry(session.id, after(100)).await, Ok(true));
    let again = only(&*store, "cms", after(100)).await.delivery;
    assert_eq!(
        (again.state, again.attempts, again.sealed),
        (DeliveryState::Pending, 1, session.sealed)
    );
    assert_eq!(store.retry(SessionId::at(NOW), NOW).await, Ok(false));
}

/// Two at once would be one too many.
pub async fn retrying_does_not_take_a_delivery_from_who_holds_it<S: Store>(store: Arc<S>) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let leased = only(&*store, "cms", NOW).await;
    assert_eq!(store.retry(session.id, after(1)).await, Ok(true));
    assert_eq!(lease(&*store, "cms", 10, after(1)).await, []);
    assert_eq!(
        store
            .settle(session.id, leased.lease, confirmed(None))
            .await,
        Ok(true)
    );
}

/// Without gaps or repeats.
pub async fn deliveries_are_listed_in_pages_by_platform_and_state<S: Store>(store: Arc<S>) {
    let mut cms = BTreeSet::new();
    for number in 0..5 {
        cms.insert(
            ended(&*store, "cms", &format!("user{number}"), NOW)
                .await
                .id,
        );
        ended(&*store, "dam", &format!("user{number}"), NOW).await;
    }
    let filter = DeliveryFilter {
        platform: Some(PlatformName::new("cms")),
        state: None,
    };
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let page = store
            .deliveries(&filter, from, 2)
            .await
            .expect("the store answers");
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|delivery| delivery.session));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, cms.into_iter().collect::<Vec<_>>());
    let leased = lease(&*store, "cms", 1, NOW).await.remove(0);
    assert_eq!(
        store
            .settle(leased.delivery.session, leased.lease, confirmed(None))
            .await,
        Ok(true)
    );
    for (state, count) in [
        (DeliveryState::Confirmed, 1),
        (DeliveryState::Pending, 9),
        (DeliveryState::GivenUp, 0),
    ] {
        let filter = DeliveryFilter {
            platform: None,
            state: Some(state),
        };
        assert_eq!(
            store
                .deliveries(&filter, None, 100)
                .await
                .map(|page| page.items.len()),
            Ok(count),
            "{state:?}"
        );
    }
}

/// Pending and settled ones, of several platforms, with and without a person; nothing where there
/// is none.
pub async fn the_deliveries_of_many_sessions_come_in_the_order_asked_for<S: Store>(store: Arc<S>) {
    let mut asked = Vec::new();
    for number in 0..6 {
        let platform = if number % 2 == 0 { "cms" } else { "dam" };
        let mut session = session(platform, &format!("user{}", number / 2));
        if number > 3 {
            session.person = None;
        }
        if number == 2 {
            session.sealed = None;
        }
        let session = open(&*store, session).await;
        asked.extend(end(&*store, EndTarget::Session(session.id), NOW).await.1);
    }
    let leased = lease(&*store, "dam", 1, NOW).await.remove(0);
    assert_eq!(
        store
            .settle(leased.delivery.session, leased.lease, confirmed(None))
            .await,
        Ok(true)
    );
    // Never kept here.
    asked.insert(
        3,
        EndedSession {
            id: SessionId::at(NOW),
            ..asked[0].clone()
        },
    );
    asked.reverse();
    asked.push(asked[0].clone());
    let sessions: Vec<_> = asked.iter().collect();
    let found = store
        .deliveries_of(&sessions)
        .await
        .expect("the store answers");
    let mut expected = Vec::new();
    for session in &sessions {
        expected.push(store.delivery(session.id).await.expect("the store answers"));
    }
    assert_eq!(found, expected);
    let there: Vec<_> = found
        .iter()
        .map(|delivery| delivery.as_ref().map(|delivery| delivery.session))
        .collect();
    let upstream = |session: &EndedSession| {
        (session.upstream && session.id != asked[3].id).then_some(session.id)
    };
    assert_eq!(there, asked.iter().map(upstream).collect::<Vec<_>>());
    assert!(
        found
            .iter()
            .flatten()
            .any(|delivery| delivery.state == DeliveryState::Confirmed)
    );
    assert_eq!(store.deliveries_of(&[]).await, Ok(Vec::new()));
}

async fn sweep(store: &impl Store, now: Timestamp, receipts_until: Timestamp) {
    let mut from = None;
    loop {
        from = store
            .sweep(from, 100, now, receipts_until)
            .await
            .expect("the store answers")
            .next;
        if from.is_none() {
            return;
        }
    }
}

/// Like receipts.
pub async fn housekeeping_forgets_settled_deliveries_and_keeps_pending_ones<S: Store>(
    store: Arc<S>,
) {
    let done = ended(&*store, "cms", "done", NOW).await;
    let leased = only(&*store, "cms", NOW).await;
    assert_eq!(
        store.settle(done.id, leased.lease, confirmed(None)).await,
        Ok(true)
    );
    let waits = ended(&*store, "cms", "waits", NOW).await;
    sweep(&*store, after(10), NOW).await;
    assert!(
        store
            .delivery(done.id)
            .await
            .expect("the store answers")
            .is_some()
    );
    sweep(&*store, after(10), after(1)).await;
    assert_eq!(store.delivery(done.id).await, Ok(None));
    assert_eq!(
        only(&*store, "cms", after(10)).await.delivery.session,
        waits.id
    );
}

/// Until then somebody may still retry it.
pub async fn what_is_sealed_for_a_given_up_delivery_is_erased_when_it_has_expired<S: Store>(
    store: Arc<S>,
) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let leased = only(&*store, "cms", NOW).await;
    assert_eq!(
        store
            .settle(
                session.id,
                leased.lease,
                tried(NOW, AttemptAnswer::Status(500), Outcome::GivenUp)
            )
            .await,
        Ok(true)
    );
    for (now, kept) in [(after(3_599), true), (after(3_600), false)] {
        sweep(&*store, now, NOW).await;
        let delivery = store
            .delivery(session.id)
            .await
            .expect("the store answers")
            .expect("a delivery");
        assert_eq!(delivery.sealed.is_some(), kept);
    }
    assert_eq!(store.retry(session.id, after(3_601)).await, Ok(false));
}

/// The upstream's credentials are not ours: whoever registers one again must not bring it back to
/// life.
pub async fn a_session_whose_credential_has_a_tombstone_is_not_opened_again<S: Store>(
    store: Arc<S>,
) {
    let first = ended(&*store, "cms", "alice", NOW).await;
    let again = Session {
        credentials: vec![credential(), first.credentials[0].clone()],
        ..session("cms", "alice")
    };
    assert_eq!(
        store.open(again.clone(), Join::Always, after(1)).await,
        Ok(OpenOutcome::CredentialEnded)
    );
    assert_eq!(
        store.find(&first.credentials[0].digest, after(1)).await,
        Ok(Lookup::Ended)
    );
    assert_eq!(
        store.find(&again.credentials[0].digest, after(1)).await,
        Ok(Lookup::Unknown)
    );
    assert_eq!(
        store.open(again, Join::Always, after(3_600)).await,
        Ok(OpenOutcome::Opened)
    );
}

/// All of them, in one step.
pub async fn a_person_s_thousand_sessions_become_a_thousand_deliveries_in_one_order<S: Store>(
    store: Arc<S>,
) {
    let mut ids = BTreeSet::new();
    for _ in 0..1_000 {
        ids.insert(open(&*store, session("cms", "alice")).await.id);
    }
    let bob = open(&*store, session("cms", "bob")).await;
    let (receipt, ended) = end(
        &*store,
        EndTarget::Person(Person::new("alice@example.com")),
        NOW,
    )
    .await;
    assert_eq!(ended.len(), 1_000);
    let found = store
        .deliveries_of(&ended.iter().collect::<Vec<_>>())
        .await
        .expect("the store answers");
    let told = |(session, delivery): (&EndedSession, Option<_>)| {
        delivery.is_some_and(|own: Delivery| own.session == session.id)
    };
    assert!(ended.iter().zip(found).all(told));
    let mut leased = BTreeSet::new();
    while leased.len() < 1_000 {
        let more = lease(&*store, "cms", 300, NOW).await;
        assert!(!more.is_empty() && more.iter().all(|leased| leased.delivery.receipt == receipt));
        leased.extend(more.into_iter().map(|leased| leased.delivery.session));
    }
    assert_eq!(leased, ids);
    assert!(matches!(
        store.find(&bob.credentials[0].digest, NOW).await,
        Ok(Lookup::Live(..))
    ));
}

/// Eight of them, over and over.
pub async fn of_many_who_lease_at_once_each_delivery_goes_to_one<S: Store>(store: Arc<S>) {
    for number in 0..200 {
        ended(&*store, "cms", &format!("user{number}"), NOW).await;
    }
    let barrier = Barrier::new(8);
    let taken: Vec<SessionId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let mut taken = Vec::new();
                    loop {
                        let leased = block_on(lease(&*store, "cms", 7, NOW));
                        if leased.is_empty() {
                            return taken;
                        }
                        taken.extend(leased.into_iter().map(|leased| leased.delivery.session));
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        (taken.len(), taken.iter().collect::<BTreeSet<_>>().len()),
        (200, 200)
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list_that_the_macro_runs() {
        let source = include_str!("outbox.rs");
        let (_, list) = source.split_once("$($then)*\n").unwrap();
        let (list, _) = list.split_once('}').unwrap();
        let mut listed: Vec<_> = list.split_whitespace().collect();
        let mut written: Vec<_> = source
            .lines()
            .filter_map(|line| {
                line.strip_prefix("pub async fn ")?
                    .split_once('<')
                    .map(|(name, _)| name)
            })
            .collect();
        listed.sort_unstable();
        written.sort_unstable();
        assert_eq!(listed, written);
    }
}
