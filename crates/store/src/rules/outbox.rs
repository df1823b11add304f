//! How a delivery goes through the outbox.

use logout_core::delivery::{Delivery, DeliveryState, Settlement};
use logout_core::time::Timestamp;

/// A delivery, and the lease under which somebody may be trying it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutboxRow {
    pub(crate) delivery: Delivery,
    /// Counts leases; the latest is the one that counts.
    pub(crate) lease: u64,
    /// When it can be leased: its own instant, or the end of its lease. Absent when it is not
    /// pending.
    pub(crate) ready: Option<Timestamp>,
}

impl OutboxRow {
    /// A delivery that nobody holds.
    pub(crate) fn new(delivery: Delivery) -> Self {
        let mut row = Self {
            delivery,
            lease: 0,
            ready: None,
        };
        row.release();
        row
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.delivery.state == DeliveryState::Pending
    }

    pub(crate) fn lease(&mut self, until: Timestamp) {
        self.lease += 1;
        self.ready = Some(until);
    }

    /// Notes what a try under this lease has brought; `false` where the lease does not count. It is
    /// over then: the same one cannot settle twice.
    pub(crate) fn settle(&mut self, lease: u64, settlement: &Settlement) -> bool {
        let counts = self.lease == lease && self.is_pending();
        if counts {
            self.delivery.settle(settlement);
            self.lease += 1;
            self.release();
        }
        counts
    }

    /// Notes what the recipient itself says; `false` where nothing is pending. A lease is over
    /// then.
    pub(crate) fn acknowledge(&mut self, settlement: &Settlement) -> bool {
        self.settle(self.lease, settlement)
    }

    /// As [`Delivery::try_again`]. One that is being tried right now stays leased until the lease
    /// is over.
    pub(crate) fn retry(&mut self, now: Timestamp) -> bool {
        let leased_until = self.ready.filter(|ready| *ready != self.delivery.due);
        let is_possible = self.delivery.try_again(now);
        if is_possible {
            self.ready = Some(leased_until.unwrap_or(now));
        }
        is_possible
    }

    fn release(&mut self) {
        self.ready = self.is_pending().then_some(self.delivery.due);
    }
}

#[cfg(test)]
mod tests {
    use logout_core::credential::Sealed;
    use logout_core::delivery::Outcome;
    use logout_core::receipt::ReceiptId;

    use super::*;
    use crate::record::tests::session;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn row() -> OutboxRow {
        let mut session = session();
        session.sealed = Some(Sealed::new(*b"sealed"));
        let receipt = ReceiptId::from_bytes([9; 16]);
        OutboxRow::new(Delivery::of(&session, receipt, at(300)).unwrap())
    }

    fn outcome(outcome: Outcome) -> Settlement {
        Settlement {
            attempt: None,
            outcome,
        }
    }

    #[test]
    fn only_the_latest_lease_settles_and_only_once() {
        let mut row = row();
        row.lease(at(400));
        let first = row.lease;
        row.lease(at(500));
        let again = outcome(Outcome::Again { due: at(600) });
        assert!(!row.settle(first, &again));
        assert!(row.settle(row.lease, &again));
        assert_eq!(row.ready, Some(at(600)));
        assert!(!row.settle(first + 1, &again));
    }

    #[test]
    fn a_retry_leaves_a_lease_alone_and_makes_anything_else_ready() {
        let mut leased = row();
        leased.lease(at(400));
        assert!(leased.retry(at(350)));
        assert_eq!(
            (leased.ready, leased.delivery.due),
            (Some(at(400)), at(350))
        );
        let mut given_up = row();
        given_up.lease(at(400));
        assert!(given_up.settle(1, &outcome(Outcome::GivenUp)));
        assert_eq!(given_up.ready, None);
        assert!(given_up.retry(at(350)));
        assert_eq!(given_up.ready, Some(at(350)));
        let mut confirmed = row();
        confirmed.lease(at(400));
        let verified = None;
        assert!(confirmed.settle(1, &outcome(Outcome::Confirmed { verified })));
        assert!(!confirmed.retry(at(350)));
    }
}
