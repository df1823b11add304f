//! The database as the beginning or the end of a move.
//!
//! What comes in goes by `COPY` into tables of the connection's own, and from there by one
//! statement for each kind to where it belongs: all of a batch or nothing.

mod columns;

use std::time::Duration;

use async_trait::async_trait;
use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Part, Record, Tombstone, Transfer};
use tokio_postgres::Row;
use uuid::Uuid;

use super::link::{Failure, Params, params};
use super::{PostgresStore, row, rows_of};
use columns::Batch;

/// What one batch may take, and counting everything.
const LONG: Duration = Duration::from_secs(120);

/// Where the mark lies: names of agreed values are written in another way (`row::text`).
const MARK: &str = "\x01mark";

/// The kinds, in the order in which they are given out; a place is the number of one and the last
/// key that was looked at.
const KINDS: [Kind; 6] = [
    Kind::Agreed,
    Kind::Tombstones,
    Kind::Once,
    Kind::Receipts,
    Kind::Deliveries,
    Kind::Sessions,
];

#[derive(Clone, Copy)]
enum Kind {
    Agreed,
    Deliveries,
    Once,
    Receipts,
    Sessions,
    Tombstones,
}

#[async_trait]
impl Transfer for PostgresStore {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreUnavailable> {
        let (start, mut after) = match from.as_deref().and_then(<[u8]>::split_first) {
            Some((kind, key)) => (usize::from(*kind), Some(key.to_vec())),
            None => (0, None),
        };
        let limit = limit.max(1);
        let mut part = Part {
            items: Vec::new(),
            next: None,
        };
        let mut left = limit;
        for (number, kind) in KINDS.iter().enumerate().skip(start) {
            let (statement, params) = kind.page(after.take(), left)?;
            let rows = self.rows(statement, params).await?;
            let mut last = None;
            for row in &rows {
                let (key, record) = kind.read(row, now)?;
                part.items.extend(record);
                last = Some(key);
            }
            left -= rows.len().min(left);
            if let (0, Some(key)) = (left, last) {
                part.next =
                    Some([&[u8::try_from(number).unwrap_or_default()], key.as_slice()].concat());
                return Ok(part);
            }
        }
        Ok(part)
    }

    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable> {
        let link = self.shared.link.clone();
        let batch = Batch::of(records, now);
        let taken = self
            .runtime()
            .spawn(async move { link.in_one_step(LONG, &batch).await });
        Ok(taken.await.map_err(|_| StoreUnavailable)??)
    }

