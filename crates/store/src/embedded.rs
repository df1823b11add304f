//! Sessions in an embedded database (fjall) on this machine's disk.
//!
//! Follow one sign-out: [`FjallStore`] puts the order into the `queue`, the `writer` takes
//! everything that waits and lets a `group` decide it, the `engine` commits and syncs, a `wakeup`
//! sends the answers out. Readings go to the `engine` directly.

mod due;
mod engine;
mod group;
mod index;
mod outbox;
mod queue;
mod reading;
mod record;
mod table;
mod transfer;
mod writer;

use logout_core::store::Join;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{
    EndOrder, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable, SweepPage,
};
use logout_core::time::Timestamp;
use tokio::sync::oneshot;

use crate::wakeup::End;
use due::Due;
use engine::Engine;
pub use engine::OpenError;
use queue::Job;
use table::Table;
use writer::Shared;

/// Keeps everything in one directory of this machine; one process at a time.
///
/// - **Durability.** What `open`, `attach`, `end`, `settle`, `retry`, `put_once`, `take_once` and
///   `agree` have answered was synced to the disk before (`fdatasync`), and survives `kill -9` as
///   well as a power cut. Operations that wait at the same time share one sync. Touches are written
///   without one. What the disk did with a write that it reported as failed is beyond promise.
/// - **Failure.** When the disk is full or broken, callers get [`StoreUnavailable`] and never a
///   success; so do all readers, until the database could be opened again, which is tried by
///   itself, at first after 100 ms, at last every 5 s. An order that was refused so may or may not
///   have been carried out once the store is back.
/// - **Overload.** At most 16,384 operations wait; more are refused with [`StoreUnavailable`] at
///   once.
/// - **Memory.** Up to 64 MiB of blocks from the disk, and the records written last: about 24 MiB
///   that are being collected, up to 48 MiB while the disk cannot keep up, and as much twice over
///   that is being written out; then callers wait. Besides, some 150 bytes for each delivery that
///   is pending.
/// - **Leases** of deliveries are not written down: after a restart, and after a failure as above,
///   everything that is pending can be leased at once, and nothing can be settled any more under a
///   lease from before.
///
/// No async runtime is needed. Dropping it answers everything that still waits, syncs, and gives
/// the directory free before it returns.
pub struct FjallStore {
    shared: Arc<Shared>,
    path: PathBuf,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl FjallStore {
    /// Opens the store in the directory `path`, or makes a new one there, readable by its owner
    /// only. Blocks while the journal and the pending deliveries are read back: up to some seconds
    /// after a crash.
    ///
    /// # Errors
    /// The directory is locked, cannot be written to, or holds something that cannot be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let engine = Engine::open(path)?;
        let mut due = Due::new();
        due.load(&engine, path)?;
        let shared = Arc::new(Shared::new(engine));
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn({
                let (shared, path) = (shared.clone(), path.to_owned());
                move || writer::run(&shared, path, due)
            });
        match writer {
            Ok(writer) => Ok(Self {
                shared,
                path: path.to_owned(),
                writer: Some(writer),
            }),
            Err(source) => Err(OpenError::NotWritable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<T>) -> Job,
    ) -> Result<T, StoreUnavailable> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push_job(job(reply))?;
        answer.await.map_err(|_| StoreUnavailable)
    }
}

impl Drop for FjallStore {
    fn drop(&mut self) {
        self.shared.queue.close();
        if self
            .writer
            .take()
            .is_some_and(|writer| writer.join().is_err())
        {
            log::error!("the writer of the session store had panicked");
        }
    }
}

#[async_trait]
impl SessionStore for FjallStore {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        self.ask(|reply| Job::Open {
            session: Box::new(session),
            join,
            now,
            reply,
        })
        .await
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        Ok(reading::find(&*self.shared.engine()?, credential, now)?)
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.ask(|reply| Job::Attach {
            session,
            credential,
            sealed,
            now,
            reply,
        })
        .await
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        // Losing one is allowed, waiting is not: it comes with every request that only wants to be
        // let in.
        let _ = self.shared.queue.push_job(Job::Touch { session, now });
        Ok(())
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let (order, answer) = End::new(order);
        self.shared.queue.push_end(order)?;
        answer.ended().await
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.ask(|reply| Job::PutOnce {
            key,
            value,
            expires,
            reply,
        })
        .await
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.ask(|reply| Job::TakeOnce {
            key: *key,
            now,
            reply,
        })
        .await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        let engine = self.shared.engine()?;
        if reading::is_quick(filter) {
            return Ok(reading::sessions(&engine, filter, after, limit, now)?);
        }
        // A filter that no index serves may walk over every session there is; the caller's thread
        // has others to serve.
        let (reply, answer) = oneshot::channel();
        let filter = filter.clone();
        let walk = move || drop(reply.send(reading::sessions(&engine, &filter, after, limit, now)));
        std::thread::Builder::new()
            .name("store-listing".to_owned())
            .spawn(walk)
            .map_err(|_| StoreUnavailable)?;
        Ok(answer.await.map_err(|_| StoreUnavailable)??)
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        Ok(reading::receipt(&*self.shared.engine()?, id)?)
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        Ok(reading::receipts(&*self.shared.engine()?, before, limit)?)
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        let (swept, stale) = reading::sweep(
            &*self.shared.engine()?,
            from.as_deref(),
            limit,
            now,
            receipts_until,
        )?;
        if !stale.is_empty() {
            self.ask(|reply| Job::Forget { stale, now, reply }).await?;
        }
        Ok(swept)
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        let known = self
            .shared
            .engine()?
            .read(Table::Agreed, &group::agreed_key(name))
            .map_err(engine::ReadError::from)?;
        match known {
            Some(value) => Ok(value.to_vec()),
            None => {
                self.ask(|reply| Job::Agree {
                    name: name.to_owned(),
                    candidate,
                    reply,
                })
                .await
            }
        }
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        self.ask(|reply| Job::Health { reply }).await
    }
}
