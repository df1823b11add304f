//! The configuration as it was written: text, overrides, and the way from a byte back to its line.
//!
//! The text is kept and parsed anew where it is needed; the parsed tree borrows from it. A value
//! that came from the environment carries a span beyond the end of the text, which names the
//! variable.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrorKind, ConfigErrors, Place};
use super::secrets::{is_secret, of_file};
use super::syntax::faults_of_syntax;

/// A value out of a parsed document.
pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// A configuration file and what the environment changes in it.
#[derive(Default)]
pub(super) struct Document {
    file: String,
    folder: PathBuf,
    text: String,
    overrides: Vec<Override>,
}

/// One value out of the environment.
pub(super) struct Override {
    /// The variable's name.
    pub(super) variable: String,
    /// Its value, as given.
    pub(super) value: String,
    /// The table that the key stands in.
    pub(super) root: Root,
    /// The key, below the tables that it stands in; at least one.
    pub(super) path: Vec<String>,
}

/// A table of the document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Root {
    /// `[[platform]]` number so and so.
    Platform(usize),
    /// `[section]`.
    Section(&'static str),
}

impl Document {
    /// The document `text`, whose relative paths are relative to the folder of `file`.
    ///
    /// # Errors
    /// Every line that is no TOML.
    pub(super) fn new(file: &Path, text: &str) -> Result<Self, ConfigErrors> {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let folder = absolute.parent().unwrap_or(&absolute).to_owned();
        let document = Self {
            file: file.display().to_string(),
            folder,
            text: text.to_owned(),
            overrides: Vec::new(),
        };
        match faults_of_syntax(file, &document.text) {
            faults if faults.is_empty() => Ok(document),
            faults => Err(faults
                .into_iter()
                .map(|(span, fault)| document.error(span, fault))
                .collect::<Vec<_>>()
                .into()),
        }
    }

    /// The same document with those of these overrides that fit, and what is wrong with the others.
    pub(super) fn with(mut self, overrides: Vec<Override>) -> (Self, Vec<ConfigError>) {
        self.overrides = overrides;
        let mut tree = self.parse();
        let faults: Vec<_> = self
            .overrides
            .iter()
            .enumerate()
            .map(|(at, each)| self.apply(&mut tree, at, each).err())
            .collect();
        drop(tree);
        let mut fits = faults.iter().map(Option::is_none);
        self.overrides.retain(|_| fits.next().unwrap_or(false));
        (self, faults.into_iter().flatten().collect())
    }

