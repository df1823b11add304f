//! What is counted, by which labels.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, with_local_recorder,
};
use logout_core::credential::Secret;
use logout_core::platform::PlatformName;
use logout_core::ports::Deliveries as _;
use logout_core::upstream::UpstreamSession;
use logout_relay::metrics as relay_metrics;

use crate::support::hub::{Hub, adjusted, brisk};
use crate::support::played::{Played, answer, signed_out};

type Values = Arc<Mutex<BTreeMap<String, f64>>>;

#[derive(Default)]
struct Noted(Values);

struct Cell(String, Values);

impl Cell {
    fn of(key: &Key, noted: &Noted) -> Arc<Self> {
        let labels: String = key
            .labels()
            .map(|label| format!(" {}={}", label.key(), label.value()))
            .collect();
        Arc::new(Self(format!("{}{labels}", key.name()), noted.0.clone()))
    }

    fn add(&self, value: f64) {
        *self.1.lock().unwrap().entry(self.0.clone()).or_default() += value;
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Cell {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        self.1.lock().unwrap().insert(self.0.clone(), value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, _: f64) {
        self.add(1.0);
    }
}

impl Recorder for Noted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Cell::of(key, self))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Cell::of(key, self))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Cell::of(key, self))
    }
}

#[test]
fn tries_settlements_survivors_breakers_and_strangers_are_counted() {
    let noted = Noted::default();
    let values = noted.0.clone();
    with_local_recorder(&noted, || {
        relay_metrics::describe();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let client = Played::new(|request, nth| async move {
                match (nth, request.target.as_str()) {
                    (0, _) => answer(500, ""),
                    (_, "/session") => answer(200, ""),
                    _ => signed_out(),
                }
            });
            let settings = adjusted(brisk(), |settings| {
                settings.verify = true;
                settings.breaker_opens_after = 1;
            });
            let hub = Hub::start(settings, vec![("counted", client)]);
            let session = hub.end_one("counted").await;
            hub.once(session, |delivery| delivery.attempts == 1).await;
            assert_eq!(
                values.lock().unwrap()["logout_relay_breaker_open platform=counted"],
                1.0
            );
            hub.settled(session).await;
            let stranger = UpstreamSession {
                bearer: Some(Secret::new("x")),
                ..UpstreamSession::default()
            };
            hub.relay
                .pass_through(&PlatformName::new("counted"), &stranger)
                .await;
        });
    });
    let expected = [
        (
            "logout_relay_attempts_total platform=counted outcome=confirmed",
            1.0,
        ),
        (
            "logout_relay_attempts_total platform=counted outcome=refused",
            1.0,
        ),
        ("logout_relay_breaker_open platform=counted", 0.0),
        (
            "logout_relay_deliveries_outlived_total platform=counted",
            1.0,
        ),
        (
            "logout_relay_deliveries_settled_total platform=counted state=confirmed",
            1.0,
        ),
        ("logout_relay_delivery_seconds platform=counted", 1.0),
        (
            "logout_relay_first_sight_total platform=counted result=confirmed",
            1.0,
        ),
    ];
    assert_eq!(
        *values.lock().unwrap(),
        BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value)))
    );
}
