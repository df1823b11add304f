//! Breakers, limits, giving up, leases: what one upstream costs itself and does not cost the
//! others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logout_core::delivery::{AttemptAnswer, Delivery, DeliveryState, Verification};
use logout_core::outbox::{DeliveryFilter, Outbox as _};
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock as _, Deliveries as _};
use logout_core::provider::Upstream;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::upstream::UpstreamError;
use logout_relay::{Backoff, BreakerState, Relay, RelaySettings};
use logout_store::MemoryStore;
use logout_suite::testing::{BreakableStore, ManualClock};
use tokio::sync::Semaphore;

use crate::support::dialect::{Dialect, SIGNED_OUT};
use crate::support::hub::{Hub, TokioClock, Turned, brisk, end, of};
use crate::support::log;
use crate::support::played::{Played, answer, signed_out};
use crate::support::scripted::{Play, Scripted};

const MINUTE: Duration = Duration::from_secs(60);

async fn all(hub: &Hub, platform: &str) -> Vec<Delivery> {
    let filter = DeliveryFilter {
        platform: Some(PlatformName::new(platform)),
        state: None,
    };
    hub.store
        .deliveries(&filter, None, 100_000)
        .await
        .unwrap()
        .items
}

/// The deliveries, once none is pending.
async fn all_settled(hub: &Hub, platform: &str) -> Vec<Delivery> {
    let mut changes = hub.relay.changes();
    loop {
        let deliveries = all(hub, platform).await;
        if deliveries
            .iter()
            .all(|delivery| delivery.state != DeliveryState::Pending)
        {
            return deliveries;
        }
        tokio::time::timeout(60 * MINUTE, changes.changed())
            .await
            .unwrap()
            .unwrap();
    }
}

fn confirmed(deliveries: &[Delivery]) -> usize {
    deliveries
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Confirmed)
        .count()
}

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
    let settings = RelaySettings {
        max_in_flight: 2,
        breaker_opens_after: 4,
        breaker_pause: Backoff {
            first: 10 * MINUTE,
            cap: 20 * MINUTE,
        },
        retry: Backoff {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(1),
        },
        verify: false,
        ..RelaySettings::default()
    };
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
        RelaySettings {
            breaker_opens_after: 3,
            ..brisk()
        },
        vec![("refuses", client)],
    );
    let session = hub.end_one("refuses").await;
    hub.once(session, |delivery| delivery.attempts >= 10).await;
    assert_eq!(hub.relay.upstreams()[0].breaker, BreakerState::Closed);
    assert_eq!(hub.settled(session).await.attempts, 41);
}

