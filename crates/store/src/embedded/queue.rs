//! What waits for the writer.

use logout_core::store::Join;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::delivery::Settlement;
use logout_core::platform::PlatformName;
use logout_core::session::{Session, SessionId};
use logout_core::store::{OpenOutcome, StoreUnavailable};
use logout_core::time::Timestamp;
use logout_core::transfer::Record;
use tokio::sync::oneshot::Sender;

use crate::wakeup::End;

/// More than this is refused rather than queued: at the speed of any disk worth the name the last
/// of them would wait for about a second, and a caller who is told so at once can try again, while
/// one who waits only makes the queue longer.
const CAPACITY: usize = 16_384;

/// One operation. Dropping it without an answer tells the caller that the store is not available.
pub(super) enum Job {
    Agree {
        name: String,
        candidate: Vec<u8>,
        reply: Sender<Vec<u8>>,
    },
    Attach {
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
        reply: Sender<bool>,
    },
    Forget {
        stale: Vec<Stale>,
        now: Timestamp,
        reply: Sender<()>,
    },
    Health {
        reply: Sender<()>,
    },
    Import {
        records: Vec<Record>,
        now: Timestamp,
        reply: Sender<()>,
    },
    Lease {
        platform: PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
        reply: Sender<Vec<(SessionId, u64)>>,
    },
    NextDue {
        platform: PlatformName,
        reply: Sender<Option<Timestamp>>,
    },
    Open {
        session: Box<Session>,
        join: Join,
        now: Timestamp,
        reply: Sender<OpenOutcome>,
    },
    PutOnce {
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
        reply: Sender<bool>,
    },
    Retry {
        session: SessionId,
        now: Timestamp,
        reply: Sender<bool>,
    },
    Settle {
        session: SessionId,
        lease: u64,
        settlement: Settlement,
        reply: Sender<bool>,
    },
    SetCheckpoint {
        checkpoint: Option<Vec<u8>>,
        reply: Sender<()>,
    },
    TakeOnce {
        key: CredentialDigest,
        now: Timestamp,
        reply: Sender<Option<Vec<u8>>>,
    },
    Touch {
        session: SessionId,
        now: Timestamp,
    },
}

/// A record that housekeeping found to be of no more use.
pub(super) enum Stale {
    Credential([u8; 32]),
    /// A settled delivery: if it is from before this, or what it has sealed has expired.
    Delivery([u8; 16], Timestamp),
    Once([u8; 32]),
    Receipt([u8; 16]),
    Seen([u8; 16]),
}

/// Everything that waited. Orders to end sessions are apart because they go first.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) ends: Vec<End>,
    pub(super) others: Vec<Job>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.ends.len() + self.others.len()
    }
}

/// Between the callers and the writer.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrival: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    closed: bool,
    /// Spares the callers a system call when the writer is at work anyway.
    writer_sleeps: bool,
}

impl Queue {
    pub(super) fn push_end(&self, end: End) -> Result<(), StoreUnavailable> {
        self.push(|waiting| waiting.ends.push(end))
    }

    pub(super) fn push_job(&self, job: Job) -> Result<(), StoreUnavailable> {
        self.push(|waiting| waiting.others.push(job))
    }

    fn push(&self, add: impl FnOnce(&mut Waiting)) -> Result<(), StoreUnavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed || state.waiting.len() >= CAPACITY {
            return Err(StoreUnavailable);
        }
        add(&mut state.waiting);
        let wake = std::mem::take(&mut state.writer_sleeps);
        drop(state);
        if wake {
            self.arrival.notify_one();
        }
        Ok(())
    }

    /// Swaps everything that waits into `taken`, which must be empty; waits for something to come,
    /// but not beyond `patience`. `false` when the queue is closed and empty.
    pub(super) fn take(&self, taken: &mut Waiting, patience: Option<Duration>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.waiting.len() == 0 {
            if state.closed {
                return false;
            }
            state.writer_sleeps = true;
            match patience {
                None => {
                    state = self
                        .arrival
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
                Some(patience) => {
                    let (woken, timeout) = self
                        .arrival
                        .wait_timeout(state, patience)
                        .unwrap_or_else(PoisonError::into_inner);
                    state = woken;
                    if timeout.timed_out() {
                        state.writer_sleeps = false;
                        break;
                    }
                }
            }
        }
        std::mem::swap(&mut state.waiting, taken);
        true
    }

    /// Lets nothing more in; what waits is still served.
    pub(super) fn close(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.arrival.notify_one();
    }

    /// Lets nothing more in and refuses what waits.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch() -> Job {
        Job::Touch {
            session: SessionId::from_bytes([0; 16]),
            now: Timestamp::default(),
        }
    }

    #[test]
    fn a_full_queue_refuses_at_once_and_takes_again_after_the_writer_came_by() {
        let queue = Queue::default();
        for _ in 0..CAPACITY {
            assert_eq!(queue.push_job(touch()), Ok(()));
        }
        assert_eq!(queue.push_job(touch()), Err(StoreUnavailable));
        let mut taken = Waiting::default();
        assert!(queue.take(&mut taken, None));
        assert_eq!(taken.len(), CAPACITY);
        assert_eq!(queue.push_job(touch()), Ok(()));
    }

    #[test]
    fn a_closed_queue_lets_nothing_in_and_gives_out_what_waited() {
        let queue = Queue::default();
        assert_eq!(queue.push_job(touch()), Ok(()));
        queue.close();
        assert_eq!(queue.push_job(touch()), Err(StoreUnavailable));
        let mut taken = Waiting::default();
        assert!(queue.take(&mut taken, None));
        assert_eq!(taken.len(), 1);
        assert!(!queue.take(&mut Waiting::default(), None));
    }

    #[test]
    fn an_abandoned_queue_tells_everybody_who_waited() {
        let queue = Queue::default();
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        assert_eq!(queue.push_job(Job::Health { reply }), Ok(()));
        queue.abandon();
        assert!(matches!(
            answer.try_recv(),
            Err(tokio::sync::oneshot::error::TryRecvError::Closed)
        ));
    }
}
