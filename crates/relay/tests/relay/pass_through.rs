//! Sign-outs of sessions that the hub never saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logout_core::credential::Secret;
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock as _, Deliveries as _, PassThrough};
use logout_core::receipt::ReceiptId;
use logout_core::upstream::{UpstreamError, UpstreamSession};
use logout_relay::BreakerState;

use crate::support::dialect::SIGNED_OUT;
use crate::support::hub::{Hub, adjusted, brisk, end};
use crate::support::played::{Played, answer, answer_with, signed_out};
use crate::support::scripted::{Play, Scripted};

const SECOND: Duration = Duration::from_secs(1);

async fn seen(hub: &Hub, platform: &str) -> PassThrough {
    let session = UpstreamSession {
        cookies: vec![("sid".to_owned(), Secret::new("canary-stranger"))],
        ..UpstreamSession::default()
    };
    hub.relay
        .pass_through(&PlatformName::new(platform), &session)
        .await
}

/// Ends the session of a stranger, as the flow does when the upstream could not be reached.
async fn keep(hub: &Hub, platform: &str) {
    let ended = end(
        &*hub.store,
        &*hub.clock,
        ReceiptId::at(hub.clock.now()),
        platform,
        "",
        1,
    )
    .await;
    hub.relay.wake(&ended);
}

#[tokio::test]
async fn it_is_answered_from_what_the_upstream_says() {
    for (platform, play, expected) in [
        (
            "sight-out",
            Play::answer(200, &[], format!("{SIGNED_OUT},/bye")),
            PassThrough::Confirmed {
                redirect: Some("/bye".to_owned()),
                removals: Vec::new(),
            },
        ),
        (
            "sight-gone",
            Play::answer(401, &[], ""),
            PassThrough::NotSignedIn,
        ),
        (
            "sight-form",
            Play::answer(200, &[], "<form>"),
            PassThrough::Refused,
        ),
        (
            "sight-500",
            Play::answer(500, &[], ""),
            PassThrough::Refused,
        ),
        ("sight-close", Play::Close, PassThrough::Unreachable),
    ] {
        let upstream = Scripted::start(move |_, _| play.clone()).await;
        let hub = Hub::start(brisk(), vec![(platform, upstream.client())]);
        assert_eq!(seen(&hub, platform).await, expected, "{platform}");
        let requests = upstream.seen();
        assert!(
            requests.len() == 1 && requests[0].header("cookie") == ["sid=canary-stranger"],
            "once, and with what was presented"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_without_upstream_refuses() {
    assert_eq!(
        seen(&Hub::start(brisk(), vec![]), "nowhere").await,
        PassThrough::Refused
    );
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_hangs_is_waited_for_no_longer_than_sign_outs_wait_but_a_second_at_least()
{
    for (wait, expected) in [(3 * SECOND, 3 * SECOND), (Duration::ZERO, SECOND)] {
        let hub = Hub::start(
            adjusted(brisk(), |settings| settings.wait = wait),
            vec![("sight-hangs", Played::new(|_, _| std::future::pending()))],
        );
        let began = hub.clock.now();
        assert_eq!(seen(&hub, "sight-hangs").await, PassThrough::Unreachable);
        let took = hub.clock.now().since(began);
        assert!(took >= expected && took < expected + SECOND / 2, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_strangers_are_carried_than_the_rate_allows() {
    let client = Played::new(|_, _| async { signed_out() });
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.first_sight_rate = 5),
        vec![("sight-rate", client.clone())],
    );
    let mut busy = 0;
    for _ in 0..20 {
        busy += usize::from(seen(&hub, "sight-rate").await == PassThrough::Busy);
    }
    assert_eq!((client.calls(), busy), (5, 15));
    tokio::time::sleep(SECOND).await;
    assert!(matches!(
        seen(&hub, "sight-rate").await,
        PassThrough::Confirmed { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_strangers_wait_for_an_upstream_and_those_from_before_a_restart_count() {
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
    let settings = adjusted(brisk(), |settings| settings.first_sight_kept = 3);
    let hub = Hub::start(settings.clone(), vec![("sight-kept", client.clone())]);
    // Those whose login the hub has seen do not count.
    hub.end("sight-kept", 10).await;
    assert_eq!(seen(&hub, "sight-kept").await, PassThrough::Unreachable);
    keep(&hub, "sight-kept").await;
    hub.relay.stop().await;
    let hub = Hub::on(hub.store, hub.clock, settings, vec![("sight-kept", client)]);
    for _ in 0..2 {
        assert_eq!(seen(&hub, "sight-kept").await, PassThrough::Unreachable);
    }
    assert_eq!(
        seen(&hub, "sight-kept").await,
        PassThrough::Busy,
        "places are held for those that are still to be written"
    );
    keep(&hub, "sight-kept").await;
    keep(&hub, "sight-kept").await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(seen(&hub, "sight-kept").await, PassThrough::Busy);
    up.store(true, Ordering::SeqCst);
    tokio::time::sleep(60 * SECOND).await;
    up.store(false, Ordering::SeqCst);
    assert_eq!(
        seen(&hub, "sight-kept").await,
        PassThrough::Unreachable,
        "there is room again when they are told"
    );
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_held_for_nothing_is_free_again() {
    let client = Played::new(|_, _| async { Err(UpstreamError::Broken) });
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.first_sight_kept = 1),
        vec![("sight-held", client)],
    );
    assert_eq!(seen(&hub, "sight-held").await, PassThrough::Unreachable);
    assert_eq!(seen(&hub, "sight-held").await, PassThrough::Busy);
    tokio::time::sleep(31 * SECOND).await;
    assert_eq!(seen(&hub, "sight-held").await, PassThrough::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn strangers_neither_open_the_breaker_nor_begin_a_pause() {
    let client = Played::new(|_, nth| async move {
        match nth {
            0..10 => Err(UpstreamError::Broken),
            10..20 => answer_with(429, "retry-after", "60"),
            20..30 => answer(500, ""),
            _ => signed_out(),
        }
    });
    let hub = Hub::start(
        adjusted(brisk(), |settings| settings.breaker_opens_after = 1),
        vec![("sight-harmless", client)],
    );
    for _ in 0..30 {
        seen(&hub, "sight-harmless").await;
    }
    let status = &hub.relay.upstreams()[0];
    assert_eq!(
        (status.breaker, status.paused_until),
        (BreakerState::Closed, None)
    );
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_asked_to_be_left_alone_is_not_asked_by_strangers() {
    let client = Played::new(|_, _| async { answer_with(503, "retry-after", "60") });
    let hub = Hub::start(brisk(), vec![("sight-paused", client.clone())]);
    let session = hub.end_one("sight-paused").await;
    hub.once(session, |delivery| delivery.attempts == 1).await;
    assert_eq!(seen(&hub, "sight-paused").await, PassThrough::Unreachable);
    assert_eq!(client.calls(), 1);
}
