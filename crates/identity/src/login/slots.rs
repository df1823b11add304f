//! Slots for the work of hashing, as many as there are cores, given out in turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logout_core::login::LoginError;
use tokio::sync::oneshot;

use super::limits::LoginLimits;
use super::origin::Origin;
use super::turns::Turns;

/// When a client may ask again that was told that too many wait: several logins have had their turn
/// by then.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Gives out slots. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct HashingSlots {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    turns: Turns<oneshot::Sender<HashingSlot>>,
    free: usize,
}

/// The right to hash, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct HashingSlot {
    slots: HashingSlots,
    origin: Origin,
}

impl HashingSlots {
    pub(crate) fn new(limits: &LoginLimits) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                turns: Turns::new(limits),
                free: limits.at_once.get(),
            })),
        }
    }

    /// Waits for the login's turn. A caller that goes away gives it up.
    ///
    /// # Errors
    /// Too many wait already; another login may give way to this one while both wait.
    pub(crate) async fn acquire(&self, origin: Origin) -> Result<HashingSlot, LoginError> {
        let (waiter, turn) = oneshot::channel();
        // Whoever there is no room for is dropped, and so told.
        drop(self.state().turns.push(origin, waiter));
        self.give_out();
        turn.await.map_err(|_| LoginError::TooMany {
            retry_after: TRY_AGAIN,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step in here can panic halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_out(&self) {
        while let Some((origin, waiter)) = self.next() {
            // One that has gone in between drops its slot, which gives it out again.
            drop(waiter.send(HashingSlot {
                slots: self.clone(),
                origin,
            }));
        }
    }

    /// The next login, for which a slot is taken; none while there is no slot or nobody waits.
    fn next(&self) -> Option<(Origin, oneshot::Sender<HashingSlot>)> {
        let mut state = self.state();
        while state.free > 0 {
            let (origin, waiter) = state.turns.pop()?;
            if !waiter.is_closed() {
                state.free -= 1;
                return Some((origin, waiter));
            }
            state.turns.served(&origin);
        }
        None
    }
}

impl Drop for HashingSlot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.turns.served(&self.origin);
        state.free += 1;
        drop(state);
        self.slots.give_out();
    }
}
