//! Lists over all buckets, and receipts, of which each bucket keeps its part.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use logout_core::receipt::{Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{Page, SessionFilter};
use logout_core::time::Timestamp;

use super::bucket::{Range, beyond};
use super::link::LinkError;
use super::places::Places;
use super::record;

/// How many records are read at once, at most.
pub(super) const CHUNK: usize = 500;

impl Places {
    pub(super) async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, LinkError> {
        let (index, places) = match filter {
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
        for place in places {
            let mut here = 0;
            let keep = |id, record: &[u8]| {
                if record.is_empty() {
                    return Ok(ControlFlow::Continue(()));
                }
                let session = record::read_session(SessionId::from_bytes(id), record)?;
                if !session.is_expired(now) && filter.matches(&session) {
                    items.push(session);
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
                index.clone(),
                "s:",
                after.map(|id| *id.as_bytes()),
                keep,
            )
            .await?;
        }
        items.sort_by_key(|session| session.id);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|session| session.id);
        Ok(Page { items, next })
    }

    /// Shows `each` record of an index to somebody until they have seen enough.
    pub(super) async fn walk(
        &self,
        place: u16,
        index: Vec<u8>,
        records: &'static str,
        after: Option<[u8; 16]>,
        mut each: impl FnMut([u8; 16], &[u8]) -> Result<ControlFlow<()>, LinkError>,
    ) -> Result<(), LinkError> {
        let mut range = Range {
            index,
            from: beyond(after.as_ref(), "-"),
            until: b"+".to_vec(),
            newest_first: false,
            records,
        };
        loop {
            let found = self.bucket(place).page(&range, CHUNK).await?;
            for (id, record) in &found.items {
                if each(*id, record)?.is_break() {
                    return Ok(());
                }
            }
            match found.items.last() {
                Some((last, _)) if found.more => range.from = beyond(Some(last), "-"),
                _ => return Ok(()),
            }
        }
    }

    pub(super) async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, LinkError> {
        let mut whole: Option<Receipt> = None;
        let name = &[b"r:", id.as_bytes().as_slice()].concat();
        for part in self
            .everywhere(|bucket| async move { bucket.record(name).await })
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
            index: b"R".to_vec(),
            from: b"-".to_vec(),
            until: beyond(before.as_ref().map(ReceiptId::as_bytes), "+"),
            newest_first: true,
            records: "r:",
        };
        let mut found: BTreeMap<ReceiptId, Option<Receipt>> = BTreeMap::new();
        let count = limit.saturating_add(1).min(1 << 20);
        for records in self
            .everywhere(|bucket| async move { bucket.page(range, count).await })
            .await?
        {
            for (id, part) in records
                .items
                .into_iter()
                .filter(|(_, part)| !part.is_empty())
            {
                let id = ReceiptId::from_bytes(id);
                merge(
                    found.entry(id).or_default(),
                    record::read_receipt(id, &part)?,
                );
            }
        }
        let more = found.len() > limit;
        let items: Vec<_> = found.into_values().rev().flatten().take(limit).collect();
        let next = items.last().filter(|_| more).map(|receipt| receipt.id);
        Ok(Page { items, next })
    }
}

/// What several buckets know of one receipt.
fn merge(whole: &mut Option<Receipt>, mut part: Receipt) {
    match whole {
        Some(whole) => whole.sessions.append(&mut part.sessions),
        None => *whole = Some(part),
    }
}
