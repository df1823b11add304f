//! The database as the beginning or the end of a move.
//!
//! What comes in goes by `COPY` into tables of the connection's own, and from there by one
//! statement for each kind to where it belongs: all of a batch or nothing.

mod import;

use async_trait::async_trait;
use logout_core::credential::CredentialDigest;
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Part, Record, Tombstone, Transfer};
use tokio_postgres::Row;

use super::failure::Failure;
use super::row::{self, Fields};
use super::table::{DELIVERIES, RECEIPTS, SESSIONS, Table};
use super::work::{Params, params};
use super::{PostgresStore, rows_of, value};
use import::Batch;

/// The key of a record, and the record.
type Keyed = (Vec<u8>, Option<Record>);

/// The name of the checkpoint: names of agreed values are written in another way (`value::text`).
const CHECKPOINT: &str = "\x01mark";

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
            let records = kind.read(&self.rows(statement, params).await?, now)?;
            left -= records.len().min(left);
            let mut last = None;
            for (key, record) in records {
                part.items.extend(record);
                last = Some(key);
            }
            if let (0, Some(key)) = (left, last) {
                part.next =
                    Some([&[u8::try_from(number).unwrap_or_default()], key.as_slice()].concat());
                return Ok(part);
            }
        }
        Ok(part)
    }

    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.execute(Batch::of(records, now)).await
    }

    async fn size_hint(&self) -> Result<u64, StoreUnavailable> {
        // What the server believes there is: counting would read all of it. A receipt counts once
        // for each of its sessions.
        let statement = "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS count \
            FROM pg_class c WHERE c.oid = ANY (ARRAY['logout_sessions', 'logout_receipts', \
                'logout_deliveries', 'logout_once', 'logout_agreed']::regclass[])";
        let rows = self.rows(statement, params![]).await?;
        let count: i64 = Fields(rows.first().ok_or(StoreUnavailable)?).get("count")?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let statement = "SELECT value FROM logout_agreed WHERE name = $1";
        let rows = self.rows(statement, params![CHECKPOINT]).await?;
        Ok(rows
            .first()
            .map(|row| Fields(row).get("value"))
            .transpose()?)
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable> {
        let (statement, params) = match checkpoint {
            Some(checkpoint) => (
                "INSERT INTO logout_agreed (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![CHECKPOINT, checkpoint],
            ),
            None => (
                "DELETE FROM logout_agreed WHERE name = $1",
                params![CHECKPOINT],
            ),
        };
        self.rows(statement, params).await.map(drop)
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
        let of_ids = |table: &Table, key: &str, after: Option<Vec<u8>>| {
            // The first page has the lowest id too.
            let comparison = if after.is_some() { ">" } else { ">=" };
            let after = after.map(<[u8; 16]>::try_from).transpose();
            let after = value::uuid(&after.map_err(|_| StoreUnavailable)?.unwrap_or_default());
            let statement = format!(
                "SELECT {} FROM {} WHERE {key} {comparison} $1::uuid ORDER BY {key} \
                 LIMIT $2::bigint",
                table.columns(),
                table.name
            );
            Ok((statement, params![after, most]))
        };
        match self {
            Self::Agreed => {
                let after = String::from_utf8(after.unwrap_or_default());
                let statement = "SELECT name, value FROM logout_agreed \
                    WHERE name COLLATE \"C\" > $1 COLLATE \"C\" AND name <> $2 \
                    ORDER BY name COLLATE \"C\" LIMIT $3::bigint";
                let after = after.map_err(|_| StoreUnavailable)?;
                Ok((statement.to_owned(), params![after, CHECKPOINT, most]))
            }
            Self::Deliveries => of_ids(&DELIVERIES, "session", after),
            Self::Sessions => of_ids(&SESSIONS, "id", after),
            Self::Receipts => {
                // All rows of as many receipts as there is room for.
                let (page, params) = of_ids(&RECEIPTS, "id", after)?;
                let page = page.replace(RECEIPTS.columns(), "id");
                let page = page.replace("ORDER BY", "AND ordinal = 0 ORDER BY");
                let statement = format!(
                    "SELECT {} FROM logout_receipts r WHERE r.id IN ({page}) \
                     ORDER BY r.id, r.ordinal",
                    RECEIPTS.columns()
                );
                Ok((statement, params))
            }
            Self::Once => {
                let statement = "SELECT key, value, expires FROM logout_once \
                    WHERE key > $1::bytea ORDER BY key LIMIT $2::bigint";
                let params = params![after.unwrap_or_default(), most];
                Ok((statement.to_owned(), params))
            }
            Self::Tombstones => {
                let statement = "SELECT k.digest, k.session, k.expires, \
                        s.id IS NULL AS has_ended \
                    FROM logout_credentials k LEFT JOIN logout_sessions s ON s.id = k.session \
                    WHERE k.digest > $1::bytea ORDER BY k.digest LIMIT $2::bigint";
                let params = params![after.unwrap_or_default(), most];
                Ok((statement.to_owned(), params))
            }
        }
    }

    /// What the rows hold, each with its key; no record where it is over.
    fn read(self, rows: &[Row], now: Timestamp) -> Result<Vec<Keyed>, Failure> {
        if matches!(self, Self::Receipts) {
            let receipts = row::receipts(rows)?.into_iter();
            let keyed =
                receipts.map(|one| (one.id.as_bytes().to_vec(), Some(Record::Receipt(one))));
            return Ok(keyed.collect());
        }
        rows.iter()
            .map(|row| self.read_one(&Fields(row), now))
            .collect()
    }

    fn read_one(self, row: &Fields<'_>, now: Timestamp) -> Result<Keyed, Failure> {
        Ok(match self {
            Self::Agreed => {
                let agreed = Agreed {
                    name: row.text("name")?.into_owned(),
                    value: row.get("value")?,
                };
                let key: String = row.get("name")?;
                (key.into_bytes(), Some(Record::Agreed(agreed)))
            }
            Self::Deliveries => {
                let delivery = row.delivery()?;
                let key = delivery.session.as_bytes().to_vec();
                (key, Some(Record::Delivery(delivery)))
            }
            Self::Once => {
                let once = Once {
                    key: CredentialDigest::from_bytes(row.digest("key")?),
                    value: row.get("value")?,
                    expires: row.instant("expires")?,
                };
                let key = once.key.as_bytes().to_vec();
                (key, (once.expires > now).then_some(Record::Once(once)))
            }
            Self::Receipts => return Err(Failure::Unknown),
            Self::Sessions => {
                let session = row.session()?;
                let key = session.id.as_bytes().to_vec();
                let is_live = !session.is_expired(now);
                (key, is_live.then_some(Record::Session(session)))
            }
            Self::Tombstones => {
                let tombstone = Tombstone {
                    digest: CredentialDigest::from_bytes(row.digest("digest")?),
                    session: SessionId::from_bytes(row.uuid("session")?),
                    expires: row.instant("expires")?,
                };
                let counts = tombstone.expires > now && row.get("has_ended")?;
                let key = tombstone.digest.as_bytes().to_vec();
                (key, counts.then_some(Record::Tombstone(tombstone)))
            }
        })
    }
}
