//! How deliveries are carried.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::schedule::Backoff;

/// Time for what an attempt does besides its calls, before its lease may run out.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// Fewer threads would let one upstream's work hold up that of another.
const FEWEST_THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// How deliveries are carried. All defaults are our choice.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RelaySettings {
    /// How long a sign-out waits for its confirmations; zero: not at all. Default: 3 seconds.
    pub wait: Duration,
    /// Threads of [`crate::Relay::start_on_own_threads`]. Default: one for each core, at least 2.
    pub threads: NonZeroUsize,
    /// How long one call to an upstream may take, whatever the client allows. Default: 10 seconds.
    pub call_timeout: Duration,
    /// How long a delivery is leased for. Never less than two calls (sign-out and probe) and five
    /// seconds. Default: 60 seconds.
    pub lease: Duration,
    /// How many deliveries are under way at one upstream at most. While more wait, as many
    /// again are leased, so that no attempt waits for the store. Default: 16.
    pub max_in_flight: usize,
    /// Whether a probe is asked after a confirmation. Default: yes.
    pub verify: bool,
    /// Pauses between the attempts of one delivery. Default: from 1 second to 5 minutes.
    pub retry: Backoff,
    /// The longest that an upstream may ask to be left alone for. Default: 10 minutes.
    pub retry_after_cap: Duration,
    /// How long a delivery is tried, counted from the sign-out. Default: 24 hours.
    pub give_up_after: Duration,
    /// After how many faults in a row an upstream is left alone. Default: 5.
    pub breaker_opens_after: u32,
    /// For how long, growing from one failed trial to the next. Default: from 2 seconds to 1
    /// minute.
    pub breaker_pause: Backoff,
    /// How many sessions that the hub never saw are carried to an upstream each second. Default:
    /// 10.
    pub first_sight_rate: u32,
    /// How many of them may wait for an upstream that cannot be reached. Default: 1000.
    pub first_sight_kept: usize,
    /// How long such a delivery is tried. Default: 10 minutes.
    pub first_sight_give_up_after: Duration,
    /// How often the outbox is looked at when nothing wakes the relay: another hub may have written
    /// to it, or have died. Default: 1 second.
    pub look_every: Duration,
    /// Pauses while the store does not answer. Default: from 100 milliseconds to 5 seconds.
    pub store_retry: Backoff,
    /// How long [`crate::Relay::stop`] waits for what is under way. Default: 5 seconds.
    pub stop_within: Duration,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(3),
            threads: available_parallelism()
                .map_or(FEWEST_THREADS, |cores| cores.max(FEWEST_THREADS)),
            call_timeout: Duration::from_secs(10),
            lease: Duration::from_secs(60),
            max_in_flight: 16,
            verify: true,
            retry: Backoff {
                first: Duration::from_secs(1),
                cap: Duration::from_secs(5 * 60),
            },
            retry_after_cap: Duration::from_secs(10 * 60),
            give_up_after: Duration::from_secs(24 * 60 * 60),
            breaker_opens_after: 5,
            breaker_pause: Backoff {
                first: Duration::from_secs(2),
                cap: Duration::from_secs(60),
            },
            first_sight_rate: 10,
            first_sight_kept: 1_000,
            first_sight_give_up_after: Duration::from_secs(10 * 60),
            look_every: Duration::from_secs(1),
            store_retry: Backoff {
                first: Duration::from_millis(100),
                cap: Duration::from_secs(5),
            },
            stop_within: Duration::from_secs(5),
        }
    }
}

impl RelaySettings {
    /// The lease that is really taken: longer than an attempt can last, so that no delivery has
    /// two attempts under way.
    pub fn effective_lease(&self) -> Duration {
        self.lease.max(self.attempt_limit() + LEASE_MARGIN)
    }

    /// The longest that an attempt may last: a sign-out and a probe.
    pub(crate) fn attempt_limit(&self) -> Duration {
        2 * self.call_timeout
    }

    /// How long a delivery is tried; `unregistered`: the hub never saw its login.
    pub fn gives_up_after(&self, unregistered: bool) -> Duration {
        if unregistered {
            self.first_sight_give_up_after
        } else {
            self.give_up_after
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_always_outlasts_an_attempt() {
        let settings = RelaySettings {
            lease: Duration::from_millis(1),
            call_timeout: Duration::from_secs(30),
            ..RelaySettings::default()
        };
        assert!(settings.effective_lease() > 2 * settings.call_timeout);
        let roomy = RelaySettings {
            lease: Duration::from_secs(600),
            ..settings
        };
        assert_eq!(roomy.effective_lease(), Duration::from_secs(600));
    }
}
