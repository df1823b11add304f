//! The parts of a hub, put together before anything is served.

use std::sync::Arc;

use logout_actix::Mount;
use logout_core::authority::Services;
use logout_core::ports::ReceiptPages;
use logout_identity::SecretReceiptPages;
use logout_relay::{Relay, RelaySettings};

use super::open::{Listeners, Opened};
use crate::account_changes::AccountChanges;
use crate::admin;
use crate::config::{Config, SingleLogoutConfig};
use crate::idp::{FrontChannels, Receiver, Sender};
use crate::platforms::{KnownPlatform, Platforms};
use crate::start_error::StartError;

/// The parts that the listeners serve and housekeeping looks after.
pub(super) struct Assembly {
    pub(super) services: Services,
    pub(super) mount: Mount,
    pub(super) platforms: Vec<KnownPlatform>,
    pub(super) receiver: Receiver,
    pub(super) front_channels: FrontChannels,
    pub(super) sender: Sender,
    /// Absent where no platform has an upstream.
    pub(super) relay: Option<Relay>,
    /// Absent where the accounts' sessions have been looked at already.
    pub(super) changes: Option<AccountChanges>,
}

impl Assembly {
    /// Starts the relay, mounts the platforms, and ends sessions of accounts that have changed.
    ///
    /// # Errors
    /// Two platforms claim one address, a proxy is none, or the store does not answer.
    pub(super) async fn new(
        config: &Config,
        listeners: &Listeners,
        platforms: Platforms<'_>,
        opened: &Opened,
    ) -> Result<Self, StartError> {
        // Before anything happens that is counted.
        admin::install_metrics();
        let sender =
            Sender::set_up(config, &listeners.public_url, &opened.store, &opened.clock).await?;
        let relay = opened.seal.clone().map(|seal| {
            let settings = relay_settings(&config.single_logout);
            let (store, clock) = (opened.store.clone(), opened.clock.clone());
            let mut recipients = platforms.upstreams();
            recipients.extend(sender.recipients());
            Relay::start_on_own_threads(settings, store, clock, seal, recipients)
        });
        let relay = relay.transpose().map_err(StartError::Serve)?;
        let receipt_pages = receipt_pages(config, listeners, opened)?;
        let mut services = services(opened, relay.as_ref(), receipt_pages);
        services.relying_parties = sender.relying_parties();
        let (mount, platforms) = platforms.mount(config, &services)?;
        let front_channels = sender.front_channels();
        let receiver = Receiver::set_up(
            config,
            &listeners.public_url,
            &services,
            &platforms,
            sender.clone(),
        )?;
        // Before the first request: a credential of a removed account must open nothing.
        let versions = opened.accounts.versions().collect();
        let changes = AccountChanges::new(versions, &platforms, &services);
        let ended = changes.end_sessions_if_new().await?;
        Ok(Self {
            services,
            mount,
            platforms,
            receiver,
            front_channels,
            sender,
            relay,
            changes: (!ended).then_some(changes),
        })
    }
}

fn services(
    opened: &Opened,
    relay: Option<&Relay>,
    receipt_pages: Option<Arc<dyn ReceiptPages>>,
) -> Services {
    let mut services = Services::of_stand_ins(
        opened.accounts.clone(),
        opened.clock.clone(),
        opened.store.clone(),
        opened.tokens.clone(),
    );
    if let Some(relay) = relay {
        services.deliveries = Arc::new(relay.clone());
    }
    services.seal = opened.seal.clone();
    services.receipt_pages = receipt_pages;
    services
}

fn receipt_pages(
    config: &Config,
    listeners: &Listeners,
    opened: &Opened,
) -> Result<Option<Arc<dyn ReceiptPages>>, StartError> {
    if !config.single_logout.show_receipt {
        return Ok(None);
    }
    let receipt_pages =
        SecretReceiptPages::new(opened.secrets.clone(), listeners.public_url.as_str())
            .map_err(|_| StartError::PublicUrl(listeners.address))?;
    Ok(Some(Arc::new(receipt_pages)))
}

fn relay_settings(config: &SingleLogoutConfig) -> RelaySettings {
    let mut settings = RelaySettings::default();
    settings.wait = config.wait;
    settings.threads = config.threads.unwrap_or(settings.threads);
    settings.call_timeout = config.attempt_timeout;
    settings.max_in_flight = config.max_in_flight.get();
    settings.verify = config.verify;
    settings.retry.first = config.first_retry;
    settings.retry.cap = config.last_retry;
    settings.give_up_after = config.give_up_after;
    settings.first_sight_rate = config.first_sight_rate.get();
    settings.first_sight_kept = config.first_sight_kept;
    settings.first_sight_give_up_after = config.first_sight_give_up_after;
    // Short pauses between attempts are of use only if an upstream that is back is found as soon.
    let pause = &mut settings.breaker_pause;
    pause.first = pause.first.min(config.last_retry);
    pause.cap = pause.cap.min(config.last_retry);
    settings
}