#[tokio::test(start_paused = true)]
async fn what_is_never_confirmed_is_given_up_in_its_time_with_an_error() {
    let client = Played::new(|_, _| async { answer(200, "<form>") });
    let settings = RelaySettings {
        give_up_after: 60 * MINUTE,
        ..RelaySettings::default()
    };
    let hub = Hub::start(settings, vec![("given-up", client)]);
    let began = hub.clock.now();
    let session = hub.end_one("given-up").await;
    let delivery = hub.settled(session).await;
    assert_eq!(delivery.state, DeliveryState::GivenUp);
    assert!(delivery.sealed.is_some(), "it can be tried again");
    let after = hub.clock.now().since(began);
    assert!(after >= 60 * MINUTE && after < 61 * MINUTE, "{after:?}");
    // 1, 2, 4 … 256 seconds, then every 2.5 to 5 minutes.
    assert!(
        (18..40).contains(&delivery.attempts),
        "{}",
        delivery.attempts
    );
    let errors: Vec<_> = log::of("given-up")
        .into_iter()
        .filter(|line| line.starts_with("ERROR"))
        .collect();
    assert!(
        errors.len() == 1 && errors[0].contains(&session.to_string()),
        "{errors:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_given_up_while_its_upstream_is_left_alone() {
    let client = Played::new(|_, _| async { Err(UpstreamError::NoConnection) });
    let settings = RelaySettings {
        give_up_after: 60 * MINUTE,
        breaker_pause: Backoff {
            first: 600 * MINUTE,
            cap: 600 * MINUTE,
        },
        ..RelaySettings::default()
    };
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

#[tokio::test(start_paused = true)]
async fn a_stranger_is_given_up_sooner() {
    let client = Played::new(|_, _| async { Err(UpstreamError::NoConnection) });
    let settings = RelaySettings {
        first_sight_give_up_after: 5 * MINUTE,
        ..RelaySettings::default()
    };
    let hub = Hub::start(settings, vec![("stranger", client)]);
    let ended = end(
        &*hub.store,
        &*hub.clock,
        ReceiptId::at(hub.clock.now()),
        "stranger",
        "",
        1,
    )
    .await;
    hub.relay.wake(&ended);
    let began = hub.clock.now();
    assert_eq!(hub.settled(ended[0].id).await.state, DeliveryState::GivenUp);
    let after = hub.clock.now().since(began);
    assert!(after >= 5 * MINUTE && after < 6 * MINUTE, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_carried_when_somebody_asks_for_it() {
    let client = Played::new(|_, nth| async move {
        if nth == 0 {
            answer(500, "")
        } else {
            signed_out()
        }
    });
    let hub = Hub::start(
        RelaySettings {
            give_up_after: Duration::ZERO,
            ..brisk()
        },
        vec![("again", client)],
    );
    let session = hub.end_one("again").await;
    assert_eq!(hub.settled(session).await.state, DeliveryState::GivenUp);
    assert!(hub.store.retry(session, hub.clock.now()).await.unwrap());
    hub.relay.look_again();
    assert_eq!(hub.settled(session).await.state, DeliveryState::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_unsealed_is_given_up_with_an_error_and_nothing_is_sent() {
    let client = Played::new(|_, _| async { signed_out() });
    let hub = Hub::start(brisk(), vec![]);
    let session = hub.end_one("unsealable").await;
    let other_seal = foreign_seal();
    let relay = Relay::start(
        brisk(),
        hub.store.clone(),
        hub.clock.clone(),
        other_seal,
        of(vec![("unsealable", client.clone())]),
    );
    let hub = Hub { relay, ..hub };
    let delivery = hub.settled(session).await;
    assert_eq!(
        (delivery.state, delivery.history[0].answer),
        (DeliveryState::GivenUp, AttemptAnswer::Unsealable)
    );
    assert_eq!(client.calls(), 0);
    assert!(
        log::of("unsealable")
            .iter()
            .any(|line| line.starts_with("ERROR") && line.contains("sealed"))
    );
}

/// A seal whose key is another one.
fn foreign_seal() -> Arc<dyn logout_core::ports::Seal> {
    #[derive(Debug)]
    struct Foreign;
    impl logout_core::ports::Seal for Foreign {
        fn seal(&self, session: SessionId, plain: &[u8]) -> logout_core::credential::Sealed {
            Turned.seal(session, plain)
        }

        fn open(
            &self,
            _: SessionId,
            _: &logout_core::credential::Sealed,
        ) -> Result<Vec<u8>, logout_core::ports::SealError> {
            Err(logout_core::ports::SealError)
        }
    }
    Arc::new(Foreign)
}

#[tokio::test(start_paused = true)]
async fn the_operator_s_own_credential_does_without_what_was_sealed() {
    let client = Played::new(|request, _| async move {
        let named = request
            .headers
            .iter()
            .any(|(name, value)| name == "x-user" && value.reveal() == "alice");
        if named { signed_out() } else { answer(400, "") }
    });
    let hub = Hub::start(brisk(), vec![]);
    let session = hub.end_one("by-name").await;
    let upstream = Upstream {
        provider: Arc::new(Dialect { by_name: true }),
        client,
    };
    let settings = RelaySettings {
        verify: true,
        ..brisk()
    };
    let upstreams = vec![(PlatformName::new("by-name"), upstream)];
    let relay = Relay::start(
        settings,
        hub.store.clone(),
        hub.clock.clone(),
        foreign_seal(),
        upstreams,
    );
    let delivery = Hub { relay, ..hub }.settled(session).await;
    assert_eq!(
        (delivery.state, delivery.verified),
        (DeliveryState::Confirmed, Some(Verification::Unknown))
    );
}

#[tokio::test]
async fn a_confirmed_sign_out_is_verified_once_by_the_old_credential() {
    for (platform, status, expected) in [
        ("dead", 401, Verification::Dead),
        ("outlived", 200, Verification::Outlived),
        ("unsure", 500, Verification::Unknown),
    ] {
        let upstream = Scripted::start(move |seen, _| match seen.is("GET /session") {
            true => Play::answer(status, &[], ""),
            false => Play::signed_out(),
        })
        .await;
        let hub = Hub::start(
            RelaySettings {
                verify: true,
                ..brisk()
            },
            vec![(platform, upstream.client())],
        );
        let session = hub.end_one(platform).await;
        let delivery = hub.settled(session).await;
        assert_eq!(
            (delivery.state, delivery.verified),
            (DeliveryState::Confirmed, Some(expected))
        );
        let seen = upstream.seen();
        assert!(seen.len() == 2 && seen[0].is("POST /logout") && seen[1].is("GET /session"));
        assert_eq!(seen[1].header("cookie"), [format!("sid=canary-{session}")]);
        let errors = log::of(platform)
            .iter()
            .filter(|line| line.starts_with("ERROR"))
            .count();
        assert_eq!(
            errors,
            usize::from(expected == Verification::Outlived),
            "{platform}"
        );
    }
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

#[tokio::test]
async fn a_thousand_deliveries_keep_to_the_limit_and_each_is_carried_once() {
    let upstream = Scripted::start(|_, _| Play::signed_out()).await;
    let hub = Hub::start(
        RelaySettings {
            max_in_flight: 8,
            ..brisk()
        },
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
            RelaySettings {
                max_in_flight: 1,
                ..brisk()
            },
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
    let settings = RelaySettings {
        call_timeout: 60 * MINUTE,
        ..brisk()
    };
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

#[tokio::test(start_paused = true)]
async fn stopping_lets_what_is_under_way_finish_and_begins_nothing_more() {
    let client = Played::new(|_, _| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        signed_out()
    });
    let hub = Hub::start(
        RelaySettings {
            max_in_flight: 3,
            ..brisk()
        },
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
