//! Limits how often something may happen.

use std::time::Duration;

/// A token bucket: at most `capacity` at once, and as many in each span after that.
///
/// Time is given as a span since any origin, the same one in all calls.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// How long it takes to get one token.
    interval: Duration,
    /// How long it takes to fill the empty bucket.
    span: Duration,
    /// When it is full.
    full_at: Duration,
}

impl TokenBucket {
    /// A full bucket, which gets `capacity` tokens in each `span`.
    pub fn new(capacity: u32, span: Duration) -> Self {
        Self {
            interval: span
                .checked_div(capacity)
                .map_or(Duration::MAX, |interval| {
                    interval.max(Duration::from_nanos(1))
                }),
            span,
            full_at: Duration::ZERO,
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// None is left; there will be one after this time.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        // A clock that was set back must not close the bucket for longer than it takes to fill.
        let full_at = self.full_at.clamp(now, now.saturating_add(self.span));
        self.full_at = full_at;
        let taken = full_at.saturating_add(self.interval);
        let wait = (taken - now).saturating_sub(self.span);
        if wait.is_zero() {
            self.full_at = taken;
            Ok(())
        } else {
            Err(wait)
        }
    }

    /// Puts back one that was taken.
    pub fn put_back(&mut self) {
        self.full_at = self.full_at.saturating_sub(self.interval);
    }

    /// Whether nothing is missing, so that a new bucket would be the same.
    pub fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn passed(bucket: &mut TokenBucket, at: u64) -> usize {
        let at = Duration::from_millis(at);
        (0..100).filter(|_| bucket.take(at).is_ok()).count()
    }

    #[test]
    fn no_more_pass_than_the_rate_allows() {
        let mut bucket = TokenBucket::new(5, SECOND);
        assert_eq!(passed(&mut bucket, 1_000), 5);
        assert_eq!(passed(&mut bucket, 1_100), 0);
        assert_eq!(passed(&mut bucket, 1_500), 2);
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
        assert_eq!(passed(&mut bucket, 60_000), 5, "and closes nothing");
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_through() {
        let mut bucket = TokenBucket::new(0, SECOND);
        for at in [0, 3_600_000] {
            assert_eq!(passed(&mut bucket, at), 0);
        }
    }

    #[test]
    fn a_refusal_says_when_the_next_is_let_through() {
        let mut bucket = TokenBucket::new(7, 60 * SECOND);
        for _ in 0..7 {
            assert_eq!(bucket.take(SECOND), Ok(()));
        }
        let wait = bucket.take(SECOND).unwrap_err();
        assert_eq!(wait.as_secs(), 60 / 7);
        assert!(
            bucket
                .take(SECOND + wait - Duration::from_nanos(1))
                .is_err()
        );
        assert_eq!(bucket.take(SECOND + wait), Ok(()));
    }

    #[test]
    fn what_is_put_back_may_be_taken_again() {
        let mut bucket = TokenBucket::new(1, SECOND);
        assert_eq!(bucket.take(SECOND), Ok(()));
        assert!(!bucket.is_full(SECOND));
        bucket.put_back();
        assert!(bucket.is_full(SECOND));
        assert_eq!(bucket.take(SECOND), Ok(()));
        assert!(bucket.take(SECOND).is_err());
    }
}
