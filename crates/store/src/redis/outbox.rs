//! Deliveries over all shards. A lease's number ends with the shard that gave it out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use logout_core::delivery::{Delivery, DeliveryState, Leased, Settlement};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::SessionId;
use logout_core::store::{Page, StoreUnavailable};
use logout_core::time::Timestamp;

use super::RedisStore;
use super::link::LinkError;
use super::listing::until;
use super::record::Row;
use super::sessions::ATTEMPTS;
use super::shard::Shard;
use super::shards::Shards;

/// Bits of a lease's number that name the shard; there are at most 1024.
const PLACE_BITS: u32 = 10;
/// How many deliveries one command reads, at most: a server does nothing else meanwhile.
const AT_ONCE: usize = 10_000;

impl Shards {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, LinkError> {
        let mut wanted = vec![0; usize::from(self.count())];
        if self.are_many() {
            let mut soonest = Vec::new();
            let queued = self
                .everywhere(|shard| async move { shard.queued(platform, Some(now), limit).await })
                .await?;
            for (shard, instants) in queued.into_iter().enumerate() {
                soonest.extend(instants.into_iter().map(|at| (at, shard)));
            }
            soonest.sort_unstable();
            soonest
                .into_iter()
                .take(limit)
                .for_each(|(_, shard)| wanted[shard] += 1);
        } else {
            wanted[0] = limit;
        }
        let mut leased = Vec::new();
        for (shard, limit) in (0..self.count())
            .zip(wanted)
            .filter(|(_, limit)| *limit > 0)
        {
            let rows = self.shard(shard).lease(platform, limit, now, until).await?;
            let number = |lease: u64| lease << PLACE_BITS | u64::from(shard);
            leased.extend(rows.into_iter().map(|row| Leased {
                lease: number(row.lease),
                delivery: row.delivery,
            }));
        }
        leased.sort_by_key(|leased| leased.delivery.due);
        Ok(leased)
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: &Settlement,
    ) -> Result<bool, LinkError> {
        let shard = u16::try_from(lease % (1 << PLACE_BITS)).unwrap_or_default();
        if shard >= self.count() {
            return Ok(false);
        }
        let shard = self.shard(shard);
        for _ in 0..ATTEMPTS {
            let Some((mut row, read)) = shard.delivery(session).await? else {
                return Ok(false);
            };
            if row.lease != lease >> PLACE_BITS || row.delivery.state != DeliveryState::Pending {
                return Ok(false);
            }
            row.delivery.settle(settlement);
            // The lease is over: the same one cannot settle twice.
            row.lease += 1;
            let due = (row.delivery.state == DeliveryState::Pending).then_some(row.delivery.due);
            if shard.change(&row, &read, due, None).await? {
                return Ok(true);
            }
        }
        Err(LinkError::Silence)
    }

    async fn next_due(&self, platform: &PlatformName) -> Result<Option<Timestamp>, LinkError> {
        let queued = self
            .everywhere(|shard| async move { shard.queued(platform, None, 1).await })
            .await?;
        Ok(queued.into_iter().flatten().min())
    }

    /// The delivery of a session, whichever shard has it: deliveries outlive the shard keys of
    /// sessions.
    pub(super) async fn delivery(
        &self,
        session: SessionId,
    ) -> Result<Option<(Shard<'_>, Row, Vec<u8>)>, LinkError> {
        let found = self
            .everywhere(|shard| async move { shard.delivery(session).await })
            .await?;
        let found = (0..self.count())
            .zip(found)
            .find_map(|(shard, found)| Some((shard, found?)));
        Ok(found.map(|(shard, (row, read))| (self.shard(shard), row, read)))
    }

    /// Asks each shard once for all that may lie in it, or once for every [`AT_ONCE`].
    async fn deliveries_of(
        &self,
        sessions: &[EndedSession],
    ) -> Result<Vec<Option<Delivery>>, LinkError> {
        let mut by_place: BTreeMap<u16, BTreeSet<SessionId>> = BTreeMap::new();
        for (session, shard) in sessions
            .iter()
            .flat_map(|session| self.of_delivery(session).map(|shard| (session.id, shard)))
        {
            by_place.entry(shard).or_default().insert(session);
        }
        let by_place: Vec<(u16, Vec<SessionId>)> = by_place
            .into_iter()
            .map(|(shard, ids)| (shard, ids.into_iter().collect()))
            .collect();
        let asks = by_place
            .iter()
            .flat_map(|(shard, ids)| ids.chunks(AT_ONCE).map(|ids| (*shard, ids)));
        let answers = try_join_all(
            asks.map(|(shard, ids)| async move { self.shard(shard).deliveries(ids).await }),
        )
        .await?;
        let found: HashMap<_, _> = answers
            .into_iter()
            .flatten()
            .flatten()
            .map(|delivery| (delivery.session, delivery))
            .collect();
        Ok(sessions
            .iter()
            .map(|session| found.get(&session.id).cloned())
            .collect())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, LinkError> {
        let mut items = Vec::new();
        for shard in self.all() {
            let mut here = 0;
            let keep = |id, record: &[u8]| {
                let delivery = Row::read(SessionId::from_bytes(id), record)?.delivery;
                if filter.matches(&delivery) {
                    items.push(delivery);
                    here += 1;
                }
                Ok(until(here > limit))
            };
            let after = after.as_ref().map(SessionId::as_bytes);
            self.walk(shard, b"D".to_vec(), "d:", after, keep).await?;
        }
        items.sort_by_key(|delivery| delivery.session);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items
            .last()
            .filter(|_| more)
            .map(|delivery| delivery.session);
        Ok(Page { items, next })
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, LinkError> {
        for _ in 0..ATTEMPTS {
            let Some((shard, mut row, read)) = self.delivery(session).await? else {
                return Ok(false);
            };
            // One that somebody is trying right now stays with them until the lease is over.
            let free = (row.delivery.state == DeliveryState::Pending).then_some(row.delivery.due);
            if !row.delivery.try_again(now) {
                return Ok(false);
            }
            if shard.change(&row, &read, Some(now), free).await? {
                return Ok(true);
            }
        }
        Err(LinkError::Silence)
    }
}

#[async_trait]
impl Outbox for RedisStore {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        let platform = platform.clone();
        self.run(async move |shards| shards.lease(&platform, limit, now, until).await)
            .await
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.run(async move |shards| shards.settle(session, lease, &settlement).await)
            .await
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        let platform = platform.clone();
        self.run(async move |shards| shards.next_due(&platform).await)
            .await
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        self.run(async move |shards| {
            Ok(shards
                .delivery(session)
                .await?
                .map(|(_, row, _)| row.delivery))
        })
        .await
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        let sessions: Vec<EndedSession> = sessions.iter().copied().cloned().collect();
        self.run(async move |shards| shards.deliveries_of(&sessions).await)
            .await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        let filter = filter.clone();
        self.run(async move |shards| shards.deliveries(&filter, after, limit).await)
            .await
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        self.run(async move |shards| shards.retry(session, now).await)
            .await
    }
}
