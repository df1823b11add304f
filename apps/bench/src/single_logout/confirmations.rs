//! Hears of every confirmation through the figure that the relay keeps of them, which a hub shows
//! at `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logout_relay::metrics::SECONDS;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::process::BoxError;

type Seen = BTreeMap<String, Vec<f64>>;

/// The seconds from each sign-out to its confirmation, by platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct Confirmations {
    seen: Arc<Mutex<Seen>>,
}

impl Confirmations {
    /// Begins to listen, in this process.
    pub(crate) fn install() -> Result<Self, BoxError> {
        let confirmations = Self::default();
        metrics::set_global_recorder(confirmations.clone()).map_err(|_| "somebody else listens")?;
        Ok(confirmations)
    }

    /// Waits until there are `count` or `limit` has passed; says how many there are.
    pub(crate) async fn reach(&self, count: usize, limit: Duration) -> usize {
        let started = Instant::now();
        loop {
            let seen = self
                .seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
                .map(Vec::len)
                .sum();
            if seen >= count || started.elapsed() >= limit {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// All of them; begins anew.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorder for Confirmations {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() != SECONDS {
            return Histogram::noop();
        }
        let platform = key
            .labels()
            .find(|label| label.key() == "platform")
            .map(|label| label.value().to_owned());
        Histogram::from_arc(Arc::new(OfPlatform {
            platform: platform.unwrap_or_default(),
            seen: self.seen.clone(),
        }))
    }
}

#[derive(Debug)]
struct OfPlatform {
    platform: String,
    seen: Arc<Mutex<Seen>>,
}

impl HistogramFn for OfPlatform {
    fn record(&self, seconds: f64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(&self.platform) {
            Some(values) => values.push(seconds),
            None => drop(seen.insert(self.platform.clone(), vec![seconds])),
        }
    }
}
