//! Sessions whose login the hub never saw: how many go to an upstream, and how many may wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::store::StoreUnavailable;
use logout_core::token_bucket::TokenBucket;
use tokio::time::Instant;

/// Deliveries that one step of the count reads.
const PAGE: usize = 1_000;

/// A place is held that long for a delivery that is still to be written.
const RESERVED_FOR: Duration = Duration::from_secs(30);

/// While there seems to be no room, the count is repeated at most that often. Other hubs write and
/// settle as well.
const RECOUNT_EVERY: Duration = Duration::from_secs(30);

/// The unregistered sessions of one platform.
#[derive(Debug)]
pub(crate) struct UnregisteredSessions {
    kept: usize,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bucket: TokenBucket,
    /// How many wait in the outbox; unknown before the first count.
    pending: Option<usize>,
    /// The ends of the held places.
    reserved: Vec<Instant>,
    counted: Option<Instant>,
}

impl UnregisteredSessions {
    pub(crate) fn new(per_second: u32, kept: usize) -> Self {
        let bucket = TokenBucket::new(per_second, Duration::from_secs(1));
        Self {
            kept,
            began: Instant::now(),
            state: Mutex::new(State {
                bucket,
                pending: None,
                reserved: Vec::new(),
                counted: None,
            }),
        }
    }

    /// Whether one more may go to the upstream now.
    pub(crate) fn admit(&self) -> bool {
        self.lock().bucket.take(self.began.elapsed()).is_ok()
    }

    /// Holds a place for one more that waits. `false`: there is no room, or the count is unknown.
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
                .filter(|delivery: &&Delivery| delivery.is_unregistered())
                .count();
            after = page.next;
            // Beyond the limit the exact number does not matter.
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
