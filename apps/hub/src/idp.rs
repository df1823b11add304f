//! Identity providers that sign people out: `[[idp]]`, and the endpoints of standards. The only
//! place that asks for the cargo feature `standards`.

#[cfg(feature = "standards")]
mod backchannel_logout;
#[cfg(feature = "standards")]
mod end_session;
#[cfg(feature = "standards")]
mod events;
#[cfg(feature = "standards")]
mod keys;
#[cfg(feature = "standards")]
mod limits;
#[cfg(feature = "standards")]
mod provider;
#[cfg(feature = "standards")]
mod receiver;
#[cfg(feature = "standards")]
mod revocation;
#[cfg(feature = "standards")]
mod token_revocation;

#[cfg(feature = "standards")]
pub(crate) use receiver::Receiver;
#[cfg(not(feature = "standards"))]
pub(crate) use without::Receiver;

/// Whether this build has it.
pub(crate) const COMPILED: bool = cfg!(feature = "standards");

/// Where the endpoints of providers are, each provider's below its name.
const PATH: &str = "/idp/";

/// Where browsers sign out at an application's wish.
const END_SESSION: &str = "/end-session";

/// Where clients revoke tokens of stand-ins, those of each below its name.
const REVOKE: &str = "/revoke/";

/// The paths of all endpoints; those that end with a slash with all below them.
pub(crate) const PATHS: [&str; 3] = [PATH, END_SESSION, REVOKE];

/// What a build without the standards has in place of the receiver: nothing. A configuration with
/// `[[idp]]` is refused there.
#[cfg(not(feature = "standards"))]
mod without {
    use actix_web::web::ServiceConfig;
    use logout_core::authority::Services;
    use url::Url;

    use crate::config::{Config, ConfigError, ConfigErrors};
    use crate::platforms::KnownPlatform;

    #[derive(Debug)]
    pub(crate) struct Receiver;

    impl Receiver {
        pub(crate) fn set_up(
            _: &Config,
            _: &Url,
            _: &Services,
            _: &[KnownPlatform],
        ) -> Result<Self, ConfigErrors> {
            Ok(Self)
        }

        pub(crate) fn problems(_: &Config) -> Vec<ConfigError> {
            Vec::new()
        }

        pub(crate) fn routes(_: &mut ServiceConfig) {}
    }
}
