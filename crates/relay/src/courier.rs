//! The task of one upstream: leases what is due, and begins to carry it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use logout_core::delivery::{Leased, Outcome, Settlement};
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::attempt::{self, Try};
use crate::breaker::Admission;
use crate::lane::{Lane, Shared};
use crate::metrics;
use crate::settings::RelaySettings;
use crate::strangers::is_stranger;

/// The shortest sleep before the outbox is asked again, so that a store whose clock differs from
/// ours does not make us spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// How long the store may take at a stop to note what was not finished.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// How many deliveries are looked through at once for those that are too old, while the upstream is
/// left alone.
const OVERDUE_BATCH: usize = 64;

impl Lane {
    /// Carries what is due until `stop`, then lets what is under way finish within the configured
    /// limit, and gives the rest back.
    pub(crate) async fn run(self: Arc<Self>, shared: Arc<Shared>) {
        let mut stop = shared.stop.subscribe();
        metrics::breaker(&self.platform, false);
        // Where this fails, the first stranger that needs the count has it taken.
        let _ = self.strangers.count(&*shared.outbox, &self.platform).await;
        let mut tries = JoinSet::new();
        let mut look = Look {
            at: Instant::now(),
            overdue_at: Instant::now(),
            store_failures: 0,
        };
        while !*stop.borrow() {
            let until = match self.step(&shared, &mut tries, &mut look).await {
                Ok(until) => {
                    look.store_failures = 0;
                    self.store_answers();
                    until
                }
                Err(StoreUnavailable) => {
                    self.store_fails();
                    let pause = shared
                        .settings
                        .store_retry
                        .pause(look.store_failures, fastrand::f64());
                    look.store_failures = look.store_failures.saturating_add(1);
                    look.at = Instant::now() + pause.max(SHORTEST_SLEEP);
                    look.overdue_at = look.at;
                    Some(look.at)
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                Some(ended) = tries.join_next() => {
                    self.note_ended(ended, &shared, &mut look);
                    while let Some(ended) = tries.try_join_next() {
                        self.note_ended(ended, &shared, &mut look);
                    }
                }
                // While the store is silent, more to be done is no reason to ask it more often.
                () = self.wake.notified(), if look.store_failures == 0 => look.at = Instant::now(),
                () = sleep(until) => {}
            }
            self.note_in_flight(tries.len());
        }
        let _ = timeout(shared.settings.stop_within + GIVING_BACK, async {
            while tries.join_next().await.is_some() {}
        })
        .await;
        // What the store did not take back keeps its lease until that runs out, and is carried
        // again then.
        tries.shutdown().await;
        self.note_in_flight(0);
    }

    /// Leases what may be sent now and begins to send it. Says until when there is nothing to do by
    /// itself.
    async fn step(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        tries: &mut JoinSet<Option<Timestamp>>,
        look: &mut Look,
    ) -> Result<Option<Instant>, StoreUnavailable> {
        let now = Instant::now();
        let (limit, trial) = match self.admits(now) {
            Admission::All => (usize::MAX, false),
            Admission::One => (1, true),
            Admission::Nothing { until } => {
                if look.overdue_at <= now {
                    self.give_up_overdue(shared).await?;
                    look.overdue_at = Instant::now() + overdue_every(&shared.settings);
                }
                return Ok(Some(
                    until.map_or(look.overdue_at, |until| until.min(look.overdue_at)),
                ));
            }
        };
        look.overdue_at = now + overdue_every(&shared.settings);
        let room = shared
            .settings
            .max_in_flight
            .max(1)
            .saturating_sub(tries.len())
            .min(limit);
        if room == 0 {
            return Ok(None);
        }
        if look.at > now {
            return Ok(Some(look.at));
        }
        let (at, lease) = (shared.clock.now(), shared.settings.effective_lease());
        let leased = shared
            .outbox
            .lease(&self.platform, room, at, at.plus(lease))
            .await?;
        let full = leased.len() >= room;
        if trial && !leased.is_empty() {
            self.gate().breaker.trial_begins();
        }
        for leased in leased {
            tries.spawn(attempt::carry_or_give_back(
                self.clone(),
                shared.clone(),
                Try {
                    leased,
                    lease_ends: now + lease,
                },
            ));
        }
        self.note_in_flight(tries.len());
        if full {
            return Ok(None);
        }
        let sleep = match shared.outbox.next_due(&self.platform).await? {
            Some(due) => due.since(shared.clock.now()).clamp(
                SHORTEST_SLEEP,
                shared.settings.look_every.max(SHORTEST_SLEEP),
            ),
            None => shared.settings.look_every.max(SHORTEST_SLEEP),
        };
        look.at = Instant::now() + sleep;
        Ok(Some(look.at))
    }

    fn note_ended(
        &self,
        ended: Result<Option<Timestamp>, JoinError>,
        shared: &Shared,
        look: &mut Look,
    ) {
        match ended {
            Ok(Some(due)) if look.store_failures == 0 => {
                let sleep = due.since(shared.clock.now()).max(SHORTEST_SLEEP);
                look.at = look.at.min(Instant::now() + sleep);
            }
            Ok(_) => {}
            Err(fault) => {
                // Its lease runs out, and it is carried again then.
                log::error!(platform = self.platform.as_str(), reason:% = fault; "a try broke off");
                self.gate().breaker.failed(Instant::now(), fastrand::f64());
            }
        }
    }

    /// Gives up what is too old although nothing is sent just now. What is younger keeps its place
    /// and counts no try.
    async fn give_up_overdue(&self, shared: &Shared) -> Result<(), StoreUnavailable> {
        loop {
            let (at, lease) = (shared.clock.now(), shared.settings.effective_lease());
            let leased = shared
                .outbox
                .lease(&self.platform, OVERDUE_BATCH, at, at.plus(lease))
                .await?;
            // Soonest due first is oldest first for those that were never tried, so younger ones
            // mean that there are no more.
            let overdue = |leased: &Leased| {
                let limit = shared
                    .settings
                    .gives_up_after(is_stranger(&leased.delivery.subject));
                at.since(leased.delivery.created) >= limit
            };
            let more = leased.len() == OVERDUE_BATCH && leased.iter().all(overdue);
            let settlements = leased.into_iter().map(|leased| {
                let outcome = if overdue(&leased) {
                    Outcome::GivenUp
                } else {
                    Outcome::Again {
                        due: leased.delivery.due,
                    }
                };
                let settlement = Settlement {
                    attempt: None,
                    outcome,
                };
                // One go at the store each: the lane does not stand still for it.
                let this = Try {
                    leased,
                    lease_ends: Instant::now(),
                };
                async move {
                    attempt::settle(self, shared, &this, settlement, attempt::Said::default()).await
                }
            });
            join_all(settlements).await;
            if !more {
                return Ok(());
            }
        }
    }
}

/// When the outbox is to be looked at.
struct Look {
    /// For what is due.
    at: Instant,
    /// For what is too old, while nothing may be sent.
    overdue_at: Instant,
    store_failures: u32,
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// How often deliveries that are too old are looked for while the upstream is left alone.
fn overdue_every(settings: &RelaySettings) -> Duration {
    let shortest = settings
        .give_up_after
        .min(settings.first_sight_give_up_after);
    (shortest / 20).clamp(Duration::from_millis(100), Duration::from_secs(30))
}
