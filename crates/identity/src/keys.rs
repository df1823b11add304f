//! Signing keys: one per period of time, agreed upon through the store.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use logout_core::credential::random_bytes;
use logout_core::store::{SessionStore, StoreUnavailable};
use logout_core::time::Timestamp;

/// How long a key signs.
pub const KEY_PERIOD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The longest that a token may live: Wix refresh tokens do.
pub const LONGEST_TOKEN_LIFE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// 256 bits: as long as the digest (RFC 7518, section 3.2).
const KEY_BYTES: usize = 32;

/// The keys of one moment, newest first.
#[derive(Debug)]
pub(crate) struct SigningKeys {
    /// The period at which they were agreed.
    period: u64,
    keys: Vec<SigningKey>,
}

/// A key, ready to sign and to verify.
pub(crate) struct SigningKey {
    period: u64,
    /// The whole first part of a token that this key signs. Comparing with it checks `alg`, `typ`
    /// and `kid` at once.
    pub(crate) header: String,
    pub(crate) signs: EncodingKey,
    pub(crate) verifies: hmac::Key,
}

impl SigningKeys {
    /// The keys that count at `now`, agreed upon with everybody who shares `store`.
    pub(crate) async fn get_or_insert(
        store: &dyn SessionStore,
        now: Timestamp,
    ) -> Result<Self, StoreUnavailable> {
        let period = period_at(now);
        let mut keys = Vec::new();
        // The next period's key too: a hub whose clock is ahead begins to sign with it first.
        for each in (period.saturating_sub(2)..=period + 1)
            .rev()
            .filter(|each| accepted_until(*each) > now)
        {
            let candidate = random_bytes::<KEY_BYTES>().to_vec();
            let bytes = store
                .get_or_insert(&format!("signing-key/{each}"), candidate)
                .await?;
            keys.push(SigningKey::new(each, &bytes)?);
        }
        Ok(Self { period, keys })
    }

    /// Whether the keys that count at `now` are others than these.
    pub(crate) fn are_stale(&self, now: Timestamp) -> bool {
        self.period != period_at(now)
            || self
                .keys
                .iter()
                .any(|key| accepted_until(key.period) <= now)
    }

    /// The key that signs: the newest whose period has begun.
    pub(crate) fn signing(&self) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.period <= self.period)
    }

    /// The key with this token header, while it is accepted.
    pub(crate) fn verifying(&self, header: &str, now: Timestamp) -> Option<&SigningKey> {
        self.keys
            .iter()
            .find(|key| key.header == header)
            .filter(|key| accepted_until(key.period) > now)
    }
}

impl SigningKey {
    fn new(period: u64, bytes: &[u8]) -> Result<Self, StoreUnavailable> {
        if bytes.len() != KEY_BYTES {
            log::error!("the store's signing key {period} is not a key");
            return Err(StoreUnavailable);
        }
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(period.to_string());
        let header = serde_json::to_vec(&header).map_err(|_| StoreUnavailable)?;
        Ok(Self {
            period,
            header: URL_SAFE_NO_PAD.encode(header),
            signs: EncodingKey::from_secret(bytes),
            verifies: hmac::Key::new(hmac::HMAC_SHA256, bytes),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

fn period_at(now: Timestamp) -> u64 {
    now.as_secs() / KEY_PERIOD.as_secs()
}

/// A key is accepted for one more period, because a hub that cannot reach the store goes on signing
/// with it, and then for as long as a token may live.
fn accepted_until(period: u64) -> Timestamp {
    let end = Duration::from_secs((period + 2).saturating_mul(KEY_PERIOD.as_secs()));
    Timestamp::default().plus(end).plus(LONGEST_TOKEN_LIFE)
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use logout_store::MemoryStore;

    use super::*;

    fn day(number: u64) -> Timestamp {
        Timestamp::from_millis(number * 24 * 60 * 60 * 1000)
    }

    fn periods(now: Timestamp) -> Vec<u64> {
        let keys = block_on(SigningKeys::get_or_insert(&MemoryStore::new(), now)).unwrap();
        keys.keys.iter().map(|key| key.period).collect()
    }

    #[test]
    fn a_key_counts_for_its_period_one_more_and_the_longest_token_life() {
        assert_eq!(periods(day(300)), [11, 10, 9, 8]);
        assert_eq!(periods(day(313)), [11, 10, 9, 8]);
        assert_eq!(periods(day(314)), [11, 10, 9]);
        assert_eq!(periods(day(0)), [1, 0]);
    }

    #[test]
    fn the_key_of_the_current_period_signs_even_though_the_next_is_known() {
        let keys = block_on(SigningKeys::get_or_insert(&MemoryStore::new(), day(300))).unwrap();
        assert_eq!(keys.signing().map(|key| key.period), Some(10));
    }

    #[test]
    fn keys_are_stale_when_a_period_begins_and_when_a_key_runs_out() {
        let store = MemoryStore::new();
        let keys = block_on(SigningKeys::get_or_insert(&store, day(300))).unwrap();
        assert!(
            !keys.are_stale(day(313))
                && keys.are_stale(day(314))
                && keys.are_stale(day(330))
                && keys.are_stale(day(299))
        );
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let store = MemoryStore::new();
        block_on(store.get_or_insert("signing-key/10", vec![1; 16])).unwrap();
        assert!(block_on(SigningKeys::get_or_insert(&store, day(300))).is_err());
    }

    #[test]
    fn keys_do_not_print_themselves() {
        let store = MemoryStore::new();
        block_on(store.get_or_insert(
            "signing-key/10",
            b"canarycanarycanarycanarycanary!!".to_vec(),
        ))
        .unwrap();
        let printed = format!(
            "{:?}",
            block_on(SigningKeys::get_or_insert(&store, day(300))).unwrap()
        );
        assert!(
            !printed.contains("canary")
                && !printed.contains("99, 97, 110")
                && !printed.contains("Y2FuYXJ5"),
            "{printed}"
        );
    }
}
