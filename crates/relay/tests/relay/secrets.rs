//! No credential reaches a log line or an error, whatever goes wrong.

use std::sync::Arc;
use std::time::Duration;

use logout_core::credential::Secret;
use logout_core::platform::PlatformName;
use logout_core::ports::Deliveries as _;
use logout_core::upstream::{UpstreamClient, UpstreamSession};
use logout_relay::{HttpClient, HttpClientSettings};

use crate::support::hub::{Hub, adjusted, brisk};
use crate::support::log;
use crate::support::scripted::{Certificate, Play, Scripted};

#[tokio::test]
async fn no_log_line_holds_a_credential_whatever_goes_wrong() {
    let echo = |seen: &super::support::scripted::Seen| seen.header("cookie").concat();
    let settings = adjusted(brisk(), |settings| {
        settings.verify = true;
        settings.give_up_after = Duration::from_millis(300);
        settings.breaker_opens_after = 2;
    });
    let timeout = Duration::from_millis(100);
    for (nth, platform) in [
        "secret-echo",
        "secret-close",
        "secret-hang",
        "secret-header",
        "secret-out",
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = Scripted::start(move |seen, _| match nth {
            0 => Play::answer(
                500,
                &[("set-cookie", &echo(seen)), ("location", &echo(seen))],
                echo(seen),
            ),
            1 => Play::Close,
            2 => Play::Hang,
            3 => Play::Bytes(format!("{} canary\r\n\r\n", echo(seen)).into_bytes()),
            _ if seen.is("GET /session") => Play::answer(200, &[], echo(seen)),
            _ => Play::signed_out(),
        })
        .await;
        let base = {
            let mut settings =
                HttpClientSettings::new(format!("http://{}", upstream.address).parse().unwrap());
            settings.timeout = timeout;
            settings
        };
        let hub = Hub::start(
            settings.clone(),
            vec![(
                platform,
                Arc::new(HttpClient::new(base).unwrap()) as Arc<dyn UpstreamClient>,
            )],
        );
        let session = hub.end_one(platform).await;
        hub.settled(session).await;
        let stranger = UpstreamSession {
            bearer: Some(Secret::new("canary")),
            ..UpstreamSession::default()
        };
        hub.relay
            .pass_through(&PlatformName::new(platform), &stranger)
            .await;
        assert!(
            log::of(platform)
                .iter()
                .any(|line| line.starts_with("ERROR")),
            "{platform}: something was logged"
        );
        assert!(!format!("{:?}{:?}", hub.relay, hub.relay.upstreams()).contains("canary"));
    }
    let certificate = Certificate::new("127.0.0.1");
    let tls = Scripted::start_tls(&certificate, |_, _| Play::signed_out()).await;
    let base = HttpClientSettings::new(format!("https://{}", tls.address).parse().unwrap());
    let other = Certificate::new("127.0.0.1");
    let trusting = {
        let mut settings = base;
        settings.ca_file = Some(other.file());
        settings
    };
    let hub = Hub::start(
        settings,
        vec![(
            "secret-tls",
            Arc::new(HttpClient::new(trusting).unwrap()) as Arc<dyn UpstreamClient>,
        )],
    );
    let session = hub.end_one("secret-tls").await;
    hub.settled(session).await;
    let all = log::all();
    assert!(all.len() > 20);
    assert!(
        all.iter().all(|line| !line.contains("canary")),
        "{:?}",
        all.iter().find(|line| line.contains("canary"))
    );
}
