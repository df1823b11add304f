//! Everything that a store keeps, in this process's memory, and the rules by which it changes.
//!
//! `memory:` is this alone. The store on disk is this with a journal: each operation leaves the
//! [`Change`]s that it made in [`Model::take_journal`], and applying them to a model in the state
//! before leads to the same state. Nothing in here waits for anything.

mod agents;
mod aging;
mod batch;
mod chains;
mod change;
mod end;
mod entry;
mod ids;
mod incoming;
mod list;
mod open;
mod outbox;
mod slab;
mod sweep;
mod tags;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use logout_core::credential::{Credential, CredentialDigest};
use logout_core::delivery::DeliveryState;
use logout_core::idp::{IdpKey, IdpLogin};
use logout_core::receipt::Receipt;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Tombstone};

use crate::record::{self, DeliveryRecord, RecordError, SessionRecord};
use agents::Agents;
use aging::Aging;
pub(crate) use aging::{Key, Records, merged, merged_down};
#[cfg(feature = "disk")]
pub(crate) use batch::{Batch, BatchReader};
use chains::{By, Chains};
use change::Change;
use entry::Entry;
use ids::Ids;
use incoming::Incoming;
pub(crate) use list::Listed;
use outbox::Queue;
use slab::{Place, Slab};
use tags::{SessionTags, TagHasher, Tags, sign_on_tag, tag};
pub(crate) use transfer::{Archived, Kind};

/// The state of a store.
#[derive(Debug)]
pub(crate) struct Model {
    sessions: Slab<Entry>,
    by_id: Ids,
    /// Sessions by their credentials, and tombstones, whose places are marked.
    credentials: Tags,
    tombstones: Slab<Tombstone>,
    by_person: Chains,
    by_sign_on: Chains,
    by_subject: Chains,
    /// Few sessions come from an identity provider, so this is no link in each of them.
    by_idp: BTreeSet<(IdpKey, SessionId)>,
    agents: Agents,
    hasher: TagHasher,
    receipts: Aging,
    once: BTreeMap<CredentialDigest, (Vec<u8>, Timestamp)>,
    agreed: HashMap<String, Vec<u8>>,
    outbox: Queue,
    /// Deliveries that were confirmed.
    confirmed: Aging,
    checkpoint: Option<Vec<u8>>,
    /// What changed since it was taken last; absent where nobody writes it down.
    journal: Option<Vec<u8>>,
}

/// Marks the place of a tombstone among those of sessions.
const TOMBSTONE: Place = 1 << 31;

/// What lies under a credential's digest.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for a moment; a box would cost an allocation for each look-up"
)]
enum Owner<'m> {
    /// The session, and what it knows of the credential.
    Session(&'m Entry, SessionRecord<'m>, Credential),
    Tombstone(&'m Tombstone),
}

impl Model {
    /// An empty state. With `journaled`, changes are kept until they are taken.
    pub(crate) fn new(journaled: bool) -> Self {
        Self {
            sessions: Slab::default(),
            by_id: Ids::default(),
            credentials: Tags::default(),
            tombstones: Slab::default(),
            by_person: Chains::new(By::Person),
            by_sign_on: Chains::new(By::SignOn),
            by_subject: Chains::new(By::Subject),
            by_idp: BTreeSet::new(),
            agents: Agents::default(),
            hasher: TagHasher::default(),
            receipts: Aging::default(),
            once: BTreeMap::new(),
            agreed: HashMap::new(),
            outbox: Queue::default(),
            confirmed: Aging::default(),
            checkpoint: None,
            journal: journaled.then(Vec::new),
        }
    }

    /// What has changed since the last call, in the order in which it did.
    pub(crate) fn take_journal(&mut self) -> &mut Vec<u8> {
        self.journal.get_or_insert_default()
    }

    /// Begins to keep changes.
    pub(crate) fn keep_journal(&mut self) {
        self.journal = Some(Vec::new());
    }

    /// Makes a change and notes it.
    fn make(&mut self, change: Change<'_>) -> Result<(), RecordError> {
        self.note(&change);
        self.apply_change(change)
    }

    /// Notes a change that is made, where somebody writes changes down.
    fn note(&mut self, change: &Change<'_>) {
        if let Some(journal) = &mut self.journal {
            change.write(journal);
        }
    }

    /// Makes a change that is noted. The record of a receipt is not read.
    ///
    /// # Errors
    /// The record of a session or of a delivery cannot be read; nothing has changed.
    fn apply_change(&mut self, change: Change<'_>) -> Result<(), RecordError> {
        match change {
            Change::Agreed(Agreed { name, value }) => {
                self.agreed.insert(name, value);
            }
            Change::Checkpoint(checkpoint) => self.checkpoint = checkpoint,
            Change::Delivery { session, record } => {
                let delivery = DeliveryRecord::read(&record)?.to_delivery(session)?;
                if delivery.state == DeliveryState::Confirmed {
                    self.outbox.remove(session);
                    self.confirmed
                        .insert(*session.as_bytes(), record.into_owned());
                } else {
                    self.outbox.put(delivery);
                }
            }
            Change::Ended { session, at } => self.end_noted(session, at)?,
            Change::Once(Once {
                key,
                value,
                expires,
            }) => {
                self.once.insert(key, (value, expires));
            }
            Change::Receipt { id, record } => {
                self.receipts.insert(*id.as_bytes(), record.into_owned());
            }
            Change::Seen { session, at } => {
                if let Some(place) = self.by_id.get(session)
                    && let Some(entry) = self.sessions.get_mut(place)
                {
                    entry.seen = entry.seen.max(at);
                }
            }
            Change::Session {
                id,
                seen,
                unclaimed,
                record,
            } => {
                let known = (id, seen);
                let whole = 0..record.len();
                let mut session = Incoming::read(&self.hasher, known, &unclaimed, &record, whole)?;
                self.add(&mut session, &record)?;
            }
            Change::Taken(key) => {
                self.once.remove(&key);
            }
            Change::Tombstone(tombstone) => self.bury(tombstone),
        }
        Ok(())
    }

