//! The public keys of an identity provider.

use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use logout_core::json::unique_object;
use serde_json::{Map, Value};

use crate::algorithm::SignatureAlgorithm;
use crate::public_key::PublicKey;

/// The largest JWK Set that is read, in bytes. Our choice; sets in use have some thousand.
pub const LARGEST_KEY_SET: usize = 64 * 1024;

/// The most keys that a JWK Set may have. Our choice.
pub const MOST_KEYS: usize = 100;

/// Why a document is no JWK Set. The keys that are in use stay in use then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// More than [`LARGEST_KEY_SET`].
    #[error("the key set has more than {LARGEST_KEY_SET} bytes")]
    TooLarge,
    /// More than [`MOST_KEYS`].
    #[error("the key set has more than {MOST_KEYS} keys")]
    TooMany,
    /// No JSON object with an array called `keys`, or an object in it names a member twice.
    #[error("the key set is not a JSON object with an array of keys, or names a member twice")]
    Malformed,
}

/// Why no key of a set can have signed a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoKey {
    /// The token names no key, and several fit its algorithm.
    #[error("the token names no key, and several fit")]
    Ambiguous,
    /// The key has the token's `kid`, but is for another algorithm.
    #[error("the algorithm of the token does not fit its key")]
    OtherAlgorithm,
    /// No key has the token's `kid`; or it has none, and no key fits its algorithm.
    #[error("the key of the token is not known")]
    Unknown,
}

/// The keys of a JWK Set (RFC 7517, section 5) that can verify an accepted signature.
///
/// Other keys are left out and do no harm: a set may contain what its reader does not understand
/// (RFC 7517, section 5). Left out are keys
/// - whose `use` is not `sig` (section 4.2) or whose `key_ops` lack `verify` (section 4.3),
/// - whose `alg` is not accepted (section 4.4), or whose type serves no accepted algorithm,
/// - of an unknown `kty`, `oct` included, with missing or malformed members,
/// - of RSA with less than 2048 or more than 8192 bits.
///
/// Key ids should differ, but need not (section 4.5). Of several keys with one id, each that fits
/// the token's algorithm is tried, since the issuer has published all of them.
///
/// The default is a set without keys. A token that has another fault by it than an unknown key has
/// that fault by every set.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    left_out: usize,
}

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    /// The accepted algorithms that the key serves; never empty.
    algorithms: Vec<SignatureAlgorithm>,
    public: PublicKey,
}

impl KeySet {
    /// Reads a JWK Set, with what verifies a signature by one of `accepted`.
    ///
    /// # Errors
    /// The document is none, too large, or ambiguous.
    pub fn parse(document: &[u8], accepted: &[SignatureAlgorithm]) -> Result<Self, KeySetError> {
        if document.len() > LARGEST_KEY_SET {
            return Err(KeySetError::TooLarge);
        }
        let mut members = unique_object(document).ok_or(KeySetError::Malformed)?;
        let Some(Value::Array(all)) = members.remove("keys") else {
            return Err(KeySetError::Malformed);
        };
        let count = all.len();
        if count > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<Key> = all
            .into_iter()
            .filter_map(|key| Key::of(key, accepted))
            .collect();
        Ok(Self {
            left_out: count - keys.len(),
            keys,
        })
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no token can be verified with it.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys of the document are not in it.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The keys that may have signed a token with this `kid` and `alg`: at least one.
    ///
    /// A token without `kid` needs a set in which exactly one key fits its algorithm (OpenID
    /// Connect Core 1.0, section 10.1: with several keys, `kid` must be given).
    ///
    /// # Errors
    /// There is none, or more than one fits a token without `kid`.
    pub fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<&PublicKey>, NoKey> {
        let named: Vec<&Key> = self
            .keys
            .iter()
            .filter(|key| kid.is_none() || key.id.as_deref() == kid)
            .collect();
        let fitting: Vec<&PublicKey> = named
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm))
            .map(|key| &key.public)
            .collect();
        match (kid, fitting.len()) {
            (Some(_), 0) if !named.is_empty() => Err(NoKey::OtherAlgorithm),
            (_, 0) => Err(NoKey::Unknown),
            (None, 2..) => Err(NoKey::Ambiguous),
            _ => Ok(fitting),
        }
    }
}

impl Key {
    fn of(key: Value, accepted: &[SignatureAlgorithm]) -> Option<Self> {
        let members: &Map<String, Value> = key.as_object()?;
        let alg = match members.get("alg") {
            None => None,
            Some(alg) => Some(SignatureAlgorithm::parse(alg.as_str()?).ok()?),
        };
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let common = &jwk.common;
        let may_sign = common
            .public_key_use
            .as_ref()
            .is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let may_verify = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !may_sign || !may_verify {
            return None;
        }
        let public = PublicKey::from_jwk(&jwk).ok()?;
        let algorithms: Vec<SignatureAlgorithm> = accepted
            .iter()
            .copied()
            .filter(|accepted| alg.is_none_or(|alg| alg == *accepted) && public.fits(*accepted))
            .collect();
        (!algorithms.is_empty()).then(|| Self {
            id: jwk.common.key_id,
            algorithms,
            public,
        })
    }
}
