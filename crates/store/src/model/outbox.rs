//! Deliveries: which are due, who has leased them, and what became of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use logout_core::delivery::{Delivery, Leased, Settlement};
use logout_core::platform::PlatformName;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;

use super::Model;
use crate::record::RecordError;
use crate::rules::OutboxRow;

/// Deliveries, and when each that is pending can be leased. Leases are not part of the state that
/// is written down.
#[derive(Debug, Default)]
pub(super) struct Queue {
    rows: BTreeMap<SessionId, OutboxRow>,
    due: HashMap<PlatformName, BTreeSet<(Timestamp, SessionId)>>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, session: SessionId) -> Option<&Delivery> {
        self.rows.get(&session).map(|row| &row.delivery)
    }

    pub(super) fn after(&self, after: Option<SessionId>) -> impl Iterator<Item = &Delivery> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows.range((from, Bound::Unbounded));
        rows.map(|(_, row)| &row.delivery)
    }

    /// Puts a delivery in place of what was known of it, and queues it if it is pending. Its lease,
    /// if there was one, is over.
    pub(super) fn put(&mut self, delivery: Delivery) {
        let lease = self.rows.get(&delivery.session);
        let lease = lease.map_or(0, |before| before.lease + 1);
        self.set(OutboxRow {
            lease,
            ..OutboxRow::new(delivery)
        });
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        if let Some(row) = self.rows.remove(&session)
            && let Some(ready) = row.ready
            && let Some(queue) = self.due.get_mut(&row.delivery.platform)
        {
            queue.remove(&(ready, session));
        }
    }

    fn set(&mut self, row: OutboxRow) {
        let session = row.delivery.session;
        self.remove(session);
        if let Some(ready) = row.ready {
            let queue = self.due.entry(row.delivery.platform.clone()).or_default();
            queue.insert((ready, session));
        }
        self.rows.insert(session, row);
    }
}

impl Model {
    pub(crate) fn lease(
        &mut self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<Leased> {
        let queue = &mut self.outbox;
        let due = queue.due.get(platform).into_iter().flatten();
        let sessions: Vec<_> = due
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .map(|(_, session)| *session)
            .collect();
        let mut leased = Vec::with_capacity(sessions.len());
        for session in sessions {
            if let Some(mut row) = queue.rows.get(&session).cloned() {
                row.lease(until);
                leased.push(Leased {
                    delivery: row.delivery.clone(),
                    lease: row.lease,
                });
                queue.set(row);
            }
        }
        leased
    }

    pub(crate) fn settle(
        &mut self,
        session: SessionId,
        lease: u64,
        settlement: &Settlement,
    ) -> Result<bool, RecordError> {
        self.change_delivery(session, |row| row.settle(lease, settlement))
    }

    pub(crate) fn acknowledge(
        &mut self,
        session: SessionId,
        settlement: &Settlement,
    ) -> Result<bool, RecordError> {
        self.change_delivery(session, |row| row.acknowledge(settlement))
    }

    /// Changes a delivery by a rule that ends its lease, unless the rule says no.
    fn change_delivery(
        &mut self,
        session: SessionId,
        rule: impl FnOnce(&mut OutboxRow) -> bool,
    ) -> Result<bool, RecordError> {
        let Some(mut row) = self.outbox.rows.get(&session).cloned() else {
            return Ok(false);
        };
        let counts = rule(&mut row);
        if counts {
            self.put_delivery(&row.delivery)?;
        }
        Ok(counts)
    }

    pub(crate) fn next_due(&self, platform: &PlatformName) -> Option<Timestamp> {
        self.outbox.due.get(platform)?.first().map(|(at, _)| *at)
    }

    pub(crate) fn retry(
        &mut self,
        session: SessionId,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        let Some(mut row) = self.outbox.rows.get(&session).cloned() else {
            return Ok(false);
        };
        let is_possible = row.retry(now);
        if is_possible {
            self.put_delivery(&row.delivery)?;
            // Leases are not written down, so this one would be over.
            self.outbox.set(row);
        }
        Ok(is_possible)
    }
}
