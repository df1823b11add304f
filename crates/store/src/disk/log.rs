//! The end of the journal: what waits to be written, the thread that writes it, and the callers
//! that wait until it is durable.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logout_core::store::StoreUnavailable;

use super::folder::{Files, Folder};
use super::frame::{self, Header};
use crate::wakeup::{self, Caller, PASS_ON, Wakeup};

/// So many callers may wait at most.
const MOST_WAITING: usize = 16_384;
/// How long the disk is left alone after a failure: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

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
    is_idle: bool,
    is_closed: bool,
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
            self.filled.notify_one();
        }
        position
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
        let answer = {
            let mut state = self.state();
            if self.durable.load(Ordering::Acquire) >= position {
                return Ok(());
            }
            if self.has_failed.load(Ordering::Acquire) {
                return Err(StoreUnavailable);
            }
            let (caller, answer) = Caller::new();
            state.callers.push(caller);
            // What it waits for may be with the writer already; the next turn answers then.
            if state.is_idle {
                self.filled.notify_one();
            }
            answer
        };
        let _waits = Waits::new(&self.waiting);
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

    /// Waits for something to do. With `hurry`, `None` when nothing came within [`PASS_ON`].
    fn wait(&self, hurry: bool) -> Option<Turn> {
        let mut state = self.state();
        loop {
            let is_empty = state.frames.is_empty() && state.callers.is_empty();
            if !is_empty || state.cut.is_some() || state.is_closed {
                break;
            }
            state.is_idle = true;
            if hurry {
                let waited = self.filled.wait_timeout(state, PASS_ON);
                let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                state = next;
                state.is_idle = false;
                if timeout.timed_out() {
                    return None;
                }
            } else {
                state = self
                    .filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.is_idle = false;
            }
        }
        Some(Turn {
            frames: std::mem::take(&mut state.frames),
            callers: std::mem::take(&mut state.callers),
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

/// What was appended since the last turn.
struct Turn {
    frames: Vec<u8>,
    callers: Vec<Caller<()>>,
    cut: Option<(usize, CutReply)>,
    position: u64,
    is_last: bool,
}

/// Writes the journal.
pub(super) struct Writer {
    pub(super) log: Arc<Log>,
    pub(super) folder: Arc<Folder>,
    /// Told when the segment has grown large.
    pub(super) keeper: SyncSender<()>,
    pub(super) file: File,
    pub(super) number: u64,
    pub(super) size: u64,
    /// A segment of this size calls for a new one, in bytes.
    pub(super) most: u64,
}

/// When the writer is gone, however that came about, nobody is kept waiting for it.
struct Gone<'l>(&'l Log);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.has_failed.store(true, Ordering::Release);
        let mut state = self.0.state();
        state.is_closed = true;
        state.cut = None;
        state.callers.clear();
    }
}

impl Writer {
    /// Writes until the log is closed.
    pub(super) fn run(mut self) {
        let log = self.log.clone();
        let _gone = Gone(&log);
        let mut late: Vec<Wakeup<()>> = Vec::new();
        loop {
            let Some(mut turn) = log.wait(!late.is_empty()) else {
                late.drain(..).for_each(|wakeup| wakeup.send());
                continue;
            };
            let is_last = turn.is_last;
            let mut answers = std::mem::take(&mut turn.callers);
            if let Err(error) = self.write(&turn) {
                answers.clear();
                if !self.recover(&mut turn, &error) {
                    return;
                }
            }
            if let Some((_, reply)) = turn.cut {
                // A keeper that has gone away needs no answer.
                let _ = reply.try_send(self.number);
            }
            log.durable.store(turn.position, Ordering::Release);
            log.give_back(turn.frames);
            let wakeups = wakeup::answer(answers.into_iter().map(|caller| (caller, ())));
            late.drain(..).for_each(|wakeup| wakeup.send());
            late = wakeups;
            if is_last {
                late.drain(..).for_each(|wakeup| wakeup.send());
                return;
            }
        }
    }

    fn write(&mut self, turn: &Turn) -> io::Result<()> {
        let frames = match &turn.cut {
            Some((at, _)) => {
                let (before, behind) = turn.frames.split_at(*at);
                self.append(before)?;
                let first = first_position(behind).unwrap_or(turn.position + 1);
                self.begin(self.number + 1, first)?;
                behind
            }
            None => turn.frames.as_slice(),
        };
        self.append(frames)
    }

    fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        self.file.write_all(frames)?;
        self.file.sync_data()?;
        self.size += frames.len() as u64;
        if self.size >= self.most {
            // Full: it has been told, and has not come to it yet.
            let _ = self.keeper.try_send(());
        }
        Ok(())
    }

    /// Begins the segment `number` with the frame at `first`.
    fn begin(&mut self, number: u64, first: u64) -> io::Result<()> {
        let header = Header {
            magic: Files::Segment.magic(),
            number,
            first,
        };
        self.file = self.folder.segment(number, &header.to_bytes())?;
        self.number = number;
        self.size = 0;
        Ok(())
    }

    /// Tries to write what could not be written to a new segment, until that succeeds or the log
    /// is closed. What the failed segment holds of it is skipped when it is read.
    ///
    /// `false`: the log was closed before that.
    ///
    /// The same segment is not tried again: after a failed sync nobody knows what of it is on the
    /// disk.
    fn recover(&mut self, turn: &mut Turn, error: &io::Error) -> bool {
        let log = self.log.clone();
        log.has_failed.store(true, Ordering::Release);
        log::error!("the journal of the store cannot be written, which is tried again: {error}");
        let mut pause = FIRST_PAUSE;
        let next = self.number + 1;
        loop {
            let is_last = log.pause(pause);
            turn.frames.append(&mut log.state().frames);
            let first = first_position(&turn.frames).unwrap_or(turn.position + 1);
            match self
                .begin(next, first)
                .and_then(|()| self.append(&turn.frames))
            {
                Ok(()) => break,
                Err(_) if is_last => return false,
                Err(_) => pause = (pause * 2).min(LAST_PAUSE),
            }
        }
        log::info!("the journal of the store can be written again");
        log.has_failed.store(false, Ordering::Release);
        true
    }
}

/// The position of the first of these frames.
fn first_position(frames: &[u8]) -> Option<u64> {
    let mut content = Vec::new();
    frame::read(&mut &*frames, &mut content).ok().flatten()
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
