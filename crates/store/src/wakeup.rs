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
#[cfg(any(feature = "postgres", feature = "redis"))]
use logout_core::store::EndOrder;
use logout_core::store::StoreUnavailable;
use tokio::sync::oneshot::{Receiver, Sender, channel};

/// A caller that was woken to pass answers on to others gets this long before somebody else does
/// it.
pub(crate) const PASS_ON: Duration = Duration::from_millis(1);

/// An order to end sessions.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) struct End {
    pub(crate) order: EndOrder,
    pub(crate) caller: Caller,
}

#[cfg(any(feature = "postgres", feature = "redis"))]
impl End {
    /// An order of the caller's thread, and where the answer comes.
    pub(crate) fn new(order: EndOrder) -> (Self, Answer) {
        let (caller, answer) = Caller::new();
        (Self { order, caller }, answer)
    }
}

/// Where the answer to an order comes.
pub(crate) struct Answer<T = Vec<EndedSession>>(Receiver<Reply<T>>);

impl<T> Answer<T> {
    /// The answer. Dropped without one, it says that the store is not available.
    pub(crate) async fn received(self) -> Result<T, StoreUnavailable> {
        self.0
            .await
            .ok()
            .and_then(Reply::into_content)
            .ok_or(StoreUnavailable)
    }
}

#[cfg(any(feature = "postgres", feature = "redis"))]
impl Answer {
    /// What the order ended.
    pub(crate) async fn ended(self) -> Result<Vec<EndedSession>, StoreUnavailable> {
        self.received().await
    }
}

/// Whom to answer, and from which thread was asked.
pub(crate) struct Caller<T = Vec<EndedSession>> {
    pub(crate) reply: Sender<Reply<T>>,
    pub(crate) thread: ThreadId,
}

impl<T> Caller<T> {
    /// A caller of this thread, and where the answer comes.
    pub(crate) fn new() -> (Self, Answer<T>) {
        let (reply, answer) = channel();
        let thread = std::thread::current().id();
        (Self { reply, thread }, Answer(answer))
    }
}

/// An answer, and the way to those of the same thread that go with it. They are sent when this one
/// has been received, or is dropped for whatever reason.
pub(crate) struct Reply<T = Vec<EndedSession>> {
    content: Option<T>,
    others: Option<Wakeup<T>>,
}

impl<T> Reply<T> {
    fn into_content(mut self) -> Option<T> {
        self.content.take()
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(others) = self.others.take() {
            others.send();
        }
    }
}

/// An answer, and the way to its caller.
type Unsent<T> = (Sender<Reply<T>>, T);

/// Answers that wait for somebody to send them.
pub(crate) struct Wakeup<T = Vec<EndedSession>>(Arc<Mutex<Vec<Unsent<T>>>>);

impl<T> Clone for Wakeup<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Wakeup<T> {
    /// Sends what has not been sent.
    pub(crate) fn send(&self) {
        let waiting = take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (reply, content) in waiting {
            // A caller who has gone away is no fault: what was asked is done.
            drop(reply.send(Reply {
                content: Some(content),
                others: None,
            }));
        }
    }
}

/// Answers all; what comes back is to be sent a little later, in case the one who was woken never
/// looks.
pub(crate) fn answer<T>(answers: impl IntoIterator<Item = (Caller<T>, T)>) -> Vec<Wakeup<T>> {
    let mut threads: Vec<(ThreadId, Vec<Unsent<T>>)> = Vec::with_capacity(2);
    for (Caller { reply, thread }, content) in answers {
        match threads.iter_mut().find(|(known, _)| *known == thread) {
            Some((_, callers)) => callers.push((reply, content)),
            None => threads.push((thread, vec![(reply, content)])),
        }
    }
    let mut wakeups = Vec::with_capacity(threads.len());
    for (_, mut callers) in threads {
        let Some((first, content)) = callers.pop() else {
            continue;
        };
        let others = (!callers.is_empty()).then(|| Wakeup(Arc::new(Mutex::new(callers))));
        wakeups.extend(others.clone());
        drop(first.send(Reply {
            content: Some(content),
            others,
        }));
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
