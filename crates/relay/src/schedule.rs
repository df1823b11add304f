//! When to try again: pure, over spans and instants that are handed in.

use std::time::{Duration, UNIX_EPOCH};

use logout_core::time::Timestamp;

/// Pauses that double from `first` up to `cap`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// The pause after the first failure, before jitter.
    pub first: Duration,
    /// No pause is longer.
    pub cap: Duration,
}

impl Backoff {
    /// The pause after `failures` failures before this one, with `random` in `0.0..1.0`: between
    /// half and the whole of the doubled span, so that what failed together does not come back
    /// together.
    pub fn pause(&self, failures: u32, random: f64) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(failures.min(31)));
        doubled
            .min(self.cap)
            .mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

/// How long an upstream asks to be left alone: the value of a `Retry-After` header, as seconds or
/// as a date (RFC 9110, 10.2.3), at most `cap`. A date that has passed asks for nothing; `None` for
/// anything that is neither.
pub fn retry_after(value: &str, now: Timestamp, cap: Duration) -> Option<Duration> {
    let value = value.trim();
    let asked = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time, not a mistake.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(value)
            .ok()?
            .duration_since(UNIX_EPOCH)
            .ok()?;
        date.saturating_sub(Duration::from_millis(now.as_millis()))
    };
    Some(asked.min(cap))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(784_111_700_000);
    const CAP: Duration = Duration::from_secs(600);

    #[test]
    fn pauses_double_up_to_their_cap() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(300),
        };
        let whole: Vec<u64> = (0..11)
            .map(|failures| backoff.pause(failures, 1.0).as_secs())
            .collect();
        assert_eq!(whole, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(backoff.pause(u32::MAX, 1.0), Duration::from_secs(300));
    }

    #[test]
    fn jitter_takes_at_most_half_away_and_adds_nothing() {
        let backoff = Backoff {
            first: Duration::from_secs(4),
            cap: Duration::from_secs(60),
        };
        assert_eq!(backoff.pause(0, 0.0), Duration::from_secs(2));
        assert_eq!(backoff.pause(0, 0.5), Duration::from_secs(3));
        assert_eq!(backoff.pause(9, 0.0), Duration::from_secs(30));
        assert_eq!(backoff.pause(9, 7.0), Duration::from_secs(60));
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        for (value, expected) in [
            ("120", Some(120)),
            (" 5 ", Some(5)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(77)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(77)),
            ("Sun Nov  6 08:49:37 1994", Some(77)),
            ("Sun, 06 Nov 1994 08:48:20 GMT", Some(0)),
            ("Fri, 01 Jan 1960 00:00:00 GMT", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(
                retry_after(value, NOW, CAP),
                expected.map(Duration::from_secs),
                "{value:?}"
            );
        }
    }

    #[test]
    fn no_upstream_can_ask_for_more_than_the_cap() {
        for value in [
            "601",
            "99999999999999999999999999",
            "Sun, 06 Nov 2044 08:49:37 GMT",
        ] {
            assert_eq!(retry_after(value, NOW, CAP), Some(CAP), "{value}");
        }
    }
}
