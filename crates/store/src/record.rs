//! The codec of records: what a store that keeps bytes writes of a session, a receipt and a
//! delivery.
//!
//! The shapes in here are kept apart from the types of `logout-core`, so that a change over there
//! cannot silently change what is read from a disk that was written last year. Every record begins
//! with a byte that says which shape follows; an unknown one is an error.

mod attempt;
mod delivery;
mod receipt;
mod session;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use attempt::StoredAttempt;
pub(crate) use delivery::DeliveryRecord;
pub(crate) use receipt::{read_receipt, receipt};
pub(crate) use session::{NO_USER_AGENT, SessionRecord};

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("a {0} record is damaged")]
    Damaged(&'static str),
    #[error("a {what} record is of version {version}, which this program does not know")]
    UnknownVersion { what: &'static str, version: u8 },
}

pub(crate) fn body<'a>(
    what: &'static str,
    known: u8,
    bytes: &'a [u8],
) -> Result<&'a [u8], RecordError> {
    match bytes.split_first() {
        Some((&version, body)) if version == known => Ok(body),
        Some((&version, _)) => Err(RecordError::UnknownVersion { what, version }),
        None => Err(RecordError::Damaged(what)),
    }
}

fn encode(
    what: &'static str,
    version: u8,
    record: &impl Serialize,
) -> Result<Vec<u8>, RecordError> {
    encode_behind(what, &[version], record)
}

fn encode_behind(
    what: &'static str,
    head: &[u8],
    record: &impl Serialize,
) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::with_capacity(192);
    bytes.extend_from_slice(head);
    postcard::to_extend(record, bytes).map_err(|_| RecordError::Damaged(what))
}

fn decode<'a, T: Deserialize<'a>>(
    what: &'static str,
    version: u8,
    bytes: &'a [u8],
) -> Result<T, RecordError> {
    postcard::from_bytes(body(what, version, bytes)?).map_err(|_| RecordError::Damaged(what))
}
