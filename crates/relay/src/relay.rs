//! The relay as its users see it: start, stop, wake, wait, pass through.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use logout_core::outbox::Outbox;
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock, Deliveries, DeliveryResult, PassThrough, PendingResult, Seal};
use logout_core::provider::Recipient;
use logout_core::receipt::{EndedSession, ReceiptId};
use logout_core::relayed_cookie::removals_of_sign_out;
use logout_core::time::Timestamp;
use logout_core::upstream::{Addressee, Confirmation, UpstreamSession};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::attempt;
use crate::breaker::BreakerState;
use crate::metrics;
use crate::settings::RelaySettings;
use crate::waiters::{Event, Listener, Waiters};
use crate::worker::{Shared, UpstreamWorker};

/// How long the sign-out of an unregistered session is waited for where sign-outs do not wait for
/// confirmations: without the upstream's answer there is nothing to answer from.
const FIRST_SIGHT_AT_LEAST: Duration = Duration::from_secs(1);

/// Carries deliveries to upstreams. Cheap to clone: all clones are the same relay.
#[derive(Clone)]
pub struct Relay {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    workers: BTreeMap<PlatformName, Arc<UpstreamWorker>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    threads: Threads,
}

/// The relay's own threads, where it has some. They end with the last clone of the relay.
#[derive(Default)]
struct Threads(OnceLock<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting for the threads would block the thread of the caller.
            runtime.shutdown_background();
        }
    }
}

/// The state of an upstream.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UpstreamStatus {
    /// The platform whose upstream it is.
    pub platform: PlatformName,
    /// Whether the hub expects it to answer.
    pub breaker: BreakerState,
    /// How many deliveries are under way.
    pub in_flight: usize,
    /// The end of the pause: it asked for one, or does not answer.
    pub paused_until: Option<Timestamp>,
}

impl Relay {
    /// Begins to carry what is in `outbox` to `recipients`, each with a worker of its own. Goes on
    /// until [`Relay::stop`], also when every clone is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime whose timers are enabled; the workers run on that one.
    pub fn start(
        settings: RelaySettings,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
        seal: Arc<dyn Seal>,
        recipients: Vec<(PlatformName, Recipient)>,
    ) -> Self {
        let workers: BTreeMap<_, _> = recipients
            .into_iter()
            .map(|(platform, recipient)| {
                (
                    platform.clone(),
                    Arc::new(UpstreamWorker::new(platform, recipient, &settings)),
                )
            })
            .collect();
        let (changes, stop) = (watch::Sender::new(0), watch::Sender::new(false));
        let shared = Arc::new(Shared {
            settings,
            outbox,
            clock,
            seal,
            waiters: Waiters::default(),
            changes,
            stop,
        });
        let tasks = workers
            .values()
            .map(|worker| tokio::spawn(worker.clone().run(shared.clone())))
            .collect();
        Self {
            inner: Arc::new(Inner {
                shared,
                workers,
                tasks: Mutex::new(tasks),
                threads: Threads::default(),
            }),
        }
    }

