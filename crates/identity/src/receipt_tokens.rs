//! Receipts as signed tokens, and the public keys that prove them.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto};
use logout_core::credential::random_bytes;
use logout_core::ports::TokenError;
use logout_core::store::{SessionStore, StoreUnavailable};
use logout_core::time::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// How long a key signs receipts: a quarter, so that years of retention publish no more keys than a
/// client likes to fetch.
pub const RECEIPT_KEY_PERIOD: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The longest retention that old keys are published for: ten years. Who keeps tokens longer
/// archives the key set with them.
pub const LONGEST_RECEIPT_RETENTION: Duration = Duration::from_secs(3_660 * 24 * 60 * 60);

/// RFC 8032, section 5.1.5.
const SEED_BYTES: usize = 32;

/// Signs receipts with Ed25519 and publishes the keys that verify them.
///
/// - All hubs on one store share the keys. Each signs for one [`RECEIPT_KEY_PERIOD`]; the next
///   period's is published ahead, so that a client's copy of the key set knows a key before it
///   signs.
/// - A public key stays published for one more period, because a hub that cannot reach the store
///   goes on signing with it, and then for the retention of receipts. Only the keys that may still
///   sign keep their private half in memory.
/// - Key ids carry the period and a digest of the key, so that archived key sets of different hubs
///   can be kept together.
pub struct ReceiptSigner {
    retention: Duration,
    keys: RwLock<Arc<ReceiptKeys>>,
}

/// The keys of one moment, newest first.
#[derive(Debug)]
struct ReceiptKeys {
    /// The period at which they were agreed.
    period: u64,
    keys: Vec<ReceiptKey>,
}

struct ReceiptKey {
    period: u64,
    id: String,
    /// Absent for a key that only verifies any more.
    signs: Option<EncodingKey>,
    public: Vec<u8>,
}

impl ReceiptSigner {
    /// Agrees on keys with everybody who shares `store`; the first one generates them. Keys stay
    /// published for `retention`, and for [`LONGEST_RECEIPT_RETENTION`] at most.
    ///
    /// # Errors
    /// The store does not answer, or what it keeps is not a key.
    pub async fn load(
        store: &dyn SessionStore,
        now: Timestamp,
        retention: Duration,
    ) -> Result<Self, StoreUnavailable> {
        // As in `JwtTokens::load`: jsonwebtoken chooses by itself only where its features name
        // exactly one backend.
        let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let retention = retention.min(LONGEST_RECEIPT_RETENTION);
        let keys = ReceiptKeys::get_or_insert(store, now, retention).await?;
        Ok(Self {
            retention,
            keys: RwLock::new(Arc::new(keys)),
        })
    }

    /// Takes up a new key where its time has come and drops those whose receipts are all forgotten.
    /// Cheap when there is nothing to do; to be called by housekeeping, at least daily. When the
    /// store does not answer, the old keys stay.
    ///
    /// # Errors
    /// The store does not answer, or what it keeps is not a key.
    pub async fn rotate(
        &self,
        store: &dyn SessionStore,
        now: Timestamp,
    ) -> Result<(), StoreUnavailable> {
        if !self.current().are_stale(now, self.retention) {
            return Ok(());
        }
        let fresh = Arc::new(ReceiptKeys::get_or_insert(store, now, self.retention).await?);
        // Poisoned or not, the guarded value is one pointer and always whole.
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        log::info!("receipt keys rotated");
        Ok(())
    }

    /// `claims` as a JWT that is signed with the key of `now`. Nothing is added to the claims.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] when `claims` is not a JSON object, which the claims of a JWT have
    /// to be.
    pub fn sign(&self, claims: &Value, now: Timestamp) -> Result<String, TokenError> {
        if !claims.is_object() {
            return Err(TokenError::Invalid);
        }
        let keys = self.current();
        let (key, signs) = keys.signing(now).ok_or(TokenError::Invalid)?;
        let header = Header {
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, signs).map_err(|_| TokenError::Invalid)
    }

    /// The public keys as a JWK set (RFC 7517, RFC 8037), newest first: those that have signed
    /// anything that is still kept, and the next one.
    pub fn jwks(&self, now: Timestamp) -> Value {
        let keys = self.current();
        let published = keys
            .keys
            .iter()
            .filter(|key| key.published_until(self.retention) > now);
        json!({ "keys": published.map(ReceiptKey::jwk).collect::<Vec<_>>() })
    }

    fn current(&self) -> Arc<ReceiptKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for ReceiptSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptSigner")
            .field("retention", &self.retention)
            .field("keys", &self.current())
            .finish()
    }
}

impl ReceiptKeys {
    async fn get_or_insert(
        store: &dyn SessionStore,
        now: Timestamp,
        retention: Duration,
    ) -> Result<Self, StoreUnavailable> {
        let period = period_at(now);
        let reach = retention.as_secs().div_ceil(RECEIPT_KEY_PERIOD.as_secs()) + 2;
        let mut keys = Vec::new();
        for each in (period.saturating_sub(reach)..=period + 1)
            .rev()
            .filter(|each| published_until(*each, retention) > now)
        {
            let candidate = random_bytes::<SEED_BYTES>().to_vec();
            let seed = Zeroizing::new(
                store
                    .get_or_insert(&format!("receipt-key/{each}"), candidate)
                    .await?,
            );
            let key = ReceiptKey::of(each, &seed, each >= period).ok_or_else(|| {
                log::error!("the store's receipt key {each} is not a key");
                StoreUnavailable
            })?;
            keys.push(key);
        }
        Ok(Self { period, keys })
    }

    fn are_stale(&self, now: Timestamp, retention: Duration) -> bool {
        self.period != period_at(now)
            || self
                .keys
                .iter()
                .any(|key| key.published_until(retention) <= now)
    }

    /// The newest key whose period has begun at `now`, or the oldest that can sign where the clock
    /// has stepped back.
    fn signing(&self, now: Timestamp) -> Option<(&ReceiptKey, &EncodingKey)> {
        let mut able = self
            .keys
            .iter()
            .filter_map(|key| Some((key, key.signs.as_ref()?)));
        able.find(|(key, _)| key.period <= period_at(now).max(self.period))
    }
}

impl ReceiptKey {
    fn of(period: u64, seed: &[u8], signs: bool) -> Option<Self> {
        if seed.len() != SEED_BYTES {
            return None;
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = pair.public_key().as_ref().to_vec();
        let id = format!(
            "{period}-{}",
            URL_SAFE_NO_PAD.encode(&digest(&SHA256, &public).as_ref()[..6])
        );
        let signs = match signs {
            true => Some(EncodingKey::from_ed_der(pair.to_pkcs8().ok()?.as_ref())),
            false => None,
        };
        Some(Self {
            period,
            id,
            signs,
            public,
        })
    }

    fn published_until(&self, retention: Duration) -> Timestamp {
        published_until(self.period, retention)
    }

    fn jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(&self.public),
        })
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptKey")
            .field("id", &self.id)
            .field("signs", &self.signs.is_some())
            .finish_non_exhaustive()
    }
}

fn period_at(now: Timestamp) -> u64 {
    now.as_secs() / RECEIPT_KEY_PERIOD.as_secs()
}

fn published_until(period: u64, retention: Duration) -> Timestamp {
    let end = Duration::from_secs((period + 2).saturating_mul(RECEIPT_KEY_PERIOD.as_secs()));
    Timestamp::default().plus(end).plus(retention)
}

#[cfg(test)]
#[path = "receipt_tokens_tests.rs"]
mod tests;
