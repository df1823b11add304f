//! The relying parties that are told of sign-outs, and the keys that sign what they are told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logout_core::outbox::Store;
use logout_core::platform::PlatformName;
use logout_core::ports::Clock;
use logout_core::provider::Recipient;
use logout_core::relying_party::RelyingParty;
use logout_core::store::{SessionStore, StoreUnavailable};
use logout_core::time::Timestamp;
use logout_identity::read_secret_file;
use logout_standards::{FrontChannelLogout, LogoutSender, SigningKey, SigningKeys};
use url::Url;
use zeroize::Zeroizing;

use super::event_receivers::{self, Poller, Way};
use super::{endpoint, poll};
use crate::config::{Config, ConfigError, ConfigErrors, RelyingPartyConfig};
use crate::outgoing;
use crate::start_error::StartError;

/// The name that the key is agreed under in the store.
const KEY: &str = "logout-token-key";

/// The relying parties, and how they are told.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    /// Who tokens are from.
    pub(super) issuer: String,
    /// Absent where nothing is signed.
    pub(super) keys: Option<Arc<SigningKeys>>,
    relying_parties: Arc<[RelyingParty]>,
    recipients: Vec<(PlatformName, Recipient)>,
    front_channels: FrontChannels,
    /// Receivers of events that poll.
    pub(super) pollers: Vec<Poller>,
    pub(super) outbox: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// How long an event waits for a poller.
    give_up_after: Duration,
}

/// What browsers load to sign out at relying parties.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrontChannels(Arc<[(PlatformName, FrontChannelLogout)]>);

impl FrontChannels {
    fn of(config: &Config, issuer: &str) -> Self {
        let front_channel = |party: &RelyingPartyConfig| {
            let logout = FrontChannelLogout {
                uri: party.frontchannel_logout_uri.clone()?,
                issuer: issuer.to_owned(),
                session_required: party.session_required,
            };
            Some((PlatformName::new(party.name()), logout))
        };
        let parties = config.relying_parties.iter();
        Self(parties.filter_map(front_channel).collect())
    }

    /// The address at the relying party `name` for this `sid`, which may be empty.
    pub(crate) fn address(&self, name: &PlatformName, sid: &str) -> Option<Url> {
        let mut parties = self.0.iter();
        parties
            .find(|(known, _)| known == name)
            .and_then(|(_, logout)| logout.address(sid))
    }
}

impl Sender {
    /// Sets up every relying party of `config`.
    ///
    /// # Errors
    /// Everything that is wrong with any of them and with the keys, at its place; or the store does
    /// not answer.
    pub(crate) async fn set_up(
        config: &Config,
        public_url: &Url,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let issuer = public_url.as_str().trim_end_matches('/').to_owned();
        let mut sender = Self {
            front_channels: FrontChannels::of(config, &issuer),
            issuer,
            keys: None,
            relying_parties: config
                .relying_parties
                .iter()
                .filter_map(party)
                .chain(config.event_receivers.iter().map(event_receivers::party))
                .collect(),
            recipients: Vec::new(),
            pollers: Vec::new(),
            outbox: Arc::clone(store),
            clock: Arc::clone(clock),
            give_up_after: config.single_logout.give_up_after,
        };
        let mut parties = config.relying_parties.iter();
        let signs = parties.any(|party| party.backchannel_logout_uri.is_some())
            || !config.event_receivers.is_empty();
        if signs {
            let (own, errors) = own_keys(config);
            ConfigErrors::check(errors)?;
            let keys = match SigningKeys::of(own) {
                Some(keys) => keys,
                None => SigningKeys::new(agreed_key(&**store).await?, Vec::new()),
            };
            let keys = Arc::new(keys);
            let (recipients, mut errors) = sender.recipients_of(config, &keys, clock);
            sender.recipients = recipients;
            for receiver in &config.event_receivers {
                match Way::to(receiver, config, &sender.issuer, &keys, clock) {
                    Ok(Way::Poll(poller)) => sender.pollers.push(poller),
                    Ok(Way::Push(name, recipient)) => sender.recipients.push((name, recipient)),
                    Err(error) => errors.push(error),
                }
            }
            ConfigErrors::check(errors)?;
            sender.keys = Some(keys);
        }
        Ok(sender)
    }

    /// Everything that is wrong with the relying parties of `config` and with the keys.
    pub(crate) fn problems(config: &Config) -> Vec<ConfigError> {
        let (_, mut errors) = own_keys(config);
        let clients = config
            .relying_parties
            .iter()
            .filter_map(|party| client(config, party)?.err());
        errors.extend(clients);
        let receivers = config.event_receivers.iter();
        errors.extend(receivers.filter_map(event_receivers::problem));
        errors
    }

