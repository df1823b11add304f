//! The upstream side, tested with answers of the product, and with the stand-in in its place.

mod in_front;
mod round_trip;
mod sign_out;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::credential::SecretDigest;
use logout_core::platform::Platform;
use logout_core::provider::UpstreamLogout as _;
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamLogin;
use logout_suite::testing::StandIn;
use logout_suite::testing::product::{answer, revealed};
use serde_json::json;

use super::*;
use crate::paths::{AUTHORIZE, LOGOUT};
use crate::{App, WixConfig};

pub(crate) const APP: &str = "12345678-1234-1234-1234-123456789012";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const VERIFIER: &str = "a-verifier-of-enough-characters-for-anybody";
pub(crate) const JSON: &str = "application/json";
const LOGIN_PATH: &str = "/_api/iam/authentication/v2/login";

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("shop", "http://shop.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn config() -> WixConfig {
    let app = App {
        client_id: APP.into(),
        redirect_domains: vec!["app.example".into()],
        ..App::default()
    };
    WixConfig {
        apps: vec![app],
        ..WixConfig::default()
    }
}

fn provider() -> WixProvider {
    WixProvider::new(config(), &platform(true)).unwrap()
}

pub(crate) fn dialect() -> Dialect {
    Dialect::new(config(), &platform(true)).unwrap()
}

pub(crate) fn post(endpoint: &'static str, path: &str, body: &Value) -> Request<'static> {
    Request::new(Method::Post, path)
        .with_header("content-type", JSON)
        .with_body(body.to_string())
        .with_endpoint(endpoint, vec![])
}

pub(crate) fn anonymous() -> Request<'static> {
    post(
        stand_in::TOKEN,
        "/oauth2/token",
        &json!({ "clientId": APP, "grantType": "anonymous" }),
    )
}

pub(crate) fn log_in(name: &str, password: &str, visitor: &str) -> Request<'static> {
    let body = json!({ "loginId": { "email": name }, "password": password });
    post(stand_in::LOGIN, LOGIN_PATH, &body).with_header("authorization", visitor)
}

pub(crate) fn authorize(session_token: &str) -> Request<'static> {
    let challenge = URL_SAFE_NO_PAD.encode(SecretDigest::of(VERIFIER).as_bytes());
    let query = Serializer::new(String::new())
        .extend_pairs([
            ("clientId", APP),
            ("responseType", "code"),
            ("redirectUri", "https://app.example/in"),
            ("state", "s"),
        ])
        .extend_pairs([
            ("codeChallenge", challenge.as_str()),
            ("codeChallengeMethod", "S256"),
            ("prompt", "none"),
        ])
        .append_pair("sessionToken", session_token)
        .finish();
    Request::new(Method::Get, AUTHORIZE)
        .with_query(query)
        .with_endpoint(stand_in::AUTHORIZATION, vec![])
}

pub(crate) fn exchange(code: &str) -> Request<'static> {
    let body = json!({ "clientId": APP, "grantType": "authorization_code", "code": code, "codeVerifier": VERIFIER });
    post(stand_in::TOKEN, "/oauth2/token", &body)
}

pub(crate) fn refresh(token: &str) -> Request<'static> {
    post(
        stand_in::TOKEN,
        "/oauth2/token",
        &json!({ "client_id": APP, "grant_type": "refresh_token", "refresh_token": token }),
    )
}

pub(crate) fn sign_out_link(token: &str) -> Request<'static> {
    let body = json!({ "logout": { "clientId": APP }, "callbacks": { "postFlowUrl": "https://app.example/bye" } });
    post(
        stand_in::REDIRECT_SESSION,
        "/headless/v1/redirect-session",
        &body,
    )
    .with_header("authorization", token)
}

/// Cookies, bearer token and further secrets of a session, to be compared.
pub(crate) type KnownBy<'a> = (
    Vec<(&'a str, &'a str)>,
    Option<&'a str>,
    Vec<(&'a str, &'a str)>,
);

pub(crate) fn told(session: &UpstreamSession) -> KnownBy<'_> {
    (
        revealed(&session.cookies),
        session.bearer.as_ref().map(Secret::reveal),
        revealed(&session.others),
    )
}

/// The product itself: a stand-in that knows nothing of the hub.
fn product() -> StandIn<WixProvider> {
    StandIn::new(platform(false), |platform| {
        WixProvider::new(config(), platform).unwrap()
    })
}

fn confirmed() -> Confirmation {
    Confirmation::Confirmed { redirect: None }
}
