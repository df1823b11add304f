//! Identity providers that sign people out: `[[idp]]`, and the endpoints below [`PATH`]. The only
//! place that asks for the cargo feature `standards`.

#[cfg(feature = "standards")]
mod keys;
#[cfg(feature = "standards")]
mod receiver;

#[cfg(feature = "standards")]
pub(crate) use receiver::Receiver;
#[cfg(not(feature = "standards"))]
pub(crate) use without::Receiver;

/// Whether this build has it.
pub(crate) const COMPILED: bool = cfg!(feature = "standards");

/// Where the endpoints are, each provider's below its name.
pub(crate) const PATH: &str = "/idp/";

/// What a build without the standards has in place of the receiver: nothing. A configuration with
/// `[[idp]]` is refused there.
#[cfg(not(feature = "standards"))]
mod without {
    use actix_web::web::ServiceConfig;
    use logout_core::authority::Services;

    use crate::config::{Config, ConfigError, ConfigErrors};
    use crate::platforms::KnownPlatform;

    #[derive(Debug)]
    pub(crate) struct Receiver;

    impl Receiver {
        pub(crate) fn set_up(
            _: &Config,
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
