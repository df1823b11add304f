//! The effective configuration as TOML, with secrets masked.

use serde::Serialize;
use toml::{Table, Value};

use super::secrets::is_secret;
use super::{Config, ConfigErrors};

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

/// Puts [`MASK`] in place of everything whose key says that it is a secret, however deep.
pub(super) fn mask(table: &mut Table) {
    for (key, value) in table.iter_mut() {
        mask_value(value, is_secret(key));
    }
}

fn mask_value(value: &mut Value, secret: bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mask_value(item, secret)),
        // A table under such a key is a record that holds the secret, among other things.
        Value::Table(table) => mask(table),
        plain if secret => *plain = Value::String(MASK.to_owned()),
        _ => {}
    }
}

impl Config {
    /// This configuration as TOML: defaults and overrides filled in, paths absolute, secrets
    /// masked. Of the vendors' own keys, those that are set.
    ///
    /// # Errors
    /// A secret's file that cannot be read any more.
    pub fn to_toml(&self) -> Result<String, ConfigErrors> {
        let mut whole = Table::new();
        section(&mut whole, "server", &self.server);
        section(&mut whole, "admin", &self.admin);
        section(&mut whole, "store", &self.store);
        section(&mut whole, "sessions", &self.sessions);
        section(&mut whole, "login", &self.login);
        section(&mut whole, "receipts", &self.receipts);
        section(&mut whole, "single_logout", &self.single_logout);
        section(&mut whole, "logout_tokens", &self.logout_tokens);
        section(&mut whole, "redirects", &self.redirects);
        let accounts = self
            .accounts
            .iter()
            .filter_map(|account| Value::try_from(account).ok());
        whole.insert("account".to_owned(), Value::Array(accounts.collect()));
        let idps = self.idps.iter().filter_map(|idp| Value::try_from(idp).ok());
        whole.insert("idp".to_owned(), Value::Array(idps.collect()));
        let parties = self.relying_parties.iter();
        let parties = parties.filter_map(|party| Value::try_from(party).ok());
        whole.insert("relying_party".to_owned(), Value::Array(parties.collect()));
        let receivers = self.event_receivers.iter();
        let receivers = receivers.filter_map(|receiver| Value::try_from(receiver).ok());
        whole.insert(
            "event_receiver".to_owned(),
            Value::Array(receivers.collect()),
        );
        let mut platforms = Vec::new();
        for platform in &self.platforms {
            let mut table = Table::try_from(platform).unwrap_or_default();
            table.extend(platform.written_vendor_keys()?);
            platforms.push(Value::Table(table));
        }
        whole.insert("platform".to_owned(), Value::Array(platforms));
        Ok(whole.to_string())
    }
}

fn section(whole: &mut Table, name: &str, keys: &impl Serialize) {
    // Sections are tables of plain values, which TOML can always hold.
    if let Ok(table) = Value::try_from(keys) {
        whole.insert(name.to_owned(), table);
    }
}
