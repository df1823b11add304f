//! When the keys of an identity provider must be fetched.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use logout_core::time::Timestamp;

use crate::key_set::KeySet;

/// The shortest and the longest time that keys are fresh, whatever the provider says.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long keys are fresh where the provider does not say. Our choice.
const USUAL_LIFE: Duration = Duration::from_secs(10 * 60);

/// How long the last good keys are used after they are stale, while the provider does not answer.
const LAST_GOOD: Duration = Duration::from_secs(24 * 60 * 60);

/// The time between two fetches for the sake of an unknown key.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);

/// The time between a fetch that failed and the next one. Our choice.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// The keys of one identity provider, and the turn to fetch them. Clones are the same cache.
///
/// - Keys are fresh for as long as the provider's `Cache-Control` says, between a minute and a day.
/// - One caller at a time fetches. The others use what is there, or wait where nothing is.
/// - While the provider does not answer, the last good keys are used for a day after they became
///   stale, and a fetch is tried every 10 seconds.
/// - A token with an unknown key causes one fetch each 30 seconds, however many come.
///
/// The cache does no I/O and never blocks for longer than it takes to copy a pointer. A caller that
/// fetches does it between two calls:
///
/// ```
/// # use logout_core::time::Timestamp;
/// # use logout_standards::{KeyCache, KeyLookup, KeySet, SignatureAlgorithm};
/// # use std::{sync::Arc, time::Duration};
/// # fn now() -> Timestamp { Timestamp::from_millis(0) }
/// # async fn download() -> Option<(Vec<u8>, Option<Duration>)> { None }
/// async fn keys(cache: &KeyCache) -> Result<Arc<KeySet>, Duration> {
///     loop {
///         match cache.get(now()) {
///             KeyLookup::Use(keys) => return Ok(keys),
///             KeyLookup::Unavailable { retry_after } => return Err(retry_after),
///             KeyLookup::Wait(fetch) => fetch.await,
///             KeyLookup::Fetch(permit) => {
///                 let answer = download().await.and_then(|(body, max_age)| {
///                     let keys = KeySet::parse(&body, &SignatureAlgorithm::DEFAULT).ok()?;
///                     Some((keys, max_age))
///                 });
///                 match answer {
///                     Some((keys, max_age)) => return Ok(permit.succeeded(keys, max_age, now())),
///                     None => permit.failed(now()),
///                 }
///             }
///         }
///     }
/// }
/// ```
///
/// The loop ends: after a fetch that failed, `get` asks for none for a while.
#[derive(Clone, Debug, Default)]
pub struct KeyCache(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    kept: Option<CachedKeys>,
    /// Present while a fetch is under way.
    fetch: Option<FetchWait>,
    /// When the last fetch failed, unless one has succeeded since.
    failed: Option<Timestamp>,
    /// When the last fetch for the sake of an unknown key began.
    asked_for_unknown: Option<Timestamp>,
    /// Whether the provider has answered neither that fetch nor a later one.
    is_unanswered: bool,
}

#[derive(Debug)]
struct CachedKeys {
    keys: Arc<KeySet>,
    fetched: Timestamp,
    life: Duration,
}

/// What a caller does to get keys.
#[derive(Debug)]
pub enum KeyLookup {
    /// Verify with these.
    Use(Arc<KeySet>),
    /// Fetch them. No other caller is told so until the permit is used up or dropped.
    Fetch(FetchPermit),
    /// Wait for another caller's fetch, then look again.
    Wait(FetchWait),
    /// There are none, and the provider did not answer a moment ago: 503.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

/// What a caller does about a token whose key is unknown. It does so once for each token: if the
/// key is still unknown after that, the token is refused.
#[derive(Debug)]
pub enum KeyRefresh {
    /// Verify again with these, which are newer.
    Use(Arc<KeySet>),
    /// Fetch the keys, and verify again with them; where the provider does not answer, 503.
    Fetch(FetchPermit),
    /// Wait for another caller's fetch, then look the keys up and verify again.
    Wait(FetchWait),
    /// Refuse the token: the keys are those of a fetch within the last 30 seconds.
    Refuse,
    /// The provider did not answer the last fetch, so the key may be a good one: 503.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl KeyCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys to verify with at `now`, or how to get them.
    pub fn get(&self, now: Timestamp) -> KeyLookup {
        let mut state = self.state();
        let kept = state.kept.as_ref();
        let usable = kept
            .filter(|kept| kept.is_usable(now))
            .map(CachedKeys::share);
        if let Some(keys) = usable.as_ref()
            && kept.is_some_and(|kept| kept.is_fresh(now))
        {
            return KeyLookup::Use(Arc::clone(keys));
        }
        match (usable, &state.fetch, state.retry_after(now)) {
            (Some(keys), Some(_), _) | (Some(keys), None, Some(_)) => KeyLookup::Use(keys),
            (None, Some(fetch), _) => KeyLookup::Wait(fetch.clone()),
            (None, None, Some(retry_after)) => KeyLookup::Unavailable { retry_after },
            (_, None, None) => KeyLookup::Fetch(self.permit(&mut state)),
        }
    }

