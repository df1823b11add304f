//! What servers know of the records that another store gave out.

use std::collections::{HashMap, HashSet};

use logout_core::credential::{Credential, CredentialDigest};
use logout_core::receipt::ReceiptId;
use logout_core::session::{Session, SessionId};
use logout_core::time::Timestamp;
use logout_core::transfer::Record;

use super::{Present, taken_in};

/// What lies in a store under the [`Names`] of some records, and what was taken in since.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) sessions: HashSet<SessionId>,
    pub(crate) deliveries: HashSet<SessionId>,
    pub(crate) receipts: HashSet<ReceiptId>,
    pub(crate) credentials: HashMap<CredentialDigest, (SessionId, Timestamp)>,
    pub(crate) once: HashMap<CredentialDigest, Timestamp>,
}

/// The names that have to be looked up before records are taken in. Deliveries have those of
/// sessions.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) receipts: Vec<ReceiptId>,
    pub(crate) credentials: Vec<CredentialDigest>,
    pub(crate) once: Vec<CredentialDigest>,
}

impl Names {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut names = Self::default();
        for record in records {
            match record {
                Record::Agreed(_) => {}
                Record::Delivery(one) => names.sessions.push(one.session),
                Record::Once(one) => names.once.push(one.key),
                Record::Receipt(one) => names.receipts.push(one.id),
                Record::Session(one) => {
                    names.sessions.push(one.id);
                    let digests = one.credentials.iter().map(|known| known.digest);
                    names.credentials.extend(digests);
                }
                Record::Tombstone(one) => {
                    names.sessions.push(one.session);
                    names.credentials.push(one.digest);
                }
            }
        }
        names
    }
}

impl Known {
    /// As [`taken_in`], for a record that counts as being there from then on.
    pub(crate) fn take_in(&mut self, record: &Record, now: Timestamp) -> Option<Vec<u16>> {
        let unclaimed = taken_in(record, self, now)?;
        match record {
            Record::Agreed(_) => {}
            Record::Delivery(one) => drop(self.deliveries.insert(one.session)),
            Record::Once(one) => drop(self.once.insert(one.key, one.expires)),
            Record::Receipt(one) => drop(self.receipts.insert(one.id)),
            Record::Session(one) => {
                self.sessions.insert(one.id);
                for known in claimed(one, &unclaimed) {
                    let owner = (one.id, known.expires);
                    self.credentials.insert(known.digest, owner);
                }
            }
            Record::Tombstone(one) => {
                self.credentials
                    .insert(one.digest, (one.session, one.expires));
            }
        }
        Some(unclaimed)
    }
}

/// The credentials of a session that lead to it.
pub(crate) fn claimed<'a>(
    session: &'a Session,
    unclaimed: &'a [u16],
) -> impl Iterator<Item = &'a Credential> {
    let numbered = (0..).zip(&session.credentials);
    numbered
        .filter(|(number, _)| !unclaimed.contains(number))
        .map(|(_, known)| known)
}

impl Present for Known {
    fn has_session(&self, id: SessionId) -> bool {
        self.sessions.contains(&id)
    }

    fn has_delivery(&self, session: SessionId) -> bool {
        self.deliveries.contains(&session)
    }

    fn has_receipt(&self, id: ReceiptId) -> bool {
        self.receipts.contains(&id)
    }

    fn credential(&self, digest: &CredentialDigest) -> Option<(SessionId, Timestamp)> {
        self.credentials.get(digest).copied()
    }

    fn once(&self, key: &CredentialDigest) -> Option<Timestamp> {
        self.once.get(key).copied()
    }
}
