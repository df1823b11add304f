//! One upstream: the deliveries that are under way there, and whether it is left alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logout_core::outbox::Outbox;
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock, Seal};
use logout_core::provider::Recipient;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::breaker::{Admission, Breaker};
use crate::settings::RelaySettings;
use crate::unregistered_sessions::UnregisteredSessions;
use crate::waiters::Waiters;

mod reading;
mod run;
mod settle;

/// What the workers of a relay share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: RelaySettings,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seal: Arc<dyn Seal>,
    pub(crate) waiters: Waiters,
    pub(crate) changes: watch::Sender<u64>,
    /// Whether to stop. In here, so that it lasts as long as the workers do.
    pub(crate) stop: watch::Sender<bool>,
}

/// The worker of one upstream.
#[derive(Debug)]
pub(crate) struct UpstreamWorker {
    pub(crate) platform: PlatformName,
    pub(crate) recipient: Recipient,
    pub(crate) wake: Notify,
    pub(crate) unregistered: UnregisteredSessions,
    in_flight: AtomicUsize,
    gate: Mutex<Gate>,
    store_is_silent: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) breaker: Breaker,
    /// The instant until which the upstream asked to be left alone.
    pub(crate) paused: Option<Instant>,
}

impl UpstreamWorker {
    pub(crate) fn new(
        platform: PlatformName,
        recipient: Recipient,
        settings: &RelaySettings,
    ) -> Self {
        let breaker = Breaker::new(settings.breaker_opens_after, settings.breaker_pause);
        Self {
            platform,
            recipient,
            wake: Notify::new(),
            unregistered: UnregisteredSessions::new(
                settings.first_sight_rate,
                settings.first_sight_kept,
            ),
            in_flight: AtomicUsize::new(0),
            gate: Mutex::new(Gate {
                breaker,
                paused: None,
            }),
            store_is_silent: AtomicBool::new(false),
        }
    }

    pub(crate) fn gate(&self) -> MutexGuard<'_, Gate> {
        // Nothing in here can be left half changed by a panic.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn note_in_flight(&self, attempts: usize) {
        self.in_flight.store(attempts, Ordering::Relaxed);
    }

    /// What may be sent at `now`.
    pub(crate) fn admits(&self, now: Instant) -> Admission {
        let mut gate = self.gate();
        match gate.paused {
            Some(until) if until > now => Admission::Nothing { until: Some(until) },
            _ => {
                gate.paused = None;
                gate.breaker.admits(now)
            }
        }
    }

    /// The instant before which nothing will be sent, where that is certain.
    pub(crate) fn shut_until(&self, now: Instant) -> Option<Instant> {
        let gate = self.gate();
        let breaker = match gate.breaker.admits(now) {
            Admission::Nothing { until } => until,
            Admission::All | Admission::One => None,
        };
        gate.paused.filter(|until| *until > now).max(breaker)
    }

    /// Logs once that the store does not answer.
    pub(crate) fn store_fails(&self) {
        if !self.store_is_silent.swap(true, Ordering::Relaxed) {
            log::error!(platform = self.platform.as_str(); "the outbox does not answer; deliveries wait");
        }
    }

    pub(crate) fn store_answers(&self) {
        if self.store_is_silent.swap(false, Ordering::Relaxed) {
            log::info!(platform = self.platform.as_str(); "the outbox answers again");
        }
    }
}
