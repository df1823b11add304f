//! What goes wrong between this program and the database, and what callers are told of it.

use deadpool_postgres::PoolError;
use logout_core::store::StoreUnavailable;
use tokio_postgres::error::SqlState;

/// Why a statement brought nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// The server answers, and refused this one: nothing was done.
    Refused,
    /// The server does not answer, and nobody knows whether it was carried out; or it is in no
    /// state to carry out any.
    Unknown,
}

impl From<Failure> for StoreUnavailable {
    fn from(_: Failure) -> Self {
        Self
    }
}

/// A row holds what this program never writes.
impl From<tokio_postgres::Error> for Failure {
    fn from(fault: tokio_postgres::Error) -> Self {
        log::error!("a row of the session store cannot be read: {fault}");
        Self::Unknown
    }
}

pub(super) enum LinkError {
    Pool(PoolError),
    Server(tokio_postgres::Error),
    Timeout,
    /// Committed, and maybe on this server only: its waiting for the standbys was cut short.
    Unconfirmed,
}

impl LinkError {
    /// What may be logged: never a value, which the server likes to quote in messages about data.
    pub(super) fn reason(&self) -> String {
        let server = |fault: &tokio_postgres::Error| match fault.as_db_error() {
            Some(answer) if matches!(answer.code().code().get(..2), Some("22" | "23")) => {
                format!("SQLSTATE {}", answer.code().code())
            }
            Some(answer) => format!("{} (SQLSTATE {})", answer.message(), answer.code().code()),
            None => std::error::Error::source(fault)
                .map_or_else(|| fault.to_string(), |cause| format!("{fault}: {cause}")),
        };
        match self {
            Self::Pool(PoolError::Backend(fault)) | Self::Server(fault) => server(fault),
            Self::Pool(PoolError::Timeout(_)) => "no connection in time".to_owned(),
            Self::Pool(fault) => fault.to_string(),
            Self::Timeout => "no answer in time".to_owned(),
            Self::Unconfirmed => "a commit was answered before the standbys had it".to_owned(),
        }
    }

    /// It used to take writes, or it would not be in the pool.
    pub(super) fn is_read_only(&self) -> bool {
        self.has_code(&SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    pub(super) fn is_full(&self) -> bool {
        self.has_code(&SqlState::DISK_FULL)
    }

    pub(super) fn was_undone(&self) -> bool {
        self.has_code(&SqlState::T_R_DEADLOCK_DETECTED)
            || self.has_code(&SqlState::T_R_SERIALIZATION_FAILURE)
            || self.has_code(&SqlState::LOCK_NOT_AVAILABLE)
    }

    fn has_code(&self, code: &SqlState) -> bool {
        matches!(self, Self::Server(fault) if fault.code() == Some(code))
    }

    pub(super) fn failure(&self) -> Failure {
        // In the words of a refusal the server also says goodbye, whatever it was doing, and that
        // it is read-only, full or ill.
        let of_all = |class: &str| matches!(class.get(..2), Some("08" | "25" | "53" | "57" | "58"));
        match self {
            Self::Server(fault) if fault.code().is_some_and(|code| !of_all(code.code())) => {
                Failure::Refused
            }
            Self::Pool(_) | Self::Server(_) | Self::Timeout | Self::Unconfirmed => Failure::Unknown,
        }
    }
}
