//! Reads a table into its type, and says everything that is wrong with it.
//!
//! A deserialiser stops at the first fault. So what is at fault is taken out of a copy of the
//! table, which is read again until nothing is at fault any more. A key that is missing gets a
//! stand-in, for the same reason.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Error, ValueDeserializer};

use super::document::{Document, Node};
use super::error::{ConfigError, ConfigErrorKind, nearest};
use super::secrets::is_secret;
use super::words::{plain, variants};

/// How often a table is read again at most. A table with more faults than that says the first ones.
const MOST_READINGS: usize = 500;

/// What a stand-in says where it must be text. Every key that has to be given takes this, or one of
/// a few words.
const STAND_IN: &str = "a";

/// What a table says, and everything that is wrong with it.
pub(super) struct Read<T> {
    /// What the table says without that which is wrong. A key that is missing and has to be given
    /// says something made up.
    pub(super) value: Option<T>,
    /// Whether nothing in the value is made up.
    pub(super) is_complete: bool,
    /// In no particular order.
    pub(super) errors: Vec<ConfigError>,
}

impl Document {
    /// Reads a table called `name` into its type. A value out of the environment that does not fit
    /// is tried as plain text too. `more_keys` may stand in the table besides those that the type
    /// knows.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        name: &str,
        table: &Node<'_>,
        more_keys: &[&str],
    ) -> Read<T> {
        let mut reading = Reading {
            document: self,
            name,
            table,
            more_keys,
            rest: table.clone(),
            as_written: HashMap::new(),
            taken_out: Vec::new(),
            stand_ins: 0,
            errors: Vec::new(),
        };
        for _ in 0..MOST_READINGS {
            let fault = match T::deserialize(ValueDeserializer::from(reading.rest.clone())) {
                Ok(value) => {
                    return Read {
                        value: Some(value),
                        is_complete: reading.stand_ins == 0,
                        errors: reading.errors,
                    };
                }
                Err(fault) => fault,
            };
            if !reading.goes_on_after(fault) {
                break;
            }
        }
        Read {
            value: None,
            is_complete: false,
            errors: reading.errors,
        }
    }
}

struct Reading<'r, 'i> {
    document: &'r Document,
    name: &'r str,
    /// The table as it was written.
    table: &'r Node<'i>,
    more_keys: &'r [&'r str],
    /// The table without that which is wrong.
    rest: Node<'i>,
    /// By the places of values that are tried as plain text: what was wrong with them as they were
    /// written.
    as_written: HashMap<usize, Error>,
    /// Tables, by their places, and the keys that were taken out of them.
    taken_out: Vec<(Range<usize>, String)>,
    stand_ins: usize,
    errors: Vec<ConfigError>,
}

impl Reading<'_, '_> {
    /// Keeps the fault and makes the rest of the table readable. Returns false where that cannot be
    /// done.
    fn goes_on_after(&mut self, fault: Error) -> bool {
        let span = fault.span().unwrap_or_else(|| self.table.span());
        if let Some(each) = self.document.override_at(&span)
            && replace_by_text(
                self.rest.get_mut(),
                &span,
                &|value| !value.is_str(),
                &each.value,
            )
        {
            self.as_written.entry(span.start).or_insert(fault);
            return true;
        }
        if is_stand_in(&span) {
            // Only a choice of words has to be given where plain text does not fit.
            let word = variants(fault.message()).and_then(|words| words.into_iter().next());
            let is_stand_in = |value: &DeValue<'_>| value.as_str() == Some(STAND_IN);
            return word.is_some_and(|word| {
                replace_by_text(self.rest.get_mut(), &span, &is_stand_in, &word)
            });
        }
        let fault = self.as_written.remove(&span.start).unwrap_or(fault);
        if let Some(key) = missing(fault.message()).map(str::to_owned) {
            if !self.taken_out.contains(&(span.clone(), key.clone())) {
                self.errors.push(self.understood(&fault, &span));
            }
            self.stand_ins += 1;
            return put_stand_in(&mut self.rest, &span, &key, self.stand_ins);
        }
        self.errors.push(self.understood(&fault, &span));
        take_out(&mut self.rest, &span, &mut self.taken_out)
    }

