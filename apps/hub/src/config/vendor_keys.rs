//! The keys of a `[[platform]]` that are the vendor's own.

use std::borrow::Cow;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::document::{Document, Node, platforms};
use super::error::{ConfigError, ConfigErrorKind, ConfigErrors};
use super::platform::{COMMON_KEYS, PlatformConfig, find, part};
use super::reading::{Read, take_out};
use super::secrets::{of_file, read_file};

/// What stands in place of a secret whose file cannot be read.
const UNREAD: &str = "***";

impl PlatformConfig {
    /// The vendor's own keys, as the adapter's configuration type reads them; that type should deny
    /// unknown fields. A key `…_file` of a secret is replaced by the secret in that file, any other
    /// relative `…_file` made absolute.
    ///
    /// # Errors
    /// Every key that does not fit, with its line and column; an unknown one with the key that may
    /// have been meant, be it the vendor's or a common one. A secret's file that other users can
    /// read.
    pub fn vendor_keys<T: DeserializeOwned>(&self) -> Result<T, ConfigErrors> {
        let (keys, errors) = self.vendor_keys_without(&[]);
        match keys {
            Some(keys) if errors.is_empty() => Ok(keys),
            _ => ConfigErrors::check(errors)
                .and_then(|()| Err(self.error(None, "cannot be read").into())),
        }
    }

    /// The vendor's own keys without some that are wrong, and everything that is wrong with the
    /// others.
    pub(crate) fn vendor_keys_without<T: DeserializeOwned>(
        &self,
        wrong: &[&str],
    ) -> (Option<T>, Vec<ConfigError>) {
        let tree = self.document.tree();
        let mut errors = Vec::new();
        let Some(mut node) = self.vendor_node(&tree, &mut errors) else {
            return (None, vec![self.error(None, "is gone")]);
        };
        let are_read = errors.is_empty();
        for key in wrong {
            if let Some(span) = find(&node, key).map(|(_, value)| value.span()) {
                take_out(&mut node, &span, &mut Vec::new());
            }
        }
        let read: Read<T> =
            self.document
                .read(&format!("platform.{}", self.name), &node, COMMON_KEYS);
        errors.extend(read.errors);
        (read.value.filter(|_| are_read && read.is_complete), errors)
    }

    /// Whether one of the vendor's own keys has this name, and only one.
    pub(crate) fn has_vendor_key(&self, key: &str) -> bool {
        !COMMON_KEYS.contains(&key)
            && platforms(&self.document.tree())
                .get(self.index)
                .is_some_and(|node| find(node, key).is_some())
    }

    /// The vendor's own keys as they are written, with secrets masked.
    pub(super) fn written_vendor_keys(&self) -> Result<toml::Table, ConfigErrors> {
        let tree = self.document.tree();
        let mut errors = Vec::new();
        let node = self
            .vendor_node(&tree, &mut errors)
            .ok_or_else(|| self.error(None, "is gone"))?;
        ConfigErrors::check(errors)?;
        let mut table = toml::Table::deserialize(ValueDeserializer::from(node))
            .map_err(|fault| self.error(None, fault.message()))?;
        super::print::mask(&mut table);
        Ok(table)
    }

    fn vendor_node<'t>(
        &self,
        tree: &DeTable<'t>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Node<'t>> {
        let mut own = part(platforms(tree).get(self.index)?, |key| {
            !COMMON_KEYS.contains(&key)
        });
        if let DeValue::Table(table) = own.get_mut() {
            resolve_files(
                &self.document,
                &format!("platform.{}", self.name),
                table,
                errors,
            );
        }
        Some(own)
    }
}

fn resolve_files(
    document: &Document,
    label: &str,
    table: &mut DeTable<'_>,
    errors: &mut Vec<ConfigError>,
) {
    let files: Vec<String> = table
        .keys()
        .filter(|key| key.get_ref().ends_with("_file"))
        .map(|key| key.get_ref().to_string())
        .collect();
    for key in files {
        let Some((name, node)) = table.remove_entry(key.as_str()) else {
            continue;
        };
        let Some(file) = node.get_ref().as_str() else {
            table.insert(name, node);
            continue;
        };
        let path = document.resolve(file.as_ref());
        let (name, value) = match of_file(&key) {
            Some(secret) if table.contains_key(secret) => {
                errors.push(
                    document.error(name.span(), ConfigErrorKind::Both(secret.to_owned(), key)),
                );
                continue;
            }
            Some(secret) => {
                let read = read_file(&path)
                    .map(|secret| secret.reveal().to_owned())
                    .unwrap_or_else(|fault| {
                        let fault = ConfigErrorKind::SecretFile {
                            key: format!("{label}.{key}"),
                            file: path.clone(),
                            reason: fault.to_string(),
                        };
                        errors.push(document.error(node.span(), fault));
                        UNREAD.to_owned()
                    });
                (
                    Spanned::new(name.span(), Cow::Owned(secret.to_owned())),
                    read,
                )
            }
            None => (name, path.display().to_string()),
        };
        table.insert(
            name,
            Spanned::new(node.span(), DeValue::String(Cow::Owned(value))),
        );
    }
    for (key, node) in table.iter_mut() {
        let label = format!("{label}.{}", key.get_ref());
        match node.get_mut() {
            DeValue::Table(inner) => resolve_files(document, &label, inner, errors),
            DeValue::Array(array) => {
                for each in array.iter_mut() {
                    if let DeValue::Table(inner) = each.get_mut() {
                        resolve_files(document, &label, inner, errors);
                    }
                }
            }
            _ => {}
        }
    }
}
