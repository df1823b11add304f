//! Goes through receipts, deliveries and sessions in steps.

use logout_core::session::SessionId;
use logout_core::store::SweepPage;

use super::commit::{Commit, delivery_name};
use super::cursor::{Cursor, Phase};
use super::link::LinkError;
use super::listing::CHUNK;
use super::record;
use super::shard::{Range, Shard, beyond};
use super::shards::Shards;
use crate::rules::{Fate, Horizon};

impl Shards {
    pub(super) async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        horizon: Horizon,
    ) -> Result<SweepPage, LinkError> {
        self.forget_until(horizon.now);
        let first = Cursor::first(Phase::Receipts);
        let mut next = Some(from.as_deref().and_then(Cursor::read).unwrap_or(first));
        let mut expired = Vec::new();
        let mut left = limit.max(1);
        while let Some(cursor) = next.take() {
            if left == 0 {
                next = Some(cursor);
                break;
            }
            let shard = self.shard(cursor.shard);
            let (index, records) = cursor.phase.index();
            let mut range = Range::of(index, records, &cursor.after);
            if cursor.phase == Phase::Receipts {
                range.until = beyond(horizon.first_receipt().as_bytes(), "+");
            }
            let found = shard.page(&range, left.min(CHUNK)).await?;
            if cursor.phase == Phase::Receipts {
                let ids = found.items.iter().map(|(id, _)| id.as_slice());
                shard.forget_receipts(&ids.collect::<Vec<_>>()).await?;
            } else {
                shard.prune(index, records, &found.gone()).await?;
            }
            for (id, record) in &found.items {
                let id = SessionId::from_bytes(*id);
                match (cursor.phase, record) {
                    (Phase::Deliveries, Some(record)) => {
                        shard.sweep_delivery(id, record, horizon).await?
                    }
                    (Phase::Sessions, Some(record))
                        if record::read_session(id, record)?.is_expired(horizon.now) =>
                    {
                        expired.push(id)
                    }
                    _ => {}
                }
            }
            left -= found.items.len().min(left);
            next = cursor.advance(found.next(), self.count());
        }
        Ok(SweepPage {
            expired,
            next: next.map(|cursor| cursor.to_bytes()),
        })
    }
}

impl Shard<'_> {
    async fn forget_receipts(&self, ids: &[&[u8]]) -> Result<(), LinkError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::default();
        for id in ids {
            commit.add("UNLINK", &[b"r:", *id].concat(), &[]);
        }
        commit.add("ZREM", b"R", ids);
        commit.send(self).await.map(drop)
    }

    async fn sweep_delivery(
        &self,
        session: SessionId,
        record: &[u8],
        horizon: Horizon,
    ) -> Result<(), LinkError> {
        let mut row = record::read_delivery(session, record)?;
        // One that changes in between is looked at by the next walk.
        match horizon.fate(&row.delivery) {
            Fate::Keep => {}
            Fate::Forget => {
                let mut commit = Commit::default();
                commit.expect(&delivery_name(session), Some(record));
                commit.forget_delivery(&row);
                commit.send(self).await?;
            }
            Fate::Unseal => {
                row.delivery.sealed = None;
                self.put_delivery(&row, record).await?;
            }
        }
        Ok(())
    }
}
