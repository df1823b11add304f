//! Deliveries: which are due, who has leased them, and what became of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use logout_core::delivery::{Delivery, DeliveryState, Leased, Settlement};
use logout_core::platform::PlatformName;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;

use super::Model;
use crate::record::RecordError;

/// Deliveries, and when each that is pending can be leased. Leases are not part of the state that
/// is written down.
#[derive(Debug, Default)]
pub(super) struct Queue {
    rows: BTreeMap<SessionId, Row>,
    due: HashMap<PlatformName, BTreeSet<(Timestamp, SessionId)>>,
}

#[derive(Debug)]
struct Row {
    delivery: Delivery,
    /// Counts leases; the latest is the one that counts.
    lease: u64,
    /// Where it stands in `due`: its own instant, or the end of its lease. Absent when it is not
    /// pending.
    queued: Option<Timestamp>,
}

impl Row {
    fn is_pending(&self) -> bool {
        self.delivery.state == DeliveryState::Pending
    }
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
        let (session, due) = (delivery.session, delivery.due);
        let row = match self.rows.remove(&session) {
            Some(row) => Row {
                delivery,
                lease: row.lease + 1,
                queued: row.queued,
            },
            None => Row {
                delivery,
                lease: 0,
                queued: None,
            },
        };
        let queued = row.is_pending().then_some(due);
        self.rows.insert(session, row);
        self.queue(session, queued);
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        self.queue(session, None);
        self.rows.remove(&session);
    }

    fn queue(&mut self, session: SessionId, at: Option<Timestamp>) {
        let Some(row) = self.rows.get_mut(&session) else {
            return;
        };
        if row.queued.is_none() && at.is_none() {
            return;
        }
        let queue = self.due.entry(row.delivery.platform.clone()).or_default();
        if let Some(before) = row.queued {
            queue.remove(&(before, session));
        }
        row.queued = at;
        if let Some(at) = at {
            queue.insert((at, session));
        }
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
            queue.queue(session, Some(until));
            if let Some(row) = queue.rows.get_mut(&session) {
                row.lease += 1;
                leased.push(Leased {
                    delivery: row.delivery.clone(),
                    lease: row.lease,
                });
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
        let row = self.outbox.rows.get(&session);
        let Some(row) = row.filter(|row| row.lease == lease && row.is_pending()) else {
            return Ok(false);
        };
        let mut delivery = row.delivery.clone();
        delivery.settle(settlement);
        self.put_delivery(&delivery)?;
        Ok(true)
    }

    pub(crate) fn next_due(&self, platform: &PlatformName) -> Option<Timestamp> {
        self.outbox.due.get(platform)?.first().map(|(at, _)| *at)
    }

    pub(crate) fn retry(
        &mut self,
        session: SessionId,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        let Some(row) = self.outbox.rows.get(&session) else {
            return Ok(false);
        };
        // One that is being tried right now stays leased until the lease is over.
        let leased = row
            .queued
            .filter(|queued| row.is_pending() && *queued != row.delivery.due)
            .map(|until| (until, row.lease));
        let mut delivery = row.delivery.clone();
        let possible = delivery.try_again(now);
        if possible {
            self.put_delivery(&delivery)?;
            if let Some((until, lease)) = leased {
                self.outbox.queue(session, Some(until));
                if let Some(row) = self.outbox.rows.get_mut(&session) {
                    row.lease = lease;
                }
            }
        }
        Ok(possible)
    }
}
