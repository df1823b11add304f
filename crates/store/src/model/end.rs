//! How sessions end: which ones a sign-out means, and what remains of them.

use logout_core::delivery::Delivery;
use logout_core::receipt::{EndedSession, Reach};
use logout_core::session::SessionId;
use logout_core::store::{ByCredential, EndOrder, EndTarget};
use logout_core::time::Timestamp;

use super::slab::Place;
use super::tags::Tag;
use super::{By, Chains, Change, Model};
use crate::record::{DeliveryRecord, RecordError, SessionRecord};

impl Model {
    /// Carries an order out as a whole. Nothing changes where it ends nothing.
    pub(crate) fn end(&mut self, order: &EndOrder) -> Result<Vec<EndedSession>, RecordError> {
        let mut ended = Vec::with_capacity(1);
        for target in &order.targets {
            for place in self.targets(target, order.at)? {
                ended.extend(self.end_session(place, order)?);
            }
        }
        if ended.is_empty() {
            return Ok(ended);
        }
        let receipt = order.receipt_for(ended);
        self.put_receipt(&receipt)?;
        Ok(receipt.sessions)
    }

    fn end_session(
        &mut self,
        place: Place,
        order: &EndOrder,
    ) -> Result<Option<EndedSession>, RecordError> {
        let Some(entry) = self.sessions.remove(place) else {
            return Ok(None);
        };
        let record = entry.read()?;
        let ended = record.to_ended(entry.id);
        let delivery = ended
            .upstream
            .then(|| record.to_session(entry.id, entry.seen))
            .and_then(|session| Delivery::of(&session, order.receipt, order.at));
        // As applying the change does, but the record is at hand.
        self.note(&Change::Ended {
            session: entry.id,
            at: order.at,
        });
        self.by_id.remove(entry.id);
        self.unlink(place, &entry, &record, Some(order.at));
        if let Some(delivery) = delivery {
            self.put_delivery(&delivery)?;
        }
        Ok(Some(ended))
    }

    /// The places of the sessions that a target means, each once.
    fn targets(&self, target: &EndTarget, at: Timestamp) -> Result<Vec<Place>, RecordError> {
        match target {
            EndTarget::Credential(by) => self.by_credential(by, at),
            EndTarget::Expired(id) => {
                let mut places = self.place(*id);
                if let Some(entry) = places.first().and_then(|place| self.sessions.get(*place))
                    && entry.is_live(&entry.read()?, at)
                {
                    places.clear();
                }
                Ok(places)
            }
            EndTarget::Person(person) => {
                let tag = self.hasher.person(person.as_str());
                self.places_under(By::Person, tag, |record| {
                    record.person() == Some(person.as_str())
                })
            }
            EndTarget::Platform(platform) => {
                let mut places = Vec::new();
                for (_, place) in self.by_id.after(None) {
                    if let Some(entry) = self.sessions.get(place)
                        && entry.read()?.platform() == platform.as_str()
                    {
                        places.push(place);
                    }
                }
                Ok(places)
            }
            EndTarget::Session(id) => Ok(self.place(*id)),
            EndTarget::SignOn(id) => {
                self.places_under(By::SignOn, super::sign_on_tag(*id), |record| {
                    record.sign_on() == Some(*id)
                })
            }
            EndTarget::Subject(platform, subject) => {
                let tag = self
                    .hasher
                    .subject(platform.as_str(), &subject.realm, &subject.name);
                self.places_under(By::Subject, tag, |record| {
                    record.platform() == platform.as_str()
                        && record.realm() == &*subject.realm
                        && record.name() == &*subject.name
                })
            }
        }
    }

    /// The session that a credential opens, if the request may end it, and what its reach adds.
    fn by_credential(&self, by: &ByCredential, at: Timestamp) -> Result<Vec<Place>, RecordError> {
        let Some((place, entry, record, known)) = self.opened_by(&by.digest, at) else {
            return Ok(Vec::new());
        };
        if !by.admits(record.client(), record.csrf().as_ref(), known.csrf_due) {
            return Ok(Vec::new());
        }
        if by.reach == Reach::Session {
            return Ok(vec![place]);
        }
        let session = record.to_session(entry.id, entry.seen);
        let mut places = Vec::new();
        for target in EndTarget::of(&session, by.reach) {
            places.extend(self.targets(&target, at)?);
        }
        Ok(places)
    }

    /// The place of a session, if it is there.
    fn place(&self, id: SessionId) -> Vec<Place> {
        self.by_id.get(id).into_iter().collect()
    }

    /// As [`Model::under`], the places.
    fn places_under(
        &self,
        by: By,
        tag: Tag,
        matches: impl Fn(&SessionRecord<'_>) -> bool,
    ) -> Result<Vec<Place>, RecordError> {
        let ids = self.under(by, tag, matches)?;
        Ok(ids.into_iter().flat_map(|id| self.place(id)).collect())
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
            record: DeliveryRecord::of(delivery).to_bytes()?.into(),
        })
    }
}
