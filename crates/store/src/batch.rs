//! What waits at the same time goes together.

use std::mem::take;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logout_core::receipt::EndedSession;
use logout_core::store::StoreUnavailable;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::wakeup::{self, Caller, PASS_ON, Wakeup};

/// More than this is refused rather than queued: the last of them would wait longer than anybody
/// has patience.
const CAPACITY: usize = 16_384;

/// Carries out what came together.
pub(crate) trait Carry<J>: Send + Sync + 'static {
    /// Carries out `jobs` and answers them. An error means that others need not try just now.
    fn carry(&self, jobs: Vec<J>) -> impl Future<Output = Result<(), StoreUnavailable>> + Send;
}

/// Between callers and some lanes, each of which carries one batch at a time: everything that waits
/// when it is free.
pub(crate) struct Batches<J, C> {
    state: Mutex<State<J>>,
    carrier: Arc<C>,
    lanes: usize,
    /// The largest batch.
    size: usize,
    /// How long a batch waits at most for half of the callers, while another is under way.
    gathering: Option<Duration>,
}

struct State<J> {
    waiting: Vec<J>,
    /// Lanes that carry a batch, or are about to.
    lanes: usize,
    /// Jobs that lanes carry.
    carried: usize,
    /// How many callers there are at once, of late.
    callers: usize,
    /// Lanes that have carried their batch for longer than others gather.
    overdue: usize,
}

impl<J: Send + 'static, C: Carry<J>> Batches<J, C> {
    pub(crate) fn new(carrier: Arc<C>, lanes: usize, size: usize) -> Arc<Self> {
        Arc::new(Self::unshared(carrier, lanes, size, None))
    }

    /// Makes larger batches: while one is under way, the next goes when half of the callers have
    /// come, or when the one has been under way for `gathering`. For carriers to which a batch
    /// costs much besides its jobs.
    #[cfg(feature = "postgres")]
    pub(crate) fn gathering(
        carrier: Arc<C>,
        lanes: usize,
        size: usize,
        gathering: Duration,
    ) -> Arc<Self> {
        Arc::new(Self::unshared(carrier, lanes, size, Some(gathering)))
    }

    fn unshared(carrier: Arc<C>, lanes: usize, size: usize, gathering: Option<Duration>) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                lanes: 0,
                carried: 0,
                callers: 0,
                overdue: 0,
            }),
            carrier,
            lanes,
            size,
            gathering,
        }
    }

    /// Puts `job` into the next batch. Dropped without an answer, it says that the store is not
    /// available.
    pub(crate) fn push(self: &Arc<Self>, job: J, runtime: &Handle) -> Result<(), StoreUnavailable> {
        let mut state = self.state();
        if state.waiting.len() >= CAPACITY {
            return Err(StoreUnavailable);
        }
        state.waiting.push(job);
        state.callers = state.callers.max(state.waiting.len() + state.carried);
        if state.lanes < self.lanes && self.is_time(&state, state.lanes) {
            let lane = self.lane(&mut state);
            drop(state);
            runtime.spawn(lane.work());
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a lane beside `others` has something to do.
    fn is_time(&self, state: &State<J>, others: usize) -> bool {
        let is_gathered = self.gathering.is_none()
            || others == 0
            || state.overdue > 0
            || state.waiting.len() >= state.callers / 2;
        is_gathered && !state.waiting.is_empty()
    }

    fn lane(self: &Arc<Self>, state: &mut State<J>) -> Lane<J, C> {
        state.lanes += 1;
        Lane {
            batches: self.clone(),
            is_open: true,
            carried: 0,
            is_overdue: false,
        }
    }

    fn take(&self, most: usize) -> Vec<J> {
        let mut state = self.state();
        let count = state.waiting.len().min(most);
        state.waiting.drain(..count).collect()
    }
}

/// Gives its place free when it is dropped, also by a panic.
struct Lane<J: Send + 'static, C: Carry<J>> {
    batches: Arc<Batches<J, C>>,
    is_open: bool,
    carried: usize,
    is_overdue: bool,
}

