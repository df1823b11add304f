//! Goes through receipts, deliveries and sessions in steps.

use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::store::SweepPage;
use logout_core::time::Timestamp;

use super::cursor::{Cursor, Phase};
use super::link::LinkError;
use super::listing::CHUNK;
use super::record::{self, Fate, Row};
use super::script;
use super::shard::{Range, Shard, beyond};
use super::shards::Shards;

impl Shards {
    pub(super) async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, LinkError> {
        self.forget_until(now);
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
            let until = match cursor.phase {
                Phase::Receipts => beyond(
                    ReceiptId::first_at(receipts_until).as_bytes().as_slice(),
                    "+",
                ),
                _ => b"+".to_vec(),
            };
            let range = Range {
                index: index.to_vec(),
                from: beyond(&cursor.after, "-"),
                until,
                newest_first: false,
                records,
            };
            let found = shard.page(&range, left.min(CHUNK)).await?;
            if cursor.phase == Phase::Receipts {
                let ids: Vec<_> = found.items.iter().map(|(id, _)| id).collect();
                if !ids.is_empty() {
                    shard.write(&script::FORGET, &ids).await?;
                }
            } else {
                shard.prune(index, records, &found.gone()).await?;
            }
            for (id, record) in &found.items {
                let id = SessionId::from_bytes(*id);
                match (cursor.phase, record) {
                    (Phase::Deliveries, Some(record)) => {
                        shard
                            .sweep_delivery(id, record, now, receipts_until)
                            .await?
                    }
                    (Phase::Sessions, Some(record))
                        if record::read_session(id, record)?.is_expired(now) =>
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
    async fn sweep_delivery(
        &self,
        session: SessionId,
        record: &[u8],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), LinkError> {
        let mut row = Row::read(session, record)?;
        // One that changes in between is looked at by the next walk.
        match row.fate(now, until) {
            Fate::Keep => {}
            Fate::Forget => drop(self.forget(&row, record).await?),
            Fate::Unseal => {
                row.delivery.sealed = None;
                self.change(&row, record, None, None).await?;
            }
        }
        Ok(())
    }
}
