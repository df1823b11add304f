//! Reads section by section, and goes on after whatever is wrong.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Node};
use super::error::{ConfigError, ConfigErrorKind, Place, nearest};
use super::event_receiver::EventReceiverConfig;
use super::idp::IdpConfig;
use super::relying_party::RelyingPartyConfig;
use super::sections::{AdminConfig, LogoutTokensConfig, ServerConfig};
use super::store::{StoreConfig, StoreKeys, StoreUrl};
use super::{AccountConfig, Compiled, Config, Draft, LISTS, PlatformConfig, SECTIONS, sense};

/// What the document says, and everything that is wrong with it besides these `errors`.
pub(super) fn read(
    document: Arc<Document>,
    errors: Vec<ConfigError>,
    compiled: &Compiled<'_>,
) -> Draft {
    Reader { document, errors }.read(compiled)
}

struct Reader {
    document: Arc<Document>,
    errors: Vec<ConfigError>,
}

impl Reader {
    fn read(mut self, compiled: &Compiled<'_>) -> Draft {
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
        let mut logout_tokens: LogoutTokensConfig = self.section(&tree, "logout_tokens");
        for file in &mut logout_tokens.signing_key_files {
            *file = document.resolve(file);
        }
        let mut config = Config {
            store: self.store(&tree, compiled),
            sessions: self.section(&tree, "sessions"),
            login: self.section(&tree, "login"),
            receipts: self.section(&tree, "receipts"),
            single_logout: self.section(&tree, "single_logout"),
            logout_tokens,
            redirects: self.section(&tree, "redirects"),
            accounts: self.accounts(&tree),
            idps: self.idps(&tree, compiled),
            relying_parties: self.relying_parties(&tree, compiled),
            event_receivers: self.event_receivers(&tree, compiled),
            platforms: self.platforms(&tree, compiled),
            server,
            admin,
            warnings: Vec::new(),
            document: Arc::clone(&document),
        };
        let (errors, warnings) = sense::check(&config, &tree, &self.errors);
        self.errors.extend(errors);
        // What follows from a key of the server that is wrong is no fault of a platform's.
        if self
            .errors
            .iter()
            .any(|error| error.is_about("server.public_url") || error.is_about("server.tls"))
        {
            config
                .platforms
                .iter_mut()
                .for_each(|platform| platform.is_whole &= platform.public_url.is_some());
        }
        config.warnings = warnings;
        Draft {
            config,
            errors: self.errors,
        }
    }

    fn check_top(&mut self, tree: &DeTable<'_>) {
        let known = || SECTIONS.iter().chain(&LISTS).copied();
        for (key, _) in tree
            .iter()
            .filter(|(key, _)| known().all(|known| known != *key.get_ref()))
        {
            let fault = ConfigErrorKind::UnknownKey {
                key: key.get_ref().to_string(),
                nearest: nearest(key.get_ref(), known()),
                known: known().map(str::to_owned).collect(),
            };
            self.errors.push(self.document.error(key.span(), fault));
        }
    }

    fn section<T: Default + DeserializeOwned>(&mut self, tree: &DeTable<'_>, name: &str) -> T {
        let Some(node) = tree.get(name) else {
            return T::default();
        };
        let read = self.document.read(name, node, &[]);
        self.errors.extend(read.errors);
        read.value.filter(|_| read.is_complete).unwrap_or_default()
    }

    fn store(&mut self, tree: &DeTable<'_>, compiled: &Compiled<'_>) -> StoreConfig {
        let keys: StoreKeys = self.section(tree, "store");
        let place = self.document.place_of(tree, &["store", "url"]);
        match StoreUrl::parse(&keys.url, |path| self.document.resolve(path)) {
            Ok(url) => {
                if !matches!(url, StoreUrl::Memory) && !compiled.stores.contains(&url.kind()) {
                    let fault = ConfigErrorKind::NotCompiled {
                        name: url.kind().to_owned(),
                        feature: format!("store-{}", url.kind()),
                    };
                    self.errors.push(ConfigError { place, fault });
                }
                StoreConfig {
                    url,
                    migrate: keys.migrate,
                }
            }
            Err(fault) => {
                let fault = ConfigErrorKind::Invalid {
                    key: "store.url".to_owned(),
                    reason: fault.to_string(),
                };
                self.errors.push(ConfigError { place, fault });
                StoreConfig {
                    url: StoreUrl::Memory,
                    migrate: keys.migrate,
                }
            }
        }
    }

