//! Sessions in a Redis or Valkey server, a master behind sentinels, or a cluster: for more than one
//! hub.
//!
//! Follow one sign-out: [`RedisStore`] hands the order to its own thread, where those that wait are
//! executed together (`ending`) unless there are several shards. The order's `shards` are found, a
//! script (`lua/end.lua`) ends everything of one shard in one atomic step, and the `link` waits for
//! as many acknowledgements as the URL asks for.
//!
//! # Keys
//!
//! The keys of a shard share one hash tag: `logout:{7}`, followed by
//!
//! | key | value |
//! |---|---|
//! | `s:` session's id | the session, with the parts of its receipt and its delivery ready made |
//! | `c:` credential's digest | the session's id, the credential's expiry, the conditions of a sign-out by it. Where the session is not there, a tombstone |
//! | `S`, `p:` person, `u:` subject, `o:` sign-on | sorted sets of sessions' ids: of all, and of one |
//! | `i:` key of a login at an identity provider | the same |
//! | `r:` receipt's id, `R` | what this shard's part of a sign-out ended; all of them |
//! | `d:` session's id, `D`, `q:` platform | deliveries; all of them; when each can be leased |
//! | `v:`, `a:` | one-time values; values that all agree on |
//!
//! A single server has the shard `{0}` and nothing else. A cluster has 64, and shard keys and hints
//! outside of them (`shards`).
//!
//! A sign-out leaves the ids of ended sessions in their indexes. Readers, openings and housekeeping
//! take them out; an id without a session counts as nothing.
//!
//! # Expiry of keys
//!
//! The caller's `now` decides what is alive. Keys live longer than that: their own life, counted
//! from the writer's `now`, and an hour (sessions: a week) more. It is a span, counted by the
//! server's clock, so it does not matter what the server believes the time to be. While clocks of
//! hubs differ by less than the margin, no tombstone is gone for one hub while another still
//! believes in its credential.

mod address;
mod commit;
mod cursor;
mod ending;
mod export;
mod housekeeping;
mod import;
mod link;
mod listing;
mod managed_connection;
mod opening;
mod outbox;
mod record;
mod script;
mod sessions;
mod shard;
mod shards;

use logout_core::store::Join;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{
    EndOrder, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable, SweepPage,
};
use logout_core::time::Timestamp;
use tokio::runtime::Runtime;

use crate::batch::Batches;
use crate::rules::Horizon;
use crate::wakeup::End;
use address::Address;
pub use address::AddressError;
use ending::EndBatcher;
use link::LinkError;
use shards::Shards;

/// How many scripts that end sessions are under way at once, and how many orders one may have: a
/// server does nothing else meanwhile.
const ENDING: (usize, usize) = (2, 64);

