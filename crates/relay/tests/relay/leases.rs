//! Limits and leases: each delivery is under way once, whatever becomes of relays and stores.

use std::sync::Arc;
use std::time::Duration;

use logout_core::delivery::DeliveryState;
use logout_core::outbox::Outbox as _;
use logout_core::ports::{Clock as _, Deliveries as _};
use logout_core::receipt::ReceiptId;
use logout_relay::Relay;
use logout_store::MemoryStore;
use logout_suite::testing::{BreakableStore, ManualClock};
use tokio::sync::Semaphore;

use crate::support::hub::{
    Hub, MINUTE, TokioClock, Turned, adjusted, all, all_settled, brisk, confirmed, end, of,
};
use crate::support::log;
use crate::support::played::{Played, answer, signed_out};
use crate::support::scripted::{Play, Scripted};

#[tokio::test]
async fn a_thousand_deliveries_keep_to_the_limit_and_each_is_carried_once() {
    let upstream = Scripted::start(|_, _| Play::signed_out()).await;
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.max_in_flight = 8),
        vec![("thousand", upstream.client())],
    );
    hub.end("thousand", 1_000).await;
    let deliveries = all_settled(&hub, "thousand").await;
    assert_eq!(
        (confirmed(&deliveries), upstream.seen().len()),
        (1_000, 1_000)
    );
    assert!(
        (2..=8).contains(&upstream.most_at_once()),
        "{}",
        upstream.most_at_once()
    );
}

#[tokio::test]
async fn two_relays_on_one_outbox_carry_each_delivery_and_settle_it_once() {
    let upstream = Scripted::start(|_, _| Play::signed_out()).await;
    let hub = Hub::start(brisk(), vec![("shared", upstream.client())]);
    let other = Hub::on(
        hub.store.clone(),
        hub.clock.clone(),
        brisk(),
        vec![("shared", upstream.client())],
    );
    let (_, ended) = hub.end("shared", 300).await;
    other.relay.wake(&ended);
    let (mut ours, mut theirs) = (hub.relay.changes(), other.relay.changes());
    while *ours.borrow() + *theirs.borrow() < 300 {
        let changed = async {
            tokio::select! { changed = ours.changed() => changed, changed = theirs.changed() => changed }
        };
        tokio::time::timeout(MINUTE, changed)
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(confirmed(&all(&hub, "shared").await), 300);
    hub.relay.stop().await;
    other.relay.stop().await;
    assert_eq!(
        *hub.relay.changes().borrow() + *other.relay.changes().borrow(),
        300
    );
    let seen = upstream.seen();
    for session in ended {
        let cookie = format!("sid=canary-{}", session.id);
        assert_eq!(
            seen.iter()
                .filter(|seen| seen.header("cookie") == [cookie.as_str()])
                .count(),
            1
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_lost_its_lease_settles_nothing() {
    log::record();
    let (store, clock) = (
        Arc::new(MemoryStore::new()),
        Arc::new(ManualClock::default()),
    );
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let slow = Played::new(move |_, _| {
        let gate = opened.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            answer(500, "")
        }
    });
    let quick = Played::new(|_, _| async { signed_out() });
    let started = |client| {
        Relay::start(
            adjusted(brisk(), |settings| settings.max_in_flight = 1),
            store.clone(),
            clock.clone(),
            Arc::new(Turned),
            of(vec![("fenced", client)]),
        )
    };
    let ended = end(
        &*store,
        &*clock,
        ReceiptId::at(clock.now()),
        "fenced",
        "alice",
        1,
    )
    .await;
    let first = started(slow.clone());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = started(quick.clone());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        (slow.calls(), quick.calls()),
        (1, 0),
        "while it is leased nobody else has it"
    );
    // The time of day jumps: for the store the lease is over.
    clock.advance(2 * MINUTE);
    let mut changes = second.changes();
    changes.changed().await.unwrap();
    gate.add_permits(1);
    first.stop().await;
    assert_eq!(
        (*first.changes().borrow(), *second.changes().borrow()),
        (0, 1)
    );
    let delivery = store.delivery(ended[0].id).await.unwrap().unwrap();
    assert_eq!(
        (delivery.state, delivery.attempts),
        (DeliveryState::Confirmed, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_try_that_breaks_off_is_made_again_after_its_lease() {
    let client = Played::new(|_, nth| async move {
        if nth == 0 {
            panic!("an adapter's mistake")
        } else {
            signed_out()
        }
    });
    let hub = Hub::start(brisk(), vec![("breaks-off", client)]);
    let session = hub.end_one("breaks-off").await;
    assert_eq!(hub.settled(session).await.state, DeliveryState::Confirmed);
    assert!(
        log::of("breaks-off")
            .iter()
            .any(|line| line.starts_with("ERROR"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_loses_nothing_and_is_said_once() {
    let store = Arc::new(BreakableStore::default());
    let clock = TokioClock::new();
    log::record();
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let client = Played::new(move |_, _| {
        let gate = opened.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            signed_out()
        }
    });
    let settings = adjusted(brisk(), |settings| settings.call_timeout = 60 * MINUTE);
    let relay = Relay::start(
        settings,
        store.clone(),
        clock.clone(),
        Arc::new(Turned),
        of(vec![("silent-store", client.clone())]),
    );
    let ended = end(
        &*store,
        &*clock,
        ReceiptId::at(clock.now()),
        "silent-store",
        "alice",
        2,
    )
    .await;
    relay.wake(&ended[..1]);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(client.calls(), 2);
    // The upstream confirms while the store is gone.
    store.set_broken(true);
    gate.add_permits(2);
    for _ in 0..1_000 {
        relay.wake(&ended);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(*relay.changes().borrow(), 0);
    store.set_broken(false);
    let mut changes = relay.changes();
    while *changes.borrow_and_update() < 2 {
        changes.changed().await.unwrap();
    }
    for session in &ended {
        assert_eq!(
            store.delivery(session.id).await.unwrap().unwrap().state,
            DeliveryState::Confirmed
        );
    }
    assert_eq!(client.calls(), 2, "what was confirmed is not carried again");
    tokio::time::sleep(MINUTE).await;
    let lines: Vec<_> = log::of("silent-store")
        .into_iter()
        .filter(|line| !line.starts_with("DEBUG"))
        .collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("ERROR") && lines[1].starts_with("INFO"),
        "{lines:?}"
    );
}
