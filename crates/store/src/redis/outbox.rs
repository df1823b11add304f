//! Deliveries over all shards. A lease's number ends with the shard that gave it out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use logout_core::delivery::{Delivery, Leased, Settlement};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::SessionId;
use logout_core::store::{Page, StoreUnavailable};
use logout_core::time::Timestamp;

use super::RedisStore;
use super::commit::{Commit, delivery_name};
use super::link::LinkError;
use super::listing::until;
use super::record;
use super::shard::{Range, Shard, millis};
use super::shards::Shards;
use crate::rules::{ATTEMPTS, OutboxRow, page};

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
        for _ in 0..ATTEMPTS {
            let mut wanted = vec![limit];
            if self.are_many() {
                let queued = self
                    .everywhere(
                        |shard| async move { shard.queued(platform, Some(now), limit).await },
                    )
                    .await?;
                let queued = (0..).zip(queued);
                let mut soonest: Vec<_> = queued
                    .flat_map(|(shard, instants)| instants.into_iter().map(move |at| (at, shard)))
                    .collect();
                soonest.sort_unstable();
                soonest.truncate(limit);
                wanted = vec![0; usize::from(self.count())];
                for (_, shard) in soonest {
                    wanted[shard] += 1;
                }
            }
            let (mut leased, mut is_all) = (Vec::new(), true);
            for (shard, limit) in (0..).zip(wanted).filter(|(_, limit)| *limit > 0) {
                let rows = self.shard(shard).lease(platform, limit, now, until).await?;
                is_all &= rows.is_some();
                leased.extend(rows.into_iter().flatten().map(|row| Leased {
                    lease: row.lease << PLACE_BITS | u64::from(shard),
                    delivery: row.delivery,
                }));
            }
            // Where somebody else was faster, there may be others that are due.
            if is_all || !leased.is_empty() {
                leased.sort_by_key(|leased| leased.delivery.due);
                return Ok(leased);
            }
        }
        Err(LinkError::Silence)
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
            if !row.settle(lease >> PLACE_BITS, settlement) {
                return Ok(false);
            }
            if shard.put_delivery(&row, &read).await? {
                return Ok(true);
            }
        }
        Err(LinkError::Silence)
    }

    async fn acknowledge(
        &self,
        session: SessionId,
        settlement: &Settlement,
    ) -> Result<bool, LinkError> {
        for _ in 0..ATTEMPTS {
            let Some((shard, mut row, read)) = self.delivery(session).await? else {
                return Ok(false);
            };
            if !row.acknowledge(settlement) {
                return Ok(false);
            }
            if shard.put_delivery(&row, &read).await? {
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
    ) -> Result<Option<(Shard<'_>, OutboxRow, Vec<u8>)>, LinkError> {
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
                let delivery = record::read_delivery(SessionId::from_bytes(id), record)?.delivery;
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
        Ok(page(items, limit, |delivery| delivery.session))
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, LinkError> {
        for _ in 0..ATTEMPTS {
            let Some((shard, mut row, read)) = self.delivery(session).await? else {
                return Ok(false);
            };
            // Every lease changes the record, so one that comes after it was read is noticed.
            row.ready = shard.queued_at(&row).await?;
            if !row.retry(now) {
                return Ok(false);
            }
            if shard.put_delivery(&row, &read).await? {
                return Ok(true);
            }
        }
        Err(LinkError::Silence)
    }
}

impl Shard<'_> {
    /// Leases the deliveries that are due soonest; nothing, where one of them has changed in
    /// between.
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Vec<OutboxRow>>, LinkError> {
        let queue = [b"q:", platform.as_str().as_bytes()].concat();
        let due = Range {
            command: "ZRANGEBYSCORE",
            index: queue.clone(),
            from: b"-inf".to_vec(),
            until: millis(now),
            records: "d:",
        };
        let due = self.page(&due, limit).await?.items;
        let mut commit = Commit::default();
        let mut leased = Vec::with_capacity(due.len());
        for (id, record) in due {
            let session = SessionId::from_bytes(id);
            commit.expect(&delivery_name(session), record.as_deref());
            match record.map(|record| record::read_delivery(session, &record)) {
                None => commit.add("ZREM", &queue, &[&id]),
                Some(Ok(mut row)) => {
                    row.lease(until);
                    commit.put_delivery(&row)?;
                    leased.push(row);
                }
                // One that this program cannot read stays leased until its time is over, and in
                // nobody's way.
                Some(Err(fault)) => {
                    log::error!("{fault}");
                    commit.add("ZADD", &queue, &[&millis(until), &id]);
                }
            }
        }
        let is_done = commit.is_empty() || commit.send(self).await?;
        Ok(is_done.then_some(leased))
    }

    /// The deliveries of these sessions, as far as there are any.
    async fn deliveries(&self, sessions: &[SessionId]) -> Result<Vec<Delivery>, LinkError> {
        let names = sessions.iter().map(|session| delivery_name(*session));
        let records = self.records(names).await?;
        let found = sessions.iter().zip(records);
        found
            .filter_map(|(session, record)| Some((session, record?)))
            .map(|(session, record)| Ok(record::read_delivery(*session, &record)?.delivery))
            .collect()
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

    async fn acknowledge(
        &self,
        session: SessionId,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.run(async move |shards| shards.acknowledge(session, &settlement).await)
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