    /// The relying parties, as sign-outs know them.
    pub(crate) fn relying_parties(&self) -> Arc<[RelyingParty]> {
        Arc::clone(&self.relying_parties)
    }

    /// Gives up events that nobody has fetched in time. To be called by housekeeping.
    ///
    /// # Errors
    /// The store did not answer.
    pub(crate) async fn give_up_overdue(&self) -> Result<(), StoreUnavailable> {
        let now = self.clock.now().as_millis();
        let span = u64::try_from(self.give_up_after.as_millis()).unwrap_or(u64::MAX);
        let oldest = Timestamp::from_millis(now.saturating_sub(span));
        for poller in &self.pollers {
            poll::give_up_overdue(&*self.outbox, poller, oldest).await?;
        }
        Ok(())
    }

    /// What browsers load.
    pub(crate) fn front_channels(&self) -> FrontChannels {
        self.front_channels.clone()
    }

    /// Whom the relay tells, by their names.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = (PlatformName, Recipient)> + '_ {
        self.recipients.iter().cloned()
    }

    fn recipients_of(
        &self,
        config: &Config,
        keys: &Arc<SigningKeys>,
        clock: &Arc<dyn Clock>,
    ) -> (Vec<(PlatformName, Recipient)>, Vec<ConfigError>) {
        let (mut recipients, mut errors) = (Vec::new(), Vec::new());
        for party in &config.relying_parties {
            let Some(client) = client(config, party) else {
                continue;
            };
            let target = |url: &Url| endpoint::split(url).1;
            let dialect = LogoutSender {
                keys: Arc::clone(keys),
                clock: Arc::clone(clock),
                issuer: self.issuer.clone(),
                client_id: party.client_id.clone(),
                target: party
                    .backchannel_logout_uri
                    .as_ref()
                    .map(target)
                    .unwrap_or_default(),
                probe: party.probe_uri.as_ref().map(target),
            };
            match client {
                Ok(client) => recipients.push((
                    PlatformName::new(party.name()),
                    Recipient {
                        dialect: Arc::new(dialect),
                        client: Arc::new(client),
                    },
                )),
                Err(error) => errors.push(error),
            }
        }
        (recipients, errors)
    }
}

/// The relying party as sign-outs know it; `None` where it is not told of any.
fn party(config: &RelyingPartyConfig) -> Option<RelyingParty> {
    config.is_told().then(|| RelyingParty {
        name: PlatformName::new(config.name()),
        knows: config.subject.into(),
        session_required: config.session_required,
        is_told: config.backchannel_logout_uri.is_some(),
    })
}

/// What goes to its `backchannel_logout_uri`; `None` where it has none.
fn client(
    config: &Config,
    party: &RelyingPartyConfig,
) -> Option<Result<logout_relay::HttpClient, ConfigError>> {
    let url = party.backchannel_logout_uri.as_ref()?;
    let client = outgoing::client_of(
        &endpoint::split(url).0,
        config.single_logout.attempt_timeout,
        party.ca_file.as_deref(),
    );
    let key = if party.ca_file.is_some() {
        "ca_file"
    } else {
        "backchannel_logout_uri"
    };
    Some(client.map_err(|fault| party.error(key, fault)))
}

/// The configured keys.
fn own_keys(config: &Config) -> (Vec<SigningKey>, Vec<ConfigError>) {
    let (mut keys, mut errors) = (Vec::new(), Vec::new());
    for file in &config.logout_tokens.signing_key_files {
        match key_of(file) {
            Ok(key) => keys.push(key),
            Err(reason) => {
                let reason = format!("{}: {reason}", file.display());
                errors.push(config.error(&["logout_tokens", "signing_key_files"], reason));
            }
        }
    }
    (keys, errors)
}

fn key_of(file: &Path) -> Result<SigningKey, String> {
    let pem = read_secret_file(file).map_err(|problem| problem.to_string())?;
    SigningKey::from_pem(&pem).map_err(|problem| problem.to_string())
}

/// The key that all who share `store` agree on; the first one makes it.
async fn agreed_key(store: &dyn SessionStore) -> Result<SigningKey, StoreUnavailable> {
    let fresh = SigningKey::generate().ok_or_else(|| {
        log::error!("no key for logout tokens could be made");
        StoreUnavailable
    })?;
    let agreed = Zeroizing::new(store.get_or_insert(KEY, fresh.to_vec()).await?);
    SigningKey::from_pkcs8(&agreed).map_err(|fault| {
        log::error!(fault:%; "the store's key for logout tokens is not a key");
        StoreUnavailable
    })
}
