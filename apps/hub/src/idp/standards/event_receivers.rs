//! The receivers of security events, as the hub sends to them.

use std::sync::Arc;

use logout_core::credential::SecretDigest;
use logout_core::platform::PlatformName;
use logout_core::ports::Clock;
use logout_core::provider::Recipient;
use logout_core::relying_party::RelyingParty;
use logout_standards::{EventIssuer, EventSender, SigningKeys, SubjectFormat};

use super::endpoint;
use crate::config::{
    Config, ConfigError, EventReceiverConfig, EventSubjectFormat, TokenFileError, read_token,
};
use crate::outgoing;

/// A receiver that polls.
#[derive(Clone, Debug)]
pub(super) struct Poller {
    pub(super) name: PlatformName,
    /// Of its bearer token.
    pub(super) token: SecretDigest,
    pub(super) events: EventIssuer,
}

/// How events reach a receiver.
pub(super) enum Way {
    Poll(Poller),
    Push(PlatformName, Recipient),
}

impl Way {
    pub(super) fn to(
        receiver: &EventReceiverConfig,
        config: &Config,
        issuer: &str,
        keys: &Arc<SigningKeys>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let name = PlatformName::new(&receiver.name);
        let token = receiver.token_file.as_deref().map(read_token).transpose();
        let token = token.map_err(|fault| token_error(receiver, &fault))?;
        let events = EventIssuer {
            keys: Arc::clone(keys),
            clock: Arc::clone(clock),
            issuer: issuer.to_owned(),
            audience: receiver.audience.clone(),
            format: match receiver.subject_format {
                EventSubjectFormat::Email => SubjectFormat::Email,
                EventSubjectFormat::IssSub => SubjectFormat::IssSub,
                EventSubjectFormat::Opaque => SubjectFormat::Opaque,
            },
        };
        let Some(url) = &receiver.endpoint else {
            let token = token.ok_or_else(|| receiver.error("token_file", "must be given"))?;
            return Ok(Self::Poll(Poller {
                name,
                token: SecretDigest::of(token.reveal()),
                events,
            }));
        };
        let (base, target) = endpoint::split(url);
        let timeout = config.single_logout.attempt_timeout;
        let client = outgoing::client_of(&base, timeout, receiver.ca_file.as_deref());
        let key = if receiver.ca_file.is_some() {
            "ca_file"
        } else {
            "endpoint"
        };
        let client = client.map_err(|fault| receiver.error(key, fault))?;
        let dialect = EventSender {
            events,
            target,
            authorization: token,
        };
        Ok(Self::Push(
            name,
            Recipient {
                dialect: Arc::new(dialect),
                client: Arc::new(client),
            },
        ))
    }
}

/// The receiver as sign-outs know it.
pub(super) fn party(receiver: &EventReceiverConfig) -> RelyingParty {
    RelyingParty {
        name: PlatformName::new(&receiver.name),
        knows: receiver.subject.into(),
        session_required: false,
        is_told: true,
    }
}

/// What is wrong with its files, found without sending anything.
pub(super) fn problem(receiver: &EventReceiverConfig) -> Option<ConfigError> {
    let fault = read_token(receiver.token_file.as_deref()?).err()?;
    Some(token_error(receiver, &fault))
}

fn token_error(receiver: &EventReceiverConfig, fault: &TokenFileError) -> ConfigError {
    receiver.error("token_file", fault)
}
