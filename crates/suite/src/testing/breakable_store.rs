//! A store that fails on demand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::delivery::{Delivery, Leased, Settlement};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{
    EndOrder, Join, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable,
    SweepPage,
};
use logout_core::time::Timestamp;
use logout_store::MemoryStore;

/// A store in memory that can be told not to answer.
#[derive(Debug, Default)]
pub struct BreakableStore {
    store: MemoryStore,
    broken: AtomicBool,
    /// How many answers it still gives, where that is bounded.
    answers_left: Mutex<Option<usize>>,
}

impl BreakableStore {
    /// From now on it answers nothing, or everything again.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
        *self.left() = None;
    }

    /// It gives this many answers more, and then none until it is told to answer again.
    pub fn break_after(&self, answers: usize) {
        *self.left() = Some(answers);
    }

    fn left(&self) -> MutexGuard<'_, Option<usize>> {
        self.answers_left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> Result<&MemoryStore, StoreUnavailable> {
        if let Some(left) = &mut *self.left() {
            *left = left.checked_sub(1).ok_or(StoreUnavailable)?;
        }
        if self.broken.load(Ordering::SeqCst) {
            Err(StoreUnavailable)
        } else {
            Ok(&self.store)
        }
    }
}

#[async_trait]
impl SessionStore for BreakableStore {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        self.store()?.open(session, join, now).await
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        self.store()?.find(credential, now).await
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.store()?.attach(session, credential, sealed, now).await
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.store()?.touch(session, now).await
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        self.store()?.end(order).await
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.store()?.put_once(key, value, expires).await
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.store()?.take_once(key, now).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        self.store()?.sessions(filter, after, limit, now).await
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        self.store()?.receipt(id).await
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        self.store()?.receipts(before, limit).await
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        self.store()?.sweep(from, limit, now, receipts_until).await
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        self.store()?.get_or_insert(name, candidate).await
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        self.store()?.health().await
    }
}

#[async_trait]
impl Outbox for BreakableStore {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        self.store()?.lease(platform, limit, now, until).await
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.store()?.settle(session, lease, settlement).await
    }

    async fn acknowledge(
        &self,
        session: SessionId,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.store()?.acknowledge(session, settlement).await
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        self.store()?.next_due(platform).await
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        self.store()?.delivery(session).await
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        self.store()?.deliveries_of(sessions).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        self.store()?.deliveries(filter, after, limit).await
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        self.store()?.retry(session, now).await
    }
}
