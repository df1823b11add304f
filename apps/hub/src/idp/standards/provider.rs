//! One identity provider: its settings, and the verification of what it signs.

use std::sync::Arc;
use std::time::Duration;

use logout_core::credential::SecretDigest;
use logout_core::ports::Clock;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_standards::{
    IdTokenHint, KeySet, LogoutRequestError, LogoutToken, LogoutTokenError, LogoutTokenVerifier,
    ProviderToken, SecurityEvent, SecurityEventError, SignatureAlgorithm,
};

use super::keys::{Keys, NoKeys};
use super::limits::RevocationLimit;
use crate::config::{ConfigError, IdpConfig, IdpPerson, read_token};

/// When to send a message again that the store could not carry out.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// One provider.
#[derive(Debug)]
pub(super) struct Idp {
    pub(super) name: String,
    verifier: LogoutTokenVerifier,
    keys: Keys,
    pub(super) person: Option<IdpPerson>,
    /// Of the token that authenticates a revocation.
    pub(super) revocation_token: Option<SecretDigest>,
    pub(super) revocations: RevocationLimit,
    /// Absent where its security events are not taken.
    pub(super) events: Option<Events>,
}

/// What is done with a provider's security events.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) audience: String,
    pub(super) end_on_credential_change: bool,
}

/// Why a message of a provider was not carried out.
#[derive(Debug)]
pub(super) enum MessageError<E> {
    /// It is not valid.
    Refused(E),
    /// The keys or the sessions cannot be read; it may be sent again after this time.
    Unavailable(Duration),
}

impl Idp {
    pub(super) fn set_up(config: &IdpConfig, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let algorithms = config.algorithms.iter().map(|name| {
            SignatureAlgorithm::parse(name)
                .map_err(|fault| config.error("algorithms", format!("`{name}`: {fault}")))
        });
        let algorithms = algorithms.collect::<Result<Vec<_>, _>>()?;
        let verifier = LogoutTokenVerifier::new(
            config.issuer.as_str(),
            config.client_id.as_str(),
            &algorithms,
        );
        let revocation_token = config.revocation_token_file.as_ref().map(|file| {
            let token = read_token(file);
            let token = token.map_err(|fault| config.error("revocation_token_file", fault));
            token.map(|token| SecretDigest::of(token.reveal()))
        });
        Ok(Self {
            name: config.name.clone(),
            verifier: verifier.map_err(|fault| config.error("", fault))?,
            keys: Keys::set_up(config, &algorithms, Arc::clone(clock))?,
            person: config.person,
            revocation_token: revocation_token.transpose()?,
            revocations: RevocationLimit::new(config.revocations_per_minute),
            events: config.events_audience.clone().map(|audience| Events {
                audience,
                end_on_credential_change: config.end_on_credential_change,
            }),
        })
    }

    /// What a logout token says that is valid.
    pub(super) async fn logout_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<LogoutToken, MessageError<LogoutTokenError>> {
        let verified = self.with_keys(|keys| self.verifier.verify(token, keys, now));
        Ok(verified.await??)
    }

    /// What an ID token says that is valid, and was issued to this provider's client or to one of
    /// `clients`.
    pub(super) async fn hint(
        &self,
        token: &str,
        clients: &[&str],
    ) -> Result<IdTokenHint, MessageError<LogoutTokenError>> {
        let clients = [&[self.verifier.client_id()], clients].concat();
        let (issuer, algorithms) = (self.issuer(), self.verifier.algorithms());
        let verify = |keys: &KeySet| IdTokenHint::verify(token, issuer, &clients, keys, algorithms);
        Ok(self.with_keys(verify).await??)
    }

    /// What a token says by which this provider authenticates a request to `endpoint`.
    pub(super) async fn provider_token(
        &self,
        token: &str,
        endpoint: &str,
        now: Timestamp,
    ) -> Result<ProviderToken, MessageError<LogoutTokenError>> {
        let (of, algorithms) = ((self.issuer(), endpoint), self.verifier.algorithms());
        let verify = |keys: &KeySet| ProviderToken::verify(token, of, keys, algorithms, now);
        Ok(self.with_keys(verify).await??)
    }

    /// What a security event says that is valid and meant for `audience`.
    pub(super) async fn security_event(
        &self,
        token: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<SecurityEvent, MessageError<SecurityEventError>> {
        let (of, algorithms) = ((self.issuer(), audience), self.verifier.algorithms());
        let verify = |keys: &KeySet| SecurityEvent::verify(token, of, keys, algorithms, now);
        Ok(self.with_keys(verify).await??)
    }

    /// Its issuer (`iss`).
    pub(super) fn issuer(&self) -> &str {
        self.verifier.issuer()
    }

    /// Verifies a token. For one whose key is not known, the keys are fetched anew; for one that no
    /// key can verify, none are fetched.
    async fn with_keys<T, E: From<LogoutTokenError> + PartialEq>(
        &self,
        verify: impl Fn(&KeySet) -> Result<T, E>,
    ) -> Result<Result<T, E>, NoKeys> {
        let unknown = E::from(LogoutTokenError::UnknownKey);
        let without_keys = verify(&KeySet::default());
        if without_keys.as_ref().is_err_and(|fault| *fault != unknown) {
            return Ok(without_keys);
        }
        let keys = self.keys.get().await?;
        let verified = verify(&keys);
        if verified.as_ref().err() != Some(&unknown) {
            return Ok(verified);
        }
        let newer = self.keys.newer(&keys).await?;
        Ok(newer.map_or(verified, |keys| verify(&keys)))
    }
}

impl<E> From<NoKeys> for MessageError<E> {
    fn from(error: NoKeys) -> Self {
        Self::Unavailable(error.retry_after)
    }
}

impl<E> From<StoreUnavailable> for MessageError<E> {
    fn from(_: StoreUnavailable) -> Self {
        Self::Unavailable(RETRY_AFTER)
    }
}

impl From<LogoutRequestError> for MessageError<LogoutRequestError> {
    fn from(error: LogoutRequestError) -> Self {
        Self::Refused(error)
    }
}

impl From<LogoutTokenError> for MessageError<LogoutTokenError> {
    fn from(error: LogoutTokenError) -> Self {
        Self::Refused(error)
    }
}

impl From<SecurityEventError> for MessageError<SecurityEventError> {
    fn from(error: SecurityEventError) -> Self {
        Self::Refused(error)
    }
}

impl From<MessageError<LogoutTokenError>> for MessageError<LogoutRequestError> {
    fn from(error: MessageError<LogoutTokenError>) -> Self {
        match error {
            MessageError::Refused(error) => Self::Refused(error.into()),
            MessageError::Unavailable(retry_after) => Self::Unavailable(retry_after),
        }
    }
}
