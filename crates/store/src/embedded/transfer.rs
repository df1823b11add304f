//! The store as the beginning or the end of a move.

use std::ops::Bound;

use async_trait::async_trait;
use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Part, Record, Tombstone, Transfer};

use super::FjallStore;
use super::engine::{Engine, ReadError};
use super::group::MARK_KEY;
use super::queue::Job;
use super::record::{self, CredentialRecord, DeliveryRecord, RecordError, SessionRecord};
use super::table::Table;

/// The tables that are given out, in this order; a place is the position in it and the last key
/// that was looked at.
const ROUND: [Table; 7] = [
    Table::Agreed,
    Table::Credentials,
    Table::Once,
    Table::Receipts,
    Table::Pending,
    Table::Settled,
    Table::Sessions,
];

#[async_trait]
impl Transfer for FjallStore {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreUnavailable> {
        Ok(export(
            &*self.shared.engine()?,
            from.as_deref(),
            limit,
            now,
        )?)
    }

    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.ask(|reply| Job::Import {
            records,
            now,
            reply,
        })
        .await
    }

    async fn size_hint(&self) -> Result<u64, StoreUnavailable> {
        Ok(size_hint(&*self.shared.engine()?)?)
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let checkpoint = self
            .shared
            .engine()?
            .read(Table::Agreed, MARK_KEY)
            .map_err(ReadError::from)?;
        Ok(checkpoint.map(|checkpoint| checkpoint.to_vec()))
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable> {
        self.ask(|reply| Job::SetCheckpoint { checkpoint, reply })
            .await
    }
}

fn export(
    engine: &Engine,
    from: Option<&[u8]>,
    limit: usize,
    now: Timestamp,
) -> Result<Part, ReadError> {
    let mut part = Part {
        items: Vec::new(),
        next: None,
    };
    let mut left = limit.max(1);
    let (start, mut after) = match from.and_then(<[u8]>::split_first) {
        Some((place, key)) => (usize::from(*place), Some(key.to_vec())),
        None => (0, None),
    };
    for (place, table) in ROUND.iter().enumerate().skip(start) {
        let lower = after.take().map_or(Bound::Unbounded, Bound::Excluded);
        for entry in engine.range(*table, lower.as_ref().map(Vec::as_slice), Bound::Unbounded) {
            let (key, value) = entry?;
            part.items
                .extend(given_out(engine, *table, &key, &value, now)?);
            left -= 1;
            if left == 0 {
                let mut next = vec![u8::try_from(place).unwrap_or_default()];
                next.extend_from_slice(&key);
                part.next = Some(next);
                return Ok(part);
            }
        }
    }
    Ok(part)
}

fn given_out(
    engine: &Engine,
    table: Table,
    key: &[u8],
    value: &[u8],
    now: Timestamp,
) -> Result<Option<Record>, ReadError> {
    Ok(match table {
        Table::Agreed => match key.split_first() {
            Some((b'=', name)) => {
                let name =
                    String::from_utf8(name.to_vec()).map_err(|_| RecordError::Damaged("agreed"))?;
                Some(Record::Agreed(Agreed {
                    name,
                    value: value.to_vec(),
                }))
            }
            _ => None,
        },
        Table::Credentials => {
            let CredentialRecord { session, expires } = CredentialRecord::read(value)?;
            let digest = CredentialDigest::from_bytes(sized("credential", key)?);
            let has_ended =
                expires > now && engine.read(Table::Sessions, session.as_bytes())?.is_none();
            has_ended.then_some(Record::Tombstone(Tombstone {
                digest,
                session,
                expires,
            }))
        }
        Table::Once => {
            let (expires, value) = record::read_once(value)?;
            let key = CredentialDigest::from_bytes(sized("one-time", key)?);
            (expires > now).then(|| {
                Record::Once(Once {
                    key,
                    value: value.to_vec(),
                    expires,
                })
            })
        }
        Table::Receipts => Some(Record::Receipt(record::read_receipt(
            ReceiptId::from_bytes(sized("receipt", key)?),
            value,
        )?)),
        Table::Pending | Table::Settled => {
            let session = SessionId::from_bytes(sized("delivery", key)?);
            Some(Record::Delivery(
                DeliveryRecord::read(value)?.to_delivery(session)?,
            ))
        }
        Table::Sessions => {
            let id = SessionId::from_bytes(sized("session", key)?);
            let session = SessionRecord::read(value)?.to_session(id, engine.seen(id)?);
            (!session.is_expired(now)).then_some(Record::Session(session))
        }
        Table::Persons | Table::Seen | Table::SignOns | Table::Subjects => None,
    })
}

fn sized<const N: usize>(what: &'static str, key: &[u8]) -> Result<[u8; N], RecordError> {
    key.try_into().map_err(|_| RecordError::Damaged(what))
}

fn size_hint(engine: &Engine) -> Result<u64, ReadError> {
    let mut counts = [0_u64; ROUND.len()];
    for (table, count) in ROUND.iter().zip(&mut counts) {
        for entry in engine.range(*table, Bound::Unbounded, Bound::Unbounded) {
            entry?;
            *count += 1;
        }
    }
    let [.., sessions] = counts;
    // Every session has one credential at least, which is no tombstone.
    Ok(counts.iter().sum::<u64>().saturating_sub(sessions))
}
