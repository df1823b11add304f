//! A batch of records as rows, and how they get to where they belong.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::Object;
use logout_core::time::Timestamp;
use logout_core::transfer::Record;
use tokio_postgres::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use crate::postgres::table::{AGREED, DELIVERIES, ONCE, RECEIPTS, SESSIONS, TOMBSTONES, Table};
use crate::postgres::value::{millis, text, uuid};
use crate::postgres::work::{Params, Work, begin, params, values};
use crate::postgres::{row, statements};

/// What one batch may take.
const LONG: Duration = Duration::from_secs(120);

/// Rows, table by table.
pub(super) struct Batch {
    parts: [Part; 6],
    now: i64,
}

/// Rows for a table. They go into a table of the connection's own, which is empty again after each
/// batch, and from there `onward`: in the order of a batch's parts, later ones see what has ended.
struct Part {
    table: Table,
    /// `$1` is the instant.
    onward: String,
    rows: Vec<Params>,
}

impl Part {
    /// Rows that meet `condition` are taken in, where there are none of their key.
    fn new(table: Table, condition: &str) -> Self {
        let onward = format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} n WHERE $1::bigint IS NOT NULL AND {condition} \
             ON CONFLICT DO NOTHING",
            table.name,
            table.columns(),
            table.columns_of("n"),
            incoming(&table),
        );
        Self::with(table, onward)
    }

    fn with(table: Table, onward: String) -> Self {
        Self {
            table,
            onward,
            rows: Vec::new(),
        }
    }
}

fn incoming(table: &Table) -> String {
    table.name.replace("logout_", "logout_in_")
}

/// What has ended here stays ended.
const TOMBSTONE: &str = "
    INSERT INTO logout_credentials AS k (digest, session, expires)
    SELECT DISTINCT ON (n.digest) n.digest, n.session, n.expires FROM logout_in_credentials n
    WHERE n.expires > $1::bigint
        AND NOT EXISTS (SELECT FROM logout_sessions s WHERE s.id = n.session)
    ORDER BY n.digest
    ON CONFLICT (digest) DO UPDATE SET session = excluded.session, expires = excluded.expires
    WHERE k.expires <= $1";

impl Batch {
    pub(super) fn of(records: Vec<Record>, now: Timestamp) -> Self {
        let is_new = "NOT EXISTS (SELECT FROM logout_receipts r WHERE r.id = n.id)";
        let has_ended = "NOT EXISTS (SELECT FROM logout_sessions s WHERE s.id = n.session)";
        let mut batch = Self {
            parts: [
                Part::new(AGREED, "true"),
                Part::with(TOMBSTONES, TOMBSTONE.to_owned()),
                Part::new(ONCE, "n.expires > $1"),
                Part::new(RECEIPTS, is_new),
                Part::new(DELIVERIES, has_ended),
                Part::with(SESSIONS, statements::import_sessions()),
            ],
            now: millis(now),
        };
        let [agreed, tombstones, once, receipts, deliveries, sessions] =
            batch.parts.each_mut().map(|part| &mut part.rows);
        let mut seen = HashSet::new();
        for record in records {
            match record {
                Record::Agreed(one) => agreed.push(params![text(&one.name), one.value]),
                Record::Delivery(one) => deliveries.push(row::delivery_values(&one)),
                Record::Once(one) => {
                    let key = one.key.as_bytes().to_vec();
                    once.push(params![key, one.value, millis(one.expires)]);
                }
                Record::Receipt(one) if seen.insert(one.id) => {
                    receipts.extend(row::receipt_values(&one));
                }
                // Only the first of two with one id counts.
                Record::Receipt(_) => {}
                Record::Session(one) => sessions.push(row::session_values(&one)),
                Record::Tombstone(one) => {
                    let digest = one.digest.as_bytes().to_vec();
                    let session = uuid(one.session.as_bytes());
                    tombstones.push(params![digest, session, millis(one.expires)]);
                }
            }
        }
        batch
    }
}

impl Work for Batch {
    type Output = ();
    const IS_TRANSACTION: bool = true;

    fn extra_time(&self) -> Duration {
        LONG
    }

    async fn execute(&self, client: &Object) -> Result<(), Error> {
        client.batch_execute(&begin(Some(LONG))).await?;
        for part in self.parts.iter().filter(|part| !part.rows.is_empty()) {
            part.fill(client).await?;
            let onward = client.prepare_cached(&part.onward).await?;
            client.execute(&onward, &[&self.now]).await?;
        }
        client.batch_execute("COMMIT").await
    }
}

impl Part {
    async fn fill(&self, client: &Object) -> Result<(), Error> {
        let (table, columns) = (incoming(&self.table), self.table.columns());
        let like = self.table.name;
        client
            .batch_execute(&format!(
                "CREATE TEMP TABLE IF NOT EXISTS {table} (LIKE {like} INCLUDING DEFAULTS) \
                 ON COMMIT DELETE ROWS"
            ))
            .await?;
        let shape = client
            .prepare_cached(&format!("SELECT {columns} FROM {table}"))
            .await?;
        let types: Vec<Type> = shape
            .columns()
            .iter()
            .map(|column| column.type_().clone())
            .collect();
        let sink = client
            .copy_in(&format!(
                "COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
            ))
            .await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        for row in &self.rows {
            writer.as_mut().write(&values(row)).await?;
        }
        writer.finish().await.map(drop)
    }
}
