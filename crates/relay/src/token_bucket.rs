//! Limits how many unregistered sessions go to an upstream each second.

use tokio::time::Instant;

/// Lets at most `per_second` through in any second, after at most as many at once.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    left: f64,
    filled: Instant,
}

impl TokenBucket {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second: f64::from(per_second),
            left: f64::from(per_second),
            filled: now,
        }
    }

    /// Takes one, where there is one left at `now`.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = since
            .mul_add(self.per_second, self.left)
            .min(self.per_second);
        self.filled = self.filled.max(now);
        let taken = self.left >= 1.0;
        if taken {
            self.left -= 1.0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_pass_than_the_rate_allows() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(5, start);
        let passed = |bucket: &mut TokenBucket, at: u64| {
            (0..100)
                .filter(|_| bucket.take(start + Duration::from_millis(at)))
                .count()
        };
        assert_eq!(passed(&mut bucket, 0), 5);
        assert_eq!(passed(&mut bucket, 100), 0);
        assert_eq!(passed(&mut bucket, 500), 2);
        assert_eq!(
            passed(&mut bucket, 60_000),
            5,
            "what was not used is not saved up"
        );
        assert_eq!(
            passed(&mut bucket, 59_000),
            0,
            "an earlier instant fills nothing"
        );
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_through() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(0, start);
        assert!(!bucket.take(start) && !bucket.take(start + Duration::from_secs(3600)));
    }
}
