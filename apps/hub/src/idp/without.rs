//! What a build without the standards has in their place: nothing. A configuration that names a
//! provider, a relying party or a receiver of events is refused there.

use actix_web::web::ServiceConfig;
use std::sync::Arc;

use logout_core::authority::Services;
use logout_core::outbox::Store;
use logout_core::platform::PlatformName;
use logout_core::ports::Clock;
use logout_core::provider::Recipient;
use logout_core::relying_party::RelyingParty;
use logout_core::store::StoreUnavailable;
use url::Url;

use crate::config::{Config, ConfigError, ConfigErrors};
use crate::platforms::KnownPlatform;
use crate::start_error::StartError;

#[derive(Debug)]
pub(crate) struct Receiver;

impl Receiver {
    pub(crate) fn set_up(
        _: &Config,
        _: &Url,
        _: &Services,
        _: &[KnownPlatform],
        _: Sender,
    ) -> Result<Self, ConfigErrors> {
        Ok(Self)
    }

    pub(crate) fn problems(_: &Config) -> Vec<ConfigError> {
        Vec::new()
    }

    pub(crate) fn routes(_: &mut ServiceConfig) {}
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FrontChannels;

impl FrontChannels {
    pub(crate) fn address(&self, _: &PlatformName, _: &str) -> Option<Url> {
        None
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Sender;

impl Sender {
    pub(crate) async fn set_up(
        _: &Config,
        _: &Url,
        _: &Arc<dyn Store>,
        _: &Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        Ok(Self)
    }

    pub(crate) fn problems(_: &Config) -> Vec<ConfigError> {
        Vec::new()
    }

    pub(crate) async fn give_up_overdue(&self) -> Result<(), StoreUnavailable> {
        Ok(())
    }

    pub(crate) fn relying_parties(&self) -> Arc<[RelyingParty]> {
        Arc::default()
    }

    pub(crate) fn front_channels(&self) -> FrontChannels {
        FrontChannels
    }

    pub(crate) fn recipients(&self) -> impl Iterator<Item = (PlatformName, Recipient)> {
        std::iter::empty()
    }
}