    /// The same on threads of its own, [`RelaySettings::threads`], so that deliveries need not
    /// wait for the caller's other work, nor for each other's. The threads end with the last clone
    /// of the relay.
    ///
    /// # Errors
    /// The operating system grants no more threads.
    pub fn start_on_own_threads(
        settings: RelaySettings,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
        seal: Arc<dyn Seal>,
        recipients: Vec<(PlatformName, Recipient)>,
    ) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(settings.threads.get())
            .thread_name("relay")
            .enable_all()
            .build()?;
        let relay = {
            let _entered = runtime.enter();
            Self::start(settings, outbox, clock, seal, recipients)
        };
        // It is the first and only one.
        let _ = relay.inner.threads.0.set(runtime);
        Ok(relay)
    }

    /// Leases nothing more, lets what is under way finish within [`RelaySettings::stop_within`],
    /// and answers every sign-out that waits. What did not finish is given back, and carried by
    /// another relay; where the store does not take it within another second, its lease runs out
    /// first.
    pub async fn stop(&self) {
        self.inner.shared.stop.send_replace(true);
        let tasks = std::mem::take(
            &mut *self
                .inner
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        join_all(tasks).await;
    }

    /// Has the outbox read for every upstream, after deliveries were made due again
    /// ([`Outbox::retry`]).
    pub fn look_again(&self) {
        self.inner
            .workers
            .values()
            .for_each(|worker| worker.wake.notify_one());
    }

    /// A number that grows with every settlement of this relay, for callers that wait until a
    /// receipt is settled. Other hubs on the same store have their own.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.shared.changes.subscribe()
    }

    /// The states of the upstreams, in the order of their platforms' names.
    pub fn upstreams(&self) -> Vec<UpstreamStatus> {
        let (now, at) = (Instant::now(), self.inner.shared.clock.now());
        let status = |worker: &Arc<UpstreamWorker>| {
            let breaker = worker.gate().breaker.state(now);
            let paused_until = worker
                .shut_until(now)
                .map(|until| at.plus(until.saturating_duration_since(now)));
            UpstreamStatus {
                platform: worker.platform.clone(),
                breaker,
                in_flight: worker.in_flight(),
                paused_until,
            }
        };
        self.inner.workers.values().map(status).collect()
    }

    /// The number of sign-outs that wait for confirmations.
    pub fn waiting(&self) -> usize {
        self.inner.shared.waiters.count()
    }

    async fn ask(&self, worker: &UpstreamWorker, session: &UpstreamSession) -> PassThrough {
        let shared = &self.inner.shared;
        if !worker.unregistered.admit() {
            return PassThrough::Busy;
        }
        let limit = if shared.settings.wait.is_zero() {
            FIRST_SIGHT_AT_LEAST
        } else {
            shared.settings.wait
        };
        // A pause that the upstream asked for is kept. Answers to unregistered sessions open no
        // breaker and begin no pause, or strangers could hold up the sign-outs of all others.
        let paused = worker
            .gate()
            .paused
            .is_some_and(|until| until > Instant::now());
        let dialect = &*worker.recipient.dialect;
        let to = Addressee {
            delivery: None,
            subject: None,
            session: session.clone(),
        };
        let answer = if paused {
            None
        } else {
            attempt::call(worker, dialect.sign_out(&to), limit)
                .await
                .ok()
        };
        match answer
            .as_ref()
            .map(|answer| (dialect.confirm(answer), answer))
        {
            Some((Confirmation::Confirmed { redirect }, answer)) => PassThrough::Confirmed {
                redirect,
                removals: removals_of_sign_out(dialect, answer, shared.clock.now()),
            },
            Some((Confirmation::NotSignedIn, _)) => PassThrough::NotSignedIn,
            Some((Confirmation::Refused | Confirmation::Rejected, _)) => PassThrough::Refused,
            None if worker
                .unregistered
                .reserve(&*shared.outbox, &worker.platform)
                .await =>
            {
                PassThrough::Unreachable
            }
            None => PassThrough::Busy,
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("platforms", &self.inner.workers.keys())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Deliveries for Relay {
    fn expect(&self, receipt: ReceiptId) -> Option<Box<dyn PendingResult>> {
        let wait = self.inner.shared.settings.wait;
        if wait.is_zero() {
            return None;
        }
        let listener = self.inner.shared.waiters.listen(receipt);
        Some(Box::new(Awaited {
            inner: self.inner.clone(),
            listener,
        }))
    }

    fn wake(&self, ended: &[EndedSession]) {
        let mut woken = HashSet::new();
        for session in ended.iter().filter(|session| session.upstream) {
            let Some(worker) = self.inner.workers.get(&session.platform) else {
                continue;
            };
            if session.subject.is_unknown() {
                worker.unregistered.arrived();
            }
            if woken.insert(&session.platform) {
                worker.wake.notify_one();
            }
        }
    }

    async fn pass_through(
        &self,
        platform: &PlatformName,
        session: &UpstreamSession,
    ) -> PassThrough {
        let Some(worker) = self.inner.workers.get(platform) else {
            return PassThrough::Refused;
        };
        let seen = self.ask(worker, session).await;
        let result = match &seen {
            PassThrough::Busy => "busy",
            PassThrough::Confirmed { .. } => "confirmed",
            PassThrough::NotSignedIn => "not-signed-in",
            PassThrough::Refused => "refused",
            PassThrough::Unreachable => "unreachable",
        };
        metrics::pass_through(platform, result);
        seen
    }
}

/// A sign-out that waits.
struct Awaited {
    inner: Arc<Inner>,
    listener: Listener,
}

#[async_trait]
impl PendingResult for Awaited {
    async fn told(mut self: Box<Self>, ended: &[EndedSession]) -> Vec<DeliveryResult> {
        let now = Instant::now();
        let deadline = now + self.inner.shared.settings.wait;
        // What cannot come in time is not waited for: an upstream that is left alone for longer
        // delays no sign-out.
        let in_time = |platform: &PlatformName| {
            let worker = self.inner.workers.get(platform);
            worker.is_some_and(|worker| worker.shut_until(now).is_none_or(|until| until < deadline))
        };
        let upstreams = || ended.iter().filter(|session| session.upstream);
        let mut open: HashSet<_> = upstreams()
            .filter(|session| in_time(&session.platform))
            .map(|session| session.id)
            .collect();
        let mut known = HashMap::new();
        let mut stop = self.inner.shared.stop.subscribe();
        while !open.is_empty() && !*stop.borrow() {
            let heard = tokio::select! {
                heard = timeout_at(deadline, self.listener.events.recv()) => heard,
                _ = stop.changed() => break,
            };
            match heard {
                Ok(Some(Event::Settled(result))) => {
                    open.remove(&result.session);
                    known.insert(result.session, result);
                }
                Ok(Some(Event::Postponed(session, at))) => {
                    if at >= deadline {
                        open.remove(&session);
                    }
                }
                Ok(None) | Err(_) => break,
            }
        }
        let result = |session: &EndedSession| {
            known
                .remove(&session.id)
                .unwrap_or_else(|| DeliveryResult::nothing(session.id))
        };
        upstreams().map(result).collect()
    }
}
