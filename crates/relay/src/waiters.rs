//! Sign-outs that wait for their deliveries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logout_core::ports::DeliveryResult;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// An event in the life of a delivery, for the sign-out that waits for it.
#[derive(Debug)]
pub(crate) enum Event {
    /// The delivery is confirmed or given up.
    Settled(DeliveryResult),
    /// The delivery is tried again, but not before this instant.
    Postponed(SessionId, Instant),
}

/// The sign-outs that wait, by receipt. Each queue of events is bounded by the sessions that its
/// sign-out has ended and by the attempts that are made while it waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters {
    registry: Arc<Mutex<Registry>>,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    by_receipt: HashMap<ReceiptId, Vec<(u64, UnboundedSender<Event>)>>,
}

impl Waiters {
    /// Begins to listen; ends when the listener is dropped.
    pub(crate) fn listen(&self, receipt: ReceiptId) -> Listener {
        let (sender, events) = unbounded_channel();
        let mut registry = self.lock();
        let id = registry.next;
        registry.next += 1;
        registry
            .by_receipt
            .entry(receipt)
            .or_default()
            .push((id, sender));
        Listener {
            waiters: self.clone(),
            receipt,
            id,
            events,
        }
    }

    /// Sends an event to each listener of `receipt`.
    pub(crate) fn notify(&self, receipt: ReceiptId, event: impl Fn() -> Event) {
        for (_, sender) in self.lock().by_receipt.get(&receipt).into_iter().flatten() {
            // A listener that is just being dropped needs no event.
            let _ = sender.send(event());
        }
    }

    /// The number of listeners.
    pub(crate) fn count(&self) -> usize {
        self.lock().by_receipt.values().map(Vec::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        // Nothing in here can be left half changed by a panic.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receives the events of the deliveries of one receipt.
#[derive(Debug)]
pub(crate) struct Listener {
    waiters: Waiters,
    receipt: ReceiptId,
    id: u64,
    pub(crate) events: UnboundedReceiver<Event>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut registry = self.waiters.lock();
        if let Some(listed) = registry.by_receipt.get_mut(&self.receipt) {
            listed.retain(|(id, _)| *id != self.id);
            if listed.is_empty() {
                registry.by_receipt.remove(&self.receipt);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> Event {
        Event::Settled(DeliveryResult {
            confirmed: true,
            ..DeliveryResult::nothing(SessionId::from_bytes([7; 16]))
        })
    }

    #[test]
    fn only_listeners_of_a_receipt_receive_its_events() {
        let waiters = Waiters::default();
        let (one, other) = (
            ReceiptId::from_bytes([1; 16]),
            ReceiptId::from_bytes([2; 16]),
        );
        let mut first = waiters.listen(one);
        let mut second = waiters.listen(one);
        let mut third = waiters.listen(other);
        waiters.notify(one, settled);
        assert!(
            first.events.try_recv().is_ok()
                && second.events.try_recv().is_ok()
                && third.events.try_recv().is_err()
        );
    }

    #[test]
    fn a_dropped_listener_leaves_nothing_behind() {
        let waiters = Waiters::default();
        let receipt = ReceiptId::from_bytes([1; 16]);
        let (first, second) = (waiters.listen(receipt), waiters.listen(receipt));
        drop(first);
        assert_eq!(waiters.count(), 1);
        drop(second);
        assert!(waiters.count() == 0 && waiters.lock().by_receipt.is_empty());
        waiters.notify(receipt, settled);
    }
}
