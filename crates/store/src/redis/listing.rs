//! Lists over all shards, and receipts, of which each shard keeps its part.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use logout_core::receipt::{Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{Page, SessionFilter};
use logout_core::time::Timestamp;

use super::link::LinkError;
use super::record;
use super::sessions::idp_index;
use super::shard::{Range, beyond};
use super::shards::Shards;
use crate::rules::page;

/// How many records are read at once, at most.
pub(super) const CHUNK: usize = 500;

impl Shards {
    pub(super) async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, LinkError> {
        let (index, shards) = match filter {
            SessionFilter {
                idp: Some(login), ..
            } => {
                let key = login.narrowest_key();
                (idp_index(&key), self.hinted(&self.idp_hint(&key)).await?)
            }
            SessionFilter {
                person: Some(person),
                ..
            } => (
                [b"p:", person.as_str().as_bytes()].concat(),
                vec![self.of_person(person)],
            ),
            SessionFilter {
                platform: Some(platform),
                subject: Some(subject),
                ..
            } => {
                let key = record::subject_key(platform, subject);
                (
                    [b"u:".as_slice(), &key].concat(),
                    self.hinted(&self.subject_hint(platform, subject)).await?,
                )
            }
            _ => (b"S".to_vec(), self.all()),
        };
        let mut items = Vec::new();
        for shard in shards {
            let mut here = 0;
            let keep = |id, record: &[u8]| {
                let session = record::read_session(SessionId::from_bytes(id), record)?;
                if !session.is_expired(now) && filter.matches(&session) {
                    items.push(session);
                    here += 1;
                }
                Ok(until(here > limit))
            };
            let after = after.as_ref().map(SessionId::as_bytes);
            self.walk(shard, index.clone(), "s:", after, keep).await?;
        }
        items.sort_by_key(|session| session.id);
        Ok(page(items, limit, |session| session.id))
    }

    /// Shows the records of an index to `each` until it has seen enough. Takes ids without a record
    /// out of the index.
    pub(super) async fn walk(
        &self,
        shard: u16,
        index: Vec<u8>,
        records: &'static str,
        after: Option<&[u8; 16]>,
        mut each: impl FnMut([u8; 16], &[u8]) -> Result<ControlFlow<()>, LinkError>,
    ) -> Result<(), LinkError> {
        let shard = self.shard(shard);
        let mut range = Range::of(&index, records, after.map_or(&[], |id| id.as_slice()));
        loop {
            let found = shard.page(&range, CHUNK).await?;
            shard.prune(&range.index, records, &found.gone()).await?;
            for (id, record) in &found.items {
                if let Some(record) = record
                    && each(*id, record)?.is_break()
                {
                    return Ok(());
                }
            }
            match found.next() {
                Some(last) => range.from = beyond(&last, "-"),
                None => return Ok(()),
            }
        }
    }

    pub(super) async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, LinkError> {
        let mut whole: Option<Receipt> = None;
        let name = &[b"r:", id.as_bytes().as_slice()].concat();
        for part in self
            .everywhere(|shard| async move { shard.record(name).await })
            .await?
            .into_iter()
            .flatten()
        {
            merge(&mut whole, record::read_receipt(id, &part)?);
        }
        Ok(whole)
    }

    pub(super) async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, LinkError> {
        let range = &Range {
            command: "ZREVRANGEBYLEX",
            index: b"R".to_vec(),
            from: beyond(
                before.as_ref().map_or(&[], |id| id.as_bytes().as_slice()),
                "+",
            ),
            until: b"-".to_vec(),
            records: "r:",
        };
        let mut found: BTreeMap<ReceiptId, Option<Receipt>> = BTreeMap::new();
        let count = limit.saturating_add(1).min(1 << 20);
        for records in self
            .everywhere(|shard| async move { shard.page(range, count).await })
            .await?
        {
            for (id, part) in records.items {
                let id = ReceiptId::from_bytes(id);
                if let Some(part) = part {
                    merge(
                        found.entry(id).or_default(),
                        record::read_receipt(id, &part)?,
                    );
                }
            }
        }
        let more = found.len() > limit;
        let items: Vec<_> = found.into_values().rev().flatten().take(limit).collect();
        let next = items.last().filter(|_| more).map(|receipt| receipt.id);
        Ok(Page { items, next })
    }
}

/// Whether a walk goes on.
pub(super) fn until(enough: bool) -> ControlFlow<()> {
    if enough {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// Adds a shard's part to a receipt.
fn merge(whole: &mut Option<Receipt>, mut part: Receipt) {
    match whole {
        Some(whole) => whole.sessions.append(&mut part.sessions),
        None => *whole = Some(part),
    }
}
