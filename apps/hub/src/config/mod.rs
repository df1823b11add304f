//! The configuration: one TOML file, overridden by the environment.
//!
//! Everything that can be wrong is found when it is loaded, and said with its file, line, column and key; an unknown key is
//! an error, never ignored. Keys of a vendor are read later, by the adapter's own type, through
//! [`PlatformConfig::vendor_keys`].

mod account;
mod document;
pub mod environment;
mod error;
mod login;
mod person;
mod platform;
mod print;
mod secrets;
mod sections;
mod values;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use logout_core::provider::Vendor;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

pub use account::AccountConfig;
pub use error::{ConfigError, ConfigErrors, Fault, Place};
pub use login::LoginConfig;
pub use person::{PersonConfig, PersonSource};
pub use platform::{COMMON_KEYS, PlatformConfig};
pub use secrets::admin_token;
pub(crate) use secrets::without_newline;
pub use sections::{
    AdminConfig, LogFormat, ReceiptsConfig, RedirectsConfig, ServerConfig, SessionsConfig, SingleLogoutConfig, StoreConfig, StoreUrl,
    TlsConfig,
};

use document::{Document, Node};
use error::nearest;
use sections::StoreKeys;

/// Tables that stand in a configuration once.
const SECTIONS: [&str; 8] = ["admin", "login", "receipts", "redirects", "server", "sessions", "single_logout", "store"];
/// Tables that may be repeated.
const LISTS: [&str; 2] = ["account", "platform"];

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
    /// Where sign-outs may lead, at every platform.
    pub redirects: RedirectsConfig,
    /// Who may log in to stand-in platforms.
    pub accounts: Vec<AccountConfig>,
    /// The platforms.
    pub platforms: Vec<PlatformConfig>,
}

/// What this build has in it.
#[derive(Clone, Copy, Debug)]
pub struct Compiled<'a> {
    /// The vendors.
    pub vendors: &'a [Vendor],
    /// The kinds of stores, as in [`StoreUrl::kind`]; `memory` need not be named.
    pub stores: &'a [&'a str],
}

impl Config {
    /// Reads the configuration `file` under the overrides that `environment` holds (see [`environment`]).
    ///
    /// # Errors
    /// Everything that is wrong with it, as far as one fault does not hide another.
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        compiled: &Compiled<'_>,
    ) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(file)
            .map_err(|fault| ConfigError { place: Place::File(file.display().to_string()), fault: Fault::Unreadable(fault) })?;
        Self::parse(&text, file, environment, compiled)
    }

    /// Like [`Config::load`], from a text as if `file` held it: the file is named in errors, and its folder is where
    /// relative paths begin.
    ///
    /// # Errors
    /// As there.
    pub fn parse(
        text: &str,
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        compiled: &Compiled<'_>,
    ) -> Result<Self, ConfigErrors> {
        let document = Document::new(file, text)?;
        let overrides = environment::overrides(environment, &document.tree(), &SECTIONS);
        let document = overrides.and_then(|overrides| document.with(overrides)).map_err(ConfigErrors::from)?;
        Reader::new(Arc::new(document)).read(compiled)
    }
}

/// Reads section by section and collects what is wrong.
struct Reader {
    document: Arc<Document>,
    errors: Vec<ConfigError>,
}

impl Reader {
    fn new(document: Arc<Document>) -> Self {
        Self { document, errors: Vec::new() }
    }

    fn read(mut self, compiled: &Compiled<'_>) -> Result<Config, ConfigErrors> {
        let document = Arc::clone(&self.document);
        let tree = document.tree();
        self.check_top(&tree);
        let mut server: ServerConfig = self.section(&tree, "server");
        if let Some(tls) = &mut server.tls {
            tls.certificate_file = document.resolve(&tls.certificate_file);
            tls.key_file = document.resolve(&tls.key_file);
        }
        server.seal_key_file = document.resolve(&server.seal_key_file);
        let mut admin: AdminConfig = self.section(&tree, "admin");
        admin.token_file = document.resolve(&admin.token_file);
        admin.check_token_file = document.resolve(&admin.check_token_file);
        let config = Config {
            store: self.store(&tree, compiled),
            sessions: self.section(&tree, "sessions"),
            login: self.section(&tree, "login"),
            receipts: self.section(&tree, "receipts"),
            single_logout: self.section(&tree, "single_logout"),
            redirects: self.section(&tree, "redirects"),
            accounts: self.accounts(&tree),
            platforms: self.platforms(&tree, compiled),
            server,
            admin,
        };
        if config.server.listen == config.admin.listen && config.server.listen.port() != 0 {
            let reason = "must differ from `server.listen`".to_owned();
            let fault = Fault::Invalid { key: "admin.listen".to_owned(), reason };
            self.errors.push(document.error(value_span(&tree, "admin", "listen"), fault));
        }
        ConfigErrors::check(self.errors).map(|()| config)
    }

