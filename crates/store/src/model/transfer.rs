//! What a state gives out, and what it takes in that another store held.

use std::ops::Bound;

use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Record};

use super::list::Listed;
use super::slab::Place;
use super::{Change, Model, Owner};
use crate::record::{DeliveryRecord, RecordError, SessionRecord};
use crate::rules::{self, Present};

/// A kind of records that a state gives out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Agreed,
    Tombstones,
    Once,
    Sessions,
}

impl Model {
    /// What this kind has behind a key: at most `limit`, after a look at no more than `looks`.
    pub(crate) fn export(
        &self,
        kind: Kind,
        after: Option<&[u8]>,
        limit: usize,
        looks: usize,
        now: Timestamp,
    ) -> Result<Listed<Record, Vec<u8>>, RecordError> {
        Ok(match kind {
            Kind::Agreed => self.export_agreed(after, limit),
            Kind::Tombstones => self.export_tombstones(after, limit, looks, now),
            Kind::Once => {
                let key = after.and_then(|key| key.try_into().ok());
                let from = key.map(CredentialDigest::from_bytes);
                let from = from.map_or(Bound::Unbounded, Bound::Excluded);
                let entries = self.once.range((from, Bound::Unbounded));
                collect(entries, limit, looks, |(key, (value, expires))| {
                    let once = Once {
                        key: *key,
                        value: value.clone(),
                        expires: *expires,
                    };
                    let lives = (*expires > now).then_some(Record::Once(once));
                    (key.as_bytes().to_vec(), lives)
                })
            }
            Kind::Sessions => {
                let key = after.and_then(|key| key.try_into().ok());
                let after = key.map(SessionId::from_bytes);
                let listed = self.sessions(&Default::default(), after, limit, looks, now)?;
                Listed {
                    items: listed.items.into_iter().map(Record::Session).collect(),
                    next: listed.next.map(|id| id.as_bytes().to_vec()),
                }
            }
        })
    }

    fn export_agreed(&self, after: Option<&[u8]>, limit: usize) -> Listed<Record, Vec<u8>> {
        // There are few of them.
        let mut names: Vec<_> = self
            .agreed
            .keys()
            .filter(|name| after.is_none_or(|after| name.as_bytes() > after))
            .collect();
        names.sort_unstable();
        let entries = names
            .into_iter()
            .filter_map(|name| self.agreed.get_key_value(name));
        collect(entries, limit, usize::MAX, |(name, value)| {
            let agreed = Agreed {
                name: name.clone(),
                value: value.clone(),
            };
            (name.clone().into_bytes(), Some(Record::Agreed(agreed)))
        })
    }

    fn export_tombstones(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        looks: usize,
        now: Timestamp,
    ) -> Listed<Record, Vec<u8>> {
        let key = after.and_then(|key| key.try_into().ok());
        let first = key.map_or(0, |key| Place::from_le_bytes(key).saturating_add(1));
        collect(first..self.tombstones.end(), limit, looks, |place| {
            let tombstone = self.tombstones.get(place).copied();
            let lives = tombstone.filter(|tombstone| tombstone.expires > now);
            (place.to_le_bytes().to_vec(), lives.map(Record::Tombstone))
        })
    }

    /// About how many records there are.
    pub(crate) fn size_hint(&self) -> u64 {
        let counts = [
            self.agreed.len(),
            self.once.len(),
            self.receipts.len(),
            self.outbox.len(),
            self.confirmed.len(),
            self.sessions.len(),
            self.tombstones.len(),
        ];
        counts.iter().sum::<usize>() as u64
    }

    pub(crate) fn checkpoint(&self) -> Option<Vec<u8>> {
        self.checkpoint.clone()
    }

    pub(crate) fn set_checkpoint(
        &mut self,
        checkpoint: Option<Vec<u8>>,
    ) -> Result<(), RecordError> {
        self.make(Change::Checkpoint(checkpoint))
    }

    /// Takes in what another store gave out, where nothing of that name is here. `archived` says
    /// whether a receipt, or the delivery of a session, is kept elsewhere.
    pub(crate) fn import(
        &mut self,
        record: Record,
        archived: impl Fn(Archived) -> bool,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        let model = &*self;
        let Some(unclaimed) = rules::taken_in(&record, &Here { model, archived }, now) else {
            return Ok(());
        };
        match record {
            Record::Agreed(Agreed { name, value }) => self.get_or_insert(&name, value).map(drop),
            Record::Delivery(delivery) => self.put_delivery(&delivery),
            Record::Once(once) => self.make(Change::Once(once)),
            Record::Receipt(receipt) => self.put_receipt(&receipt),
            Record::Session(session) => self.make(Change::Session {
                id: session.id,
                seen: session.seen,
                unclaimed,
                record: SessionRecord::of(&session).to_bytes()?.into(),
            }),
            Record::Tombstone(tombstone) => self.make(Change::Tombstone(tombstone)),
        }
    }

