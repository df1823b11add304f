//! Sessions in a PostgreSQL database, shared by any number of hubs.
//!
//! Follow one sign-out: [`PostgresStore`] puts the order into a batch, which hands everything that
//! waits to `ending`; that makes one statement of all orders of a kind, the `link` carries it, and
//! the statement decides it. Looking up a credential goes the same way through `lookup`. Everything
//! else is a statement of its own.

mod connector;
mod ending;
mod failure;
mod link;
mod lookup;
mod outbox;
mod row;
mod schema;
mod sessions;
mod statements;
mod sweep;
mod table;
mod tls;
mod touches;
mod transfer;
mod value;
mod work;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use logout_core::store::StoreUnavailable;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Row;

use crate::batch::Batches;
use crate::wakeup::End;
use ending::EndBatcher;
use link::Link;
use lookup::{Find, LookupBatcher};
use touches::Touches;
use work::{Params, Work};

/// How many statements that end sessions are under way at once, and how many orders one may have.
/// While one is being synced the next is made.
const ENDING: (usize, usize) = (2, 256);

/// How long one of them may be under way before the next goes with fewer orders than half of the
/// callers have: a statement costs as much as a dozen orders in it.
const GATHERING: Duration = Duration::from_millis(1);

/// The same as [`ENDING`] for those that look credentials up.
const LOOKUP: (usize, usize) = (2, 256);

/// How late a touch may be written.
const TOUCHING: Duration = Duration::from_secs(1);

/// How long a store that is given up waits for its last touches to be written.
const LEAVING: Duration = Duration::from_secs(1);

/// How long it may take to change the tables, or to wait for another hub that does.
const PREPARING: Duration = Duration::from_secs(1_800);

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be understood. It is not repeated, because it may hold a password.
    #[error("the URL of the database is not understood")]
    Url,
    /// The server does not answer, or not as it should.
    #[error("no connection to the database: {reason}")]
    NoAnswer {
        /// In the words of the server or the system.
        reason: String,
    },
    /// TLS is asked for, and this system knows no authority to trust.
    #[error("no certificate authorities were found to check the database's certificate by")]
    NoAuthorities,
    /// The tables cannot be read or made.
    #[error("the tables cannot be made ready: {reason}")]
    Schema {
        /// In the words of the server.
        reason: String,
    },
    /// The threads of the store cannot be started.
    #[error("the threads of the store cannot be started")]
    Threads(#[source] std::io::Error),
    /// The tables are those of another version of this program.
    #[error("the tables are of version {found}, and this program knows version {known}")]
    Version {
        /// What the database has; zero when it has none.
        found: i32,
        /// What it should have.
        known: i32,
    },
}

