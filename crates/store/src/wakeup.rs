//! Orders that wait for others to be carried out with, and how the answers get back to their
//! callers.
//!
//! To wake a task of another thread costs a system call, and a group answers dozens of callers who
//! sit on two threads. So whoever carries it out wakes one of each thread, and whoever that is
//! wakes the others from where they are.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use logout_core::receipt::EndedSession;
use logout_core::store::{EndOrder, StoreUnavailable};
use tokio::sync::oneshot::{Receiver, Sender, channel};

/// A caller that was woken to pass answers on to others gets this long before somebody else does
/// it.
pub(crate) const PASS_ON: Duration = Duration::from_millis(1);

/// An order to end sessions.
pub(crate) struct End {
    pub(crate) order: EndOrder,
    pub(crate) caller: Caller,
}

impl End {
    /// An order of the caller's thread, and where the answer comes.
    pub(crate) fn new(order: EndOrder) -> (Self, Answer) {
        let (reply, answer) = channel();
        (
            Self {
                order,
                caller: Caller {
                    reply,
                    thread: std::thread::current().id(),
                },
            },
            Answer(answer),
        )
    }
}

/// Where the answer to an order comes.
pub(crate) struct Answer(Receiver<Reply>);

impl Answer {
    /// What the order ended. Dropped without an answer, it says that the store is not available.
    pub(crate) async fn ended(self) -> Result<Vec<EndedSession>, StoreUnavailable> {
        self.0
            .await
            .map(Reply::into_ended)
            .map_err(|_| StoreUnavailable)
    }
}

/// Whom to answer, and from which thread was asked.
pub(crate) struct Caller {
    pub(crate) reply: Sender<Reply>,
    pub(crate) thread: ThreadId,
}

/// An answer, and the way to those of the same thread that go with it. They are sent when this one
/// has been received, or is dropped for whatever reason.
pub(crate) struct Reply {
    ended: Vec<EndedSession>,
    others: Option<Wakeup>,
}

impl Reply {
    fn into_ended(mut self) -> Vec<EndedSession> {
        take(&mut self.ended)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(others) = self.others.take() {
            others.send();
        }
    }
}

/// What an order ended, and the way to its caller.
type Unsent = (Sender<Reply>, Vec<EndedSession>);

/// Answers that wait for somebody to send them.
#[derive(Clone)]
pub(crate) struct Wakeup(Arc<Mutex<Vec<Unsent>>>);

impl Wakeup {
    /// Sends what has not been sent.
    pub(crate) fn send(&self) {
        let waiting = take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (reply, ended) in waiting {
            // A caller who has gone away is no fault: what was asked is done.
            drop(reply.send(Reply {
                ended,
                others: None,
            }));
        }
    }
}

/// Answers all; what comes back is to be sent a little later, in case the one who was woken never
/// looks.
pub(crate) fn answer(ended: Vec<(Caller, Vec<EndedSession>)>) -> Vec<Wakeup> {
    let mut threads: Vec<(ThreadId, Vec<Unsent>)> = Vec::with_capacity(2);
    for (Caller { reply, thread }, ended) in ended {
        match threads.iter_mut().find(|(known, _)| *known == thread) {
            Some((_, callers)) => callers.push((reply, ended)),
            None => threads.push((thread, vec![(reply, ended)])),
        }
    }
    let mut wakeups = Vec::with_capacity(threads.len());
    for (_, mut callers) in threads {
        let Some((first, ended)) = callers.pop() else {
            continue;
        };
        let others = (!callers.is_empty()).then(|| Wakeup(Arc::new(Mutex::new(callers))));
        wakeups.extend(others.clone());
        drop(first.send(Reply { ended, others }));
    }
    wakeups
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::{Receiver, channel};

    use super::*;

    type Asked = Vec<(Caller, Vec<EndedSession>)>;

    fn callers(count: usize) -> (Asked, Vec<Receiver<Reply>>) {
        let thread = std::thread::current().id();
        let caller = |(reply, answer)| ((Caller { reply, thread }, Vec::new()), answer);
        std::iter::repeat_with(channel)
            .take(count)
            .map(caller)
            .unzip()
    }

    fn answered(answers: &mut [Receiver<Reply>]) -> Vec<bool> {
        answers
            .iter_mut()
            .map(|answer| answer.try_recv().is_ok())
            .collect()
    }

    #[test]
    fn whoever_looks_first_wakes_the_others_of_its_thread() {
        let (asked, mut answers) = callers(3);
        answer(asked);
        let (others, first) = answers.split_at_mut(2);
        assert_eq!(answered(others), [false, false]);
        assert_eq!(answered(first), [true]);
        assert_eq!(answered(others), [true, true]);
    }

    #[test]
    fn one_that_went_away_before_or_after_its_answer_keeps_nobody_waiting() {
        for before in [true, false] {
            let (asked, mut answers) = callers(3);
            let first = answers.pop();
            if before {
                drop(first);
                answer(asked);
            } else {
                answer(asked);
                drop(first);
            }
            assert_eq!(answered(&mut answers), [true, true]);
        }
    }

    #[test]
    fn one_that_never_looks_keeps_nobody_waiting_for_long() {
        let (asked, mut answers) = callers(3);
        for wakeup in answer(asked) {
            wakeup.send();
        }
        assert_eq!(answered(&mut answers), [true, true, true]);
    }

    #[test]
    fn callers_of_different_threads_do_not_wait_for_each_other() {
        let (mut asked, mut answers) = callers(2);
        asked[1].0.thread = std::thread::spawn(|| std::thread::current().id())
            .join()
            .unwrap();
        assert!(answer(asked).is_empty());
        assert_eq!(answered(&mut answers), [true, true]);
    }
}
