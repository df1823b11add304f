//! The task of one upstream: leases what is due and begins the attempts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::reading::{Read, Reading, SHORTEST_SLEEP, finished, give_up_overdue, lease};
use super::settle::Settler;
use super::{Shared, UpstreamWorker};
use crate::attempt::{self, Attempt, Completed};
use crate::breaker::Admission;
use crate::metrics;
use crate::settings::RelaySettings;

/// How long the store may take at a stop to take back what was not finished.
const GIVING_BACK: Duration = Duration::from_secs(1);

impl UpstreamWorker {
    /// Carries what is due until `stop`, then lets what is under way finish within the configured
    /// limit, and gives the rest back.
    pub(crate) async fn run(self: Arc<Self>, shared: Arc<Shared>) {
        let mut stop = shared.stop.subscribe();
        metrics::breaker(&self.platform, false);
        // Where this fails, the first unregistered session that needs the count repeats it.
        let _ = self
            .unregistered
            .count(&*shared.outbox, &self.platform)
            .await;
        let in_flight = shared.settings.max_in_flight.max(1);
        let (queue, completed) = mpsc::channel(2 * in_flight);
        let (retries, mut postponed) = mpsc::unbounded_channel();
        let settler = Settler::new(self.clone(), shared.clone(), retries);
        let mut settling = tokio::spawn(settler.clone().run(completed));
        let mut run = Run::new(self, shared.clone(), settler, queue);
        while !*stop.borrow() {
            let until = run.step(Instant::now());
            tokio::select! {
                _ = stop.changed() => {}
                Some(ended) = run.attempts.join_next() => {
                    run.note_ended(ended);
                    while let Some(ended) = run.attempts.try_join_next() {
                        run.note_ended(ended);
                    }
                }
                done = finished(&mut run.reading) => run.note_read(done),
                Some(due) = postponed.recv() => run.note_postponed(due),
                // While the store is silent, new deliveries are no reason to ask it more often.
                () = run.worker.wake.notified(), if run.store_failures == 0 => run.note_woken(),
                () = sleep(until) => {}
            }
            run.worker.note_in_flight(run.attempts.len());
        }
        let worker = run.worker.clone();
        let drained = timeout(shared.settings.stop_within + GIVING_BACK, async {
            run.drain().await;
            let _ = (&mut settling).await;
        });
        if drained.await.is_err() {
            // What the store did not take back keeps its lease until that runs out, and is carried
            // again then.
            settling.abort();
        }
        worker.note_in_flight(0);
    }
}

/// The work of one upstream.
struct Run {
    worker: Arc<UpstreamWorker>,
    shared: Arc<Shared>,
    settler: Settler,
    queue: mpsc::Sender<Completed>,
    /// Leased, and not begun yet. While there is a backlog, as many as may be under way, so that
    /// the next attempt need not wait for the store.
    ready: VecDeque<Attempt>,
    /// The latest lease brought all that was wanted.
    backlog: bool,
    attempts: JoinSet<()>,
    reading: Option<Reading>,
    /// Something became due since the reading began.
    woken: bool,
    /// When the outbox is to be read for what is due.
    read_at: Instant,
    /// When it is to be read for what is too old, while nothing may be sent.
    overdue_at: Instant,
    store_failures: u32,
}

impl Run {
    fn new(
        worker: Arc<UpstreamWorker>,
        shared: Arc<Shared>,
        settler: Settler,
        queue: mpsc::Sender<Completed>,
    ) -> Self {
        let now = Instant::now();
        Self {
            worker,
            shared,
            settler,
            queue,
            ready: VecDeque::new(),
            backlog: false,
            attempts: JoinSet::new(),
            reading: None,
            woken: false,
            read_at: now,
            overdue_at: now,
            store_failures: 0,
        }
    }

