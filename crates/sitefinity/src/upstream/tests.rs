//! The upstream side, tested with answers of a real site, and with the stand-in in its place.

mod login;
mod round_trip;
mod sign_out;

use std::time::Duration;

use logout_core::CredentialReader as _;
use logout_core::credential::Secret;
use logout_core::platform::Platform;
use logout_core::provider::UpstreamLogout as _;
use logout_core::session::Subject;
use logout_core::sign_out::Target;
use logout_core::time::Timestamp;
use logout_core::upstream::{Addressee, Confirmation, UpstreamLogin, UpstreamSession};
use logout_core::{Method, Request};
use logout_suite::testing::StandIn;
use logout_suite::testing::product::{
    answer, header, looked_up, registered, revealed, session_of_cookies,
};

use crate::config::{Dialect, UpstreamAdministrator};
use crate::{SitefinityConfig, SitefinityProvider, request};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("cms", "http://cms.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn provider(config: SitefinityConfig) -> SitefinityProvider {
    SitefinityProvider::new(config, &platform(true)).unwrap()
}

fn hub() -> SitefinityProvider {
    provider(SitefinityConfig::default())
}

fn administered(bearer_token: Option<&str>, cookie_token: Option<&str>) -> SitefinityProvider {
    let administrator = UpstreamAdministrator {
        bearer_token: bearer_token.map(Secret::new),
        cookie_token: cookie_token.map(Secret::new),
    };
    provider(SitefinityConfig {
        upstream_administrator: Some(administrator),
        ..SitefinityConfig::default()
    })
}

fn stand_in() -> StandIn<SitefinityProvider> {
    StandIn::new(platform(false), |platform| {
        SitefinityProvider::new(SitefinityConfig::default(), platform).unwrap()
    })
}

fn form(endpoint: &'static str, body: &str) -> Request<'static> {
    Request::new(Method::Post, "/")
        .with_endpoint(endpoint, vec![])
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_body(body)
}

fn session(cookies: &[(&str, &str)], bearer: Option<&str>) -> UpstreamSession {
    UpstreamSession {
        bearer: bearer.map(Secret::new),
        ..session_of_cookies(cookies)
    }
}

fn credentials(session: &UpstreamSession) -> Vec<(&'static str, String)> {
    registered(&hub().credentials(session))
}

fn of_alice(session: UpstreamSession) -> Addressee {
    Addressee {
        delivery: None,
        subject: Some(Subject::new("default", "alice")),
        session,
    }
}
