//! Sign-outs that wait for their confirmations.

use std::time::Duration;

use logout_core::ports::{Clock as _, Deliveries as _, DeliveryResult};
use logout_core::receipt::ReceiptId;
use logout_core::upstream::UpstreamError;
use logout_relay::Backoff;

use crate::support::dialect::SIGNED_OUT;
use crate::support::hub::{Hub, adjusted, brisk, end};
use crate::support::played::{Played, answer, answer_with, signed_out};

const SECOND: Duration = Duration::from_secs(1);

/// Expects, ends `count` sessions at each platform, waits; what was told, and how long that took.
async fn sign_out(hub: &Hub, platforms: &[&str], count: usize) -> (Vec<DeliveryResult>, Duration) {
    let began = hub.clock.now();
    let receipt = ReceiptId::at(began);
    let expectation = hub.relay.expect(receipt).unwrap();
    let mut ended = Vec::new();
    for platform in platforms {
        ended.extend(end(&*hub.store, &*hub.clock, receipt, platform, "alice", count).await);
    }
    hub.relay.wake(&ended);
    let told = expectation.told(&ended).await;
    assert_eq!(hub.relay.waiting(), 0);
    (told, hub.clock.now().since(began))
}

fn confirmed(told: &[DeliveryResult]) -> usize {
    told.iter().filter(|told| told.confirmed).count()
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_hears_of_its_confirmations_and_where_the_upstream_would_go() {
    let client = Played::new(|_, _| async {
        tokio::time::sleep(SECOND).await;
        answer(200, &format!("{SIGNED_OUT},/goodbye"))
    });
    let hub = Hub::start(brisk(), vec![("told", client)]);
    let (told, took) = sign_out(&hub, &["told"], 10).await;
    assert_eq!((confirmed(&told), told.len()), (10, 10));
    assert_eq!(told[0].redirect.as_deref(), Some("/goodbye"));
    assert!(took >= SECOND && took < 2 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn it_waits_no_longer_than_configured_and_says_what_is_known_by_then() {
    let fine = Played::new(|_, _| async { signed_out() });
    let hangs = Played::new(|_, _| std::future::pending());
    let settings = adjusted(brisk(), |settings| settings.wait = 3 * SECOND);
    let hub = Hub::start(settings, vec![("in-time", fine), ("late", hangs)]);
    let (told, took) = sign_out(&hub, &["in-time", "late"], 2).await;
    assert_eq!((confirmed(&told), told.len()), (2, 4));
    assert!(told[..2].iter().all(|told| told.confirmed));
    assert!(took >= 3 * SECOND && took < 4 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_zero_waits_for_nothing() {
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.wait = Duration::ZERO),
        vec![],
    );
    assert!(hub.relay.expect(ReceiptId::at(hub.clock.now())).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_waited_for_no_longer() {
    let client = Played::new(|_, _| async { answer(500, "") });
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.give_up_after = Duration::ZERO),
        vec![("hopeless", client)],
    );
    let (told, took) = sign_out(&hub, &["hopeless"], 3).await;
    assert!(
        confirmed(&told) == 0 && told.len() == 3 && took < SECOND,
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_come_in_time_is_not_waited_for() {
    let down = Played::new(|_, _| async { Err(UpstreamError::NoConnection) });
    let busy = Played::new(|_, _| async { answer_with(429, "retry-after", "120") });
    let settings = adjusted(brisk(), |settings| {
        settings.breaker_opens_after = 1;
        settings.breaker_pause = Backoff {
            first: 100 * SECOND,
            cap: 100 * SECOND,
        };
        settings.retry = Backoff {
            first: 100 * SECOND,
            cap: 100 * SECOND,
        };
    });
    let hub = Hub::start(settings, vec![("down", down), ("busy", busy)]);
    // The first hears that it is tried again too late, the second finds the upstream left alone.
    for _ in 0..2 {
        let (told, took) = sign_out(&hub, &["down", "busy"], 1).await;
        assert!(
            confirmed(&told) == 0 && told.len() == 2 && took < SECOND,
            "{took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_platform_that_has_no_upstream_any_more() {
    let hub = Hub::start(brisk(), vec![]);
    let (told, took) = sign_out(&hub, &["removed"], 1).await;
    assert!(confirmed(&told) == 0 && told.len() == 1 && took < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_leaves_nothing_behind() {
    let hub = Hub::start(
        brisk(),
        vec![("left", Played::new(|_, _| std::future::pending()))],
    );
    drop(hub.relay.expect(ReceiptId::at(hub.clock.now())));
    assert_eq!(hub.relay.waiting(), 0);
    let waits = sign_out(&hub, &["left"], 1);
    assert!(tokio::time::timeout(SECOND, waits).await.is_err());
    assert_eq!(hub.relay.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_stops_answers_those_who_wait() {
    let hub = Hub::start(
        brisk(),
        vec![("stopped", Played::new(|_, _| std::future::pending()))],
    );
    let (told, ()) = tokio::join!(sign_out(&hub, &["stopped"], 1), async {
        tokio::time::sleep(SECOND).await;
        hub.relay.stop().await;
    });
    assert!(confirmed(&told.0) == 0 && told.1 < 2 * SECOND);
}
