//! The outbox of a store of one process.

use async_trait::async_trait;
use logout_core::delivery::{Delivery, DeliveryState, Leased, Settlement};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::SessionId;
use logout_core::store::{Page, StoreUnavailable};
use logout_core::time::Timestamp;

use super::{Journal, LOOKS, LocalStore, Shelf, step_aside};
use crate::model::{Key, merged};
use crate::record::{DeliveryRecord, RecordError};
use crate::rules::page;

#[async_trait]
impl<J: Journal> Outbox for LocalStore<J> {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        self.change(|model| Ok(model.lease(platform, limit, now, until)))
            .await
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.change(|model| model.settle(session, lease, &settlement))
            .await
    }

    async fn acknowledge(
        &self,
        session: SessionId,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.change(|model| model.acknowledge(session, &settlement))
            .await
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        self.read(|model| Ok(model.next_due(platform))).await
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        let here = self.read(|model| model.delivery(session)).await?;
        here.map_or_else(|| self.archived_delivery(session), |here| Ok(Some(here)))
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        let mut deliveries = self
            .read(|model| {
                let of = |session: &&EndedSession| model.delivery(session.id);
                sessions.iter().map(of).collect::<Result<Vec<_>, _>>()
            })
            .await?;
        for (session, delivery) in sessions.iter().zip(&mut deliveries) {
            if session.upstream && delivery.is_none() {
                *delivery = self.archived_delivery(session.id)?;
            }
        }
        Ok(deliveries)
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        let (mut items, mut from) = (Vec::new(), after.map(|id| *id.as_bytes()));
        loop {
            let part = self.deliveries_behind(filter, from, LOOKS).await?;
            from = part.last().map(|delivery| *delivery.session.as_bytes());
            let is_all = part.len() < LOOKS;
            items.extend(part.into_iter().filter(|delivery| filter.matches(delivery)));
            if is_all || items.len() > limit {
                break;
            }
            step_aside().await;
        }
        Ok(page(items, limit, |delivery: &Delivery| delivery.session))
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        self.change(|model| model.retry(session, now)).await
    }
}

#[expect(
    private_bounds,
    reason = "the journals of this crate are the only ones"
)]
impl<J: Journal> LocalStore<J> {
    /// The first deliveries behind a key, at most `limit`. Confirmed ones are only among them where
    /// the filter wants such.
    pub(super) async fn deliveries_behind(
        &self,
        filter: &DeliveryFilter,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreUnavailable> {
        let is_confirmed = |state| state == DeliveryState::Confirmed;
        let with_confirmed = filter.state.is_none_or(is_confirmed);
        let (open, confirmed) = self
            .read(|model| {
                let confirmed = if with_confirmed {
                    model.confirmed_after(after, limit)
                } else {
                    Vec::new()
                };
                Ok((model.unconfirmed_after(after, limit), confirmed))
            })
            .await?;
        let archived = if with_confirmed {
            self.journal
                .archived_after(Shelf::Deliveries, after, limit)?
        } else {
            Vec::new()
        };
        let mut all = Vec::with_capacity(open.len() + confirmed.len() + archived.len());
        all.extend(
            open.into_iter()
                .map(|open| (*open.session.as_bytes(), open)),
        );
        for (key, bytes) in confirmed.into_iter().chain(archived) {
            all.push((key, read(key, &bytes)?));
        }
        let all = merged(all.into_iter(), limit);
        Ok(all.into_iter().map(|(_, delivery)| delivery).collect())
    }

    fn archived_delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        let key = session.as_bytes();
        let archived = self.journal.archived(Shelf::Deliveries, key)?;
        Ok(archived.map(|bytes| read(*key, &bytes)).transpose()?)
    }
}

fn read(key: Key, bytes: &[u8]) -> Result<Delivery, RecordError> {
    DeliveryRecord::read(bytes)?.to_delivery(SessionId::from_bytes(key))
}
