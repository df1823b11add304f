//! What can change in a store, and how the journal writes it down.
//!
//! Applying a row of changes once more, or applying it to a state that has some of it already,
//! leads to the same state. So a snapshot may be taken while changes go on.

use std::borrow::Cow;

use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Tombstone};

use crate::record::RecordError;

const WHAT: &str = "journal";

/// One change. Records are as the codec writes them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change<'a> {
    /// A value that hubs agree on.
    Agreed(Agreed),
    /// What a copy has noted here.
    Checkpoint(Option<Vec<u8>>),
    /// A delivery, in place of what was known of it.
    Delivery {
        session: SessionId,
        record: Cow<'a, [u8]>,
    },
    /// A session ends at this instant.
    Ended { session: SessionId, at: Timestamp },
    /// A value that can be taken once.
    Once(Once),
    /// The receipt of a sign-out.
    Receipt {
        id: ReceiptId,
        record: Cow<'a, [u8]>,
    },
    /// A session was used.
    Seen { session: SessionId, at: Timestamp },
    /// A session, in place of what was known of it.
    Session {
        id: SessionId,
        seen: Timestamp,
        /// The credentials that lead to another session all the same, by their number.
        unclaimed: Vec<u16>,
        record: Cow<'a, [u8]>,
    },
    /// A value that can be taken once was taken, or is forgotten.
    Taken(CredentialDigest),
    /// A credential that was ended elsewhere.
    Tombstone(Tombstone),
}

/// The first byte of a change, on disk for ever.
mod kind {
    pub(super) const AGREED: u8 = 1;
    pub(super) const CHECKPOINT: u8 = 2;
    pub(super) const DELIVERY: u8 = 3;
    pub(super) const ENDED: u8 = 4;
    pub(super) const ONCE: u8 = 5;
    pub(super) const RECEIPT: u8 = 6;
    pub(super) const SEEN: u8 = 7;
    pub(super) const SESSION: u8 = 8;
    pub(super) const TAKEN: u8 = 9;
    pub(super) const TOMBSTONE: u8 = 10;
}

impl<'a> Change<'a> {
    /// Writes the change behind what is in `to`.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Agreed(Agreed { name, value }) => {
                to.push(kind::AGREED);
                put(to, name.as_bytes());
                put(to, value);
            }
            Self::Checkpoint(checkpoint) => {
                to.push(kind::CHECKPOINT);
                to.push(u8::from(checkpoint.is_some()));
                put(to, checkpoint.as_deref().unwrap_or_default());
            }
            Self::Delivery { session, record } => {
                to.push(kind::DELIVERY);
                to.extend_from_slice(session.as_bytes());
                put(to, record);
            }
            Self::Ended { session, at } => {
                to.push(kind::ENDED);
                to.extend_from_slice(session.as_bytes());
                put_instant(to, *at);
            }
            Self::Once(Once {
                key,
                value,
                expires,
            }) => {
                to.push(kind::ONCE);
                to.extend_from_slice(key.as_bytes());
                put(to, value);
                put_instant(to, *expires);
            }
            Self::Receipt { id, record } => {
                to.push(kind::RECEIPT);
                to.extend_from_slice(id.as_bytes());
                put(to, record);
            }
            Self::Seen { session, at } => {
                to.push(kind::SEEN);
                to.extend_from_slice(session.as_bytes());
                put_instant(to, *at);
            }
            Self::Session {
                id,
                seen,
                unclaimed,
                record,
            } => {
                to.push(kind::SESSION);
                to.extend_from_slice(id.as_bytes());
                put_instant(to, *seen);
                let numbers: Vec<u8> = unclaimed.iter().flat_map(|n| n.to_le_bytes()).collect();
                put(to, &numbers);
                put(to, record);
            }
            Self::Taken(key) => {
                to.push(kind::TAKEN);
                to.extend_from_slice(key.as_bytes());
            }
            Self::Tombstone(Tombstone {
                digest,
                session,
                expires,
            }) => {
                to.push(kind::TOMBSTONE);
                to.extend_from_slice(digest.as_bytes());
                to.extend_from_slice(session.as_bytes());
                put_instant(to, *expires);
            }
        }
    }

    /// The same, which needs nothing else to live.
    pub(crate) fn into_owned(self) -> Change<'static> {
        match self {
            Self::Agreed(agreed) => Change::Agreed(agreed),
            Self::Checkpoint(checkpoint) => Change::Checkpoint(checkpoint),
            Self::Delivery { session, record } => Change::Delivery {
                session,
                record: Cow::Owned(record.into_owned()),
            },
            Self::Ended { session, at } => Change::Ended { session, at },
            Self::Once(once) => Change::Once(once),
            Self::Receipt { id, record } => Change::Receipt {
                id,
                record: Cow::Owned(record.into_owned()),
            },
            Self::Seen { session, at } => Change::Seen { session, at },
            Self::Session {
                id,
                seen,
                unclaimed,
                record,
            } => Change::Session {
                id,
                seen,
                unclaimed,
                record: Cow::Owned(record.into_owned()),
            },
            Self::Taken(key) => Change::Taken(key),
            Self::Tombstone(tombstone) => Change::Tombstone(tombstone),
        }
    }

    /// Reads the change at the beginning of `from`, and leaves what follows.
    pub(crate) fn read(from: &mut &'a [u8]) -> Result<Self, RecordError> {
        let [version] = take(from)?;
        Ok(match version {
            kind::AGREED => Self::Agreed(Agreed {
                name: String::from_utf8(bytes(from)?.to_vec())
                    .map_err(|_| RecordError::Damaged(WHAT))?,
                value: bytes(from)?.to_vec(),
            }),
            kind::CHECKPOINT => {
                let [is_some] = take(from)?;
                let checkpoint = bytes(from)?;
                Self::Checkpoint((is_some == 1).then(|| checkpoint.to_vec()))
            }
            kind::DELIVERY => Self::Delivery {
                session: SessionId::from_bytes(take(from)?),
                record: bytes(from)?.into(),
            },
            kind::ENDED => Self::Ended {
                session: SessionId::from_bytes(take(from)?),
                at: instant(from)?,
            },
            kind::ONCE => Self::Once(Once {
                key: CredentialDigest::from_bytes(take(from)?),
                value: bytes(from)?.to_vec(),
                expires: instant(from)?,
            }),
            kind::RECEIPT => Self::Receipt {
                id: ReceiptId::from_bytes(take(from)?),
                record: bytes(from)?.into(),
            },
            kind::SEEN => Self::Seen {
                session: SessionId::from_bytes(take(from)?),
                at: instant(from)?,
            },
            kind::SESSION => Self::Session {
                id: SessionId::from_bytes(take(from)?),
                seen: instant(from)?,
                unclaimed: bytes(from)?
                    .as_chunks()
                    .0
                    .iter()
                    .map(|number| u16::from_le_bytes(*number))
                    .collect(),
                record: bytes(from)?.into(),
            },
            kind::TAKEN => Self::Taken(CredentialDigest::from_bytes(take(from)?)),
            kind::TOMBSTONE => Self::Tombstone(Tombstone {
                digest: CredentialDigest::from_bytes(take(from)?),
                session: SessionId::from_bytes(take(from)?),
                expires: instant(from)?,
            }),
            version => {
                return Err(RecordError::UnknownVersion {
                    what: WHAT,
                    version,
                });
            }
        })
    }
}

fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(bytes);
}

fn put_instant(to: &mut Vec<u8>, at: Timestamp) {
    to.extend_from_slice(&at.as_millis().to_le_bytes());
}

fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], RecordError> {
    let (taken, rest) = from.split_first_chunk().ok_or(RecordError::Damaged(WHAT))?;
    *from = rest;
    Ok(*taken)
}

fn bytes<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], RecordError> {
    let length = u32::from_le_bytes(take(from)?) as usize;
    let (taken, rest) = from
        .split_at_checked(length)
        .ok_or(RecordError::Damaged(WHAT))?;
    *from = rest;
    Ok(taken)
}

fn instant(from: &mut &[u8]) -> Result<Timestamp, RecordError> {
    Ok(Timestamp::from_millis(u64::from_le_bytes(take(from)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Vec<Change<'static>> {
        let (session, at) = (SessionId::from_bytes([1; 16]), Timestamp::from_millis(7));
        let key = CredentialDigest::from_bytes([2; 32]);
        vec![
            Change::Agreed(Agreed {
                name: "key".to_owned(),
                value: b"value".to_vec(),
            }),
            Change::Checkpoint(None),
            Change::Checkpoint(Some(Vec::new())),
            Change::Delivery {
                session,
                record: b"record".into(),
            },
            Change::Ended { session, at },
            Change::Once(Once {
                key,
                value: Vec::new(),
                expires: at,
            }),
            Change::Receipt {
                id: ReceiptId::from_bytes([3; 16]),
                record: b"record".into(),
            },
            Change::Seen { session, at },
            Change::Session {
                id: session,
                seen: at,
                unclaimed: vec![1, 300],
                record: b"record".into(),
            },
            Change::Taken(key),
            Change::Tombstone(Tombstone {
                digest: key,
                session,
                expires: at,
            }),
        ]
    }

    #[test]
    fn changes_are_read_back_one_after_the_other() {
        let mut written = Vec::new();
        for change in changes() {
            change.write(&mut written);
        }
        let mut rest = written.as_slice();
        for change in changes() {
            assert_eq!(Change::read(&mut rest), Ok(change));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn nothing_panics_on_damage_and_an_unknown_kind_is_told_apart() {
        for change in changes() {
            let mut written = Vec::new();
            change.write(&mut written);
            for length in 0..written.len() {
                let damaged = Change::read(&mut &written[..length]);
                assert_eq!(damaged, Err(RecordError::Damaged(WHAT)), "{change:?}");
            }
            written[0] = 77;
            let newer = RecordError::UnknownVersion {
                what: WHAT,
                version: 77,
            };
            assert_eq!(Change::read(&mut written.as_slice()), Err(newer));
        }
    }
}
