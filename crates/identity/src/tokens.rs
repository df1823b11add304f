//! The JWTs of stand-ins.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::{Algorithm, crypto};
use logout_core::credential::Secret;
use logout_core::json::Members;
use logout_core::ports::{Clock, TokenClaims, TokenError, Tokens};
use logout_core::store::{SessionStore, StoreUnavailable};
use logout_core::time::Timestamp;
use serde::Deserialize;

use crate::keys::SigningKeys;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Claims with a meaning of their own, which a vendor's claim may not take the place of (RFC 7519,
/// section 4.1).
const REGISTERED: [&str; 7] = ["iss", "aud", "sub", "jti", "iat", "exp", "nbf"];

/// Signs with HS256 and a key that all hubs on one store share.
///
/// A token is accepted when its header is the very header that one of the accepted keys signs with
/// (so `alg` is never the caller's choice, and an unknown `kid` is nobody's), its signature fits,
/// issuer and audience are the expected ones, and it has not expired at the instant that the
/// *caller* names. The system's clock is not asked. A token with `nbf` is refused: none is minted.
/// Of its signature the bytes count, not how they are spelled.
pub struct JwtTokens {
    keys: RwLock<Arc<SigningKeys>>,
}

impl JwtTokens {
    /// Agrees on keys with everybody who shares `store`; the first one generates them.
    ///
    /// # Errors
    /// The store does not answer, or what it keeps is not a key.
    pub async fn load(
        store: &dyn SessionStore,
        clock: &dyn Clock,
    ) -> Result<Self, StoreUnavailable> {
        // jsonwebtoken chooses a backend by itself only where its features name exactly one;
        // another crate of a build may switch the other one on. Where somebody has installed one
        // already, that one stays.
        let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let keys = SigningKeys::get_or_insert(store, clock.now()).await?;
        Ok(Self {
            keys: RwLock::new(Arc::new(keys)),
        })
    }

    /// Takes up a new key where its time has come and drops those that nothing is accepted from any
    /// more. Cheap when there is nothing to do; to be called by housekeeping, at least daily. When
    /// the store does not answer, the old keys stay.
    ///
    /// # Errors
    /// The store does not answer, or what it keeps is not a key.
    pub async fn rotate(
        &self,
        store: &dyn SessionStore,
        now: Timestamp,
    ) -> Result<(), StoreUnavailable> {
        if !self.current().are_stale(now) {
            return Ok(());
        }
        let fresh = Arc::new(SigningKeys::get_or_insert(store, now).await?);
        // Poisoned or not, the guarded value is one pointer and always whole.
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        log::info!("signing keys rotated");
        Ok(())
    }

    fn current(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tokens for JwtTokens {
    fn mint(&self, claims: &TokenClaims) -> Result<Secret, TokenError> {
        if REGISTERED
            .iter()
            .any(|name| claims.vendor.contains_key(*name))
        {
            return Err(TokenError::Invalid);
        }
        let keys = self.current();
        let key = keys.signing().ok_or(TokenError::Invalid)?;
        let payload = serde_json::to_vec(claims).map_err(|_| TokenError::Invalid)?;
        let mut token = String::with_capacity(key.header.len() + payload.len() * 4 / 3 + 64);
        token.push_str(&key.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = crypto::sign(token.as_bytes(), &key.signs, Algorithm::HS256)
            .map_err(|_| TokenError::Invalid)?;
        token.push('.');
        token.push_str(&signature);
        Ok(Secret::new(token))
    }

    fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<TokenClaims, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Invalid)?;
        let keys = self.current();
        let key = keys.verifying(header, now).ok_or(TokenError::Invalid)?;
        // A signature counts by its bytes: products take it padded, and with the unused bits of its
        // last character set.
        let signature = LENIENT.decode(signature).map_err(|_| TokenError::Invalid)?;
        hmac::verify(&key.verifies, message.as_bytes(), &signature)
            .map_err(|_| TokenError::Invalid)?;
        let json = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| TokenError::Invalid)?;
        let claims = claims(&json).ok_or(TokenError::Invalid)?;
        if claims.iss != issuer || claims.aud != audience {
            return Err(TokenError::Invalid);
        }
        if claims.exp <= now.as_secs() {
            Err(TokenError::Expired)
        } else {
            Ok(claims)
        }
    }
}

impl fmt::Debug for JwtTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtTokens")
            .field("keys", &self.current())
            .finish()
    }
}

/// The claims of a payload; `None` where one is missing, given twice, or `nbf`. The derived reader
/// of [`TokenClaims`] would take a claim that is given twice.
fn claims(json: &[u8]) -> Option<TokenClaims> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Claim {
        Seconds(u64),
        Text(String),
    }

    let members: Members<Claim> = serde_json::from_slice(json).ok()?;
    let mut claims = members.unique()?;
    if claims.contains_key("nbf") {
        return None;
    }
    let mut text = |name: &str| match claims.remove(name)? {
        Claim::Text(text) => Some(text),
        Claim::Seconds(_) => None,
    };
    let (iss, aud, sub, jti) = (text("iss")?, text("aud")?, text("sub")?, text("jti")?);
    let mut seconds = |name: &str| match claims.remove(name)? {
        Claim::Seconds(seconds) => Some(seconds),
        Claim::Text(_) => None,
    };
    let (iat, exp) = (seconds("iat")?, seconds("exp")?);
    let vendor = claims.into_iter().map(|(name, claim)| match claim {
        Claim::Text(text) => Some((name, text)),
        Claim::Seconds(_) => None,
    });
    Some(TokenClaims {
        iss,
        aud,
        sub,
        jti,
        iat,
        exp,
        vendor: vendor.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
