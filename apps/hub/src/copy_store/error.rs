//! What keeps a copy from being made.

use std::fmt;

use logout_core::store::StoreUnavailable;

use crate::config::StoreUrl;
use crate::stores::StoreError;

/// Which of the two stores.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    From,
    To,
}

impl Side {
    /// What a store's silence means.
    pub(super) fn silent(self) -> impl Fn(StoreUnavailable) -> CopyError + Copy {
        move |_| CopyError::Silent { side: self }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From => "--from",
            Self::To => "--to",
        })
    }
}

/// A copy was not made, or is not complete.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error("--from: there is no store at {from}")]
    Absent { from: StoreUrl },
    #[error(
        "the stores differ in: {}\nSomebody has written to one of them meanwhile, or since an earlier try. Stop every hub and give the \
         command again; what still differs then has changed since it was copied, and an empty store has to be filled instead.",
        differing.join(", ")
    )]
    Different { differing: Vec<&'static str> },
    #[error("{side}: a store in memory ends with its process; there is nothing to copy")]
    Memory { side: Side },
    #[error("--to: {to} is not empty, and what it holds is not of an interrupted copy")]
    NotEmpty { to: StoreUrl },
    #[error(
        "{side}: this build has no store of that kind; build it with the feature `store-{kind}`"
    )]
    NotCompiled { side: Side, kind: &'static str },
    #[error("--from: {from} holds nothing")]
    Nothing { from: StoreUrl },
    #[error("--to: {to} holds an interrupted copy of another store: {from}")]
    OfAnother { to: StoreUrl, from: String },
    #[error("--from and --to are the same store")]
    Same,
    #[error(
        "{side}: the store does not answer; once it does, the same command goes on where this one has stopped"
    )]
    Silent { side: Side },
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("--from: {from} holds an interrupted copy itself, which has to be finished first")]
    Unfinished { from: StoreUrl },
    #[error("{side}: {reason}")]
    Url { side: Side, reason: String },
}

impl CopyError {
    /// The exit status: 2 for what no second try can mend.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Memory { .. } | Self::NotCompiled { .. } | Self::Same | Self::Url { .. } => 2,
            _ => 1,
        }
    }
}
