//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a fault stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// In a file as a whole.
    File(String),
    /// At a line and column of a file, both counted from one, columns in characters.
    Line {
        /// The file, as it was named.
        file: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In a variable of the environment.
    Variable(String),
}

impl Place {
    /// In the order of the text, which what has no line in it stands around.
    pub(super) fn order(&self) -> (u8, usize, usize) {
        match self {
            Self::File(_) => (0, 0, 0),
            Self::Line { line, column, .. } => (1, *line, *column),
            Self::Variable(_) => (2, 0, 0),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.write_str(file),
            Self::Line { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// One thing that is wrong with a configuration. Never repeats the value of a secret.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub fault: ConfigErrorKind,
}

impl ConfigError {
    /// Whether it is about this key, or one in the table of that name.
    pub(super) fn is_about(&self, key: &str) -> bool {
        let about = match &self.fault {
            ConfigErrorKind::Both(key, _)
            | ConfigErrorKind::Invalid { key, .. }
            | ConfigErrorKind::Missing(key) => key,
            ConfigErrorKind::SecretFile { key, .. } | ConfigErrorKind::UnknownKey { key, .. } => {
                key
            }
            _ => return false,
        };
        about
            .strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// One thing in a configuration that can be served, and that probably was not meant. Never repeats
/// the value of a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigWarning {
    /// Where it stands.
    pub place: Place,
    /// What it is, and what to do about it.
    pub text: String,
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: warning: {}", self.place, self.text)
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// Two keys of which only one may be given.
    #[error("`{0}` and `{1}` are both given; keep one")]
    Both(String, String),
    /// A name that must be unique is not.
    #[error("{what} `{name}` is already taken by {earlier}")]
    Duplicate {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// Where it was taken.
        earlier: Place,
    },
    /// A value of the wrong type, or one that its key does not take.
    #[error("`{key}`: {reason}")]
    Invalid {
        /// The key, with the tables that it stands in.
        key: String,
        /// Why, without the value of a secret.
        reason: String,
    },
    /// A key that must be given is not.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A vendor or store that this build leaves out.
    #[error("`{name}` is not part of this build; it needs the cargo feature `{feature}`")]
    NotCompiled {
        /// What was asked for.
        name: String,
        /// The feature that brings it.
        feature: String,
    },
    /// No TOML.
    #[error("{0}")]
    Syntax(String),
    /// A key that nothing knows.
    #[error("unknown key `{key}`{}", Suggestion(nearest.as_deref(), known))]
    UnknownKey {
        /// The key, with the tables that it stands in.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
        /// All keys that may stand there.
        known: Vec<String>,
    },
    /// A file that cannot be read.
    #[error("cannot be read")]
    Unreadable(#[source] io::Error),
    /// A secret's file that cannot be read, is empty, or can be read by others.
    #[error("`{key}`: {}: {reason}", file.display())]
    SecretFile {
        /// The key that names the file.
        key: String,
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

struct Suggestion<'a>(Option<&'a str>, &'a [String]);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(Some(nearest), _) => write!(f, "; did you mean `{nearest}`?"),
            Self(None, []) => Ok(()),
            Self(None, known) => write!(f, "; known keys: {}", known.join(", ")),
        }
    }
}

/// The key of `known` that `key` most likely was meant to be.
pub(super) fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const ALIKE: f64 = 0.75;
    let key = key.to_ascii_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&key, &candidate.to_ascii_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate.to_owned())
}

/// Everything that is wrong with a configuration, in the order of its text; never empty.
#[derive(Debug)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The collected errors, if there are any.
    pub(crate) fn check(mut errors: Vec<ConfigError>) -> Result<(), Self> {
        errors.sort_by_key(|error| error.place.order());
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self(errors))
        }
    }

    /// The single errors.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
            if let ConfigErrorKind::Unreadable(cause) = &error.fault {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// Of at least one error.
impl From<Vec<ConfigError>> for ConfigErrors {
    fn from(errors: Vec<ConfigError>) -> Self {
        Self(errors)
    }
}