    /// A deserialiser's error in our words: its place, its key, and the key that may have been
    /// meant.
    fn understood(&self, fault: &Error, span: &Range<usize>) -> ConfigError {
        let mut path = Vec::new();
        if let DeValue::Table(entries) = self.table.get_ref() {
            find(entries, span, &mut path);
        }
        let nested = path.len() > 1;
        let secret = path.iter().any(|key| is_secret(key));
        let key = [self.name]
            .into_iter()
            .chain(path.iter().copied())
            .collect::<Vec<_>>()
            .join(".");
        let message = fault.message();
        let fault = if let Some((_, known)) = message
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split_once('`'))
        {
            let mut known: Vec<String> = known
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            if !nested {
                known.extend(self.more_keys.iter().map(|key| (*key).to_owned()));
            }
            known.sort_unstable();
            let unknown = path.last().copied().unwrap_or_default();
            ConfigErrorKind::UnknownKey {
                nearest: nearest(unknown, known.iter().map(String::as_str)),
                key,
                known,
            }
        } else if let Some(missing) = missing(message) {
            ConfigErrorKind::Missing(format!("{key}.{missing}"))
        } else if secret {
            ConfigErrorKind::Invalid {
                key,
                reason: "not of the form that this key takes (the value is a secret and not shown)"
                    .to_owned(),
            }
        } else {
            ConfigErrorKind::Invalid {
                key,
                reason: plain(message),
            }
        };
        self.document.error(span.clone(), fault)
    }
}

fn missing(message: &str) -> Option<&str> {
    message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'))
}

/// The place of a stand-in, far behind every text and what the environment adds to it.
fn stand_in_span(number: usize) -> Range<usize> {
    let at = usize::MAX - number;
    at..at
}

fn is_stand_in(span: &Range<usize>) -> bool {
    span.start >= usize::MAX - MOST_READINGS
}

/// Puts `key` into the innermost table at `span` that has no such key.
fn put_stand_in(node: &mut Node<'_>, span: &Range<usize>, key: &str, number: usize) -> bool {
    if children(node.get_mut())
        .into_iter()
        .any(|child| put_stand_in(child, span, key, number))
    {
        return true;
    }
    let here = node.span() == *span;
    match node.get_mut() {
        DeValue::Table(table) if here && !table.contains_key(key) => {
            let own = stand_in_span(number);
            let value = Spanned::new(own.clone(), DeValue::String(Cow::Borrowed(STAND_IN)));
            table.insert(Spanned::new(own, Cow::Owned(key.to_owned())), value);
            true
        }
        _ => false,
    }
}

/// Takes away the key or the item of a list that `span` is the place of, or whose value's place it
/// is.
pub(super) fn take_out(
    node: &mut Node<'_>,
    span: &Range<usize>,
    taken_out: &mut Vec<(Range<usize>, String)>,
) -> bool {
    let own = node.span();
    match node.get_mut() {
        DeValue::Table(table) => {
            let is_it = |(key, value): &(&Spanned<Cow<'_, str>>, &Node<'_>)| {
                key.span() == *span || value.span() == *span
            };
            if let Some(key) = table
                .iter()
                .find(is_it)
                .map(|(key, _)| key.get_ref().to_string())
            {
                table.remove(key.as_str());
                taken_out.push((own, key));
                return true;
            }
        }
        DeValue::Array(array) => {
            if let Some(at) = array.iter().position(|item| item.span() == *span) {
                for (_, item) in std::mem::replace(array, DeArray::new())
                    .into_iter()
                    .enumerate()
                    .filter(|(other, _)| *other != at)
                {
                    array.push(item);
                }
                return true;
            }
        }
        _ => {}
    }
    children(node.get_mut())
        .into_iter()
        .any(|child| take_out(child, span, taken_out))
}

/// Puts `text` in place of the value at `span`, if `replaced` says so.
fn replace_by_text(
    value: &mut DeValue<'_>,
    span: &Range<usize>,
    replaced: &dyn Fn(&DeValue<'_>) -> bool,
    text: &str,
) -> bool {
    children(value).into_iter().any(|node| {
        if node.span() != *span {
            return replace_by_text(node.get_mut(), span, replaced, text);
        }
        let replaces = replaced(node.get_ref());
        if replaces {
            *node.get_mut() = DeValue::String(Cow::Owned(text.to_owned()));
        }
        replaces
    })
}

fn children<'n, 'i>(value: &'n mut DeValue<'i>) -> Vec<&'n mut Node<'i>> {
    match value {
        DeValue::Array(array) => array.iter_mut().collect(),
        DeValue::Table(table) => table.iter_mut().map(|(_, node)| node).collect(),
        _ => Vec::new(),
    }
}

/// The keys on the way to `span`, which is a key's or a value's.
fn find<'t>(table: &'t DeTable<'_>, span: &Range<usize>, path: &mut Vec<&'t str>) -> bool {
    table.iter().any(|(key, node)| {
        path.push(key.get_ref());
        let found = key.span() == *span || find_in(node, span, path);
        if !found {
            path.pop();
        }
        found
    })
}

fn find_in<'t>(node: &'t Node<'_>, span: &Range<usize>, path: &mut Vec<&'t str>) -> bool {
    node.span() == *span
        || match node.get_ref() {
            DeValue::Array(array) => array.iter().any(|each| find_in(each, span, path)),
            DeValue::Table(table) => find(table, span, path),
            _ => false,
        }
}
