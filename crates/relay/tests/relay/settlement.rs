//! The ends of a delivery: confirmed and verified, or given up.

use std::sync::Arc;
use std::time::Duration;

use logout_core::delivery::{AttemptAnswer, DeliveryState, Verification};
use logout_core::outbox::Outbox as _;
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock as _, Deliveries as _};
use logout_core::provider::Recipient;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::upstream::UpstreamError;
use logout_relay::{Relay, RelaySettings};

use crate::support::dialect::Dialect;
use crate::support::hub::{Hub, MINUTE, Turned, adjusted, brisk, end, of};
use crate::support::log;
use crate::support::played::{Played, answer, signed_out};
use crate::support::scripted::{Play, Scripted};

#[tokio::test(start_paused = true)]
async fn what_is_never_confirmed_is_given_up_in_its_time_with_an_error() {
    let client = Played::new(|_, _| async { answer(200, "<form>") });
    let settings = adjusted(RelaySettings::default(), |settings| {
        settings.give_up_after = 60 * MINUTE
    });
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
async fn an_unregistered_session_is_given_up_sooner() {
    let client = Played::new(|_, _| async { Err(UpstreamError::NoConnection) });
    let settings = adjusted(RelaySettings::default(), |settings| {
        settings.first_sight_give_up_after = 5 * MINUTE
    });
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
        adjusted(brisk(), |settings| settings.give_up_after = Duration::ZERO),
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
    let recipient = Recipient {
        dialect: Arc::new(Dialect { by_name: true }),
        client,
    };
    let settings = adjusted(brisk(), |settings| settings.verify = true);
    let upstreams = vec![(PlatformName::new("by-name"), recipient)];
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
            adjusted(brisk(), |settings| settings.verify = true),
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