/// Keeps everything in one PostgreSQL database (14 or later) that any number of hubs share.
///
/// - **Durability.** What was answered was committed before, with `synchronous_commit = on`: it
///   survives the death of the server, and of its machine, as far as its disk keeps what it has
///   synced; with synchronous standbys configured, it is on those too. Only the `options` of the
///   URL can say otherwise (`?options=-c%20synchronous_commit%3Doff`). Touches are collected for up
///   to a second, and those are lost when the hub dies; a store that is dropped writes them.
/// - **Ending.** What waits at the same time goes in one statement, of which two are under way at
///   most. Each session is credited to one order, over all hubs.
/// - **Failure.** Callers get [`StoreUnavailable`] when there is no answer in four seconds, also
///   from a server that hangs, or that waits for a synchronous standby which is gone; a statement
///   whose outcome is not known is never reported as done, and may have been. Nor is one whose
///   waiting for the standbys somebody cut short. The next call tries again: nothing has to be
///   restarted.
/// - **Failover.** The URL may name several servers (`postgres://hub@one,two/db`). Whichever takes
///   writes is used, and another one as soon as that dies, becomes read-only, or stops to answer.
///   The old one must not come back as a primary: that is for the operator to see to.
/// - **Ending a whole platform** reads every session there is, and may take two minutes.
/// - **TLS** is used when the URL says `sslmode=require`, and then the server's certificate and
///   name are checked.
/// - **Connections.** Twelve at most. Poolers that give every transaction another connection are
///   not supported.
///
/// It brings threads of its own, so it can be used from any executor: callers come from executors
/// that end before the store does, and a connection must not end with the executor that happened to
/// open it.
pub struct PostgresStore {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    link: Arc<Link>,
    touches: Arc<Touches>,
    endings: Arc<Batches<End, EndBatcher>>,
    lookups: Arc<Batches<Find, LookupBatcher>>,
    /// The statements that are put together, once.
    open: String,
    attach: String,
    lease: String,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, and brings the tables to this program's version. Of hubs that start at once, one
    /// changes them and the others wait. Blocks until it is done.
    ///
    /// # Errors
    /// The database cannot be reached, or its tables are newer than this program or cannot be
    /// changed.
    pub fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::start(url, Tables::Changed)
    }

    /// Connects to tables that are ready, and changes none. Blocks until it is done.
    ///
    /// # Errors
    /// The database cannot be reached, or its tables are not of this program's version.
    pub fn connect_unchanged(url: &str) -> Result<Self, ConnectError> {
        Self::start(url, Tables::AsTheyAre)
    }

    fn start(url: &str, tables: Tables) -> Result<Self, ConnectError> {
        let link = Arc::new(Link::new(url)?);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store-postgres")
            .enable_all()
            .build();
        let runtime = runtime.map_err(ConnectError::Threads)?;
        let touches = Arc::new(Touches::default());
        let lookups = Arc::new(LookupBatcher::new(link.clone()));
        let endings = EndBatcher::new(link.clone(), lookups.clone(), touches.clone());
        let store = Self {
            shared: Arc::new(Shared {
                endings: Batches::gathering(Arc::new(endings), ENDING.0, ENDING.1, GATHERING),
                lookups: Batches::new(lookups, LOOKUP.0, LOOKUP.1),
                link,
                touches,
                open: statements::open(),
                attach: statements::attach(),
                lease: statements::lease(),
            }),
            runtime: Some(runtime),
        };
        // The caller may be inside an executor of its own, which must not be entered twice: a plain
        // channel brings the answer.
        let (done, outcome) = mpsc::sync_channel(1);
        let shared = store.shared.clone();
        store.runtime().spawn(async move {
            let late = || {
                Err(ConnectError::NoAnswer {
                    reason: "no answer in time".to_owned(),
                })
            };
            let _ = done.send(
                tokio::time::timeout(PREPARING, tables.prepare(&shared.link))
                    .await
                    .unwrap_or_else(|_| late()),
            );
            loop {
                tokio::time::sleep(TOUCHING).await;
                // No caller waits for it, and the link has logged why.
                let _ = shared.touches.flush(&shared.link).await;
            }
        });
        outcome.recv().unwrap_or_else(|_| {
            Err(ConnectError::NoAnswer {
                reason: "its thread has ended".to_owned(),
            })
        })?;
        Ok(store)
    }

    #[expect(clippy::expect_used, reason = "it is there until the store is dropped")]
    fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.as_ref().expect("not dropped").handle()
    }

    /// Carries out one statement on the store's own threads, however long the caller waits for it.
    async fn rows(
        &self,
        statement: impl Into<Cow<'static, str>>,
        params: Params,
    ) -> Result<Vec<Row>, StoreUnavailable> {
        let (link, statement) = (self.shared.link.clone(), statement.into());
        let rows = self
            .runtime()
            .spawn(async move { link.rows(&statement, &params).await });
        Ok(rows.await.map_err(|_| StoreUnavailable)??)
    }

    /// The same, for a statement that brings a row if it has done what was asked.
    async fn is_done(
        &self,
        statement: impl Into<Cow<'static, str>>,
        params: Params,
    ) -> Result<bool, StoreUnavailable> {
        Ok(!self.rows(statement, params).await?.is_empty())
    }

    async fn execute<W>(&self, work: W) -> Result<W::Output, StoreUnavailable>
    where
        W: Work<Output: 'static> + Send + 'static,
    {
        let link = self.shared.link.clone();
        let done = self
            .runtime()
            .spawn(async move { link.execute(&work).await });
        Ok(done.await.map_err(|_| StoreUnavailable)??)
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Sessions that were used in the last second would seem idle for longer after the next
            // start than they were.
            let (done, written) = mpsc::sync_channel(1);
            let shared = self.shared.clone();
            runtime.spawn(async move { done.send(shared.touches.flush(&shared.link).await) });
            let _ = written.recv_timeout(LEAVING);
            // Waiting for its threads is not allowed where the caller is inside an executor.
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone, Copy)]
enum Tables {
    AsTheyAre,
    Changed,
}

impl Tables {
    async fn prepare(self, link: &Link) -> Result<(), ConnectError> {
        let client = link.connection().await?;
        match self {
            Self::AsTheyAre => schema::check(&client).await,
            Self::Changed => schema::migrate(&client).await,
        }
    }
}

/// A limit as the database takes it, with room for one more.
fn rows_of(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX - 1, |limit| limit.min(i64::MAX - 1))
}
