//! Deliveries, among the operations that share one commit.

use logout_core::delivery::{Delivery, DeliveryState, Settlement};
use logout_core::platform::PlatformName;
use logout_core::session::{Session, SessionId};
use logout_core::store::EndOrder;
use logout_core::time::Timestamp;
use tokio::sync::oneshot::Sender;

use super::{Answer, Decided, Group};
use crate::embedded::engine::ReadFault;
use crate::embedded::queue::Job;
use crate::embedded::record::{CredentialRecord, DeliveryRecord, Fate, RecordFault, SessionRecord};
use crate::embedded::table::Table;

/// A delivery that an order calls for, ready to be written.
pub(super) struct Posted {
    session: SessionId,
    platform: PlatformName,
    record: Vec<u8>,
}

/// What the order to end `sessions` calls for.
pub(super) fn posted(sessions: &[(SessionId, SessionRecord<'_>)], order: &EndOrder) -> Result<Vec<Posted>, RecordFault> {
    let mut all = Vec::new();
    for (session, ended) in sessions {
        if let Some(record) = DeliveryRecord::of_ended(ended, order) {
            all.push(Posted { session: *session, platform: PlatformName::new(record.platform()), record: record.to_bytes()? });
        }
    }
    Ok(all)
}

impl Group<'_> {
    pub(super) fn post(&mut self, all: Vec<Posted>, at: Timestamp) {
        for Posted { session, platform, record } in all {
            self.write(Table::Pending, session.as_bytes(), record);
            self.due.put(session, platform.as_str(), at);
        }
    }

    /// Whether a credential of a session that has an upstream is a tombstone: what its session was ended for must not come
    /// back to life under another one.
    pub(super) fn is_ended_credential_of(&self, session: &Session, now: Timestamp) -> Result<bool, ReadFault> {
        if session.sealed.is_none() {
            return Ok(false);
        }
        for credential in &session.credentials {
            let Some(bytes) = self.engine.read(Table::Credentials, credential.digest.as_bytes())? else { continue };
            let CredentialRecord { session, expires } = CredentialRecord::read(&bytes)?;
            let has_ended =
                || Ok::<_, ReadFault>(self.ended.contains(&session) || self.engine.read(Table::Sessions, session.as_bytes())?.is_none());
            if expires > now && has_ended()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn lease(
        &mut self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
        reply: Sender<Vec<(SessionId, u64)>>,
    ) -> Decided {
        let leased = self.due.lease(platform, limit, now, until);
        self.answers.push(Answer::Leased(reply, leased));
        Decided::Done
    }

    pub(super) fn next_due(&mut self, platform: &PlatformName, reply: Sender<Option<Timestamp>>) -> Decided {
        let next = self.due.next(platform);
        self.answers.push(Answer::Due(reply, next));
        Decided::Done
    }

    pub(super) fn settle(
        &mut self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
        reply: Sender<bool>,
    ) -> Result<Decided, ReadFault> {
        if self.deliveries.contains(&session) {
            return Ok(Decided::Conflict(Job::Settle { session, lease, settlement, reply }));
        }
        let pending = if self.due.is_held(session, lease) { self.delivery_in(Table::Pending, session)? } else { None };
        let settled = match pending {
            None => false,
            Some(mut delivery) => {
                delivery.settle(&settlement);
                self.keep(&delivery, Table::Pending)?;
                if delivery.state == DeliveryState::Pending {
                    self.due.put(session, delivery.platform.as_str(), delivery.due);
                } else {
                    self.due.remove(session);
                }
                true
            }
        };
        self.answers.push(Answer::Flag(reply, settled));
        Ok(Decided::Done)
    }

    pub(super) fn retry(&mut self, session: SessionId, now: Timestamp, reply: Sender<bool>) -> Result<Decided, ReadFault> {
        if self.deliveries.contains(&session) {
            return Ok(Decided::Conflict(Job::Retry { session, now, reply }));
        }
        let found = match self.delivery_in(Table::Pending, session)? {
            Some(pending) => Some((pending, Table::Pending)),
            None => self.delivery_in(Table::Settled, session)?.map(|settled| (settled, Table::Settled)),
        };
        let due = match found {
            None => false,
            Some((mut delivery, was_in)) => {
                let possible = delivery.try_again(now);
                if possible {
                    self.keep(&delivery, was_in)?;
                    // One that somebody is trying right now stays with them until the lease is over.
                    if !self.due.is_leased(session) {
                        self.due.put(session, delivery.platform.as_str(), now);
                    }
                }
                possible
            }
        };
        self.answers.push(Answer::Flag(reply, due));
        Ok(Decided::Done)
    }

    /// Looks again before it forgets: since housekeeping saw the delivery, somebody may have made it due again.
    pub(super) fn tidy(&mut self, session: SessionId, now: Timestamp, until: Timestamp) -> Result<(), ReadFault> {
        if self.deliveries.contains(&session) {
            return Ok(());
        }
        let Some(bytes) = self.engine.read(Table::Settled, session.as_bytes())? else { return Ok(()) };
        let record = DeliveryRecord::read(&bytes)?;
        match record.fate(now, until) {
            Fate::Forget => self.remove(Table::Settled, session.as_bytes()),
            Fate::Keep => return Ok(()),
            Fate::Unseal => {
                let unsealed = record.unsealed().to_bytes()?;
                self.write(Table::Settled, session.as_bytes(), unsealed);
            }
        }
        self.deliveries.insert(session);
        Ok(())
    }

    fn delivery_in(&self, table: Table, session: SessionId) -> Result<Option<Delivery>, ReadFault> {
        let Some(bytes) = self.engine.read(table, session.as_bytes())? else { return Ok(None) };
        Ok(Some(DeliveryRecord::read(&bytes)?.to_delivery(session)?))
    }

    /// Puts a changed delivery where its state belongs, and takes it from where it was.
    fn keep(&mut self, delivery: &Delivery, was_in: Table) -> Result<(), RecordFault> {
        let record = DeliveryRecord::of(delivery).to_bytes()?;
        let key = delivery.session.as_bytes();
        let table = if delivery.state == DeliveryState::Pending { Table::Pending } else { Table::Settled };
        if table != was_in {
            self.remove(was_in, key);
        }
        self.write(table, key, record);
        self.deliveries.insert(delivery.session);
        self.durable = true;
        Ok(())
    }
}
