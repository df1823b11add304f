//! What is still to be told to upstreams: the contract that every store keeps, proven by
//! `conformance`.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::delivery::{Delivery, DeliveryState, Leased, Settlement};
use crate::platform_name::PlatformName;
use crate::receipt::EndedSession;
use crate::session::SessionId;
use crate::store::{Page, SessionStore, StoreUnavailable};
use crate::time::Timestamp;

/// Which deliveries to list: those that match all that is given.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// To the upstream of this platform.
    pub platform: Option<PlatformName>,
    /// In this state.
    pub state: Option<DeliveryState>,
}

impl DeliveryFilter {
    /// Whether `delivery` matches.
    pub fn matches(&self, delivery: &Delivery) -> bool {
        self.platform
            .as_ref()
            .is_none_or(|platform| delivery.platform == *platform)
            && self.state.is_none_or(|state| delivery.state == state)
    }
}

/// The deliveries that [`crate::store::SessionStore::end`] writes in the same step as the ending.
///
/// Guarantees, each a case of the conformance suite:
/// - A delivery that is pending is leased to one at a time, and again once a lease has run out: at
///   least once, never lost.
/// - A settlement counts only under the latest lease.
/// - What a confirmed delivery had sealed is gone.
#[async_trait]
pub trait Outbox: Debug + Send + Sync + 'static {
    /// Leases pending deliveries of `platform` that are due at `now`, soonest first, at most
    /// `limit`, until `until`. The leases of a store that one process holds alone may end with that
    /// process.
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable>;

    /// Notes what became of a leased delivery, and ends the lease. `false`: another lease was given
    /// out since, or the delivery is not pending; nothing was done. Durable when it returns.
    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable>;

    /// The same for a delivery whose recipient asks for it and says itself what became of it,
    /// whoever has it leased. `false`: the delivery is not pending, or there is none; nothing was
    /// done.
    async fn acknowledge(
        &self,
        session: SessionId,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable>;

    /// The earliest instant at which a pending delivery of `platform` can be leased; `None` when
    /// there is none.
    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable>;

    /// The delivery of this session.
    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable>;

    /// The deliveries of these sessions, in the same order: absent where no upstream is told, and
    /// where a delivery is not kept any more. One query, however many sessions there are; a store
    /// that is spread over several places asks each place once, and a store may split what is too
    /// large for one answer.
    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable>;

    /// Deliveries in the order of their sessions' ids, beginning after `after`, at most `limit`.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable>;

    /// Makes a delivery due at `now` that waits or was given up ([`Delivery::try_again`]). `false`:
    /// there is no such delivery, or it cannot be tried again. Does not end a lease.
    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable>;
}

/// A store that keeps sessions and what is to be told of them.
pub trait Store: SessionStore + Outbox {}

impl<S: SessionStore + Outbox> Store for S {}