    /// Hands out the receipts and the confirmed deliveries that are to be archived. They can be
    /// read here until [`Model::forget_archived`].
    pub(crate) fn cut(&mut self) -> [Arc<Records>; 2] {
        [self.receipts.cut(), self.confirmed.cut()]
    }

    /// Forgets what was handed out. What comes back is to be dropped where nobody waits for it.
    pub(crate) fn forget_archived(&mut self) -> [Arc<Records>; 2] {
        [self.receipts.forget_old(), self.confirmed.forget_old()]
    }

    fn entry(&self, id: SessionId) -> Option<&Entry> {
        self.sessions.get(self.by_id.get(id)?)
    }

    /// What the digest leads to, and the place of it.
    fn owner(&self, digest: &CredentialDigest) -> Option<(Place, Owner<'_>)> {
        let mut owner = None;
        let place = self.credentials.find(tag(digest), |place| {
            owner = self.at(place, digest);
            owner.is_some()
        })?;
        owner.map(|owner| (place, owner))
    }

    /// What lies at a place, if this digest leads there.
    fn at(&self, place: Place, digest: &CredentialDigest) -> Option<Owner<'_>> {
        if place & TOMBSTONE != 0 {
            let tombstone = self.tombstones.get(place & !TOMBSTONE)?;
            return (tombstone.digest == *digest).then_some(Owner::Tombstone(tombstone));
        }
        let entry = self.sessions.get(place)?;
        // It was read when it came in.
        let record = entry.read().ok()?;
        let known = record.credentials().find(|known| known.digest == *digest)?;
        Some(Owner::Session(entry, record, known))
    }

    /// The live session that a credential opens at `now`, and what the session knows of it.
    fn opened_by(
        &self,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Option<(Place, &Entry, SessionRecord<'_>, Credential)> {
        match self.owner(digest)? {
            (place, Owner::Session(entry, record, known))
                if known.expires > now && entry.is_live(&record, now) =>
            {
                Some((place, entry, record, known))
            }
            _ => None,
        }
    }

    /// The tombstone of a credential that has not expired by itself.
    fn tombstone(&self, digest: &CredentialDigest, now: Timestamp) -> Option<&Tombstone> {
        match self.owner(digest)?.1 {
            Owner::Tombstone(tombstone) if tombstone.expires > now => Some(tombstone),
            Owner::Session(..) | Owner::Tombstone(_) => None,
        }
    }

    /// Ends a session, if it is there, as [`Model::end`] has noted it.
    fn end_noted(&mut self, id: SessionId, at: Timestamp) -> Result<(), RecordError> {
        if let Some(place) = self.by_id.remove(id)
            && let Some(entry) = self.sessions.remove(place)
        {
            self.unlink(place, &entry, &entry.read()?, Some(at));
        }
        Ok(())
    }

    /// Takes a session that has left its place out of everything but `by_id`. Ended at an instant,
    /// it leaves a tombstone for each of its credentials that has not expired by then.
    fn unlink(
        &mut self,
        place: Place,
        entry: &Entry,
        record: &SessionRecord<'_>,
        ended: Option<Timestamp>,
    ) {
        for key in record.idp().into_iter().flat_map(IdpLogin::keys) {
            self.by_idp.remove(&(key, entry.id));
        }
        self.release(entry);
        for credential in record.credentials() {
            let tag = tag(&credential.digest);
            if ended.is_none_or(|at| credential.expires <= at) {
                self.credentials.remove(tag, place);
                continue;
            }
            // Nothing else lies under a digest that leads here, so the tombstone takes its place.
            let tombstones = &mut self.tombstones;
            self.credentials.replace_with(tag, place, || {
                let tombstone = Tombstone {
                    digest: credential.digest,
                    session: entry.id,
                    expires: credential.expires,
                };
                tombstones.insert(tombstone) | TOMBSTONE
            });
        }
        let SessionTags {
            person,
            sign_on,
            subject,
        } = self.hasher.tags_of(record);
        let sessions = &mut self.sessions;
        if let Some(person) = person {
            let link = &entry.links[By::Person as usize];
            self.by_person.remove(sessions, person, place, link);
        }
        if let Some(sign_on) = sign_on {
            let link = &entry.links[By::SignOn as usize];
            self.by_sign_on.remove(sessions, sign_on, place, link);
        }
        let link = &entry.links[By::Subject as usize];
        self.by_subject.remove(sessions, subject, place, link);
    }

    /// Lays a tombstone in place of whatever lies under the digest.
    fn bury(&mut self, tombstone: Tombstone) {
        self.free(&tombstone.digest);
        let place = self.tombstones.insert(tombstone);
        self.credentials
            .insert(tag(&tombstone.digest), place | TOMBSTONE);
    }

    /// Lets the digest lead nowhere.
    fn free(&mut self, digest: &CredentialDigest) {
        let found = self.owner(digest).map(|(place, _)| place);
        if let Some(place) = found {
            self.credentials.remove(tag(digest), place);
            if place & TOMBSTONE != 0 {
                self.tombstones.remove(place & !TOMBSTONE);
            }
        }
    }

    fn put_receipt(&mut self, receipt: &Receipt) -> Result<(), RecordError> {
        let record = record::receipt(receipt)?;
        self.make(Change::Receipt {
            id: receipt.id,
            record: record.into(),
        })
    }
}