/// Keeps everything in a Redis (7.0 or later) or Valkey server that any number of hubs share.
///
/// - **Atomicity.** On a single server, or a master behind sentinels, each call is one script: all
///   or nothing, at once; sign-outs that wait at the same time share one. In a cluster that holds
///   for everything of one person, and for one subject that no person is known of. An order that
///   concerns several is executed shard by shard: when it fails halfway, what has ended so far
///   has ended, and the receipt of that id lists it. A sign-on that several persons share is
///   joined, and ended, shard by shard too. Ending a platform takes steps of 1,000 sessions
///   everywhere.
/// - **Durability.** As the server is configured: what it has answered but not yet synced or
///   replicated is lost with it. The URL can make writes wait: `?wait_replicas=1&wait_ms=500`, or
///   `?wait_aof=1` (servers from 7.2). Too few acknowledgements are [`StoreUnavailable`]; the order
///   may have been executed.
/// - **Failure.** A server that is gone, paused, full, read-only or loading is [`StoreUnavailable`]
///   within a few seconds, and used again as soon as it answers. An order that was refused so may
///   have been executed; given again with the same receipt's id and instant, it answers what it
///   ended then.
///   A server that is full still ends sessions.
/// - **Leases** are kept by the server, and last until they run out, whichever hub holds them.
///
/// It has a thread of its own for its connection, so no async runtime is needed, and no worker of a
/// web server waits for another's.
pub struct RedisStore {
    endings: Arc<Batches<End, EndBatcher>>,
    shards: Arc<Shards>,
    runtime: Option<Runtime>,
}

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConnectError {
    /// The URL does not name one.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The sessions there were written with another number of buckets, so none would be found.
    #[error(
        "the sessions there lie in {found} buckets, and not in {asked}; they cannot be moved by asking for another number"
    )]
    Buckets {
        /// As it was first opened.
        found: String,
        /// As the URL says.
        asked: u16,
    },
    /// The server may throw tombstones away when memory runs short.
    #[error("the server evicts keys when it is full ({0}): set maxmemory-policy to noeviction")]
    Evicts(String),
    /// The server does not answer as it should.
    #[error("{0}")]
    Server(String),
    /// No thread can be started.
    #[error("no thread: {0}")]
    Thread(#[source] std::io::Error),
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Opens the store that `url` names, and blocks until the server has answered, a few seconds at
    /// most.
    ///
    /// `redis://[user:password@]host[:port][/database]`,
    /// `redis+sentinel://[user:password@]host[:port],…/master[/database]`,
    /// `redis+cluster://[user:password@]host[:port],…`, each also with `rediss` for TLS. The query
    /// may have `prefix` (of all keys; `logout:`), `wait_replicas`, `wait_ms`, `wait_aof`, and
    /// `buckets` (64 in a cluster, otherwise 1; must not change while there are sessions).
    ///
    /// # Errors
    /// The URL is not understood, the server does not answer, or it is not fit for this.
    pub fn connect(url: &str) -> Result<Self, RedisConnectError> {
        let address = Address::parse(url)?;
        // For rediss://; somebody may have chosen one before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store-redis")
            .enable_all()
            .build()
            .map_err(RedisConnectError::Thread)?;
        let shards = Arc::new(Shards::new(&address));
        let endings = Batches::new(
            Arc::new(EndBatcher {
                shards: shards.clone(),
            }),
            ENDING.0,
            ENDING.1,
        );
        let store = Self {
            endings,
            shards: shards.clone(),
            runtime: Some(runtime),
        };
        let (answer, answered) = std::sync::mpsc::channel();
        let asked = address.options.buckets;
        store.spawn(async move { drop(answer.send(fitness(&shards, asked).await)) });
        answered
            .recv()
            .unwrap_or_else(|_| Err(RedisConnectError::Server(LinkError::Silence.to_string())))?;
        Ok(store)
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<tokio::task::JoinHandle<T>> {
        self.runtime.as_ref().map(|runtime| runtime.spawn(task))
    }

    /// Does something on the store's own thread. It goes on when the caller stops waiting: an order
    /// is not dropped halfway.
    async fn run<T, F>(&self, task: impl FnOnce(Arc<Shards>) -> F) -> Result<T, StoreUnavailable>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, LinkError>> + Send + 'static,
    {
        let (shards, task) = (self.shards.clone(), task(self.shards.clone()));
        let handle = self.spawn(async move {
            let done = task.await;
            shards.link.note(&done);
            done.map_err(|_| StoreUnavailable)
        });
        match handle {
            Some(handle) => handle.await.unwrap_or(Err(StoreUnavailable)),
            None => Err(StoreUnavailable),
        }
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        // What is still on its way may be: a runtime must not be waited for where another one runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Whether the server can keep what this store promises.
async fn fitness(shards: &Shards, asked: u16) -> Result<(), RedisConnectError> {
    let told = |fault: LinkError| RedisConnectError::Server(fault.to_string());
    let mut info = redis::cmd("INFO");
    info.arg("memory");
    let base = shards.shard(0).base;
    match shards.link.send(info, &base, false).await {
        Ok(text) => {
            let text = redis::from_redis_value::<String>(text).unwrap_or_default();
            let field = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            };
            if let (Some(limit), Some(policy)) = (field("maxmemory"), field("maxmemory_policy"))
                && limit != "0"
                && policy != "noeviction"
            {
                return Err(RedisConnectError::Evicts(policy.to_owned()));
            }
        }
        // Not everybody is allowed to ask; the operator answers for it then.
        Err(LinkError::Redis(error)) if error.code() == Some("NOPERM") => {
            log::warn!("whether the server evicts keys cannot be asked")
        }
        Err(fault) => return Err(told(fault)),
    }
    let found = shards
        .get_or_insert("buckets", asked.to_string().into_bytes())
        .await
        .map_err(told)?;
    if found != asked.to_string().as_bytes() {
        return Err(RedisConnectError::Buckets {
            found: String::from_utf8_lossy(&found).into_owned(),
            asked,
        });
    }
    Ok(())
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        self.run(async move |shards| shards.open(session, join, now).await)
            .await
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        let credential = *credential;
        self.run(async move |shards| shards.find(&credential, now).await)
            .await
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.run(async move |shards| shards.attach(session, credential, sealed, now).await)
            .await
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.run(async move |shards| shards.touch(session, now).await)
            .await
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let Some(runtime) = self.runtime.as_ref().filter(|_| !self.shards.are_many()) else {
            return self.run(async move |shards| shards.end(order).await).await;
        };
        let (order, answer) = End::new(order);
        self.endings.push(order, runtime.handle())?;
        answer.ended().await
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.run(async move |shards| shards.put_once(key, value, expires).await)
            .await
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let key = *key;
        self.run(async move |shards| shards.take_once(&key, now).await)
            .await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        let filter = filter.clone();
        self.run(async move |shards| shards.sessions(&filter, after, limit, now).await)
            .await
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        self.run(async move |shards| shards.receipt(id).await).await
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        self.run(async move |shards| shards.receipts(before, limit).await)
            .await
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        let horizon = Horizon {
            now,
            receipts_until,
        };
        self.run(async move |shards| shards.sweep(from, limit, horizon).await)
            .await
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        let name = format!("{}{name}", sessions::OF_HUBS);
        self.run(async move |shards| shards.get_or_insert(&name, candidate).await)
            .await
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        self.run(async move |shards| shards.health().await).await
    }
}
