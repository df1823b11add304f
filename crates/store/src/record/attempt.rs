//! An attempt to tell an upstream, as the stores write it that keep their records as bytes.

use logout_core::delivery::{AttemptAnswer, AttemptRecord};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamError;
use serde::{Deserialize, Serialize};

/// Faults are words, so that new ones cannot renumber old ones. With neither a status nor a fault,
/// nothing could be sent.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct StoredAttempt<'a> {
    pub(crate) at: u64,
    pub(crate) status: Option<u16>,
    pub(crate) fault: Option<&'a str>,
}

impl StoredAttempt<'_> {
    pub(crate) fn of(attempt: &AttemptRecord) -> Self {
        let (status, fault) = match attempt.answer {
            AttemptAnswer::Error(fault) => (None, Some(fault.as_str())),
            AttemptAnswer::Status(status) => (Some(status), None),
            AttemptAnswer::Unsealable => (None, None),
        };
        Self {
            at: attempt.at.as_millis(),
            status,
            fault,
        }
    }

    /// `None` for what no program of ours has written.
    pub(crate) fn to_attempt(&self) -> Option<AttemptRecord> {
        let answer = match (self.status, self.fault) {
            (None, Some(word)) => AttemptAnswer::Error(UpstreamError::parse(word)?),
            (Some(status), None) => AttemptAnswer::Status(status),
            (None, None) => AttemptAnswer::Unsealable,
            (Some(_), Some(_)) => return None,
        };
        Some(AttemptRecord {
            at: Timestamp::from_millis(self.at),
            answer,
        })
    }
}
