//! What a hub in front of a portal answers.

use std::sync::Arc;

use async_trait::async_trait;
use logout_core::Response;
use logout_core::authority::{Services, SessionAuthority};
use logout_core::platform::PlatformName;
use logout_core::ports::{Deliveries, PassThrough, PendingResult};
use logout_core::receipt::{EndedSession, ReceiptId};
use logout_core::upstream::UpstreamSession;
use logout_store::MemoryStore;
use logout_suite::testing::{ListedAccounts, ManualClock, RememberedTokens};
use serde_json::Value;

use super::*;
use crate::{ConfigService, LogoutWithoutSession};

const PORTAL_LOGOUT: &str =
    "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!";

#[test]
fn the_public_home_of_a_real_portal_is_no_sign_out_endpoint() {
    let config_service = ConfigService::default().with("logout.user.onpublic", true);
    let config = HclDxConfig {
        config_service,
        ..HclDxConfig::default()
    };
    let paths = |has_upstream| {
        HclDxProvider::new(config.clone(), &platform(has_upstream))
            .unwrap()
            .endpoints()
            .len()
    };
    assert_eq!((paths(false), paths(true)), (4, 3));
}

/// An upstream that says the same to every stranger.
#[derive(Debug)]
struct Says(PassThrough);

#[async_trait]
impl Deliveries for Says {
    fn expect(&self, _receipt: ReceiptId) -> Option<Box<dyn PendingResult>> {
        None
    }

    fn wake(&self, _ended: &[EndedSession]) {}

    async fn pass_through(
        &self,
        _platform: &PlatformName,
        session: &UpstreamSession,
    ) -> PassThrough {
        assert_eq!(revealed(&session.cookies), [("LtpaToken2", "unseen")]);
        self.0.clone()
    }
}

/// The answer of a hub in front of an upstream that says so, to a logout with a token that it never
/// saw.
fn stranger(says: PassThrough, config: HclDxConfig, method: Method, target: &str) -> Response {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (platform, bare) = (platform(true), platform(true));
    let hub = HclDxProvider::new(config, &platform).unwrap();
    let store = Arc::new(MemoryStore::default());
    let mut services = Services::of_stand_ins(
        Arc::new(ListedAccounts::default()),
        Arc::new(ManualClock::default()),
        store,
        Arc::new(RememberedTokens::default()),
    );
    services.deliveries = Arc::new(Says(says));
    let sessions = SessionAuthority::new(
        Arc::new(platform),
        Arc::new(HclDxProvider::new(HclDxConfig::default(), &bare).unwrap()),
        services,
    );
    let endpoint = hub
        .endpoints()
        .iter()
        .find(|endpoint| endpoint.matches(path).is_some())
        .unwrap()
        .name();
    let request = Request::new(method, path)
        .with_query(query)
        .with_endpoint(endpoint, vec![])
        .with_header("cookie", "LtpaToken2=unseen");
    futures_executor::block_on(hub.logout(&request, &sessions)).into()
}

#[test]
fn the_portal_s_return_address_comes_out_in_every_form_of_the_answer_where_it_is_allowed() {
    let autoless = format!("{PORTAL_LOGOUT}?autoRedirect=false");
    let target = |redirect: Option<&str>, method, target: &str| {
        let says = PassThrough::Confirmed {
            redirect: redirect.map(str::to_owned),
            removals: Vec::new(),
        };
        let response = stranger(says, HclDxConfig::default(), method, target);
        let location = response
            .headers()
            .iter()
            .find(|(name, _)| *name == "location")
            .map(|(_, value)| value.to_string());
        location.unwrap_or_else(|| {
            serde_json::from_slice::<Value>(response.body()).unwrap()["redirectUrl"]
                .as_str()
                .unwrap()
                .to_owned()
        })
    };
    for (redirect, expected) in [
        (
            Some("http://dx.example/after?x=1"),
            "http://dx.example/after?x=1",
        ),
        (
            Some("https://evil.example/"),
            "http://dx.example/wps/portal",
        ),
        (None, "http://dx.example/wps/portal"),
    ] {
        for (method, at) in [
            (Method::Post, LOGOUT),
            (Method::Get, PORTAL_LOGOUT),
            (Method::Get, autoless.as_str()),
        ] {
            assert_eq!(target(redirect, method, at), expected, "{redirect:?} {at}");
        }
    }
}

#[test]
fn who_is_not_signed_in_at_the_portal_either_is_answered_as_configured() {
    let ok = || HclDxConfig {
        logout_without_session: LogoutWithoutSession::Ok,
        ..HclDxConfig::default()
    };
    for (says, config, status) in [
        (PassThrough::NotSignedIn, HclDxConfig::default(), 401),
        (PassThrough::NotSignedIn, ok(), 200),
        (PassThrough::Refused, ok(), 503),
        (PassThrough::Busy, HclDxConfig::default(), 503),
    ] {
        assert_eq!(
            stranger(says.clone(), config, Method::Post, LOGOUT).status(),
            status,
            "{says:?}"
        );
    }
}