    /// How to get newer keys than `used`, in which the key of a token is not.
    pub fn refresh(&self, used: &Arc<KeySet>, now: Timestamp) -> KeyRefresh {
        let mut state = self.state();
        if let Some(kept) = &state.kept
            && !Arc::ptr_eq(&kept.keys, used)
        {
            return KeyRefresh::Use(Arc::clone(&kept.keys));
        }
        if let Some(fetch) = &state.fetch {
            return KeyRefresh::Wait(fetch.clone());
        }
        let left = state
            .asked_for_unknown
            .and_then(|asked| left_of(UNKNOWN_KEY_INTERVAL, asked, now));
        match left {
            None => {
                state.asked_for_unknown = Some(now);
                state.is_unanswered = true;
                KeyRefresh::Fetch(self.permit(&mut state))
            }
            Some(retry_after) if state.is_unanswered => KeyRefresh::Unavailable { retry_after },
            Some(_) => KeyRefresh::Refuse,
        }
    }

    fn permit(&self, state: &mut State) -> FetchPermit {
        let (done, wait) = oneshot::channel();
        state.fetch = Some(FetchWait(wait.shared()));
        FetchPermit {
            cache: self.clone(),
            is_open: true,
            _done: done,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        left_of(RETRY_INTERVAL, self.failed?, now)
    }
}

impl CachedKeys {
    fn share(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys)
    }

    /// Keys from the future are not fresh: the clock has been set back, by how much is not known.
    fn is_fresh(&self, now: Timestamp) -> bool {
        left_of(self.life, self.fetched, now).is_some()
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        now.since(self.fetched) < self.life + LAST_GOOD
    }
}

/// What is left of `span` since `begin`; `None` when it is over, or the clock has been set back
/// before it.
fn left_of(span: Duration, begin: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = span.checked_sub(now.since(begin))?;
    (begin <= now && !left.is_zero()).then_some(left)
}

/// The right to fetch, and the duty to say how it went. A permit that is dropped gives the right
/// to the next caller, so a caller whose own client may hang up fetches in a task of its own.
#[derive(Debug)]
pub struct FetchPermit {
    cache: KeyCache,
    is_open: bool,
    /// Wakes the waiters when it is dropped.
    _done: oneshot::Sender<()>,
}

impl FetchPermit {
    /// Keeps keys that were read at `now`. `max_age` is what the answer's `Cache-Control` says.
    pub fn succeeded(
        mut self,
        keys: KeySet,
        max_age: Option<Duration>,
        now: Timestamp,
    ) -> Arc<KeySet> {
        let keys = Arc::new(keys);
        let mut state = self.close();
        state.failed = None;
        state.is_unanswered = false;
        state.kept = Some(CachedKeys {
            keys: Arc::clone(&keys),
            fetched: now,
            life: max_age
                .unwrap_or(USUAL_LIFE)
                .clamp(SHORTEST_LIFE, LONGEST_LIFE),
        });
        drop(state);
        keys
    }

    /// Says that the provider did not answer, or not with a key set.
    pub fn failed(mut self, now: Timestamp) {
        let mut state = self.close();
        state.failed = Some(now);
        state.is_unanswered = true;
    }

    fn close(&mut self) -> MutexGuard<'_, State> {
        self.is_open = false;
        let mut state = self.cache.state();
        state.fetch = None;
        state
    }
}

impl Drop for FetchPermit {
    fn drop(&mut self) {
        if self.is_open {
            drop(self.close());
        }
    }
}

/// Is over when the fetch of another caller is, however it ended. It needs no runtime.
#[derive(Clone, Debug)]
pub struct FetchWait(Shared<oneshot::Receiver<()>>);

impl Future for FetchWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}
