//! Settlements, and what is kept of a settled delivery.

use std::sync::Arc;
use std::time::Duration;

use logout_core::delivery::{AttemptAnswer, AttemptRecord, DeliveryState, Outcome, Verification};
use logout_core::outbox::Store;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamError;

use super::{NOW, after, confirmed, ended, lease, only, tried};

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

/// A recipient that fetches its deliveries knows nothing of leases.
pub async fn an_acknowledgement_needs_no_lease_and_counts_once<S: Store>(store: Arc<S>) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let leased = only(&*store, "cms", NOW).await;
    let acknowledged = || store.acknowledge(session.id, confirmed(None));
    assert_eq!(acknowledged().await, Ok(true));
    assert_eq!(acknowledged().await, Ok(false));
    assert_eq!(
        store
            .settle(session.id, leased.lease, confirmed(None))
            .await,
        Ok(false)
    );
    let delivery = store.delivery(session.id).await;
    let delivery = delivery.expect("the store answers").expect("a delivery");
    assert_eq!(delivery.state, DeliveryState::Confirmed);
    assert!(lease(&*store, "cms", 10, after(3_600)).await.is_empty());
    // One that was never leased.
    let other = ended(&*store, "cms", "bob", NOW).await;
    let given_up = tried(NOW, AttemptAnswer::Status(400), Outcome::GivenUp);
    assert_eq!(store.acknowledge(other.id, given_up).await, Ok(true));
    assert!(lease(&*store, "cms", 10, after(3_600)).await.is_empty());
    assert_eq!(
        store.acknowledge(SessionId::at(NOW), confirmed(None)).await,
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
        [AttemptRecord {
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
