//! The upstream side, tested with answers of a real portal, and with the stand-in in its place.

mod in_front;
mod login;
mod round_trip;
mod sign_out;

use std::time::Duration;

use logout_core::CredentialReader as _;
use logout_core::platform::Platform;
use logout_core::provider::UpstreamLogout as _;
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{Addressee, Confirmation, UpstreamLogin};
use logout_core::{LogoutProvider as _, Method, Request};
use logout_suite::testing::StandIn;
use logout_suite::testing::product::{
    answer, header, looked_up, registered, revealed, session_of_cookies,
};

use crate::config::Dialect;
use crate::{HclDxConfig, HclDxProvider, request};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const LOGIN: &str = "/dx/api/core/v1/auth/login";
const LOGOUT: &str = "/dx/api/core/v1/auth/logout";
const COOKIE: (&str, &str) = ("set-cookie", "LtpaToken2=T; Path=/; HttpOnly");
const LOGGED_IN: &str = r#"{"statusCode":200,"message":"Login Successful","data":{"UId":"Alice"}}"#;

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("dx", "http://dx.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn hub() -> HclDxProvider {
    HclDxProvider::new(HclDxConfig::default(), &platform(true)).unwrap()
}

fn stand_in(config: HclDxConfig) -> StandIn<HclDxProvider> {
    StandIn::new(platform(false), |platform| {
        HclDxProvider::new(config, platform).unwrap()
    })
}

fn login(body: &str) -> Request<'static> {
    Request::new(Method::Post, LOGIN)
        .with_endpoint("login", vec![])
        .with_header("content-type", "application/json")
        .with_body(body)
}

fn to(cookies: &[(&str, &str)]) -> Addressee {
    Addressee {
        delivery: None,
        subject: None,
        session: session_of_cookies(cookies),
    }
}
