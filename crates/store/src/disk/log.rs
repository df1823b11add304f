//! The end of the journal: what waits to be written, and the callers that wait until it is durable.
//!
//! A sync costs much more than the bytes that it makes durable, so the writer waits for all that
//! the running tasks of a thread append. The first of them that waits steps aside, and rings when
//! it has its next turn: by then the others that were ready have appended what they have. A writer
//! without work is woken by the first change.

mod writer;

use std::mem::{replace, take};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use logout_core::store::StoreUnavailable;

pub(super) use self::writer::{Segment, Writer};
use super::frame;
use crate::local::step_aside;
use crate::wakeup::{Caller, PASS_ON};

/// So many callers may wait at most.
const MOST_WAITING: usize = 16_384;

/// Where a cut of the journal is answered: with the number of the segment that begins there.
pub(super) type CutReply = SyncSender<u64>;

/// What callers and the writer share.
#[derive(Debug, Default)]
pub(super) struct Log {
    state: Mutex<State>,
    filled: Condvar,
    /// The position of the last frame that was appended, and of the last one that is durable.
    appended: AtomicU64,
    durable: AtomicU64,
    waiting: AtomicUsize,
    has_failed: AtomicBool,
}

#[derive(Default)]
struct State {
    frames: Vec<u8>,
    callers: Vec<Caller<()>>,
    /// Where in `frames` a new segment is to begin.
    cut: Option<(usize, CutReply)>,
    /// The threads of which a task is about to ring.
    ringing: Vec<ThreadId>,
    /// Somebody has rung.
    is_due: bool,
    /// The writer has no work, and waits for the first.
    is_idle: bool,
    /// The writer can be woken.
    is_asleep: bool,
    is_closed: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.callers.is_empty()
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("bytes", &self.frames.len())
            .field("callers", &self.callers.len())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// A log whose last durable frame is at `position`.
    pub(super) fn new(position: u64) -> Self {
        Self {
            appended: AtomicU64::new(position),
            durable: AtomicU64::new(position),
            ..Self::default()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check(&self) -> Result<(), StoreUnavailable> {
        let is_full = self.waiting.load(Ordering::Relaxed) >= MOST_WAITING;
        if is_full || self.has_failed.load(Ordering::Acquire) {
            return Err(StoreUnavailable);
        }
        Ok(())
    }

    /// Appends what is in `changes`, if there is any, and empties it. The position of what was
    /// appended last. To be called by one at a time.
    pub(super) fn append(&self, changes: &mut Vec<u8>) -> u64 {
        let position = self.appended.load(Ordering::Relaxed);
        if changes.is_empty() {
            return position;
        }
        let position = position + 1;
        let mut state = self.state();
        frame::write(&mut state.frames, position, changes);
        changes.clear();
        self.appended.store(position, Ordering::Relaxed);
        if state.is_idle {
            self.ring(&mut state);
        }
        position
    }

    fn ring(&self, state: &mut State) {
        state.is_due = true;
        state.is_idle = false;
        if replace(&mut state.is_asleep, false) {
            self.filled.notify_one();
        }
    }

    /// Lets a new segment begin behind what was appended last. A closed log drops the reply.
    pub(super) fn cut(&self, reply: CutReply) {
        let mut state = self.state();
        if !state.is_closed {
            state.cut = Some((state.frames.len(), reply));
            self.filled.notify_one();
        }
    }

    pub(super) async fn durable(&self, position: u64) -> Result<(), StoreUnavailable> {
        if self.durable.load(Ordering::Acquire) >= position {
            return Ok(());
        }
        let (answer, bell) = {
            let mut state = self.state();
            if self.durable.load(Ordering::Acquire) >= position {
                return Ok(());
            }
            if self.has_failed.load(Ordering::Acquire) {
                return Err(StoreUnavailable);
            }
            let (caller, answer) = Caller::new();
            let thread = caller.thread;
            state.callers.push(caller);
            // What it waits for may be with the writer already; the next turn answers then.
            let is_first = !state.ringing.contains(&thread);
            if is_first {
                state.ringing.push(thread);
            }
            (answer, is_first.then(|| Bell { log: self, thread }))
        };
        let _waits = Waits::new(&self.waiting);
        if let Some(bell) = bell {
            step_aside().await;
            drop(bell);
        }
        answer.received().await
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Lets the writer come to its end.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.filled.notify_one();
    }

    /// Waits until somebody rings. With `hurry`, takes what has come within [`PASS_ON`], for a task
    /// that is about to ring may never have its turn; `None` when nothing has come.
    fn wait(&self, hurry: bool) -> Option<Turn> {
        let until = hurry.then(|| Instant::now() + PASS_ON);
        let mut state = self.state();
        while !state.is_due && state.cut.is_none() && !state.is_closed {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_none_or(|left| left.is_zero()) && !state.is_empty() {
                break;
            }
            if left == Some(Duration::ZERO) {
                return None;
            }
            state.is_asleep = true;
            state = match left {
                Some(left) => {
                    let waited = self.filled.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    state.is_idle = true;
                    let waited = self.filled.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
            state.is_asleep = false;
        }
        state.is_due = false;
        state.is_idle = false;
        Some(Turn {
            frames: take(&mut state.frames),
            callers: take(&mut state.callers),
            cut: state.cut.take(),
            position: self.appended.load(Ordering::Relaxed),
            is_last: state.is_closed,
        })
    }

    /// Takes back the memory of frames that were written.
    fn give_back(&self, mut frames: Vec<u8>) {
        const MOST_KEPT: usize = 1 << 20;
        let mut state = self.state();
        if state.frames.capacity() == 0 && frames.capacity() <= MOST_KEPT {
            frames.clear();
            state.frames = frames;
        }
    }

    /// Waits for a pause to be over, or for the end; whether it came. Callers are refused.
    fn pause(&self, pause: Duration) -> bool {
        let waited = self
            .filled
            .wait_timeout_while(self.state(), pause, |state| !state.is_closed);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.callers.clear();
        state.is_closed
    }
}

/// Rings for a thread when it is dropped, whether its task goes on or goes away.
struct Bell<'l> {
    log: &'l Log,
    thread: ThreadId,
}

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        let mut state = self.log.state();
        state.ringing.retain(|thread| *thread != self.thread);
        if !state.is_empty() {
            self.log.ring(&mut state);
        }
    }
}

/// What was appended since the last turn.
struct Turn {
    frames: Vec<u8>,
    callers: Vec<Caller<()>>,
    cut: Option<(usize, CutReply)>,
    position: u64,
    is_last: bool,
}

/// Counts a caller that waits, until it has its answer or goes away without one.
struct Waits<'l>(&'l AtomicUsize);

impl<'l> Waits<'l> {
    fn new(waiting: &'l AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc::sync_channel;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_caller_that_goes_away_without_its_answer_waits_no_more() {
        let log = Log::new(0);
        let position = log.append(&mut b"change".to_vec());
        for _ in 0..=MOST_WAITING {
            let mut waits = pin!(log.durable(position));
            let polled = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled, Poll::Pending);
            assert_eq!(log.waiting.load(Ordering::Relaxed), 1);
        }
        assert_eq!(
            (log.waiting.into_inner(), log.has_failed.into_inner()),
            (0, false)
        );
    }

    #[test]
    fn a_cut_of_a_closed_log_is_refused_so_that_the_keeper_does_not_wait_for_it() {
        let log = Log::new(0);
        log.close();
        let (reply, answer) = sync_channel(1);
        log.cut(reply);
        assert!(answer.try_recv().is_err());
        assert!(answer.recv().is_err());
    }
}