    /// Begins what may be sent and reads the outbox where that is due. Returns the instant of the
    /// next step, where no event comes before it.
    fn step(&mut self, now: Instant) -> Option<Instant> {
        let in_flight = self.shared.settings.max_in_flight.max(1);
        let admission = self.worker.admits(now);
        if let Admission::Nothing { until } = admission {
            self.give_back();
            if self.reading.is_some() {
                return until;
            }
            if self.overdue_at <= now {
                self.reading = Some(Box::pin(give_up_overdue(
                    self.worker.clone(),
                    self.shared.clone(),
                    self.settler.clone(),
                )));
                return until;
            }
            return Some(until.map_or(self.overdue_at, |until| until.min(self.overdue_at)));
        }
        let trial = admission == Admission::One;
        self.overdue_at = now + overdue_every(&self.shared.settings);
        self.begin(now, in_flight, trial);
        let held = self.attempts.len() + self.ready.len();
        let wanted = if !trial && self.backlog && self.ready.len() <= in_flight / 2 {
            (2 * in_flight).saturating_sub(held)
        } else {
            in_flight.saturating_sub(held)
        };
        let wanted = match self.worker.admits(now) {
            Admission::All => wanted,
            Admission::One => wanted.min(1),
            // The trial has begun.
            Admission::Nothing { .. } => 0,
        };
        if wanted == 0 || self.reading.is_some() {
            return None;
        }
        if self.read_at > now {
            return Some(self.read_at);
        }
        self.woken = false;
        self.reading = Some(Box::pin(lease(
            self.worker.clone(),
            self.shared.clone(),
            wanted,
        )));
        None
    }

    /// Begins attempts as far as the limit allows, or the trial of a breaker.
    fn begin(&mut self, now: Instant, in_flight: usize, trial: bool) {
        while self.attempts.len() < in_flight
            && let Some(attempt) = self.ready.pop_front()
        {
            if attempt.lease_ends < now + self.shared.settings.attempt_limit() {
                self.settle(attempt.given_back());
                continue;
            }
            if trial {
                self.worker.gate().breaker.trial_begins();
            }
            let (worker, shared) = (self.worker.clone(), self.shared.clone());
            let queue = self.queue.clone();
            self.attempts.spawn(async move {
                let completed = attempt::run(&worker, &shared, attempt).await;
                // The settler ends after the last sender.
                let _ = queue.send(completed).await;
            });
            if trial {
                self.give_back();
            }
        }
    }

    /// Gives back what has not begun, so that another relay, or the search for what is too old,
    /// finds it.
    fn give_back(&mut self) {
        while let Some(attempt) = self.ready.pop_front() {
            self.settle(attempt.given_back());
        }
    }

    fn settle(&mut self, completed: Completed) {
        let queue = self.queue.clone();
        self.attempts
            .spawn(async move { drop(queue.send(completed).await) });
    }

    fn note_read(&mut self, done: Result<Read, StoreUnavailable>) {
        let now = Instant::now();
        match done {
            Ok(read) => {
                self.store_failures = 0;
                self.worker.store_answers();
                match read {
                    Read::Leased {
                        leased,
                        lease_ends,
                        next,
                    } => {
                        let attempts = leased
                            .into_iter()
                            .map(|leased| Attempt { leased, lease_ends });
                        self.ready.extend(attempts);
                        self.backlog = next.is_none();
                        self.read_at = next.filter(|_| !self.woken).unwrap_or(now);
                    }
                    Read::Overdue => self.overdue_at = now + overdue_every(&self.shared.settings),
                }
            }
            Err(StoreUnavailable) => {
                self.worker.store_fails();
                let settings = &self.shared.settings;
                let pause = settings
                    .store_retry
                    .pause(self.store_failures, fastrand::f64());
                self.store_failures = self.store_failures.saturating_add(1);
                self.read_at = now + pause.max(SHORTEST_SLEEP);
                self.overdue_at = self.read_at;
            }
        }
    }

    fn note_woken(&mut self) {
        self.woken = true;
        self.read_at = Instant::now();
    }

    fn note_postponed(&mut self, due: Timestamp) {
        if self.store_failures == 0 {
            let sleep = due.since(self.shared.clock.now()).max(SHORTEST_SLEEP);
            self.read_at = self.read_at.min(Instant::now() + sleep);
        }
    }

    fn note_ended(&self, ended: Result<(), JoinError>) {
        if let Err(fault) = ended {
            // Its lease runs out, and it is carried again then.
            log::error!(platform = self.worker.platform.as_str(), reason:% = fault; "a try broke off");
            self.worker
                .gate()
                .breaker
                .failed(Instant::now(), fastrand::f64());
        }
    }

    /// Lets what is under way finish and gives the rest back.
    async fn drain(mut self) {
        if self.reading.is_some() {
            let done = finished(&mut self.reading).await;
            self.note_read(done);
        }
        self.give_back();
        while self.attempts.join_next().await.is_some() {}
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// The time between two searches for what is too old, while the upstream is left alone.
fn overdue_every(settings: &RelaySettings) -> Duration {
    let shortest = settings
        .give_up_after
        .min(settings.first_sight_give_up_after);
    (shortest / 20).clamp(Duration::from_millis(100), Duration::from_secs(30))
}
