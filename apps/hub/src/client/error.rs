//! Why a command that asks a running hub failed.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum ClientError {
    /// The hub refused: its status, and what its problem document says.
    Refused(u16, String),
    /// The answer is none of a hub's.
    Strange,
    /// What was learned cannot be written.
    Output(io::Error),
    /// The token cannot be read.
    Token(PathBuf, io::Error),
    /// The hub cannot be asked.
    Unreachable(reqwest::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status, problem) => write!(f, "{status}: {problem}"),
            Self::Strange => f.write_str("the answer is not a hub's"),
            Self::Output(fault) => write!(f, "{fault}"),
            Self::Token(path, fault) => write!(f, "{}: {fault}", path.display()),
            Self::Unreachable(fault) => {
                write!(f, "{fault}")?;
                let mut cause = fault.source();
                while let Some(fault) = cause {
                    write!(f, ": {fault}")?;
                    cause = fault.source();
                }
                Ok(())
            }
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(fault: reqwest::Error) -> Self {
        Self::Unreachable(fault)
    }
}
