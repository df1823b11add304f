//! What the task of an upstream reads of the outbox.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use logout_core::delivery::{Leased, Outcome, Settlement};
use logout_core::store::StoreUnavailable;
use tokio::time::Instant;

use super::settle::Settler;
use super::{Shared, UpstreamWorker};
use crate::attempt::Attempt;

/// The shortest sleep before the outbox is read again, so that a store whose clock differs from
/// ours causes no busy loop.
pub(super) const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// Deliveries that are checked at once for their age while the upstream is left alone.
const OVERDUE_BATCH: usize = 64;

/// A reading of the outbox that is under way.
pub(super) type Reading = Pin<Box<dyn Future<Output = Result<Read, StoreUnavailable>> + Send>>;

/// The result of a reading.
pub(super) enum Read {
    /// Deliveries were leased.
    Leased {
        leased: Vec<Leased>,
        lease_ends: Instant,
        /// The instant of the next reading; `None`: there is probably more to lease at once.
        next: Option<Instant>,
    },
    /// Deliveries that were too old were given up.
    Overdue,
}

/// Leases due deliveries, at most `wanted`.
pub(super) async fn lease(
    worker: Arc<UpstreamWorker>,
    shared: Arc<Shared>,
    wanted: usize,
) -> Result<Read, StoreUnavailable> {
    let (at, lease) = (shared.clock.now(), shared.settings.effective_lease());
    let lease_ends = Instant::now() + lease;
    let leased = shared
        .outbox
        .lease(&worker.platform, wanted, at, at.plus(lease))
        .await?;
    let next = if leased.len() >= wanted {
        None
    } else {
        let longest = shared.settings.look_every.max(SHORTEST_SLEEP);
        let sleep = shared
            .outbox
            .next_due(&worker.platform)
            .await?
            .map_or(longest, |due| {
                due.since(shared.clock.now()).clamp(SHORTEST_SLEEP, longest)
            });
        Some(Instant::now() + sleep)
    };
    Ok(Read::Leased {
        leased,
        lease_ends,
        next,
    })
}

/// Gives up what is too old although nothing is sent now. A younger delivery keeps its place and
/// counts no attempt.
pub(super) async fn give_up_overdue(
    worker: Arc<UpstreamWorker>,
    shared: Arc<Shared>,
    settler: Settler,
) -> Result<Read, StoreUnavailable> {
    loop {
        let (at, lease) = (shared.clock.now(), shared.settings.effective_lease());
        let leased = shared
            .outbox
            .lease(&worker.platform, OVERDUE_BATCH, at, at.plus(lease))
            .await?;
        // Soonest due first is oldest first for those that were never tried, so younger ones mean
        // that there are no more.
        let overdue = |leased: &Leased| {
            let delivery = &leased.delivery;
            let limit = shared.settings.gives_up_after(delivery.is_unregistered());
            at.since(delivery.created) >= limit
        };
        let more = leased.len() == OVERDUE_BATCH && leased.iter().all(overdue);
        let settled = leased.into_iter().map(|leased| {
            let too_old = overdue(&leased);
            let mut completed = Attempt {
                leased,
                lease_ends: Instant::now(),
            }
            .given_back();
            if too_old {
                completed.settlement = Settlement {
                    attempt: None,
                    outcome: Outcome::GivenUp,
                };
            }
            completed
        });
        // One go at the store: where it is silent, the lease runs out.
        settler.write(settled.collect()).await;
        if !more {
            return Ok(Read::Overdue);
        }
    }
}

/// The result of the reading that is under way; never, where there is none.
pub(super) async fn finished(reading: &mut Option<Reading>) -> Result<Read, StoreUnavailable> {
    match reading {
        Some(under_way) => {
            let done = under_way.await;
            *reading = None;
            done
        }
        None => std::future::pending().await,
    }
}
