//! Changes that are read back from a disk, many at once.

use std::hint::black_box;

use logout_core::delivery::DeliveryState;
use logout_core::session::SessionId;

use super::Model;
use super::change::Change;
use super::incoming::Incoming;
use super::slab::Place;
use super::tags::TagHasher;
use crate::record::{self, DeliveryRecord, RecordError};

/// Reads changes for a model. It needs nothing of the state, so it can do so in another thread.
#[derive(Debug)]
pub(crate) struct BatchReader {
    hasher: TagHasher,
}

/// Changes that were read, in their order.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// What they are read from.
    pub(crate) content: Vec<u8>,
    steps: Vec<Step>,
    /// Whether the archive has the receipts and the confirmed deliveries among them.
    is_archived: bool,
}

#[derive(Debug)]
enum Step {
    Session(Incoming),
    /// It is taken out when it is made.
    Other(Option<Change<'static>>),
}

impl Batch {
    /// Empties it, so that its memory can be used again.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.content.clear();
    }
}

impl BatchReader {
    /// Reads all changes in the content of a batch. With `is_archived`, the archive has the
    /// receipts and the confirmed deliveries among them.
    ///
    /// # Errors
    /// A change or a record cannot be read.
    pub(crate) fn read(&self, batch: &mut Batch, is_archived: bool) -> Result<(), RecordError> {
        let Batch { steps, content, .. } = batch;
        let mut rest = content.as_slice();
        while !rest.is_empty() {
            let change = Change::read(&mut rest)?;
            steps.push(match change {
                Change::Session {
                    id,
                    seen,
                    unclaimed,
                    record,
                } => {
                    // The record is the last part of the change.
                    let end = content.len() - rest.len();
                    let whole = end - record.len()..end;
                    let incoming =
                        Incoming::read(&self.hasher, (id, seen), &unclaimed, content, whole);
                    Step::Session(incoming?)
                }
                Change::Receipt { .. } if is_archived => continue,
                Change::Receipt { id, ref record } => {
                    record::read_receipt(id, record)?;
                    Step::Other(Some(change.into_owned()))
                }
                change => Step::Other(Some(change.into_owned())),
            });
        }
        batch.is_archived = is_archived;
        Ok(())
    }
}

impl Model {
    /// What reads changes for this model.
    pub(crate) fn batch_reader(&self) -> BatchReader {
        BatchReader {
            hasher: self.hasher.clone(),
        }
    }

    /// Makes changes that were noted before.
    ///
    /// # Errors
    /// The record of a delivery cannot be read.
    pub(crate) fn apply(&mut self, batch: &mut Batch) -> Result<(), RecordError> {
        self.warm(batch);
        for step in &mut batch.steps {
            match step {
                Step::Session(session) => self.add(session, &batch.content)?,
                Step::Other(change) => match change.take() {
                    Some(Change::Delivery { session, record }) if batch.is_archived => {
                        self.deliver_archived(session, &record)?;
                    }
                    Some(change) => self.apply_change(change)?,
                    None => {}
                },
            }
        }
        Ok(())
    }

    /// Looks once for what the sessions of a batch need in the tables. A change waits for memory
    /// that is far away, and the next change waits for it. These looks wait for nothing of each
    /// other, so memory answers many at once, and the changes find all of it near.
    fn warm(&self, batch: &Batch) {
        let warmed = batch.steps.iter().map(|step| match step {
            Step::Session(session) => self.warm_tags(session),
            Step::Other(_) => 0,
        });
        black_box(warmed.fold(0, |all, place| all ^ place));
    }

    fn warm_tags(&self, session: &Incoming) -> Place {
        let tags = session.tags();
        let heads = [
            (&self.by_person, tags.person),
            (&self.by_sign_on, tags.sign_on),
            (&self.by_subject, Some(tags.subject)),
        ];
        let heads = heads.map(|(chains, tag)| tag.map_or(0, |tag| chains.warm(tag)));
        let claimed = session.claimed_tags();
        let claimed = claimed.map(|tag| self.credentials.warm(tag));
        claimed.chain(heads).fold(0, |all, place| all ^ place)
    }

    fn deliver_archived(&mut self, session: SessionId, record: &[u8]) -> Result<(), RecordError> {
        let delivery = DeliveryRecord::read(record)?.to_delivery(session)?;
        if delivery.state == DeliveryState::Confirmed {
            self.outbox.remove(session);
        } else {
            self.outbox.put(delivery);
        }
        Ok(())
    }
}
