//! The upstream side, tested with answers of a real instance, and with the stand-in in its place.

mod in_front;
mod login;
mod round_trip;
mod sign_out;

use logout_core::platform::Platform;
use logout_suite::testing::product::{answer, revealed, session_of_cookies};
use serde_json::json;

use super::*;
use crate::AssetsConfig;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("dam", "http://dam.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn config(profile: Profile, errors_as_status: bool) -> AssetsConfig {
    AssetsConfig {
        profile,
        errors_as_status,
        ..AssetsConfig::default()
    }
}

fn provider(profile: Profile) -> AssetsProvider {
    AssetsProvider::new(config(profile, false), &platform(true)).unwrap()
}

fn login(query: &str) -> Request<'static> {
    Request::new(Method::Post, "/services/login").with_query(query)
}

/// What a session holds, to be compared.
fn told(session: &UpstreamSession) -> (Vec<(&str, &str)>, Option<&str>, Option<&str>) {
    (
        revealed(&session.cookies),
        session.bearer.as_ref().map(Secret::reveal),
        session.csrf.as_ref().map(Secret::reveal),
    )
}

fn to(session: UpstreamSession) -> Addressee {
    Addressee {
        delivery: None,
        subject: None,
        session,
    }
}
