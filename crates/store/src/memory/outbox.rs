//! The outbox of the store in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use logout_core::delivery::{Delivery, DeliveryState, Leased, Settlement};
use logout_core::outbox::DeliveryFilter;
use logout_core::platform::PlatformName;
use logout_core::session::SessionId;
use logout_core::store::Page;
use logout_core::time::Timestamp;

/// Deliveries, and when each that is pending can be leased.
#[derive(Debug, Default)]
pub(super) struct MemoryOutbox {
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

impl MemoryOutbox {
    pub(super) fn insert(&mut self, delivery: Delivery) {
        let (session, due) = (delivery.session, delivery.due);
        let waits = delivery.state == DeliveryState::Pending;
        self.rows.insert(
            session,
            Row {
                delivery,
                lease: 0,
                queued: None,
            },
        );
        self.queue(session, waits.then_some(due));
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn lease(
        &mut self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<Leased> {
        let due = self.due.get(platform).into_iter().flatten();
        let sessions: Vec<_> = due
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .map(|(_, session)| *session)
            .collect();
        let mut leased = Vec::with_capacity(sessions.len());
        for session in sessions {
            self.queue(session, Some(until));
            if let Some(row) = self.rows.get_mut(&session) {
                row.lease += 1;
                leased.push(Leased {
                    delivery: row.delivery.clone(),
                    lease: row.lease,
                });
            }
        }
        leased
    }

    pub(super) fn settle(
        &mut self,
        session: SessionId,
        lease: u64,
        settlement: &Settlement,
    ) -> bool {
        let current =
            |row: &&mut Row| row.lease == lease && row.delivery.state == DeliveryState::Pending;
        let Some(row) = self.rows.get_mut(&session).filter(current) else {
            return false;
        };
        row.delivery.settle(settlement);
        // The lease is over: the same one cannot settle twice.
        row.lease += 1;
        let queued = (row.delivery.state == DeliveryState::Pending).then_some(row.delivery.due);
        self.queue(session, queued);
        true
    }

    pub(super) fn next_due(&self, platform: &PlatformName) -> Option<Timestamp> {
        self.due.get(platform)?.first().map(|(at, _)| *at)
    }

    pub(super) fn of(&self, session: SessionId) -> Option<&Delivery> {
        self.rows.get(&session).map(|row| &row.delivery)
    }

    pub(super) fn list(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Page<Delivery, SessionId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let matching = self
            .rows
            .range((from, Bound::Unbounded))
            .map(|(_, row)| &row.delivery);
        let mut matching = matching
            .filter(|delivery| filter.matches(delivery))
            .cloned();
        let items: Vec<_> = matching.by_ref().take(limit).collect();
        let next = matching
            .next()
            .and(items.last())
            .map(|delivery| delivery.session);
        Page { items, next }
    }

    pub(super) fn retry(&mut self, session: SessionId, now: Timestamp) -> bool {
        let Some(row) = self.rows.get_mut(&session) else {
            return false;
        };
        let waits = row.delivery.state == DeliveryState::Pending;
        // One that somebody is trying right now stays with them until the lease is over.
        let leased = waits && row.queued.is_some_and(|queued| queued != row.delivery.due);
        let possible = row.delivery.try_again(now);
        if possible && !leased {
            self.queue(session, Some(now));
        }
        possible
    }

    pub(super) fn forget(&mut self, now: Timestamp, until: Timestamp) {
        self.rows.retain(|_, row| {
            row.delivery.state == DeliveryState::Pending || row.delivery.created >= until
        });
        let given_up = self.rows.values_mut().filter(|row| {
            row.delivery.state == DeliveryState::GivenUp && row.delivery.expires <= now
        });
        given_up.for_each(|row| row.delivery.sealed = None);
    }

    fn queue(&mut self, session: SessionId, at: Option<Timestamp>) {
        let Some(row) = self.rows.get_mut(&session) else {
            return;
        };
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
