//! Stopping, and the threads that a relay may have of its own.

use std::sync::Arc;
use std::time::Duration;

use logout_core::ports::Clock as _;
use logout_core::receipt::ReceiptId;
use logout_relay::Relay;

use crate::support::dialect::SIGNED_OUT;
use crate::support::hub::{
    Hub, MINUTE, Turned, adjusted, all, all_settled, brisk, confirmed, end, of,
};
use crate::support::played::{Played, answer, signed_out};

#[tokio::test(start_paused = true)]
async fn a_relay_goes_on_when_every_clone_of_it_is_dropped() {
    let hub = Hub::start(
        brisk(),
        vec![("orphan", Played::new(|_, _| async { signed_out() }))],
    );
    let (store, clock, mut changes) = (hub.store.clone(), hub.clock.clone(), hub.relay.changes());
    drop(hub);
    end(
        &*store,
        &*clock,
        ReceiptId::at(clock.now()),
        "orphan",
        "alice",
        1,
    )
    .await;
    tokio::time::timeout(MINUTE, changes.changed())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_what_is_under_way_finish_and_begins_nothing_more() {
    let client = Played::new(|_, _| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        signed_out()
    });
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.max_in_flight = 3),
        vec![("stops", client.clone())],
    );
    hub.end("stops", 10).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    hub.relay.stop().await;
    assert_eq!(
        (client.calls(), confirmed(&all(&hub, "stops").await)),
        (3, 3)
    );
    // Somebody else goes on at once with what was not leased.
    let next = Hub::on(hub.store, hub.clock, brisk(), vec![("stops", client)]);
    assert_eq!(confirmed(&all_settled(&next, "stops").await), 10);
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_an_upstream_that_hangs_and_its_delivery_is_carried_by_another_at_once()
 {
    let client = Played::new(|_, nth| async move {
        if nth == 0 {
            std::future::pending::<()>().await;
        }
        answer(200, SIGNED_OUT)
    });
    let hub = Hub::start(brisk(), vec![("hangs", client.clone())]);
    let session = hub.end_one("hangs").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = hub.clock.now();
    hub.relay.stop().await;
    assert!(hub.clock.now().since(began) <= brisk().stop_within + Duration::from_millis(10));
    let stopped = hub.clock.now();
    let next = Hub::on(hub.store, hub.clock, brisk(), vec![("hangs", client)]);
    assert_eq!(
        next.settled(session).await.attempts,
        1,
        "a try that was broken off is not counted"
    );
    assert!(
        next.clock.now().since(stopped) <= Duration::from_secs(1),
        "its lease was given back"
    );
}

#[tokio::test]
async fn threads_of_its_own_carry_everything_and_end_with_the_last_clone() {
    let client = Played::new(|_, _| async { signed_out() });
    let hub = Hub::start(brisk(), vec![]);
    hub.end("threads", 100).await;
    let relay = Relay::start_on_own_threads(
        brisk(),
        hub.store.clone(),
        hub.clock.clone(),
        Arc::new(Turned),
        of(vec![("threads", client.clone())]),
    )
    .unwrap();
    let hub = Hub { relay, ..hub };
    assert_eq!(confirmed(&all_settled(&hub, "threads").await), 100);
    hub.relay.stop().await;
    let mut changes = hub.relay.changes();
    assert_eq!((client.calls(), *changes.borrow_and_update()), (100, 100));
    drop(hub);
    assert!(changes.changed().await.is_err(), "nothing runs any more");
}
