//! The time of day, from the operating system. No session's life is measured by any other clock.

use std::time::{SystemTime, UNIX_EPOCH};

use logout_core::ports::Clock;
use logout_core::time::Timestamp;

/// The operating system's clock. Before 1970 it shows the epoch.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
