//! Writes what became of deliveries, many at a time.

use std::sync::Arc;

use futures_util::future::join_all;
use logout_core::delivery::{DeliveryState, Outcome};
use logout_core::ports::DeliveryResult;
use logout_core::time::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Shared, UpstreamWorker};
use crate::attempt::Completed;
use crate::metrics;
use crate::waiters::Event;

/// Settlements that are written at once at most.
const BATCH: usize = 256;

/// Writes the settlements of one upstream.
#[derive(Clone)]
pub(super) struct Settler {
    worker: Arc<UpstreamWorker>,
    shared: Arc<Shared>,
    /// Hears when a delivery is due again.
    postponed: mpsc::UnboundedSender<Timestamp>,
}

impl Settler {
    pub(super) fn new(
        worker: Arc<UpstreamWorker>,
        shared: Arc<Shared>,
        postponed: mpsc::UnboundedSender<Timestamp>,
    ) -> Self {
        Self {
            worker,
            shared,
            postponed,
        }
    }

    /// Writes what comes, all that waits at a time, until the last sender is gone.
    pub(super) async fn run(self, mut completed: mpsc::Receiver<Completed>) {
        let mut batch = Vec::new();
        let mut retries = JoinSet::new();
        while completed.recv_many(&mut batch, BATCH).await > 0 {
            let failed = self.write(std::mem::take(&mut batch)).await;
            if !failed.is_empty() {
                retries.spawn(self.clone().retry(failed));
            }
            while retries.try_join_next().is_some() {}
        }
        while retries.join_next().await.is_some() {}
    }

    /// Writes `batch` once. Returns what the store did not take.
    pub(super) async fn write(&self, batch: Vec<Completed>) -> Vec<Completed> {
        let outbox = &self.shared.outbox;
        let written = join_all(batch.iter().map(|completed| {
            let leased = &completed.attempt.leased;
            outbox.settle(
                leased.delivery.session,
                leased.lease,
                completed.settlement.clone(),
            )
        }))
        .await;
        let mut failed = Vec::new();
        for (completed, counts) in batch.into_iter().zip(written) {
            match counts {
                Ok(counts) => self.conclude(completed, counts),
                Err(_) => failed.push(completed),
            }
        }
        if !failed.is_empty() {
            self.worker.store_fails();
        }
        failed
    }

    /// Writes the rest again, with pauses, as long as the leases last.
    async fn retry(self, mut rest: Vec<Completed>) {
        let mut failures = 0;
        loop {
            let settings = &self.shared.settings;
            let pause = settings.store_retry.pause(failures, fastrand::f64());
            // Without its lease a delivery is carried again.
            rest.retain(|completed| Instant::now() + pause < completed.attempt.lease_ends);
            if rest.is_empty() {
                return;
            }
            sleep(pause).await;
            rest = self.write(rest).await;
            if rest.is_empty() {
                self.worker.store_answers();
            }
            failures = failures.saturating_add(1);
        }
    }

    /// Tells the waiting sign-outs and the metrics. `counts`: the settlement was accepted.
    fn conclude(&self, completed: Completed, counts: bool) {
        let (worker, shared) = (&self.worker, &self.shared);
        let Completed {
            attempt,
            settlement,
            reply,
        } = completed;
        let (delivery, outcome) = (&attempt.leased.delivery, settlement.outcome);
        let settled = |confirmed| {
            Event::Settled(DeliveryResult {
                session: delivery.session,
                confirmed,
                redirect: reply.redirect.clone(),
                removals: reply.removals.clone(),
            })
        };
        match outcome {
            // Also where another hub holds the delivery by now: the upstream has said so.
            Outcome::Confirmed { .. } => shared.waiters.notify(delivery.receipt, || settled(true)),
            Outcome::GivenUp if counts => {
                shared.waiters.notify(delivery.receipt, || settled(false));
            }
            Outcome::Again { due } if counts => {
                let at = Instant::now() + due.since(shared.clock.now());
                shared
                    .waiters
                    .notify(delivery.receipt, || Event::Postponed(delivery.session, at));
                // An error means that the worker has ended.
                let _ = self.postponed.send(due);
            }
            Outcome::Again { .. } | Outcome::GivenUp => {}
        }
        let platform = &worker.platform;
        if !counts {
            log::debug!(platform = platform.as_str(), session:% = delivery.session; "another hub has taken the delivery over");
            return;
        }
        match outcome {
            Outcome::Again { .. } => {}
            Outcome::Confirmed { .. } => {
                metrics::settled(platform, DeliveryState::Confirmed.as_str());
                metrics::confirmed_after(platform, shared.clock.now().since(delivery.created));
            }
            Outcome::GivenUp => {
                metrics::settled(platform, DeliveryState::GivenUp.as_str());
                let attempts = delivery.attempts + u32::from(settlement.attempt.is_some());
                log::error!(platform = platform.as_str(), session:% = delivery.session, receipt:% = delivery.receipt, attempts = attempts;
                    "a delivery was given up: the session may still live at the upstream");
            }
        }
        if !matches!(outcome, Outcome::Again { .. }) && delivery.is_unregistered() {
            worker.unregistered.left();
        }
        shared.changes.send_modify(|changes| *changes += 1);
    }
}