    /// The parsed document, overrides applied.
    pub(super) fn tree(&self) -> DeTable<'_> {
        let mut tree = self.parse();
        for (at, each) in self.overrides.iter().enumerate() {
            // Cannot fail: `with` has tried, and left out what failed.
            let _ = self.apply(&mut tree, at, each);
        }
        tree
    }

    fn parse(&self) -> DeTable<'_> {
        // Cannot fail: `new` has tried.
        DeTable::parse(&self.text)
            .map(Spanned::into_inner)
            .unwrap_or_default()
    }

    /// `path` as seen from the document's folder.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    fn apply<'i>(
        &'i self,
        tree: &mut DeTable<'i>,
        number: usize,
        each: &'i Override,
    ) -> Result<(), ConfigError> {
        let span = self.marker(number);
        let invalid = || ConfigError {
            place: Place::Variable(each.variable.clone()),
            fault: ConfigErrorKind::Invalid {
                key: each.path.join("."),
                reason: "what stands there is no table".to_owned(),
            },
        };
        let mut table = match each.root {
            Root::Section(name) => sub_table(tree, name, &span),
            Root::Platform(index) => platform_mut(tree, index),
        }
        .ok_or_else(invalid)?;
        let (key, tables) = each.path.split_last().ok_or_else(invalid)?;
        for name in tables {
            table = sub_table(table, name, &span).ok_or_else(invalid)?;
        }
        // A secret and its file are one setting: the environment replaces the one by the other.
        match of_file(key) {
            Some(secret) => drop(table.remove(secret)),
            None if is_secret(key) => drop(table.remove(format!("{key}_file").as_str())),
            None => {}
        }
        let plain = || DeValue::String(Cow::Borrowed(each.value.as_str()));
        let value = marked(
            DeValue::parse(&each.value).map_or_else(|_| plain(), Spanned::into_inner),
            &span,
        );
        table.remove(key.as_str());
        table.insert(Spanned::new(span, Cow::Borrowed(key.as_str())), value);
        Ok(())
    }

    fn marker(&self, number: usize) -> Range<usize> {
        let at = self.text.len() + 1 + number;
        at..at
    }

    /// The variable that `span` stands for, if it stands for one.
    pub(super) fn override_at(&self, span: &Range<usize>) -> Option<&Override> {
        self.overrides
            .get(span.start.checked_sub(self.text.len() + 1)?)
    }

    /// Where `span` stands.
    pub(super) fn place(&self, span: Option<Range<usize>>) -> Place {
        let Some(span) = span else {
            return Place::File(self.file.clone());
        };
        if let Some(each) = self.override_at(&span) {
            return Place::Variable(each.variable.clone());
        }
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::Line {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// Where the value at `path` stands, or the innermost table on the way to it that is written,
    /// or else the file.
    pub(super) fn place_of(&self, tree: &DeTable<'_>, path: &[&str]) -> Place {
        let mut span = None;
        let mut table = Some(tree);
        for key in path {
            let Some(node) = table.and_then(|table| table.get(*key)) else {
                break;
            };
            span = Some(node.span());
            table = node.get_ref().as_table();
        }
        self.place(span)
    }

    /// The error that `fault` is, at `span`.
    pub(super) fn error(&self, span: Range<usize>, fault: ConfigErrorKind) -> ConfigError {
        ConfigError {
            place: self.place(Some(span)),
            fault,
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// The `[[platform]]` tables, in their order.
pub(super) fn platforms<'t, 'i>(tree: &'t DeTable<'i>) -> &'t [Node<'i>] {
    tree.get("platform")
        .and_then(|node| node.get_ref().as_array())
        .map_or(&[], |array| array)
}

fn platform_mut<'t, 'i>(tree: &'t mut DeTable<'i>, index: usize) -> Option<&'t mut DeTable<'i>> {
    match tree.get_mut("platform")?.get_mut() {
        DeValue::Array(array) => array
            .get_mut(index)
            .and_then(|node| table_mut(node.get_mut())),
        _ => None,
    }
}

fn sub_table<'t, 'i>(
    table: &'t mut DeTable<'i>,
    name: &'i str,
    span: &Range<usize>,
) -> Option<&'t mut DeTable<'i>> {
    if !table.contains_key(name) {
        let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        table.insert(Spanned::new(span.clone(), Cow::Borrowed(name)), empty);
    }
    table_mut(table.get_mut(name)?.get_mut())
}

fn table_mut<'t, 'i>(value: &'t mut DeValue<'i>) -> Option<&'t mut DeTable<'i>> {
    match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The value with this span, in all its parts.
fn marked<'i>(mut value: DeValue<'i>, span: &Range<usize>) -> Node<'i> {
    match &mut value {
        DeValue::Array(array) => {
            for node in array.iter_mut() {
                let inner = std::mem::replace(node.get_mut(), DeValue::Boolean(false));
                *node = marked(inner, span);
            }
        }
        DeValue::Table(table) => {
            let entries = std::mem::take(table).into_iter();
            let again = |(key, node): (Spanned<_>, Node<'i>)| {
                (
                    Spanned::new(span.clone(), key.into_inner()),
                    marked(node.into_inner(), span),
                )
            };
            *table = entries.map(again).collect();
        }
        _ => {}
    }
    Spanned::new(span.clone(), value)
}
