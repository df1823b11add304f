//! Breakers: an upstream that does not answer is left alone and costs the others nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logout_core::ports::Clock as _;
use logout_core::upstream::UpstreamError;
use logout_relay::{Backoff, BreakerState, RelaySettings};

use crate::support::hub::{Hub, MINUTE, adjusted, all, all_settled, brisk, confirmed};
use crate::support::log;
use crate::support::played::{Played, answer, signed_out};
use crate::support::scripted::{Play, Scripted};

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_lets_trials_through_and_closes_again() {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = up.clone();
    let client = Played::new(move |_, _| {
        let up = is_up.load(Ordering::SeqCst);
        async move {
            if up {
                signed_out()
            } else {
                Err(UpstreamError::NoConnection)
            }
        }
    });
    let settings = adjusted(RelaySettings::default(), |settings| {
        settings.max_in_flight = 2;
        settings.breaker_opens_after = 4;
        settings.breaker_pause = Backoff {
            first: 10 * MINUTE,
            cap: 20 * MINUTE,
        };
        settings.retry = Backoff {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(1),
        };
        settings.verify = false;
    });
    let hub = Hub::start(settings, vec![("breaks", client.clone())]);
    assert_eq!(hub.relay.upstreams()[0].breaker, BreakerState::Closed);
    hub.end("breaks", 50).await;
    tokio::time::sleep(4 * MINUTE).await;
    // Two may be under way when it opens.
    let opened_after = client.calls();
    assert!((4..=5).contains(&opened_after), "{opened_after}");
    let status = &hub.relay.upstreams()[0];
    assert_eq!((status.breaker, status.in_flight), (BreakerState::Open, 0));
    assert!(status.paused_until.unwrap() > hub.clock.now());
    assert_eq!(
        all(&hub, "breaks")
            .await
            .iter()
            .map(|delivery| delivery.attempts)
            .sum::<u32>() as usize,
        opened_after
    );
    // One trial after a pause of 5 to 10 minutes; the next pause is one of 10 to 20.
    tokio::time::sleep(7 * MINUTE).await;
    assert_eq!(client.calls(), opened_after + 1);
    up.store(true, Ordering::SeqCst);
    let deliveries = all_settled(&hub, "breaks").await;
    assert_eq!(confirmed(&deliveries), 50);
    let tries = deliveries
        .iter()
        .map(|delivery| delivery.attempts)
        .sum::<u32>() as usize;
    assert_eq!(
        (tries, client.calls()),
        (opened_after + 51, opened_after + 51)
    );
    assert_eq!(hub.relay.upstreams()[0].breaker, BreakerState::Closed);
    let lines = log::of("breaks")
        .into_iter()
        .filter(|line| !line.starts_with("DEBUG"))
        .collect::<Vec<_>>();
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_a_refusal_opens_no_breaker() {
    let client = Played::new(|_, nth| async move {
        if nth < 40 {
            answer(403, "")
        } else {
            signed_out()
        }
    });
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.breaker_opens_after = 3),
        vec![("refuses", client)],
    );
    let session = hub.end_one("refuses").await;
    hub.once(session, |delivery| delivery.attempts >= 10).await;
    assert_eq!(hub.relay.upstreams()[0].breaker, BreakerState::Closed);
    assert_eq!(hub.settled(session).await.attempts, 41);
}

#[tokio::test]
async fn one_dead_upstream_of_four_does_not_delay_the_others() {
    let dead = Scripted::start(|_, _| Play::Hang).await;
    let living = [
        Scripted::start(|_, _| Play::signed_out()).await,
        Scripted::start(|_, _| Play::signed_out()).await,
        Scripted::start(|_, _| Play::signed_out()).await,
    ];
    let [a, b, c] = &living;
    let upstreams = vec![
        ("four-dead", dead.client()),
        ("four-a", a.client()),
        ("four-b", b.client()),
        ("four-c", c.client()),
    ];
    // A call takes half a minute to time out, so that anybody who waited for one would be late.
    let hub = Hub::start(brisk(), upstreams);
    hub.end("four-dead", 100).await;
    let began = tokio::time::Instant::now();
    for platform in ["four-a", "four-b", "four-c"] {
        hub.end(platform, 100).await;
    }
    for platform in ["four-a", "four-b", "four-c"] {
        assert_eq!(confirmed(&all_settled(&hub, platform).await), 100);
    }
    assert!(
        began.elapsed() < brisk().call_timeout / 2,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        hub.relay
            .upstreams()
            .iter()
            .map(|status| status.in_flight)
            .max(),
        Some(brisk().max_in_flight)
    );
    assert_eq!(
        all(&hub, "four-dead")
            .await
            .iter()
            .map(|delivery| delivery.attempts)
            .sum::<u32>(),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_given_up_while_its_upstream_is_left_alone() {
    let client = Played::new(|_, _| async { Err(UpstreamError::NoConnection) });
    let settings = adjusted(RelaySettings::default(), |settings| {
        settings.give_up_after = 60 * MINUTE;
        settings.breaker_pause = Backoff {
            first: 600 * MINUTE,
            cap: 600 * MINUTE,
        };
    });
    let hub = Hub::start(settings, vec![("too-old", client.clone())]);
    let began = hub.clock.now();
    hub.end("too-old", 500).await;
    let deliveries = all_settled(&hub, "too-old").await;
    assert_eq!(confirmed(&deliveries), 0);
    let after = hub.clock.now().since(began);
    assert!(after >= 60 * MINUTE && after < 62 * MINUTE, "{after:?}");
    assert_eq!(
        deliveries
            .iter()
            .map(|delivery| delivery.attempts)
            .sum::<u32>() as usize,
        client.calls()
    );
    assert!(client.calls() <= 20, "{}", client.calls());
}
