//! The store as an outbox: what is still to be told to upstreams.

use std::ops::Bound;

use async_trait::async_trait;
use logout_core::delivery::{Delivery, DeliveryState, Leased, Settlement};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::SessionId;
use logout_core::store::{Page, StoreUnavailable};
use logout_core::time::Timestamp;
use tokio::sync::oneshot;

use super::FjallStore;
use super::engine::{Engine, ReadError, View};
use super::queue::Job;
use super::record::DeliveryRecord;
use super::table::Table;

/// How many deliveries are read on the caller's own thread, at most: some hundred microseconds.
const QUICK: usize = 64;

#[async_trait]
impl Outbox for FjallStore {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        let leased = self
            .ask(|reply| Job::Lease {
                platform: platform.clone(),
                limit,
                now,
                until,
                reply,
            })
            .await?;
        let engine = self.shared.engine()?;
        let mut all = Vec::with_capacity(leased.len());
        for (session, lease) in leased {
            match pending(&engine, session) {
                Ok(Some(delivery)) => all.push(Leased { delivery, lease }),
                // The lease has run out since, and its next holder was quicker.
                Ok(None) => {}
                Err(ReadError::Record(fault)) => {
                    log::error!("the delivery of session {session} cannot be carried out: {fault}")
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(all)
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.ask(|reply| Job::Settle {
            session,
            lease,
            settlement,
            reply,
        })
        .await
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        self.ask(|reply| Job::NextDue {
            platform: platform.clone(),
            reply,
        })
        .await
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        // Both tables as of one instant: a delivery that is moved between two readings would be in
        // neither.
        Ok(delivery(&self.shared.engine()?.view(), session)?)
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        let engine = self.shared.engine()?;
        let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
        if ids.len() <= QUICK {
            return Ok(all_of(&engine, &ids)?);
        }
        aside(move || all_of(&engine, &ids)).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        let engine = self.shared.engine()?;
        if is_quick(filter) {
            return Ok(deliveries(&engine, filter, after, limit)?);
        }
        // It may walk over every delivery there is.
        let filter = filter.clone();
        aside(move || deliveries(&engine, &filter, after, limit)).await
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        self.ask(|reply| Job::Retry {
            session,
            now,
            reply,
        })
        .await
    }
}

/// Reads on a thread of its own; the caller's has others to serve.
async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, StoreUnavailable> {
    let (reply, answer) = oneshot::channel();
    let read = move || drop(reply.send(read()));
    std::thread::Builder::new()
        .name("store-listing".to_owned())
        .spawn(read)
        .map_err(|_| StoreUnavailable)?;
    Ok(answer.await.map_err(|_| StoreUnavailable)??)
}

/// Whether a listing looks at little more than it returns.
fn is_quick(filter: &DeliveryFilter) -> bool {
    filter.platform.is_none() && matches!(filter.state, None | Some(DeliveryState::Pending))
}

fn pending(engine: &Engine, session: SessionId) -> Result<Option<Delivery>, ReadError> {
    let Some(bytes) = engine.read(Table::Pending, session.as_bytes())? else {
        return Ok(None);
    };
    Ok(Some(DeliveryRecord::read(&bytes)?.to_delivery(session)?))
}

fn all_of(engine: &Engine, sessions: &[SessionId]) -> Result<Vec<Option<Delivery>>, ReadError> {
    let view = engine.view();
    sessions
        .iter()
        .map(|session| delivery(&view, *session))
        .collect()
}

fn delivery(view: &View<'_>, session: SessionId) -> Result<Option<Delivery>, ReadError> {
    for table in [Table::Pending, Table::Settled] {
        if let Some(bytes) = view.read(table, session.as_bytes())? {
            return Ok(Some(DeliveryRecord::read(&bytes)?.to_delivery(session)?));
        }
    }
    Ok(None)
}

fn deliveries(
    engine: &Engine,
    filter: &DeliveryFilter,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Page<Delivery, SessionId>, ReadError> {
    let view = engine.view();
    let mut pending = within(
        &view,
        Table::Pending,
        after,
        filter
            .state
            .is_none_or(|state| state == DeliveryState::Pending),
    );
    let mut settled = within(
        &view,
        Table::Settled,
        after,
        filter.state != Some(DeliveryState::Pending),
    );
    let (mut next_pending, mut next_settled) =
        (pending.next().transpose()?, settled.next().transpose()?);
    let mut page = Page {
        items: Vec::<Delivery>::new(),
        next: None,
    };
    loop {
        let pending_first = match (&next_pending, &next_settled) {
            (Some(pending), Some(settled)) => pending.0 < settled.0,
            (pending, _) => pending.is_some(),
        };
        let next = if pending_first {
            std::mem::replace(&mut next_pending, pending.next().transpose()?)
        } else {
            std::mem::replace(&mut next_settled, settled.next().transpose()?)
        };
        let Some((session, bytes)) = next else {
            return Ok(page);
        };
        let delivery = DeliveryRecord::read(&bytes)?.to_delivery(session)?;
        if filter.matches(&delivery) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|last| last.session);
                return Ok(page);
            }
            page.items.push(delivery);
        }
    }
}

/// The records of a table after `after`, in the order of their sessions' ids; none if they are not
/// `wanted`.
fn within(
    view: &View<'_>,
    table: Table,
    after: Option<SessionId>,
    wanted: bool,
) -> impl Iterator<Item = Result<(SessionId, fjall::Slice), ReadError>> + use<> {
    let from = after.as_ref().map_or(Bound::Unbounded, |id| {
        Bound::Excluded(id.as_bytes().as_slice())
    });
    let entries = wanted.then(|| view.range(table, from, Bound::Unbounded));
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| match entry {
            Ok((key, bytes)) => key
                .as_ref()
                .try_into()
                .ok()
                .map(|key| Ok((SessionId::from_bytes(key), bytes))),
            Err(fault) => Some(Err(fault.into())),
        })
}