impl<J: Send + 'static, C: Carry<J>> Lane<J, C> {
    async fn work(mut self) {
        while let Some(jobs) = self.next() {
            if self.carry(jobs).await.is_err() {
                // Jobs that wait fail too, rather than to wait for a timeout of their own.
                drop(self.batches.take(usize::MAX));
            }
        }
    }

    async fn carry(&mut self, jobs: Vec<J>) -> Result<(), StoreUnavailable> {
        let batches = self.batches.clone();
        let mut carrying = pin!(batches.carrier.carry(jobs));
        if let Some(gathering) = batches.gathering {
            match timeout(gathering, &mut carrying).await {
                Ok(outcome) => return outcome,
                Err(_) => self.is_late(),
            }
        }
        carrying.await
    }

    /// Lets others go on without gathering.
    fn is_late(&mut self) {
        self.is_overdue = true;
        let mut state = self.batches.state();
        state.overdue += 1;
        if state.lanes < self.batches.lanes && !state.waiting.is_empty() {
            tokio::spawn(self.batches.lane(&mut state).work());
        }
    }

    /// The next batch; without one the lane is over.
    fn next(&mut self) -> Option<Vec<J>> {
        let batches = self.batches.clone();
        let mut state = batches.state();
        self.settle(&mut state);
        if !batches.is_time(&state, state.lanes - 1) {
            // Under the lock that saw nothing to do, so that the next caller opens a lane.
            self.close(&mut state);
            return None;
        }
        let count = state.waiting.len().min(batches.size);
        self.carried = count;
        let present = state.waiting.len() + state.carried;
        state.carried += count;
        state.callers -= state.callers.saturating_sub(present) / 8;
        Some(state.waiting.drain(..count).collect())
    }

    /// Takes back what the state says of the batch that is over.
    fn settle(&mut self, state: &mut State<J>) {
        state.carried -= take(&mut self.carried);
        state.overdue -= usize::from(take(&mut self.is_overdue));
    }

    fn close(&mut self, state: &mut State<J>) {
        state.lanes -= 1;
        self.is_open = false;
    }
}

impl<J: Send + 'static, C: Carry<J>> Drop for Lane<J, C> {
    fn drop(&mut self) {
        if self.is_open {
            let batches = self.batches.clone();
            let mut state = batches.state();
            self.settle(&mut state);
            self.close(&mut state);
        }
    }
}

/// Answers orders. Whoever is to be reached through another caller, who never looks, is reached a
/// moment later.
pub(crate) fn answer(ended: Vec<(Caller, Vec<EndedSession>)>) {
    let wakeups = wakeup::answer(ended);
    if !wakeups.is_empty() {
        tokio::spawn(async move {
            tokio::time::sleep(PASS_ON).await;
            wakeups.iter().for_each(Wakeup::send);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Tells of each batch how many jobs it has. Job 0 is never done.
    struct Counter(Mutex<Sender<usize>>);

    impl Carry<u8> for Counter {
        async fn carry(&self, jobs: Vec<u8>) -> Result<(), StoreUnavailable> {
            let counts = self.0.lock().unwrap().clone();
            counts.send(jobs.len()).unwrap();
            if jobs.contains(&0) {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    }

    /// Batches of eight callers, one of which waits for a batch that is never done.
    fn behind_a_batch(
        gathering: Duration,
    ) -> (Runtime, Arc<Batches<u8, Counter>>, Receiver<usize>) {
        let (counts, counted) = channel();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        let carrier = Arc::new(Counter(Mutex::new(counts)));
        let batches = Batches::gathering(carrier, 2, 100, gathering);
        batches.push(0, runtime.handle()).unwrap();
        assert_eq!(counted.recv(), Ok(1));
        batches.state().callers = 8;
        (runtime, batches, counted)
    }

    #[test]
    fn a_batch_goes_beside_another_when_half_of_the_callers_have_come() {
        let (runtime, batches, counted) = behind_a_batch(HOUR);
        for job in 1..4 {
            batches.push(job, runtime.handle()).unwrap();
        }
        assert!(counted.recv_timeout(Duration::from_millis(50)).is_err());
        batches.push(4, runtime.handle()).unwrap();
        assert_eq!(counted.recv(), Ok(4));
        runtime.shutdown_background();
    }

    #[test]
    fn a_batch_that_takes_long_keeps_no_other_back() {
        let (runtime, batches, counted) = behind_a_batch(Duration::from_millis(20));
        batches.push(1, runtime.handle()).unwrap();
        assert_eq!(counted.recv(), Ok(1));
        runtime.shutdown_background();
    }
}
