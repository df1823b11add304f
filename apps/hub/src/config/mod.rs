//! The configuration: one TOML file, overridden by the environment.
//!
//! Everything that is wrong is said at once, with its file, line, column and key; an unknown key is
//! an error, never ignored. Keys of a vendor are read later, by the adapter's own type, through
//! [`PlatformConfig::vendor_keys`].

mod account;
mod document;
pub mod environment;
mod error;
mod event_receiver;
mod idp;
mod login;
mod person;
mod places;
mod platform;
mod print;
mod reader;
mod reading;
mod relying_party;
mod secrets;
mod sections;
mod sense;
mod store;
mod syntax;
mod values;
mod vendor_keys;
mod words;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::vendors::Vendor;

pub use account::AccountConfig;
pub use error::{ConfigError, ConfigErrorKind, ConfigErrors, ConfigWarning, Place};
pub use event_receiver::{EventReceiverConfig, EventSubjectFormat};
pub use idp::{IdpConfig, IdpPerson};
pub use login::LoginConfig;
pub use person::{PersonConfig, PersonSource};
pub use platform::{COMMON_KEYS, PlatformConfig};
pub use relying_party::{RelyingPartyConfig, RelyingPartySubject};
pub use secrets::{TokenFileError, admin_token, read_token};
pub(crate) use secrets::{check_token, without_newline};
pub use sections::{
    AdminConfig, LogFormat, LogoutTokensConfig, ReceiptsConfig, RedirectsConfig, ServerConfig,
    SessionsConfig, SingleLogoutConfig, TlsConfig,
};
pub use store::{StoreConfig, StoreUrl};
pub(crate) use words::not_one_of;

use document::Document;

/// Tables that stand in a configuration once.
const SECTIONS: [&str; 9] = [
    "admin",
    "login",
    "logout_tokens",
    "receipts",
    "redirects",
    "server",
    "sessions",
    "single_logout",
    "store",
];
/// Tables that may be repeated.
const LISTS: [&str; 5] = [
    "account",
    "event_receiver",
    "idp",
    "platform",
    "relying_party",
];

/// A whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the platforms are served.
    pub server: ServerConfig,
    /// The admin listener.
    pub admin: AdminConfig,
    /// Where sessions live.
    pub store: StoreConfig,
    /// How long sessions last.
    pub sessions: SessionsConfig,
    /// How many wrong passwords are looked at, and how many logins wait.
    pub login: LoginConfig,
    /// How long receipts are kept.
    pub receipts: ReceiptsConfig,
    /// How sign-outs reach the real instances behind platforms.
    pub single_logout: SingleLogoutConfig,
    /// What the hub signs for relying parties.
    pub logout_tokens: LogoutTokensConfig,
    /// Where sign-outs may lead, at every platform.
    pub redirects: RedirectsConfig,
    /// Who may log in to stand-in platforms.
    pub accounts: Vec<AccountConfig>,
    /// The identity providers that may sign people out.
    pub idps: Vec<IdpConfig>,
    /// The applications that send a browser to sign out here, or are told of sign-outs.
    pub relying_parties: Vec<RelyingPartyConfig>,
    /// The receivers of security events.
    pub event_receivers: Vec<EventReceiverConfig>,
    /// The platforms.
    pub platforms: Vec<PlatformConfig>,
    /// What can be served and was probably not meant, in the order of the text.
    pub warnings: Vec<ConfigWarning>,
    document: Arc<Document>,
}

/// A configuration as far as it could be read, and everything that is wrong with it. What is left
/// out or wrong has its default.
#[derive(Debug)]
pub struct Draft {
    config: Config,
    errors: Vec<ConfigError>,
}

/// What this build has in it.
#[derive(Clone, Copy, Debug)]
pub struct Compiled<'a> {
    /// The vendors.
    pub vendors: &'a [Vendor],
    /// The kinds of stores, as in [`StoreUrl::kind`]; `memory` need not be named.
    pub stores: &'a [&'a str],
    /// Whether it speaks the standards of identity providers.
    pub standards: bool,
}

impl Config {
    /// Whether anybody is told of sign-outs: a real instance at any platform, or a relying party.
    pub(crate) fn tells_others(&self) -> bool {
        let mut parties = self.relying_parties.iter();
        self.platforms
            .iter()
            .any(|platform| platform.upstream.is_some())
            || parties.any(RelyingPartyConfig::is_told)
            || !self.event_receivers.is_empty()
    }

    /// Reads the configuration `file` under the overrides that `environment` holds (see
    /// [`environment`]).
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        compiled: &Compiled<'_>,
    ) -> Result<Self, ConfigErrors> {
        Draft::load(file, environment, compiled)?.finish(Vec::new())
    }

    /// Like [`Config::load`], from a text as if `file` held it: the file is named in errors, and
    /// its folder is where relative paths begin.
    ///
    /// # Errors
    /// As there.
    pub fn parse(
        text: &str,
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        compiled: &Compiled<'_>,
    ) -> Result<Self, ConfigErrors> {
        Draft::parse(text, file, environment, compiled)?.finish(Vec::new())
    }

    /// The error that something is wrong with the value at `path`, which leads through sections and
    /// tables. Its place is that of the innermost of them that is written.
    pub(crate) fn error(&self, path: &[&str], reason: impl ToString) -> ConfigError {
        let fault = ConfigErrorKind::Invalid {
            key: path.join("."),
            reason: reason.to_string(),
        };
        ConfigError {
            place: self.document.place_of(&self.document.tree(), path),
            fault,
        }
    }
}

impl Draft {
    /// Reads as [`Config::load`] does.
    ///
    /// # Errors
    /// The file cannot be read, or is no TOML.
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        compiled: &Compiled<'_>,
    ) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(file).map_err(|fault| ConfigError {
            place: Place::File(file.display().to_string()),
            fault: ConfigErrorKind::Unreadable(fault),
        })?;
        Self::parse(&text, file, environment, compiled)
    }

    fn parse(
        text: &str,
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        compiled: &Compiled<'_>,
    ) -> Result<Self, ConfigErrors> {
        let document = Document::new(file, text)?;
        let (overrides, mut errors) =
            environment::overrides(environment, &document.tree(), &SECTIONS);
        let (document, misfits) = document.with(overrides);
        errors.extend(misfits);
        Ok(reader::read(Arc::new(document), errors, compiled))
    }

    /// What could be read.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The configuration, when nothing is wrong with it and there are no `more` errors.
    ///
    /// # Errors
    /// All errors, in the order of the text.
    pub fn finish(mut self, more: Vec<ConfigError>) -> Result<Config, ConfigErrors> {
        self.errors.extend(more);
        ConfigErrors::check(self.errors).map(|()| self.config)
    }
}
