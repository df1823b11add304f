//! Deliveries, pending and settled.

use std::sync::Arc;

use logout_core::delivery::{DeliveryState, Outcome, Settlement};
use logout_core::outbox::{DeliveryFilter, Store};
use logout_core::session::Session;
use logout_core::transfer::Transfer;

use super::moved_here;
use super::world::{NOW, after};

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
