//! What is read in pages.

use logout_core::delivery::Delivery;
use logout_core::receipt::{Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::SessionFilter;
use logout_core::time::Timestamp;

use super::{By, Entry, Key, Model};
use crate::record::{self, DeliveryRecord, RecordError, SessionRecord};

/// A part of a listing: what was found, and where to look on; nowhere when everything was seen.
#[derive(Debug)]
pub(crate) struct Listed<T, K> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<K>,
}

impl Model {
    /// Live sessions behind `after`, in the order of ids: at most `limit`, after a look at no more
    /// than `looks` of them.
    pub(crate) fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        looks: usize,
        now: Timestamp,
    ) -> Result<Listed<Session, SessionId>, RecordError> {
        let mut listed = Listed {
            items: Vec::new(),
            next: None,
        };
        let mut look = |entry: &Entry| -> Result<bool, RecordError> {
            let record = entry.read()?;
            if entry.is_live(&record, now) && matches(filter, &record) {
                let record = self.whole(entry, record);
                listed.items.push(record.to_session(entry.id, entry.seen));
            }
            Ok(listed.items.len() == limit)
        };
        if let Some(ids) = self.indexed(filter)? {
            let from = after.map_or(0, |after| ids.partition_point(|id| *id <= after));
            for (number, id) in ids[from..].iter().enumerate() {
                let is_enough = self.entry(*id).map_or(Ok(false), &mut look)?;
                if is_enough || number + 1 == looks {
                    listed.next = (from + number + 1 < ids.len()).then_some(*id);
                    break;
                }
            }
            return Ok(listed);
        }
        let mut ahead = self.by_id.after(after);
        for (number, (id, place)) in ahead.by_ref().enumerate() {
            let is_enough = self.sessions.get(place).map_or(Ok(false), &mut look)?;
            if is_enough || number + 1 == looks {
                listed.next = Some(id);
                break;
            }
        }
        listed.next = listed.next.filter(|_| ahead.next().is_some());
        Ok(listed)
    }

    /// The sessions among which those of a filter are, where an index knows.
    fn indexed(&self, filter: &SessionFilter) -> Result<Option<Vec<SessionId>>, RecordError> {
        if let Some(login) = &filter.idp {
            let key = login.narrowest_key();
            let (first, last) = (
                SessionId::from_bytes([0; 16]),
                SessionId::from_bytes([255; 16]),
            );
            let ids = self.by_idp.range((key, first)..=(key, last));
            return Ok(Some(ids.map(|(_, id)| *id).collect()));
        }
        let (by, tag) = match (&filter.person, &filter.platform, &filter.subject) {
            (Some(person), _, _) => (By::Person, self.hasher.person(person.as_str())),
            (None, Some(platform), Some(subject)) => (
                By::Subject,
                self.hasher
                    .subject(platform.as_str(), &subject.realm, &subject.name),
            ),
            _ => return Ok(None),
        };
        self.under(by, tag, |record| matches(filter, record))
            .map(Some)
    }

    pub(crate) fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, RecordError> {
        self.receipts
            .get(id.as_bytes())
            .map(|bytes| record::read_receipt(id, bytes))
            .transpose()
    }

    /// The latest receipts before `before`, at most `limit`, as records.
    pub(crate) fn receipts_before(&self, before: Option<Key>, limit: usize) -> Vec<(Key, Vec<u8>)> {
        self.receipts.before(before, limit)
    }

    /// The first receipts behind `after`, at most `limit`, as records.
    pub(crate) fn receipts_after(&self, after: Option<Key>, limit: usize) -> Vec<(Key, Vec<u8>)> {
        self.receipts.after(after, limit)
    }

    pub(crate) fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, RecordError> {
        if let Some(delivery) = self.outbox.get(session) {
            return Ok(Some(delivery.clone()));
        }
        self.confirmed
            .get(session.as_bytes())
            .map(|bytes| DeliveryRecord::read(bytes)?.to_delivery(session))
            .transpose()
    }

    /// The first deliveries behind `after` that are not confirmed, at most `limit`.
    pub(crate) fn unconfirmed_after(&self, after: Option<Key>, limit: usize) -> Vec<Delivery> {
        let after = after.map(SessionId::from_bytes);
        self.outbox.after(after).take(limit).cloned().collect()
    }

    /// The first confirmed deliveries behind `after`, at most `limit`, as records.
    pub(crate) fn confirmed_after(&self, after: Option<Key>, limit: usize) -> Vec<(Key, Vec<u8>)> {
        self.confirmed.after(after, limit)
    }
}

/// As `SessionFilter::matches`.
fn matches(filter: &SessionFilter, record: &SessionRecord<'_>) -> bool {
    filter
        .person
        .as_ref()
        .is_none_or(|person| record.person() == Some(person.as_str()))
        && filter
            .platform
            .as_ref()
            .is_none_or(|platform| record.platform() == platform.as_str())
        && filter.subject.as_ref().is_none_or(|subject| {
            record.realm() == &*subject.realm && record.name() == &*subject.name
        })
        && filter
            .idp
            .as_ref()
            .is_none_or(|login| record.idp().is_some_and(|own| login.includes(own)))
}
