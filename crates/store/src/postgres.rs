//! Sessions in a PostgreSQL database, shared by any number of hubs.
//!
//! Follow one sign-out: [`PostgresStore`] puts the order into a batch, which hands everything that
//! waits to `ending`; that makes one statement of all orders of a kind (`presented`: by what was
//! presented), the `link` carries it, and the statement, or a function of the schema, decides it.
//! Looking up a credential goes the same way through `finding`. Everything else is a statement of
//! its own.

mod connector;
mod ending;
mod finding;
mod link;
mod outbox;
mod presented;
mod row;
mod schema;
mod statements;
mod sweep;
mod tls;
mod touches;
mod transfer;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{
    EndOrder, Join, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable,
    SweepPage,
};
use logout_core::time::Timestamp;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_postgres::Row;

use crate::batch::Batches;
use crate::wakeup::End;
use ending::Endings;
use finding::{Find, Findings};
use link::{Failure, Link, Params, params};
use touches::Touches;

/// How many statements that end sessions are under way at once, and how many orders one may have.
/// While one is being synced the next is made.
const ENDING: (usize, usize) = (2, 256);

/// The same for those that look credentials up.
const FINDING: (usize, usize) = (2, 256);

/// Whether the server takes writes, and commits them where it should: to its standbys too, where it
/// waits for any. Writes a message to its log that nobody reads.
const PROBE: &str = "SELECT current_setting('transaction_read_only'), pg_logical_emit_message(true, 'logout-hub', ''::text)";

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
    endings: Arc<Batches<End, Endings>>,
    findings: Arc<Batches<Find, Findings>>,
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
        let findings = Arc::new(Findings::new(link.clone()));
        let endings = Endings {
            findings: findings.clone(),
            link: link.clone(),
            touches: touches.clone(),
        };
        let store = Self {
            shared: Arc::new(Shared {
                endings: Batches::new(Arc::new(endings), ENDING.0, ENDING.1),
                findings: Batches::new(findings, FINDING.0, FINDING.1),
                link,
                touches,
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
                // Nobody waits for it, and the link has logged why.
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

    /// Carries out one statement on the store's own threads, whoever waits for it and however long.
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
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Who was seen in the last second would have lain idle for longer than anybody knows
            // after the next start.
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

/// A page out of one item more than it has room for, if there are that many.
fn page<T, C>(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> C) -> Page<T, C> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(id);
    Page { items, next }
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        let mut params = row::columns_of(session);
        params.extend(params![join == Join::IfLive, row::millis(now)]);
        let verdict = self.rows(statements::OPEN, params).await?;
        match verdict
            .first()
            .map(|row| row.try_get(0))
            .transpose()
            .map_err(Failure::from)?
        {
            Some(0) => Ok(OpenOutcome::Opened),
            Some(1) => Ok(OpenOutcome::CredentialEnded),
            Some(2) => Ok(OpenOutcome::SignOnEnded),
            Some(i32::MIN..=-1 | 3..) | None => Err(StoreUnavailable),
        }
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        let (reply, answer) = oneshot::channel();
        self.shared.findings.push(
            Find {
                credential: *credential,
                now,
                reply,
            },
            self.runtime(),
        )?;
        answer.await.map_err(|_| StoreUnavailable)
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        let params = params![
            row::uuid(session.as_bytes()),
            credential.digest.as_bytes().to_vec(),
            row::millis(credential.expires),
            credential.csrf_due,
            sealed.map(|sealed| sealed.as_bytes().to_vec()),
            row::millis(now),
        ];
        Ok(!self.rows(statements::ATTACH, params).await?.is_empty())
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.shared.touches.note(session, now);
        Ok(())
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let (order, answer) = End::new(order);
        self.shared.endings.push(order, self.runtime())?;
        answer.ended().await
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        let statement = "INSERT INTO logout_once (key, value, expires) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING RETURNING 1";
        Ok(!self
            .rows(
                statement,
                params![key.as_bytes().to_vec(), value, row::millis(expires)],
            )
            .await?
            .is_empty())
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let statement = "DELETE FROM logout_once WHERE key = $1 RETURNING value, expires";
        let rows = self
            .rows(statement, params![key.as_bytes().to_vec()])
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let expires = row::instant(row.try_get(1).map_err(Failure::from)?);
        let value = row.try_get(0).map_err(Failure::from)?;
        Ok((expires > now).then_some(value))
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        // What is not asked for is left out of the statement, so that an index can serve the rest.
        let mut condition = String::from("s.ends > $1");
        let mut params = params![row::millis(now), rows_of(limit) + 1];
        let mut require =
            |columns: &str, value: Box<dyn tokio_postgres::types::ToSql + Send + Sync>| {
                params.push(value);
                condition.push_str(&format!(" AND {columns} ${}", params.len()));
            };
        if let Some(after) = after {
            require("s.id >", Box::new(row::uuid(after.as_bytes())));
        }
        if let Some(person) = &filter.person {
            require("s.person_key =", Box::new(row::person_key(person)));
            require("s.person =", Box::new(row::text(person.as_str())));
        }
        if let Some(subject) = &filter.subject {
            require("s.subject_key =", Box::new(row::subject_key(subject)));
            require("s.realm =", Box::new(row::text(&subject.realm)));
            require("s.name =", Box::new(row::text(&subject.name)));
        }
        if let Some(platform) = &filter.platform {
            require("s.platform =", Box::new(row::text(platform.as_str())));
        }
        let statement = format!(
            "SELECT {} FROM logout_sessions s WHERE {condition} ORDER BY s.id LIMIT $2",
            row::SESSION
        );
        let rows = self.rows(statement, params).await?;
        let items = rows
            .iter()
            .map(|found| row::session(found, 0))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |session| session.id))
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        let statement = format!("SELECT {} FROM logout_receipts WHERE id = $1", row::RECEIPT);
        let rows = self
            .rows(statement, params![row::uuid(id.as_bytes())])
            .await?;
        Ok(rows.first().map(row::receipt).transpose()?)
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_receipts WHERE id < $1 ORDER BY id DESC LIMIT $2",
            row::RECEIPT
        );
        let before = before.map_or(uuid::Uuid::max(), |id| row::uuid(id.as_bytes()));
        let rows = self
            .rows(statement, params![before, rows_of(limit) + 1])
            .await?;
        let items = rows
            .iter()
            .map(row::receipt)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |receipt| receipt.id))
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        sweep::step(self, from, limit, now, receipts_until).await
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        let rows = self
            .rows(statements::AGREE, params![row::text(name), candidate])
            .await?;
        Ok(rows
            .first()
            .ok_or(StoreUnavailable)?
            .try_get(0)
            .map_err(Failure::from)?)
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        let shared = self.shared.clone();
        let written = self
            .runtime()
            .spawn(async move { shared.touches.flush(&shared.link).await });
        // At the same time, so that it takes no longer than anything else to hear that nobody
        // answers.
        let link = self.shared.link.clone();
        let probing = self.runtime().spawn(async move { link.probe(PROBE).await });
        let rows = probing.await.map_err(|_| StoreUnavailable)??;
        let read_only: &str = rows
            .first()
            .ok_or(StoreUnavailable)?
            .try_get(0)
            .map_err(Failure::from)?;
        if read_only != "off" {
            self.shared.link.leave();
            return Err(StoreUnavailable);
        }
        Ok(written.await.map_err(|_| StoreUnavailable)??)
    }
}