    async fn size_hint(&self) -> Result<u64, StoreUnavailable> {
        // What the server believes there is: counting would read all of it.
        let statement = "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c WHERE c.oid = ANY (ARRAY[\
            'logout_sessions', 'logout_receipts', 'logout_deliveries', 'logout_once', 'logout_agreed']::regclass[])";
        let rows = self.rows(statement, params![]).await?;
        let count: i64 = rows
            .first()
            .ok_or(StoreUnavailable)?
            .try_get(0)
            .map_err(Failure::from)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let rows = self
            .rows(
                "SELECT value FROM logout_agreed WHERE name = $1",
                params![MARK],
            )
            .await?;
        Ok(rows
            .first()
            .map(|row| row.try_get(0))
            .transpose()
            .map_err(Failure::from)?)
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable> {
        match checkpoint {
            Some(checkpoint) => {
                let statement = "INSERT INTO logout_agreed (name, value) VALUES ($1, $2) \
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                self.rows(statement, params![MARK, checkpoint])
                    .await
                    .map(drop)
            }
            None => self
                .rows("DELETE FROM logout_agreed WHERE name = $1", params![MARK])
                .await
                .map(drop),
        }
    }
}

impl Kind {
    /// The statement for the rows behind `after`.
    fn page(
        self,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<(String, Params), StoreUnavailable> {
        let most = rows_of(limit);
        let id = |after: Option<Vec<u8>>| match after {
            Some(key) => Ok::<_, StoreUnavailable>(Some(row::uuid(
                &key.try_into().map_err(|_| StoreUnavailable)?,
            ))),
            None => Ok(None),
        };
        Ok(match self {
            Self::Agreed => {
                let after = after.map(String::from_utf8).transpose().map_err(|_| StoreUnavailable)?;
                let statement = "SELECT name, value FROM logout_agreed WHERE name COLLATE \"C\" > $1 COLLATE \"C\" AND name <> $2 \
                    ORDER BY name COLLATE \"C\" LIMIT $3::bigint";
                (statement.to_owned(), params![after.unwrap_or_default(), MARK, most])
            }
            Self::Deliveries => (
                format!(
                    "SELECT {} FROM logout_deliveries d WHERE {} ORDER BY d.session LIMIT $2::bigint",
                    row::DELIVERY,
                    behind("d.session", &after)
                ),
                params![id(after)?.unwrap_or_default(), most],
            ),
            Self::Once => (
                "SELECT key, value, expires FROM logout_once WHERE key > $1::bytea ORDER BY key LIMIT $2::bigint".to_owned(),
                params![after.unwrap_or_default(), most],
            ),
            Self::Receipts => (
                format!("SELECT {} FROM logout_receipts WHERE {} ORDER BY id LIMIT $2::bigint", row::RECEIPT, behind("id", &after)),
                params![id(after)?.unwrap_or_default(), most],
            ),
            Self::Sessions => (
                format!("SELECT {} FROM logout_sessions s WHERE {} ORDER BY s.id LIMIT $2::bigint", row::SESSION, behind("s.id", &after)),
                params![id(after)?.unwrap_or_default(), most],
            ),
            Self::Tombstones => (
                "SELECT k.digest, k.session, k.expires, s.id IS NOT NULL FROM logout_credentials k \
                 LEFT JOIN logout_sessions s ON s.id = k.session WHERE k.digest > $1::bytea ORDER BY k.digest LIMIT $2::bigint"
                    .to_owned(),
                params![after.unwrap_or_default(), most],
            ),
        })
    }

    /// The key of a row, and what it is, where it is not over.
    fn read(self, row: &Row, now: Timestamp) -> Result<(Vec<u8>, Option<Record>), Failure> {
        Ok(match self {
            Self::Agreed => {
                let name: &str = row.try_get(0)?;
                let agreed = Agreed {
                    name: row::plain(name).into_owned(),
                    value: row.try_get(1)?,
                };
                (name.as_bytes().to_vec(), Some(Record::Agreed(agreed)))
            }
            Self::Deliveries => {
                let delivery = row::delivery(row)?;
                (
                    delivery.session.as_bytes().to_vec(),
                    Some(Record::Delivery(delivery)),
                )
            }
            Self::Once => {
                let key: &[u8] = row.try_get(0)?;
                let expires = row::instant(row.try_get(2)?);
                let once = Once {
                    key: CredentialDigest::from_bytes(row::digest(key)?),
                    value: row.try_get(1)?,
                    expires,
                };
                (key.to_vec(), (expires > now).then_some(Record::Once(once)))
            }
            Self::Receipts => {
                let receipt = row::receipt(row)?;
                (
                    ReceiptId::as_bytes(&receipt.id).to_vec(),
                    Some(Record::Receipt(receipt)),
                )
            }
            Self::Sessions => {
                let session = row::session(row, 0)?;
                (
                    session.id.as_bytes().to_vec(),
                    (!session.is_expired(now)).then_some(Record::Session(session)),
                )
            }
            Self::Tombstones => {
                let (key, session): (&[u8], Uuid) = (row.try_get(0)?, row.try_get(1)?);
                let expires = row::instant(row.try_get(2)?);
                let has_session: bool = row.try_get(3)?;
                let digest = CredentialDigest::from_bytes(row::digest(key)?);
                let tombstone = Tombstone {
                    digest,
                    session: SessionId::from_bytes(session.into_bytes()),
                    expires,
                };
                (
                    key.to_vec(),
                    (expires > now && !has_session).then_some(Record::Tombstone(tombstone)),
                )
            }
        })
    }
}

/// A condition that uses `$1` either way, so that the first page has the lowest id too.
fn behind(column: &str, after: &Option<Vec<u8>>) -> String {
    let comparison = if after.is_some() { ">" } else { ">=" };
    format!("{column} {comparison} $1::uuid")
}
