//! Deliveries over all buckets. A lease's number ends with the bucket that gave it out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

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
use super::bucket::Bucket;
use super::link::LinkError;
use super::places::Places;
use super::record::Row;

/// Bits of a lease's number that name the bucket; there are at most 1024.
const PLACE_BITS: u32 = 10;
/// How often a change is tried anew when somebody else came first.
const TRIES: usize = 100;
/// How many deliveries one command reads, at most: a server does nothing else meanwhile.
const AT_ONCE: usize = 10_000;

impl Places {
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
                .everywhere(|bucket| async move { bucket.queued(platform, Some(now), limit).await })
                .await?;
            for (place, instants) in queued.into_iter().enumerate() {
                soonest.extend(instants.into_iter().map(|at| (at, place)));
            }
            soonest.sort_unstable();
            soonest
                .into_iter()
                .take(limit)
                .for_each(|(_, place)| wanted[place] += 1);
        } else {
            wanted[0] = limit;
        }
        let mut leased = Vec::new();
        for (place, limit) in (0..self.count())
            .zip(wanted)
            .filter(|(_, limit)| *limit > 0)
        {
            let rows = self
                .bucket(place)
                .lease(platform, limit, now, until)
                .await?;
            let number = |lease: u64| lease << PLACE_BITS | u64::from(place);
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
        let place = u16::try_from(lease % (1 << PLACE_BITS)).unwrap_or_default();
        if place >= self.count() {
            return Ok(false);
        }
        let bucket = self.bucket(place);
        for _ in 0..TRIES {
            let Some((mut row, read)) = bucket.delivery(session).await? else {
                return Ok(false);
            };
            if row.lease != lease >> PLACE_BITS || row.delivery.state != DeliveryState::Pending {
                return Ok(false);
            }
            row.delivery.settle(settlement);
            // The lease is over: the same one cannot settle twice.
            row.lease += 1;
            let due = (row.delivery.state == DeliveryState::Pending).then_some(row.delivery.due);
            if bucket.change(&row, &read, due, None).await? {
                return Ok(true);
            }
        }
        Err(LinkError::Silence)
    }

    async fn next_due(&self, platform: &PlatformName) -> Result<Option<Timestamp>, LinkError> {
        let queued = self
            .everywhere(|bucket| async move { bucket.queued(platform, None, 1).await })
            .await?;
        Ok(queued.into_iter().flatten().min())
    }

    /// The delivery of a session, whichever bucket has it: deliveries outlive the pointers of
    /// sessions.
    pub(super) async fn delivery(
        &self,
        session: SessionId,
    ) -> Result<Option<(Bucket<'_>, Row, Vec<u8>)>, LinkError> {
        let found = self
            .everywhere(|bucket| async move { bucket.delivery(session).await })
            .await?;
        let found = (0..self.count())
            .zip(found)
            .find_map(|(place, found)| Some((place, found?)));
        Ok(found.map(|(place, (row, read))| (self.bucket(place), row, read)))
    }

    /// Asks each bucket once for all that may lie in it, or once for every [`AT_ONCE`].
    async fn deliveries_of(
        &self,
        sessions: &[EndedSession],
    ) -> Result<Vec<Option<Delivery>>, LinkError> {
        let mut by_place: BTreeMap<u16, BTreeSet<SessionId>> = BTreeMap::new();
        for (session, place) in sessions
            .iter()
            .flat_map(|session| self.of_delivery(session).map(|place| (session.id, place)))
        {
            by_place.entry(place).or_default().insert(session);
        }
        let by_place: Vec<(u16, Vec<SessionId>)> = by_place
            .into_iter()
            .map(|(place, ids)| (place, ids.into_iter().collect()))
            .collect();
        let asks = by_place
            .iter()
            .flat_map(|(place, ids)| ids.chunks(AT_ONCE).map(|ids| (*place, ids)));
        let answers = try_join_all(
            asks.map(|(place, ids)| async move { self.bucket(place).deliveries(ids).await }),
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
        for place in self.all() {
            let mut here = 0;
            let keep = |id, record: &[u8]| {
                if record.is_empty() {
                    return Ok(ControlFlow::Continue(()));
                }
                let delivery = Row::read(SessionId::from_bytes(id), record)?.delivery;
                if filter.matches(&delivery) {
                    items.push(delivery);
                    here += 1;
                }
                Ok(if here > limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            };
            self.walk(
                place,
                b"D".to_vec(),
                "d:",
                after.map(|id| *id.as_bytes()),
                keep,
            )
            .await?;
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
        for _ in 0..TRIES {
            let Some((bucket, mut row, read)) = self.delivery(session).await? else {
                return Ok(false);
            };
            // One that somebody is trying right now stays with them until the lease is over.
            let free = (row.delivery.state == DeliveryState::Pending).then_some(row.delivery.due);
            if !row.delivery.try_again(now) {
                return Ok(false);
            }
            if bucket.change(&row, &read, Some(now), free).await? {
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
        self.run(async move |places| places.lease(&platform, limit, now, until).await)
            .await
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.run(async move |places| places.settle(session, lease, &settlement).await)
            .await
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        let platform = platform.clone();
        self.run(async move |places| places.next_due(&platform).await)
            .await
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        self.run(async move |places| {
            Ok(places
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
        self.run(async move |places| places.deliveries_of(&sessions).await)
            .await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        let filter = filter.clone();
        self.run(async move |places| places.deliveries(&filter, after, limit).await)
            .await
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        self.run(async move |places| places.retry(session, now).await)
            .await
    }
}
