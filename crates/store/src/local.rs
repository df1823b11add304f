//! The stores of one process: the model behind a lock, with or without a journal.

mod outbox;
mod transfer;

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use async_trait::async_trait;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{
    EndOrder, Join, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable,
    SweepPage,
};
use logout_core::time::Timestamp;

use crate::model::{Key, Model, merged_down};
use crate::record::{self, RecordError};
use crate::rules::page;

/// How many records are looked at before others get their turn.
const LOOKS: usize = 2_048;

/// A store that one process has to itself: [`crate::MemoryStore`] or [`crate::DiskStore`].
#[derive(Debug)]
pub struct LocalStore<J> {
    pub(crate) model: Arc<Mutex<Model>>,
    pub(crate) journal: J,
}

/// What makes changes last.
pub(crate) trait Journal: Debug + Send + Sync + 'static {
    /// Refuses where nothing can be promised at the moment.
    fn check(&self) -> Result<(), StoreUnavailable>;

    /// Refuses where there is no room for another session.
    fn check_room(&self) -> Result<(), StoreUnavailable> {
        Ok(())
    }

    /// Takes what the model has noted, in the order in which it changed. Says what has to be
    /// durable before anybody may hear of the state as it is now.
    fn append(&self, model: &mut Model) -> u64;

    /// Waits until everything up to `position` is durable.
    fn durable(&self, position: u64) -> impl Future<Output = Result<(), StoreUnavailable>> + Send;

    /// Reads a record from the archive.
    fn archived(&self, _: Shelf, _: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(None)
    }

    /// The first records of the archive behind a key, at most `limit`.
    fn archived_after(
        &self,
        _: Shelf,
        _after: Option<Key>,
        _limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StoreUnavailable> {
        Ok(Vec::new())
    }

    /// The last records of the archive before a key, at most `limit`, the last one first.
    fn archived_before(
        &self,
        _: Shelf,
        _before: Option<Key>,
        _limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StoreUnavailable> {
        Ok(Vec::new())
    }

    /// How many records the archive has.
    fn archived_len(&self) -> u64 {
        0
    }

    /// Forgets what is in the archive from before this instant.
    fn forget_archived(&self, _until: Timestamp) {}
}

/// A part of the archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shelf {
    /// Confirmed deliveries, by their session.
    Deliveries,
    /// Receipts, by their id.
    Receipts,
}

impl From<RecordError> for StoreUnavailable {
    fn from(error: RecordError) -> Self {
        log::error!("a record cannot be read: {error}");
        Self
    }
}

impl<J> LocalStore<J> {
    pub(crate) fn of(model: Arc<Mutex<Model>>, journal: J) -> Self {
        Self { model, journal }
    }

    fn lock(&self) -> Result<MutexGuard<'_, Model>, StoreUnavailable> {
        lock(&self.model)
    }
}

/// After a panic that left the indexes half changed, nothing can be promised any more.
pub(crate) fn lock(model: &Mutex<Model>) -> Result<MutexGuard<'_, Model>, StoreUnavailable> {
    model.lock().map_err(|_| StoreUnavailable)
}

#[expect(
    private_bounds,
    reason = "the journals of this crate are the only ones"
)]
impl<J: Journal> LocalStore<J> {
    /// Changes the state, and waits until that is durable, and all that the answer can show.
    async fn change<T>(
        &self,
        change: impl FnOnce(&mut Model) -> Result<T, RecordError>,
    ) -> Result<T, StoreUnavailable> {
        self.journal.check()?;
        let (answer, position) = {
            let mut model = self.lock()?;
            let answer = change(&mut model)?;
            (answer, self.journal.append(&mut model))
        };
        self.journal.durable(position).await?;
        Ok(answer)
    }

    /// Reads the state, and waits until all that the answer can show is durable.
    async fn read<T>(
        &self,
        read: impl FnOnce(&Model) -> Result<T, RecordError>,
    ) -> Result<T, StoreUnavailable> {
        self.change(|model| read(model)).await
    }
}

/// Lets other tasks of this thread have their turn.
pub(crate) async fn step_aside() {
    let mut has_waited = false;
    poll_fn(|context| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl<J: Journal> SessionStore for LocalStore<J> {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        self.journal.check_room()?;
        self.change(|model| model.open(&session, join, now)).await
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        self.journal.check()?;
        let (found, position) = {
            let mut model = self.lock()?;
            let found = model.find(credential, now)?;
            (found, self.journal.append(&mut model))
        };
        // That a session lives is no promise, and callers come here with every request.
        if !matches!(found, Lookup::Live(..)) {
            self.journal.durable(position).await?;
        }
        Ok(found)
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.change(|model| model.attach(session, &credential, sealed.as_ref(), now))
            .await
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        // Losing one is allowed, waiting is not: it comes with every request.
        if self.journal.check().is_ok() {
            let mut model = self.lock()?;
            model.touch(session, now)?;
            self.journal.append(&mut model);
        }
        Ok(())
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        self.change(|model| model.end(&order)).await
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.change(|model| model.put_once(key, value, expires))
            .await
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.change(|model| model.take_once(key, now)).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        let (mut items, mut from) = (Vec::new(), after);
        loop {
            let wanted = limit.saturating_add(1) - items.len();
            let part = self
                .read(|model| model.sessions(filter, from, wanted, LOOKS, now))
                .await?;
            items.extend(part.items);
            from = part.next;
            if from.is_none() || items.len() > limit {
                break;
            }
            step_aside().await;
        }
        Ok(page(items, limit, |session| session.id))
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        if let Some(receipt) = self.read(|model| model.receipt(id)).await? {
            return Ok(Some(receipt));
        }
        let archived = self.journal.archived(Shelf::Receipts, id.as_bytes())?;
        let read = |bytes: Vec<u8>| record::read_receipt(id, &bytes);
        Ok(archived.map(read).transpose()?)
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        let (before, wanted) = (before.map(|id| *id.as_bytes()), limit.saturating_add(1));
        let here = self
            .read(|model| Ok(model.receipts_before(before, wanted)))
            .await?;
        // Asked for later: what moves there meanwhile is seen twice, and never missed.
        let archived = self
            .journal
            .archived_before(Shelf::Receipts, before, wanted)?;
        let records = merged_down(here.into_iter().chain(archived), wanted);
        let items = records
            .iter()
            .map(|(key, bytes)| record::read_receipt(ReceiptId::from_bytes(*key), bytes))
            .collect::<Result<_, _>>()?;
        Ok(page(items, limit, |receipt: &Receipt| receipt.id))
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        if from.is_none() {
            self.journal.forget_archived(receipts_until);
        }
        self.change(|model| model.sweep(from.as_deref(), limit, now, receipts_until))
            .await
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        self.change(|model| model.get_or_insert(name, candidate))
            .await
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        self.read(|_| Ok(())).await
    }
}