    fn accounts(&mut self, tree: &DeTable<'_>) -> Vec<AccountConfig> {
        let mut taken: HashMap<(String, String), Place> = HashMap::new();
        let mut accounts = Vec::new();
        for node in self.list(tree, "account") {
            let Some(account) = AccountConfig::read(&self.document, node, &mut self.errors) else {
                continue;
            };
            let place = self
                .document
                .place(node.get_ref().get("name").map(toml::Spanned::span));
            let key = (
                account.realm.to_ascii_lowercase(),
                account.name.to_ascii_lowercase(),
            );
            match taken.get(&key).cloned() {
                Some(earlier) => {
                    let fault = ConfigErrorKind::Duplicate {
                        what: "account",
                        name: account.name.clone(),
                        earlier,
                    };
                    self.errors.push(ConfigError { place, fault });
                }
                None => drop(taken.insert(key, place)),
            }
            accounts.push(account);
        }
        accounts
    }

    fn idps(&mut self, tree: &DeTable<'_>, compiled: &Compiled<'_>) -> Vec<IdpConfig> {
        let mut idps: Vec<IdpConfig> = Vec::new();
        for node in self.standard_list(tree, "idp", compiled) {
            let Some(idp) = IdpConfig::read(&self.document, node, &mut self.errors) else {
                continue;
            };
            if let Some(earlier) = idps.iter().find(|earlier| earlier.name == idp.name) {
                let fault = ConfigErrorKind::Duplicate {
                    what: "idp",
                    name: idp.name.clone(),
                    earlier: earlier.place("name"),
                };
                let place = idp.place("name");
                self.errors.push(ConfigError { place, fault });
            }
            idps.push(idp);
        }
        idps
    }

    fn relying_parties(
        &mut self,
        tree: &DeTable<'_>,
        compiled: &Compiled<'_>,
    ) -> Vec<RelyingPartyConfig> {
        let nodes = self.standard_list(tree, "relying_party", compiled);
        nodes
            .iter()
            .filter_map(|node| RelyingPartyConfig::read(&self.document, node, &mut self.errors))
            .collect()
    }

    fn event_receivers(
        &mut self,
        tree: &DeTable<'_>,
        compiled: &Compiled<'_>,
    ) -> Vec<EventReceiverConfig> {
        let nodes = self.standard_list(tree, "event_receiver", compiled);
        nodes
            .iter()
            .filter_map(|node| EventReceiverConfig::read(&self.document, node, &mut self.errors))
            .collect()
    }

    /// A list that only a build with the standards of identity providers can have.
    fn standard_list<'t, 'i>(
        &mut self,
        tree: &'t DeTable<'i>,
        name: &str,
        compiled: &Compiled<'_>,
    ) -> &'t [Node<'i>] {
        let nodes = self.list(tree, name);
        match nodes.first() {
            Some(first) if !compiled.standards => {
                let fault = ConfigErrorKind::NotCompiled {
                    name: name.to_owned(),
                    feature: "standards".to_owned(),
                };
                self.errors.push(self.document.error(first.span(), fault));
                &[]
            }
            _ => nodes,
        }
    }

    fn platforms(&mut self, tree: &DeTable<'_>, compiled: &Compiled<'_>) -> Vec<PlatformConfig> {
        let mut platforms: Vec<PlatformConfig> = Vec::new();
        for (index, node) in self.list(tree, "platform").iter().enumerate() {
            let Some(mut platform) =
                PlatformConfig::read(&self.document, index, node, compiled, &mut self.errors)
            else {
                continue;
            };
            // Names differ by more than their case, so that a variable of the environment means one
            // of them.
            if let Some(earlier) = platforms
                .iter()
                .find(|earlier| earlier.name.eq_ignore_ascii_case(&platform.name))
            {
                self.errors.push(platform.name_error(earlier));
                platform.is_whole = false;
            }
            platforms.push(platform);
        }
        platforms
    }

    fn list<'t, 'i>(&mut self, tree: &'t DeTable<'i>, name: &str) -> &'t [Node<'i>] {
        let Some(node) = tree.get(name) else {
            return &[];
        };
        match node.get_ref() {
            DeValue::Array(array) if array.iter().all(|each| each.get_ref().is_table()) => array,
            _ => {
                let fault = ConfigErrorKind::Invalid {
                    key: name.to_owned(),
                    reason: format!("must be a list of tables: write [[{name}]]"),
                };
                self.errors.push(self.document.error(node.span(), fault));
                &[]
            }
        }
    }
}
