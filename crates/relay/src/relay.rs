//! The engine's outside: start, stop, wake, wait, first sight.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use logout_core::outbox::Outbox;
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock, Deliveries, DeliveryResult, PassThrough, PendingResult, Seal};
use logout_core::provider::Upstream;
use logout_core::receipt::{EndedSession, ReceiptId};
use logout_core::relayed_cookie::removals_of_sign_out;
use logout_core::time::Timestamp;
use logout_core::upstream::{Addressee, Confirmation, UpstreamSession};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::attempt;
use crate::breaker::BreakerState;
use crate::lane::{Lane, Shared};
use crate::metrics;
use crate::settings::RelaySettings;
use crate::strangers::is_stranger;
use crate::waiting::{Listener, News, Waiting};

/// How long a stranger's sign-out is waited for where sign-outs do not wait for confirmations:
/// without the upstream's answer there is nothing to answer from.
const FIRST_SIGHT_AT_LEAST: Duration = Duration::from_secs(1);

/// Carries deliveries to upstreams. Cheap to clone: all clones are the same relay.
#[derive(Clone)]
pub struct Relay {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    lanes: BTreeMap<PlatformName, Arc<Lane>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// How an upstream does just now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpstreamStatus {
    /// The platform whose upstream it is.
    pub platform: PlatformName,
    /// Whether it is trusted to answer.
    pub breaker: BreakerState,
    /// How many deliveries are under way.
    pub in_flight: usize,
    /// Until when nothing is sent: it asked for that, or does not answer.
    pub paused_until: Option<Timestamp>,
}

impl Relay {
    /// Begins to carry what is in `outbox` to `upstreams`, one task for each of them. Goes on until
    /// [`Relay::stop`], also when every clone is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime whose timers are enabled; the tasks run on that one.
    pub fn start(
        settings: RelaySettings,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
        seal: Arc<dyn Seal>,
        upstreams: Vec<(PlatformName, Upstream)>,
    ) -> Self {
        let lanes: BTreeMap<_, _> = upstreams
            .into_iter()
            .map(|(platform, upstream)| {
                (
                    platform.clone(),
                    Arc::new(Lane::new(platform, upstream, &settings)),
                )
            })
            .collect();
        let (changes, stop) = (watch::Sender::new(0), watch::Sender::new(false));
        let shared = Arc::new(Shared {
            settings,
            outbox,
            clock,
            seal,
            waiting: Waiting::default(),
            changes,
            stop,
        });
        let tasks = lanes
            .values()
            .map(|lane| tokio::spawn(lane.clone().run(shared.clone())))
            .collect();
        Self {
            inner: Arc::new(Inner {
                shared,
                lanes,
                tasks: Mutex::new(tasks),
            }),
        }
    }

    /// Leases nothing more, lets what is under way finish within [`RelaySettings::stop_within`],
    /// and answers every sign-out that waits. What did not finish is given back, and carried by
    /// whoever is there; where the store does not take it within another second, its lease runs out
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

    /// Has the outbox looked at for every upstream: somebody made deliveries due again
    /// ([`Outbox::retry`]).
    pub fn look_again(&self) {
        self.inner
            .lanes
            .values()
            .for_each(|lane| lane.wake.notify_one());
    }

    /// A number that grows with every settlement of this relay: for who waits until a receipt is
    /// settled. Other hubs on the same store have their own.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.shared.changes.subscribe()
    }

    /// How the upstreams do, in the order of their platforms' names.
    pub fn upstreams(&self) -> Vec<UpstreamStatus> {
        let (now, at) = (Instant::now(), self.inner.shared.clock.now());
        let status = |lane: &Arc<Lane>| {
            let breaker = lane.gate().breaker.state(now);
            let paused_until = lane
                .shut_until(now)
                .map(|until| at.plus(until.saturating_duration_since(now)));
            UpstreamStatus {
                platform: lane.platform.clone(),
                breaker,
                in_flight: lane.in_flight(),
                paused_until,
            }
        };
        self.inner.lanes.values().map(status).collect()
    }

    /// How many sign-outs wait for confirmations.
    pub fn waiting(&self) -> usize {
        self.inner.shared.waiting.count()
    }

    async fn ask(&self, lane: &Lane, session: &UpstreamSession) -> PassThrough {
        let shared = &self.inner.shared;
        if !lane.strangers.admit() {
            return PassThrough::Busy;
        }
        let limit = if shared.settings.wait.is_zero() {
            FIRST_SIGHT_AT_LEAST
        } else {
            shared.settings.wait
        };
        // An upstream that asked to be left alone is. What strangers bring about opens no breaker
        // and begins no pause, or they could hold up the sign-outs of everybody else.
        let paused = lane
            .gate()
            .paused
            .is_some_and(|until| until > Instant::now());
        let provider = &*lane.upstream.provider;
        let to = Addressee {
            subject: None,
            session: session.clone(),
        };
        let answer = if paused {
            None
        } else {
            attempt::call(lane, provider.sign_out(&to), limit)
                .await
                .ok()
        };
        match answer
            .as_ref()
            .map(|answer| (provider.confirm(answer), answer))
        {
            Some((Confirmation::Confirmed { landing }, answer)) => PassThrough::Confirmed {
                landing,
                removals: removals_of_sign_out(provider, answer, shared.clock.now()),
            },
            Some((Confirmation::NotSignedIn, _)) => PassThrough::NotSignedIn,
            Some((Confirmation::Refused, _)) => PassThrough::Refused,
            None if lane
                .strangers
                .reserve(&*shared.outbox, &lane.platform)
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
            .field("platforms", &self.inner.lanes.keys())
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
        let listener = self.inner.shared.waiting.listen(receipt);
        Some(Box::new(Awaited {
            inner: self.inner.clone(),
            listener,
        }))
    }

    fn wake(&self, ended: &[EndedSession]) {
        let mut woken = HashSet::new();
        for session in ended.iter().filter(|session| session.upstream) {
            let Some(lane) = self.inner.lanes.get(&session.platform) else {
                continue;
            };
            if is_stranger(&session.subject) {
                lane.strangers.arrived();
            }
            if woken.insert(&session.platform) {
                lane.wake.notify_one();
            }
        }
    }

    async fn pass_through(
        &self,
        platform: &PlatformName,
        session: &UpstreamSession,
    ) -> PassThrough {
        let Some(lane) = self.inner.lanes.get(platform) else {
            return PassThrough::Refused;
        };
        let seen = self.ask(lane, session).await;
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
        // costs nobody anything.
        let in_time = |platform: &PlatformName| {
            let lane = self.inner.lanes.get(platform);
            lane.is_some_and(|lane| lane.shut_until(now).is_none_or(|until| until < deadline))
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
                heard = timeout_at(deadline, self.listener.news.recv()) => heard,
                _ = stop.changed() => break,
            };
            match heard {
                Ok(Some(News::Settled(told))) => {
                    open.remove(&told.session);
                    known.insert(told.session, told);
                }
                Ok(Some(News::Postponed(session, at))) => {
                    if at >= deadline {
                        open.remove(&session);
                    }
                }
                Ok(None) | Err(_) => break,
            }
        }
        let told = |session: &EndedSession| {
            known
                .remove(&session.id)
                .unwrap_or_else(|| DeliveryResult::nothing(session.id))
        };
        upstreams().map(told).collect()
    }
}
