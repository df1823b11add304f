//! How many revocations are carried out, and how many bearer tokens of strangers are looked at.
//! Each hub counts for itself.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logout_core::time::Timestamp;
use logout_core::token_bucket::TokenBucket;
use logout_identity::AddressGroup;

/// How many bearer tokens that are not valid one address may send in a minute. Our choice.
const GUESSES_PER_MINUTE: u32 = 30;

/// For how many addresses guesses are counted at once.
const REMEMBERED: usize = 10_000;

const MINUTE: Duration = Duration::from_secs(60);

/// The revocations of one provider.
#[derive(Debug)]
pub(super) struct RevocationLimit(Mutex<TokenBucket>);

impl RevocationLimit {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        Self(Mutex::new(TokenBucket::new(per_minute.get(), MINUTE)))
    }

    /// Lets one more through.
    ///
    /// # Errors
    /// It has to wait for this time.
    pub(super) fn take(&self, now: Timestamp) -> Result<(), Duration> {
        lock(&self.0).take(since_epoch(now))
    }

    /// One that was let through was not carried out.
    pub(super) fn put_back(&self) {
        lock(&self.0).put_back();
    }
}

/// Guesses at bearer tokens, by the address that they come from.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<AddressGroup, TokenBucket>>);

impl Guesses {
    /// Takes one of the address, before a token is looked at, so that of many at once no more are
    /// looked at than may be wrong.
    ///
    /// # Errors
    /// The address has none left for this time.
    pub(super) fn take(&self, address: AddressGroup, now: Timestamp) -> Result<(), Duration> {
        let now = since_epoch(now);
        let mut buckets = lock(&self.0);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| !bucket.is_full(now));
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(address);
        bucket
            .or_insert_with(|| TokenBucket::new(GUESSES_PER_MINUTE, MINUTE))
            .take(now)
    }

    /// The token of the address was valid.
    pub(super) fn put_back(&self, address: AddressGroup) {
        if let Some(bucket) = lock(&self.0).get_mut(&address) {
            bucket.put_back();
        }
    }
}

fn since_epoch(now: Timestamp) -> Duration {
    Duration::from_millis(now.as_millis())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here can be left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(number: u32) -> AddressGroup {
        AddressGroup::of(Some(IpAddr::from(number.to_be_bytes())))
    }

    #[test]
    fn addresses_are_counted_apart_and_only_so_many() {
        let guesses = Guesses::default();
        let now = Timestamp::from_millis(1_000_000);
        for _ in 0..GUESSES_PER_MINUTE {
            assert_eq!(guesses.take(address(0), now), Ok(()));
        }
        assert_eq!(
            guesses.take(address(0), now),
            Err(MINUTE / GUESSES_PER_MINUTE)
        );
        for other in 1..3 * REMEMBERED as u32 {
            assert_eq!(guesses.take(address(other), now), Ok(()));
            assert!(lock(&guesses.0).len() <= REMEMBERED);
        }
    }

    #[test]
    fn addresses_that_have_all_their_guesses_are_forgotten_first() {
        let guesses = Guesses::default();
        let begin = Timestamp::from_millis(1_000_000);
        for quiet in 1..REMEMBERED as u32 {
            assert_eq!(guesses.take(address(quiet), begin), Ok(()));
        }
        let later = begin.plus(MINUTE);
        while guesses.take(address(0), later).is_ok() {}
        assert_eq!(guesses.take(address(REMEMBERED as u32), later), Ok(()));
        assert_eq!(lock(&guesses.0).len(), 2);
        assert!(guesses.take(address(0), later).is_err());
    }
}
