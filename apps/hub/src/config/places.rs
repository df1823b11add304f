//! Where the keys of a table stand that is read once more after the document, by whoever uses it.

use std::collections::BTreeMap;
use std::fmt;

use super::document::{Document, Node};
use super::error::{ConfigError, ConfigErrorKind, Place};

/// The places of a table and its keys.
#[derive(Clone, Default)]
pub(super) struct Places(BTreeMap<String, Place>);

impl Places {
    /// Those of the table at `node`.
    pub(super) fn of(document: &Document, node: &Node<'_>) -> Self {
        let keys = node.get_ref().as_table().into_iter().flatten();
        let mut places: BTreeMap<_, _> = keys
            .map(|(key, value)| {
                (
                    key.get_ref().to_string(),
                    document.place(Some(value.span())),
                )
            })
            .collect();
        places.insert(String::new(), document.place(Some(node.span())));
        Self(places)
    }

    /// Where `key` stands, or the whole where it is not written.
    pub(super) fn of_key(&self, key: &str) -> Place {
        let place = self.0.get(key).or_else(|| self.0.get(""));
        place.cloned().unwrap_or(Place::File(String::new()))
    }

    /// The error that something is wrong with `key` of the table `label`, or with the whole where
    /// the key is empty.
    pub(super) fn error(&self, label: &str, key: &str, reason: impl ToString) -> ConfigError {
        let fault = ConfigErrorKind::Invalid {
            key: if key.is_empty() {
                label.to_owned()
            } else {
                format!("{label}.{key}")
            },
            reason: reason.to_string(),
        };
        ConfigError {
            place: self.of_key(key),
            fault,
        }
    }
}

/// Says nothing: two tables of other places may say the same.
impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places")
    }
}
