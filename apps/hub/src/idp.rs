//! Identity providers that sign people out (`[[idp]]`, and the endpoints of standards), and relying
//! parties that are told (`[[relying_party]]`). The only place that asks for the cargo feature
//! `standards`.

#[cfg(feature = "standards")]
mod backchannel_logout;
#[cfg(feature = "standards")]
mod discovery;
#[cfg(feature = "standards")]
mod end_session;
#[cfg(feature = "standards")]
mod endpoint;
#[cfg(feature = "standards")]
mod event_receivers;
#[cfg(feature = "standards")]
mod events;
#[cfg(feature = "standards")]
mod keys;
#[cfg(feature = "standards")]
mod limits;
#[cfg(feature = "standards")]
mod poll;
#[cfg(feature = "standards")]
mod provider;
#[cfg(feature = "standards")]
mod receiver;
#[cfg(feature = "standards")]
mod revocation;
#[cfg(feature = "standards")]
mod sender;
#[cfg(feature = "standards")]
mod token_revocation;

#[cfg(feature = "standards")]
pub(crate) use receiver::Receiver;
#[cfg(feature = "standards")]
pub(crate) use sender::{FrontChannels, Sender};
#[cfg(not(feature = "standards"))]
pub(crate) use without::{FrontChannels, Receiver, Sender};

/// Whether this build has it.
pub(crate) const COMPILED: bool = cfg!(feature = "standards");

/// Where the endpoints of providers are, each provider's below its name.
const PATH: &str = "/idp/";

/// Where browsers sign out at an application's wish.
const END_SESSION: &str = "/end-session";

/// Where clients revoke tokens of stand-ins, those of each below its name.
const REVOKE: &str = "/revoke/";

/// Where receivers of security events poll, each below its name.
const EVENTS: &str = "/events/";

/// The paths of all endpoints; those that end with a slash with all below them.
pub(crate) const PATHS: &[&str] = &[
    PATH,
    END_SESSION,
    REVOKE,
    EVENTS,
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
];

/// What a build without the standards has in place of the receiver: nothing. A configuration with
/// `[[idp]]` is refused there.
#[cfg(not(feature = "standards"))]
mod without {
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
}
