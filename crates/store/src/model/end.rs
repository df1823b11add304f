//! How sessions end: which ones a sign-out means, and what remains of them.

use logout_core::delivery::Delivery;
use logout_core::receipt::{EndedSession, Reach};
use logout_core::session::SessionId;
use logout_core::store::{ByCredential, EndOrder, EndTarget};
use logout_core::time::Timestamp;

use super::tags::Tag;
use super::{By, Chains, Change, Model};
use crate::record::{DeliveryRecord, RecordError, SessionRecord};

impl Model {
    /// Carries an order out as a whole. Nothing changes where it ends nothing.
    pub(crate) fn end(&mut self, order: &EndOrder) -> Result<Vec<EndedSession>, RecordError> {
        let mut ended = Vec::with_capacity(1);
        for target in &order.targets {
            for id in self.targets(target, order.at)? {
                ended.extend(self.end_session(id, order)?);
            }
        }
        if !ended.is_empty() {
            self.put_receipt(&order.receipt_for(ended.clone()))?;
        }
        Ok(ended)
    }

    fn end_session(
        &mut self,
        id: SessionId,
        order: &EndOrder,
    ) -> Result<Option<EndedSession>, RecordError> {
        let Some(entry) = self.entry(id) else {
            return Ok(None);
        };
        let record = entry.read()?;
        let ended = record.to_ended(id);
        let delivery = ended
            .upstream
            .then(|| record.to_session(id, entry.seen))
            .and_then(|session| Delivery::of(&session, order.receipt, order.at));
        self.make(Change::Ended {
            session: id,
            at: order.at,
        })?;
        if let Some(delivery) = delivery {
            self.put_delivery(&delivery)?;
        }
        Ok(Some(ended))
    }

    /// The sessions that a target means, each once.
    fn targets(&self, target: &EndTarget, at: Timestamp) -> Result<Vec<SessionId>, RecordError> {
        match target {
            EndTarget::Credential(by) => self.by_credential(by, at),
            EndTarget::Expired(id) => {
                let Some(entry) = self.entry(*id) else {
                    return Ok(Vec::new());
                };
                let has_expired = !entry.is_live(&entry.read()?, at);
                Ok(has_expired.then_some(*id).into_iter().collect())
            }
            EndTarget::Person(person) => {
                self.under(By::Person, self.person_tag(person.as_str()), |record| {
                    record.person() == Some(person.as_str())
                })
            }
            EndTarget::Platform(platform) => {
                let mut ids = Vec::new();
                for (id, place) in &self.by_id {
                    if let Some(entry) = self.sessions.get(*place)
                        && entry.read()?.platform() == platform.as_str()
                    {
                        ids.push(*id);
                    }
                }
                Ok(ids)
            }
            EndTarget::Session(id) => Ok(vec![*id]),
            EndTarget::SignOn(id) => self.under(By::SignOn, super::sign_on_tag(*id), |record| {
                record.sign_on() == Some(*id)
            }),
            EndTarget::Subject(platform, subject) => {
                let tag = self.subject_tag(platform.as_str(), &subject.realm, &subject.name);
                self.under(By::Subject, tag, |record| {
                    record.platform() == platform.as_str()
                        && record.realm() == &*subject.realm
                        && record.name() == &*subject.name
                })
            }
        }
    }

    /// The session that a credential opens, if the request may end it, and what its reach adds.
    fn by_credential(
        &self,
        by: &ByCredential,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, RecordError> {
        let Some((entry, record, known)) = self.opened_by(&by.digest, at) else {
            return Ok(Vec::new());
        };
        if !by.admits(record.client(), record.csrf().as_ref(), known.csrf_due) {
            return Ok(Vec::new());
        }
        if by.reach == Reach::Session {
            return Ok(vec![entry.id]);
        }
        let session = record.to_session(entry.id, entry.seen);
        let mut ids = Vec::new();
        for target in EndTarget::of(&session, by.reach) {
            ids.extend(self.targets(&target, at)?);
        }
        Ok(ids)
    }

    /// The sessions under a tag that `matches` really means, in the order of their ids.
    pub(super) fn under(
        &self,
        by: By,
        tag: Tag,
        matches: impl Fn(&SessionRecord<'_>) -> bool,
    ) -> Result<Vec<SessionId>, RecordError> {
        let mut ids = Vec::new();
        for entry in self.chains(by).under(&self.sessions, tag) {
            if matches(&entry.read()?) {
                ids.push(entry.id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Whether one of the sessions under a tag is live.
    pub(super) fn is_any_live(
        &self,
        by: By,
        tag: Tag,
        now: Timestamp,
        matches: impl Fn(&SessionRecord<'_>) -> bool,
    ) -> Result<bool, RecordError> {
        for entry in self.chains(by).under(&self.sessions, tag) {
            let record = entry.read()?;
            if matches(&record) && entry.is_live(&record, now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn chains(&self, by: By) -> &Chains {
        match by {
            By::Person => &self.by_person,
            By::SignOn => &self.by_sign_on,
            By::Subject => &self.by_subject,
        }
    }

    pub(super) fn put_delivery(&mut self, delivery: &Delivery) -> Result<(), RecordError> {
        self.make(Change::Delivery {
            session: delivery.session,
            record: DeliveryRecord::of(delivery).to_bytes()?,
        })
    }
}
