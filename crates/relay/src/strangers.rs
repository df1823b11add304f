//! Sessions that the hub never saw: how many are carried, and how many may wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::session::Subject;
use logout_core::store::StoreUnavailable;
use tokio::time::Instant;

use crate::allowance::Allowance;

/// How many deliveries are looked at in one step where they are counted.
const PAGE: usize = 1_000;

/// How long a place is held for a delivery that is still to be written.
const RESERVED_FOR: Duration = Duration::from_secs(30);

/// How often the count is taken anew at most while there seems to be no room: other hubs write and
/// settle as well.
const RECOUNT_EVERY: Duration = Duration::from_secs(30);

/// Whether the hub never saw the login of this subject.
pub(crate) fn is_stranger(subject: &Subject) -> bool {
    subject.name.is_empty()
}

/// The strangers of one platform.
#[derive(Debug)]
pub(crate) struct Strangers {
    kept: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowance: Allowance,
    /// How many wait in the outbox; unknown until they have been counted.
    pending: Option<usize>,
    /// Until when places are held.
    reserved: Vec<Instant>,
    counted: Option<Instant>,
}

impl Strangers {
    pub(crate) fn new(per_second: u32, kept: usize) -> Self {
        let allowance = Allowance::new(per_second, Instant::now());
        Self {
            kept,
            state: Mutex::new(State {
                allowance,
                pending: None,
                reserved: Vec::new(),
                counted: None,
            }),
        }
    }

    /// Whether one more may be carried just now.
    pub(crate) fn admit(&self) -> bool {
        self.lock().allowance.take(Instant::now())
    }

    /// Holds a place for one more that waits; `false`: there is no room, or that is not known.
    pub(crate) async fn reserve(&self, outbox: &dyn Outbox, platform: &PlatformName) -> bool {
        if self.try_reserve() {
            return true;
        }
        let stale = self
            .lock()
            .counted
            .is_none_or(|counted| counted.elapsed() >= RECOUNT_EVERY);
        stale && self.count(outbox, platform).await.is_ok() && self.try_reserve()
    }

    fn try_reserve(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        state.reserved.retain(|until| *until > now);
        let room = state
            .pending
            .is_some_and(|pending| pending + state.reserved.len() < self.kept);
        if room {
            state.reserved.push(now + RESERVED_FOR);
        }
        room
    }

    /// Counts those that wait in the outbox.
    pub(crate) async fn count(
        &self,
        outbox: &dyn Outbox,
        platform: &PlatformName,
    ) -> Result<(), StoreUnavailable> {
        let filter = DeliveryFilter {
            platform: Some(platform.clone()),
            state: Some(DeliveryState::Pending),
        };
        let (mut pending, mut after) = (0, None);
        loop {
            let page = outbox.deliveries(&filter, after, PAGE).await?;
            pending += page
                .items
                .iter()
                .filter(|delivery: &&Delivery| is_stranger(&delivery.subject))
                .count();
            after = page.next;
            // Of more than are kept it does not matter how many.
            if after.is_none() || pending > self.kept {
                break;
            }
        }
        let mut state = self.lock();
        state.pending = Some(pending);
        state.counted = Some(Instant::now());
        Ok(())
    }

    /// One was written to the outbox.
    pub(crate) fn arrived(&self) {
        let mut state = self.lock();
        state.reserved.pop();
        state.pending = state.pending.map(|pending| pending + 1);
    }

    /// One waits no longer.
    pub(crate) fn left(&self) {
        let mut state = self.lock();
        state.pending = state.pending.map(|pending| pending.saturating_sub(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can be left half changed by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
