//! Each fault of an upstream ends in another try and at last in a confirmation, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use logout_core::delivery::{AttemptAnswer, DeliveryState};
use logout_core::ports::Clock as _;
use logout_core::upstream::{UpstreamClient, UpstreamError};
use logout_relay::{HttpClient, HttpClientSettings};

use crate::support::dialect::SIGNED_OUT;
use crate::support::hub::{Hub, TokioClock, brisk};
use crate::support::scripted::{Certificate, DeafPort, Play, Scripted, client};

/// Carries one delivery to an upstream that misbehaves once, and says what the first try brought.
async fn first_answer(platform: &str, play: Play, timeout: Duration) -> AttemptAnswer {
    let upstream = Scripted::start(move |_, nth| {
        if nth == 0 {
            play.clone()
        } else {
            Play::signed_out()
        }
    })
    .await;
    let mut settings =
        HttpClientSettings::new(format!("http://{}", upstream.address).parse().unwrap());
    settings.timeout = timeout;
    let hub = Hub::start(
        brisk(),
        vec![(platform, Arc::new(HttpClient::new(settings).unwrap()))],
    );
    let session = hub.end_one(platform).await;
    let delivery = hub.settled(session).await;
    assert_eq!(delivery.state, DeliveryState::Confirmed);
    assert_eq!((delivery.attempts, upstream.seen().len()), (2, 2));
    assert_eq!(delivery.history[1].answer, AttemptAnswer::Status(200));
    assert!(delivery.sealed.is_none(), "what was sealed is erased");
    for seen in upstream.seen() {
        assert_eq!(seen.header("cookie"), [format!("sid=canary-{session}")]);
    }
    delivery.history[0].answer
}

#[tokio::test]
async fn an_upstream_that_misbehaves_is_told_again() {
    let patient = Duration::from_secs(30);
    let short = Duration::from_millis(200);
    for (name, play, timeout, expected) in [
        (
            "close",
            Play::Close,
            patient,
            AttemptAnswer::Error(UpstreamError::Broken),
        ),
        (
            "no-http",
            Play::Bytes(b"gibberish\r\n\r\n".to_vec()),
            patient,
            AttemptAnswer::Error(UpstreamError::Broken),
        ),
        (
            "hang",
            Play::Hang,
            short,
            AttemptAnswer::Error(UpstreamError::Timeout),
        ),
        (
            "drip",
            Play::Drip,
            short,
            AttemptAnswer::Error(UpstreamError::Timeout),
        ),
        (
            "endless",
            Play::Endless,
            patient,
            AttemptAnswer::Error(UpstreamError::TooLarge),
        ),
        (
            "500",
            Play::answer(500, &[], SIGNED_OUT),
            patient,
            AttemptAnswer::Status(500),
        ),
        (
            "502",
            Play::answer(502, &[], "<h1>Bad Gateway</h1>"),
            patient,
            AttemptAnswer::Status(502),
        ),
        (
            "redirect",
            Play::answer(302, &[("location", "/signed-out")], ""),
            patient,
            AttemptAnswer::Status(302),
        ),
        (
            "login-page",
            Play::answer(200, &[("content-type", "text/html")], "<form>Log in</form>"),
            patient,
            AttemptAnswer::Status(200),
        ),
        (
            "malformed",
            Play::answer(
                200,
                &[("content-type", "application/json")],
                "{\"signedOut\":",
            ),
            patient,
            AttemptAnswer::Status(200),
        ),
    ] {
        assert_eq!(
            first_answer(&format!("faulty-{name}"), play, timeout).await,
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_upstream_that_refuses_connections_is_told_when_it_listens() {
    let port = DeafPort::new();
    let hub = Hub::start(brisk(), vec![("deaf", client(port.address))]);
    let session = hub.end_one("deaf").await;
    let waiting = hub.once(session, |delivery| delivery.attempts >= 2).await;
    assert_eq!(waiting.state, DeliveryState::Pending);
    assert_eq!(
        waiting.history[0].answer,
        AttemptAnswer::Error(UpstreamError::NoConnection)
    );
    let _upstream = Scripted::listen(port.listen(), None, |_, _| Play::signed_out());
    assert_eq!(hub.settled(session).await.state, DeliveryState::Confirmed);
}

#[tokio::test]
async fn a_wrong_certificate_is_never_told_anything() {
    let (own, other) = (Certificate::new("127.0.0.1"), Certificate::new("127.0.0.1"));
    let upstream = Scripted::start_tls(&own, |_, _| Play::signed_out()).await;
    let trusting = |certificate: &Certificate| -> Arc<dyn UpstreamClient> {
        let base = format!("https://{}", upstream.address).parse().unwrap();
        let mut settings = HttpClientSettings::new(base);
        settings.ca_file = Some(certificate.file());
        Arc::new(HttpClient::new(settings).unwrap())
    };
    let hub = Hub::start(brisk(), vec![("tls", trusting(&other))]);
    let session = hub.end_one("tls").await;
    let delivery = hub.once(session, |delivery| delivery.attempts >= 2).await;
    assert_eq!(
        delivery.history[1].answer,
        AttemptAnswer::Error(UpstreamError::Certificate)
    );
    assert!(upstream.seen().is_empty());
    hub.relay.stop().await;
    // The operator has put it right, and the hub starts anew on the same store.
    let hub = Hub::on(hub.store, hub.clock, brisk(), vec![("tls", trusting(&own))]);
    assert_eq!(hub.settled(session).await.state, DeliveryState::Confirmed);
}

#[tokio::test]
async fn not_signed_in_counts_as_confirmed() {
    let upstream = Scripted::start(|_, _| Play::answer(401, &[], "")).await;
    let hub = Hub::start(brisk(), vec![("gone", upstream.client())]);
    let session = hub.end_one("gone").await;
    let delivery = hub.settled(session).await;
    assert_eq!(
        (delivery.state, delivery.attempts),
        (DeliveryState::Confirmed, 1)
    );
    assert_eq!(delivery.history[0].answer, AttemptAnswer::Status(401));
}

#[tokio::test]
async fn retry_after_is_honoured_in_both_forms() {
    for (platform, status, as_date) in [("pause-seconds", 429, false), ("pause-date", 503, true)] {
        let clock = TokioClock::new();
        let began = clock.now();
        // Dates are whole seconds, so three of them are more than one from now.
        let date = httpdate::fmt_http_date(
            std::time::UNIX_EPOCH + Duration::from_secs(began.as_secs() + 3),
        );
        let value = if as_date { date } else { "2".to_owned() };
        let upstream = Scripted::start(move |_, nth| match nth {
            0 => Play::answer(status, &[("retry-after", &value)], ""),
            _ => Play::signed_out(),
        })
        .await;
        let hub = Hub::on(
            Arc::default(),
            clock,
            brisk(),
            vec![(platform, upstream.client())],
        );
        let first = hub.end_one(platform).await;
        hub.once(first, |delivery| delivery.attempts >= 1).await;
        // Another one has to wait as well: it is the upstream that asked.
        let second = hub.end_one(platform).await;
        let (first, second) = (hub.settled(first).await, hub.settled(second).await);
        assert_eq!((first.attempts, second.attempts), (2, 1));
        let resumed = began.plus(Duration::from_secs(1));
        assert!(
            first.history[1].at >= resumed && second.history[0].at >= resumed,
            "{platform}"
        );
    }
}