    /// The changes that lead from nothing to a part of this state: all that lies behind the place
    /// `from`, as far as `looks` of them. Where to go on, unless that was all.
    pub(crate) fn write_sessions(
        &self,
        from: Place,
        looks: Place,
        to: &mut Vec<u8>,
    ) -> Result<Option<Place>, RecordError> {
        let until = from.saturating_add(looks).min(self.sessions.end());
        for place in from..until {
            let Some(entry) = self.sessions.get(place) else {
                continue;
            };
            let record = self.whole(entry, entry.read()?);
            let change = Change::Session {
                id: entry.id,
                seen: entry.seen,
                unclaimed: self.unclaimed(entry.id, &record),
                record: record.to_bytes()?.into(),
            };
            change.write(to);
        }
        Ok((until < self.sessions.end()).then_some(until))
    }

    /// As [`Model::write_sessions`], for tombstones.
    pub(crate) fn write_tombstones(
        &self,
        from: Place,
        looks: Place,
        to: &mut Vec<u8>,
    ) -> Option<Place> {
        let until = from.saturating_add(looks).min(self.tombstones.end());
        for place in from..until {
            if let Some(tombstone) = self.tombstones.get(place) {
                Change::Tombstone(*tombstone).write(to);
            }
        }
        (until < self.tombstones.end()).then_some(until)
    }

    /// As [`Model::write_sessions`], for all that there is little of. Receipts and confirmed
    /// deliveries are not among it: they are in the archive, or come back from the journal.
    pub(crate) fn write_others(&self, to: &mut Vec<u8>) -> Result<(), RecordError> {
        for delivery in self.outbox.after(None) {
            let change = Change::Delivery {
                session: delivery.session,
                record: DeliveryRecord::of(delivery).to_bytes()?.into(),
            };
            change.write(to);
        }
        for (name, value) in &self.agreed {
            let agreed = Agreed {
                name: name.clone(),
                value: value.clone(),
            };
            Change::Agreed(agreed).write(to);
        }
        for (key, (value, expires)) in &self.once {
            let once = Once {
                key: *key,
                value: value.clone(),
                expires: *expires,
            };
            Change::Once(once).write(to);
        }
        if self.checkpoint.is_some() {
            Change::Checkpoint(self.checkpoint.clone()).write(to);
        }
        Ok(())
    }
}

/// What may be kept outside of the state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Archived {
    Delivery(SessionId),
    Receipt(ReceiptId),
}

/// What is here or in the archive.
struct Here<'m, F> {
    model: &'m Model,
    archived: F,
}

impl<F: Fn(Archived) -> bool> Present for Here<'_, F> {
    fn has_session(&self, id: SessionId) -> bool {
        self.model.by_id.get(id).is_some()
    }

    fn has_delivery(&self, session: SessionId) -> bool {
        self.model.outbox.get(session).is_some()
            || self.model.confirmed.get(session.as_bytes()).is_some()
            || (self.archived)(Archived::Delivery(session))
    }

    fn has_receipt(&self, id: ReceiptId) -> bool {
        self.model.receipts.get(id.as_bytes()).is_some() || (self.archived)(Archived::Receipt(id))
    }

    fn credential(&self, digest: &CredentialDigest) -> Option<(SessionId, Timestamp)> {
        Some(match self.model.owner(digest)?.1 {
            Owner::Session(entry, _, known) => (entry.id, known.expires),
            Owner::Tombstone(tombstone) => (tombstone.session, tombstone.expires),
        })
    }

    fn once(&self, key: &CredentialDigest) -> Option<Timestamp> {
        self.model.once.get(key).map(|(_, expires)| *expires)
    }
}

fn collect<T>(
    mut entries: impl Iterator<Item = T>,
    limit: usize,
    looks: usize,
    record: impl Fn(T) -> (Vec<u8>, Option<Record>),
) -> Listed<Record, Vec<u8>> {
    let mut listed = Listed {
        items: Vec::new(),
        next: None,
    };
    for (number, entry) in entries.by_ref().enumerate() {
        let (key, record) = record(entry);
        listed.items.extend(record);
        if listed.items.len() == limit || number + 1 == looks {
            listed.next = Some(key);
            break;
        }
    }
    listed.next = listed.next.filter(|_| entries.next().is_some());
    listed
}
