//! What the relay counts, by the `metrics` facade. Labels are bounded: platforms of the
//! configuration and fixed words.

use std::time::Duration;

use ::metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use logout_core::platform::PlatformName;

/// Attempts, by `platform` and `outcome`: `confirmed`, `not-signed-in`, `refused`, `no-answer`,
/// `unsealable`.
pub const ATTEMPTS: &str = "logout_relay_attempts_total";
/// Deliveries that came to an end, by `platform` and `state`: `confirmed`, `given-up`.
pub const SETTLED: &str = "logout_relay_deliveries_settled_total";
/// Confirmed sign-outs whose credential still worked, by `platform`.
pub const OUTLIVED: &str = "logout_relay_deliveries_outlived_total";
/// Seconds from the sign-out to the confirmation, by `platform`.
pub const SECONDS: &str = "logout_relay_delivery_seconds";
/// 1 while an upstream is left alone because it does not answer, else 0, by `platform`.
pub const BREAKER_OPEN: &str = "logout_relay_breaker_open";
/// Sign-outs of sessions that the hub never saw, by `platform` and `result`: `confirmed`,
/// `not-signed-in`, `refused`, `unreachable`, `busy`.
pub const FIRST_SIGHT: &str = "logout_relay_first_sight_total";

/// Gives the recorder that is installed the descriptions of all of them.
pub fn describe() {
    describe_counter!(ATTEMPTS, "Attempts to tell an upstream of a sign-out.");
    describe_counter!(SETTLED, "Deliveries that came to an end.");
    describe_counter!(
        OUTLIVED,
        "Confirmed sign-outs whose credential still worked."
    );
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "Time from the sign-out to its confirmation by the upstream."
    );
    describe_gauge!(
        BREAKER_OPEN,
        "1 while an upstream is left alone because it does not answer."
    );
    describe_counter!(FIRST_SIGHT, "Sign-outs of sessions that the hub never saw.");
}

pub(crate) fn tried(platform: &PlatformName, outcome: &'static str) {
    counter!(ATTEMPTS, "platform" => platform.to_string(), "outcome" => outcome).increment(1);
}

pub(crate) fn settled(platform: &PlatformName, state: &'static str) {
    counter!(SETTLED, "platform" => platform.to_string(), "state" => state).increment(1);
}

pub(crate) fn outlived(platform: &PlatformName) {
    counter!(OUTLIVED, "platform" => platform.to_string()).increment(1);
}

pub(crate) fn confirmed_after(platform: &PlatformName, span: Duration) {
    histogram!(SECONDS, "platform" => platform.to_string()).record(span.as_secs_f64());
}

pub(crate) fn breaker(platform: &PlatformName, open: bool) {
    gauge!(BREAKER_OPEN, "platform" => platform.to_string()).set(if open { 1.0 } else { 0.0 });
}

pub(crate) fn pass_through(platform: &PlatformName, result: &'static str) {
    counter!(FIRST_SIGHT, "platform" => platform.to_string(), "result" => result).increment(1);
}
