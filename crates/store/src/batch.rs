//! What waits at the same time goes together.

use std::sync::{Arc, Mutex, PoisonError};

use logout_core::receipt::EndedSession;
use logout_core::store::StoreUnavailable;
use tokio::runtime::Handle;

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
}

struct State<J> {
    waiting: Vec<J>,
    lanes: usize,
}

impl<J: Send + 'static, C: Carry<J>> Batches<J, C> {
    pub(crate) fn new(carrier: Arc<C>, lanes: usize, size: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                lanes: 0,
            }),
            carrier,
            lanes,
            size,
        })
    }

    /// Puts `job` into the next batch. Dropped without an answer, it says that the store is not
    /// available.
    pub(crate) fn push(self: &Arc<Self>, job: J, runtime: &Handle) -> Result<(), StoreUnavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiting.len() >= CAPACITY {
            return Err(StoreUnavailable);
        }
        state.waiting.push(job);
        if state.lanes < self.lanes {
            state.lanes += 1;
            let lane = Lane {
                batches: self.clone(),
                open: true,
            };
            drop(state);
            runtime.spawn(lane.work());
        }
        Ok(())
    }

    fn take(&self, most: usize) -> Vec<J> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = state.waiting.len().min(most);
        state.waiting.drain(..count).collect()
    }
}

/// Gives its place free when it is dropped, also by a panic.
struct Lane<J: Send + 'static, C: Carry<J>> {
    batches: Arc<Batches<J, C>>,
    open: bool,
}

impl<J: Send + 'static, C: Carry<J>> Lane<J, C> {
    async fn work(mut self) {
        while let Some(jobs) = self.next() {
            if self.batches.carrier.carry(jobs).await.is_err() {
                // Nobody waits for one patience after the other.
                drop(self.batches.take(usize::MAX));
            }
        }
    }

    fn next(&mut self) -> Option<Vec<J>> {
        let mut state = self
            .batches
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if state.waiting.is_empty() {
            // Under the lock that saw nothing waiting, so that whoever comes next opens a lane.
            state.lanes -= 1;
            self.open = false;
            return None;
        }
        let count = state.waiting.len().min(self.batches.size);
        Some(state.waiting.drain(..count).collect())
    }
}

impl<J: Send + 'static, C: Carry<J>> Drop for Lane<J, C> {
    fn drop(&mut self) {
        if self.open {
            self.batches
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .lanes -= 1;
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
