//! The threads that hash passwords, as many as there are cores, for logins in their turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::PasswordHash;
use logout_core::credential::Secret;
use logout_core::login::LoginError;
use tokio::sync::oneshot;

use super::limits::LoginLimits;
use super::origin::Origin;
use super::turns::Turns;
use crate::password::verify;

/// When a client may ask again that was told that too many wait: several logins have had their turn by then.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Verifies passwords on the runtime's blocking threads. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct HashingPool {
    state: Arc<Mutex<State>>,
    at_once: usize,
}

#[derive(Debug)]
struct State {
    turns: Turns<Login>,
    /// How many threads are at work. Each goes on until nobody waits.
    threads: usize,
}

/// A login that waits. Its password is wiped when it is dropped, served or not.
#[derive(Debug)]
struct Login {
    password: Secret,
    hashes: Vec<Arc<PasswordHash>>,
    answer: oneshot::Sender<Result<Vec<bool>, LoginError>>,
}

impl HashingPool {
    pub(crate) fn new(limits: &LoginLimits) -> Self {
        Self { state: Arc::new(Mutex::new(State { turns: Turns::new(limits), threads: 0 })), at_once: limits.at_once.get() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step in here can panic halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses an address that has as many logins waiting as it may, before anything else is done for it.
    pub(crate) fn check(&self, origin: &Origin) -> Result<(), LoginError> {
        if self.state().turns.is_full_for(&origin.address) { Err(TOO_MANY) } else { Ok(()) }
    }

    /// Which of the `hashes` are of this password, once it is this login's turn. All of them are looked at. A caller that goes
    /// away gives up its turn.
    pub(crate) async fn verify(&self, origin: Origin, password: &Secret, hashes: Vec<Arc<PasswordHash>>) -> Result<Vec<bool>, LoginError> {
        let (answer, answered) = oneshot::channel();
        let login = Login { password: password.clone(), hashes, answer };
        let is_wanted = {
            let mut state = self.state();
            if let Err(refused) = state.turns.push(origin, login) {
                // Its caller may have gone.
                drop(refused.answer.send(Err(TOO_MANY)));
            }
            let is_wanted = state.threads < self.at_once;
            state.threads += usize::from(is_wanted);
            is_wanted
        };
        if is_wanted {
            let pool = self.clone();
            tokio::task::spawn_blocking(move || pool.work());
        }
        answered.await.unwrap_or(Err(LoginError::Unavailable))
    }

    fn work(self) {
        while let Some((origin, login)) = self.next() {
            if !login.answer.is_closed() {
                let Login { password, hashes, answer } = login;
                // A thread that ended by a panic would be missed for ever.
                let verified = catch_unwind(AssertUnwindSafe(|| hashes.iter().map(|hash| verify(&password, hash)).collect()));
                let verified: Result<Vec<bool>, _> = verified.unwrap_or(Err(crate::password::HashingFailed));
                drop(answer.send(verified.map_err(|fault| {
                    log::error!("a login could not be verified: {fault}");
                    LoginError::Unavailable
                })));
            }
            self.state().turns.served(&origin);
        }
    }

    fn next(&self) -> Option<(Origin, Login)> {
        let mut state = self.state();
        let next = state.turns.pop();
        if next.is_none() {
            // In the same step, so that whoever comes now starts another thread.
            state.threads -= 1;
        }
        next
    }

    /// Pretends that every thread is at work, or lets those that wait be served.
    #[cfg(test)]
    pub(crate) fn hold(&self, held: bool) {
        self.state().threads = if held { self.at_once } else { 1 };
        if !held {
            self.clone().work();
        }
    }
}

const TOO_MANY: LoginError = LoginError::TooMany { retry_after: TRY_AGAIN };
