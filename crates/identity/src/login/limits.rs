//! How much of logging in is allowed.

use std::num::{NonZero, NonZeroUsize};
use std::time::Duration;

/// How many wrong passwords are looked at, and how many logins may wait. The defaults are those of
/// the hub.
///
/// Addresses are counted as a whole in IPv4 and by their first 64 bits in IPv6, because a client
/// can choose the rest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LoginLimits {
    /// How long a wrong password counts at most. Default: 15 minutes.
    pub window: Duration,
    /// How many wrong passwords one address may try for one account in a window. Default: 10.
    pub guesses: NonZeroUsize,
    /// How many wrong passwords one address may try for any accounts in a window. Default: 100.
    pub guesses_per_address: NonZeroUsize,
    /// How many wrong passwords all addresses together may try for one account in a window before
    /// each address is left with one of them. An account is never closed to an address that has not
    /// guessed. Default: 50.
    pub guesses_per_account: NonZeroUsize,
    /// How many logins of one address may wait. Default: 32.
    pub waiting_per_address: NonZeroUsize,
    /// How many logins may wait. Default: 256.
    pub waiting: NonZeroUsize,
    /// How many passwords are hashed at once. Default: as many as there are cores.
    pub at_once: NonZeroUsize,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(15 * 60),
            guesses: const { NonZeroUsize::new(10).unwrap() },
            guesses_per_address: const { NonZeroUsize::new(100).unwrap() },
            guesses_per_account: const { NonZeroUsize::new(50).unwrap() },
            waiting_per_address: const { NonZeroUsize::new(32).unwrap() },
            waiting: const { NonZeroUsize::new(256).unwrap() },
            at_once: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        }
    }
}
