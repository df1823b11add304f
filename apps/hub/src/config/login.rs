//! `[login]`: what keeps guessing at passwords in bounds.

use std::num::NonZeroUsize;
use std::time::Duration;

use logout_identity::LoginLimits;
use serde::{Deserialize, Serialize};

use super::values;

/// `[login]`: how many wrong passwords of stand-in platforms are looked at, and how many logins
/// wait. Counts are shared by all hubs on one store. The defaults are those of [`LoginLimits`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginConfig {
    /// How long a wrong password counts at most. Default: `15m`.
    #[serde(with = "values::positive_duration")]
    pub window: Duration,
    /// How many wrong passwords one address may try for one account in a window. Default: 10.
    pub guesses: NonZeroUsize,
    /// How many wrong passwords one address may try for any accounts in a window. Default: 100.
    pub guesses_per_address: NonZeroUsize,
    /// How many wrong passwords all addresses together may try for one account in a window before
    /// each is left with one of them. Default: 50.
    pub guesses_per_account: NonZeroUsize,
    /// How many logins of one address may wait for their turn. Default: 32.
    pub waiting_per_address: NonZeroUsize,
    /// How many logins may wait for their turn. Default: 256.
    pub waiting: NonZeroUsize,
    /// How many passwords are hashed at once, 19 MiB each. Default: one for each core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<NonZeroUsize>,
}

impl Default for LoginConfig {
    fn default() -> Self {
        let LoginLimits {
            window,
            guesses,
            guesses_per_address,
            guesses_per_account,
            waiting_per_address,
            waiting,
            ..
        } = LoginLimits::default();
        Self {
            window,
            guesses,
            guesses_per_address,
            guesses_per_account,
            waiting_per_address,
            waiting,
            at_once: None,
        }
    }
}

impl LoginConfig {
    /// As accounts take them.
    pub fn limits(&self) -> LoginLimits {
        let Self {
            window,
            guesses,
            guesses_per_address,
            guesses_per_account,
            waiting_per_address,
            waiting,
            at_once,
        } = *self;
        let mut limits = LoginLimits::default();
        limits.window = window;
        limits.guesses = guesses;
        limits.guesses_per_address = guesses_per_address;
        limits.guesses_per_account = guesses_per_account;
        limits.waiting_per_address = waiting_per_address;
        limits.waiting = waiting;
        limits.at_once = at_once.unwrap_or(limits.at_once);
        limits
    }
}
