//! What can be measured, in the text format of Prometheus. Labels are bounded: platforms of the
//! configuration and fixed words.

use std::sync::OnceLock;

use ::metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use actix_web::{HttpResponse, web};
use logout_core::check::CheckResult;
use logout_core::platform::PlatformName;
use logout_core::store::StoreUnavailable;
use logout_relay::{BreakerState, metrics as relay_metrics};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::AdminState;

/// Questions of reverse proxies, by `platform` and `outcome`: `ended`, `passes`, `unavailable`.
const CHECKS: &str = "logout_hub_checks_total";
/// 1 while the store answers, else 0.
const READY: &str = "logout_hub_ready";
/// Deliveries that are under way, by `platform`.
const IN_FLIGHT: &str = "logout_hub_deliveries_in_flight";
/// How long the oldest due delivery has been due, by `platform`; 0 where none is.
const OVERDUE: &str = "logout_hub_deliveries_overdue_seconds";
/// 1 while nothing is sent to the upstream because it asked for that or does not answer, else 0, by
/// `platform`.
const PAUSED: &str = "logout_hub_upstream_paused";

/// From a good answer within the sign-out's own wait to a day.
const DELIVERY_SECONDS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 21_600.0, 86_400.0,
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count, once in a process however often it is called.
pub(crate) fn install() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        let recorder = recorder();
        let handle = recorder.handle();
        match metrics::set_global_recorder(recorder) {
            Ok(()) => {
                relay_metrics::describe();
                describe_counter!(CHECKS, "Questions of reverse proxies.");
            }
            Err(_) => {
                log::warn!("somebody else counts in this process: /metrics shows gauges only")
            }
        }
        handle
    })
}

/// Folds what was measured into its buckets, so that it does not pile up where nobody asks for it.
pub(crate) fn upkeep() {
    install().run_upkeep();
}

fn recorder() -> PrometheusRecorder {
    let matcher = Matcher::Full(relay_metrics::SECONDS.to_owned());
    // Refused only for an empty list.
    PrometheusBuilder::new()
        .set_buckets_for_metric(matcher, DELIVERY_SECONDS)
        .unwrap_or_default()
        .build_recorder()
}

pub(super) fn checked(platform: &PlatformName, outcome: Result<CheckResult, StoreUnavailable>) {
    let outcome = match outcome {
        Ok(CheckResult::Ended) => "ended",
        Ok(CheckResult::Passes) => "passes",
        Ok(CheckResult::Prefetch) => "prefetch",
        Ok(CheckResult::TooMany) => "too-many",
        Ok(CheckResult::Unknown) => "unknown",
        Ok(_) => "ambiguous",
        Err(StoreUnavailable) => "unavailable",
    };
    counter!(CHECKS, "platform" => platform.to_string(), "outcome" => outcome).increment(1);
}

pub(super) async fn show(state: web::Data<AdminState>) -> HttpResponse {
    let text = install().render() + &gauges(&state).await;
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}

/// What this hub is like just now. Counted apart, because several hubs may share a process and its
/// recorder.
async fn gauges(state: &AdminState) -> String {
    let now = state.services.clock.now();
    let mut ready = state.services.store.health().await.is_ok();
    let mut overdue = Vec::new();
    for known in state
        .platforms
        .iter()
        .filter(|known| known.sessions.platform().has_upstream)
    {
        let platform = &known.sessions.platform().name;
        match state.outbox.next_due(platform).await {
            Ok(due) => overdue.push((
                platform,
                due.map_or(0.0, |due| now.since(due).as_secs_f64()),
            )),
            Err(StoreUnavailable) => ready = false,
        }
    }
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        describe_gauge!(READY, "1 while the store answers, else 0.");
        describe_gauge!(IN_FLIGHT, "Deliveries that are under way.");
        describe_gauge!(
            OVERDUE,
            Unit::Seconds,
            "How long the oldest due delivery has been due."
        );
        describe_gauge!(PAUSED, "1 while nothing is sent to the upstream, else 0.");
        gauge!(READY).set(u32::from(ready));
        for (platform, seconds) in overdue {
            gauge!(OVERDUE, "platform" => platform.to_string()).set(seconds);
        }
        for upstream in state.relay.iter().flat_map(|relay| relay.upstreams()) {
            let platform = upstream.platform.to_string();
            let paused =
                upstream.paused_until.is_some() || upstream.breaker != BreakerState::Closed;
            gauge!(IN_FLIGHT, "platform" => platform.clone())
                .set(u32::try_from(upstream.in_flight).unwrap_or(u32::MAX));
            gauge!(PAUSED, "platform" => platform).set(u32::from(paused));
        }
    });
    recorder.handle().render()
}