    fn check_top(&mut self, tree: &DeTable<'_>) {
        let known = || SECTIONS.iter().chain(&LISTS).copied();
        for (key, _) in tree.iter().filter(|(key, _)| known().all(|known| known != *key.get_ref())) {
            let fault = Fault::UnknownKey {
                key: key.get_ref().to_string(),
                nearest: nearest(key.get_ref(), known()),
                known: known().map(str::to_owned).collect(),
            };
            self.errors.push(self.document.error(key.span(), fault));
        }
    }

    fn section<T: Default + DeserializeOwned>(&mut self, tree: &DeTable<'_>, name: &str) -> T {
        let Some(node) = tree.get(name) else { return T::default() };
        self.document.read(name, node, &[]).unwrap_or_else(|error| {
            self.errors.push(error);
            T::default()
        })
    }

    fn store(&mut self, tree: &DeTable<'_>, compiled: &Compiled<'_>) -> StoreConfig {
        let keys: StoreKeys = self.section(tree, "store");
        let span = value_span(tree, "store", "url");
        match StoreUrl::parse(&keys.url, |path| self.document.resolve(path)) {
            Ok(url) => {
                if !matches!(url, StoreUrl::Memory) && !compiled.stores.contains(&url.kind()) {
                    let fault = Fault::NotCompiled { name: url.kind().to_owned(), feature: format!("store-{}", url.kind()) };
                    self.errors.push(self.document.error(span, fault));
                }
                StoreConfig { url, migrate: keys.migrate }
            }
            Err(fault) => {
                let fault = Fault::Invalid { key: "store.url".to_owned(), reason: fault.to_string() };
                self.errors.push(self.document.error(span, fault));
                StoreConfig { url: StoreUrl::Memory, migrate: keys.migrate }
            }
        }
    }

    fn accounts(&mut self, tree: &DeTable<'_>) -> Vec<AccountConfig> {
        let mut taken: HashMap<(String, String), Place> = HashMap::new();
        let mut accounts = Vec::new();
        for node in self.list(tree, "account") {
            let account = match AccountConfig::read(&self.document, node) {
                Ok(account) => account,
                Err(error) => {
                    self.errors.push(error);
                    continue;
                }
            };
            let place = self.document.place(node.get_ref().get("name").map(toml::Spanned::span));
            let key = (account.realm.to_ascii_lowercase(), account.name.to_ascii_lowercase());
            match taken.get(&key).cloned() {
                Some(earlier) => {
                    let fault = Fault::Duplicate { what: "account", name: account.name.clone(), earlier };
                    self.errors.push(ConfigError { place, fault });
                }
                None => drop(taken.insert(key, place)),
            }
            accounts.push(account);
        }
        accounts
    }

    fn platforms(&mut self, tree: &DeTable<'_>, compiled: &Compiled<'_>) -> Vec<PlatformConfig> {
        let mut platforms: Vec<PlatformConfig> = Vec::new();
        for (index, node) in self.list(tree, "platform").iter().enumerate() {
            match PlatformConfig::read(&self.document, index, node, compiled) {
                Ok(platform) => {
                    // Names differ by more than their case, so that a variable of the environment means one of them.
                    if let Some(earlier) = platforms.iter().find(|earlier| earlier.name.eq_ignore_ascii_case(&platform.name)) {
                        self.errors.push(platform.name_error(earlier));
                    }
                    platforms.push(platform);
                }
                Err(error) => self.errors.push(error),
            }
        }
        platforms
    }

    fn list<'t, 'i>(&mut self, tree: &'t DeTable<'i>, name: &str) -> &'t [Node<'i>] {
        let Some(node) = tree.get(name) else { return &[] };
        match node.get_ref() {
            DeValue::Array(array) if array.iter().all(|each| each.get_ref().is_table()) => array,
            _ => {
                let fault = Fault::Invalid { key: name.to_owned(), reason: format!("must be a list of tables: write [[{name}]]") };
                self.errors.push(self.document.error(node.span(), fault));
                &[]
            }
        }
    }
}

/// Where a section's key stands, or where the section does.
fn value_span(tree: &DeTable<'_>, section: &str, key: &str) -> std::ops::Range<usize> {
    let node = tree.get(section);
    node.and_then(|node| node.get_ref().get(key)).or(node).map_or(0..0, toml::Spanned::span)
}
