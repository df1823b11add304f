//! Sign-outs that wait for their deliveries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logout_core::ports::DeliveryResult;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// What a waiting sign-out hears of one of its deliveries.
#[derive(Debug)]
pub(crate) enum News {
    /// It is confirmed or given up.
    Settled(DeliveryResult),
    /// It is tried again, but not before this instant.
    Postponed(SessionId, Instant),
}

/// Who waits for which receipt. What is heard is bounded by what a sign-out has ended and by how
/// often that is tried while it waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    waiters: Arc<Mutex<Waiters>>,
}

#[derive(Debug, Default)]
struct Waiters {
    next: u64,
    by_receipt: HashMap<ReceiptId, Vec<(u64, UnboundedSender<News>)>>,
}

impl Waiting {
    /// Begins to listen; ends when the listener is dropped.
    pub(crate) fn listen(&self, receipt: ReceiptId) -> Listener {
        let (sender, news) = unbounded_channel();
        let mut waiters = self.lock();
        let id = waiters.next;
        waiters.next += 1;
        waiters
            .by_receipt
            .entry(receipt)
            .or_default()
            .push((id, sender));
        Listener {
            waiting: self.clone(),
            receipt,
            id,
            news,
        }
    }

    /// Tells who waits for `receipt`.
    pub(crate) fn tell(&self, receipt: ReceiptId, news: impl Fn() -> News) {
        for (_, sender) in self.lock().by_receipt.get(&receipt).into_iter().flatten() {
            // A listener that is just being dropped hears nothing any more, and need not.
            let _ = sender.send(news());
        }
    }

    /// How many listen.
    pub(crate) fn count(&self) -> usize {
        self.lock().by_receipt.values().map(Vec::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        // Nothing in here can be left half changed by a panic.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears what becomes of the deliveries of one receipt.
#[derive(Debug)]
pub(crate) struct Listener {
    waiting: Waiting,
    receipt: ReceiptId,
    id: u64,
    pub(crate) news: UnboundedReceiver<News>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut waiters = self.waiting.lock();
        if let Some(listed) = waiters.by_receipt.get_mut(&self.receipt) {
            listed.retain(|(id, _)| *id != self.id);
            if listed.is_empty() {
                waiters.by_receipt.remove(&self.receipt);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> News {
        News::Settled(DeliveryResult {
            confirmed: true,
            ..DeliveryResult::nothing(SessionId::from_bytes([7; 16]))
        })
    }

    #[test]
    fn only_those_who_wait_for_a_receipt_hear_of_it() {
        let waiting = Waiting::default();
        let (one, other) = (
            ReceiptId::from_bytes([1; 16]),
            ReceiptId::from_bytes([2; 16]),
        );
        let mut first = waiting.listen(one);
        let mut second = waiting.listen(one);
        let mut third = waiting.listen(other);
        waiting.tell(one, settled);
        assert!(
            first.news.try_recv().is_ok()
                && second.news.try_recv().is_ok()
                && third.news.try_recv().is_err()
        );
    }

    #[test]
    fn a_dropped_listener_leaves_nothing_behind() {
        let waiting = Waiting::default();
        let receipt = ReceiptId::from_bytes([1; 16]);
        let (first, second) = (waiting.listen(receipt), waiting.listen(receipt));
        drop(first);
        assert_eq!(waiting.count(), 1);
        drop(second);
        assert!(waiting.count() == 0 && waiting.lock().by_receipt.is_empty());
        waiting.tell(receipt, settled);
    }
}
