//! A batch of records as rows, and how they get to where they belong.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::Object;
use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use logout_core::transfer::Record;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{FromSqlOwned, ToSql, Type};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::postgres::row;
use crate::postgres::table::{AGREED, CREDENTIALS, DELIVERIES, ONCE, RECEIPTS, SESSIONS, Table};
use crate::postgres::value::{instant, millis, text, uuid};
use crate::postgres::work::{Params, Work, begin, params, values};
use crate::rules::{Known, Names, OutboxRow, claimed};

/// What one batch may take.
const LONG: Duration = Duration::from_secs(120);

/// Records of another store.
pub(super) struct Batch {
    records: Vec<Record>,
    now: Timestamp,
}

impl Batch {
    /// Sessions come last: what has ended is known by then.
    pub(super) fn of(mut records: Vec<Record>, now: Timestamp) -> Self {
        records.sort_by_key(|record| matches!(record, Record::Session(_)));
        Self { records, now }
    }

    async fn known(&self, client: &Object) -> Result<Known, Error> {
        let names = Names::of(&self.records);
        let ids: Vec<Uuid> = names
            .sessions
            .iter()
            .map(|id| uuid(id.as_bytes()))
            .collect();
        let receipts = names.receipts.iter().map(|id| uuid(id.as_bytes()));
        let receipts: Vec<Uuid> = receipts.collect();
        let digests = bytes_of(&names.credentials);
        let credentials = "SELECT k.digest, k.session, k.expires FROM logout_credentials k \
            WHERE k.digest = ANY ($1::bytea[])";
        let once = "SELECT o.key, o.expires FROM logout_once o WHERE o.key = ANY ($1::bytea[])";
        let credential = |row: Row| {
            let owner = SessionId::from_bytes(row.try_get::<_, Uuid>(1)?.into_bytes());
            Ok((digest(&row)?, (owner, instant(row.try_get(2)?))))
        };
        let once_value = |row: Row| Ok((digest(&row)?, instant(row.try_get(1)?)));
        let [sessions, deliveries] = [
            "SELECT s.id FROM logout_sessions s WHERE s.id = ANY ($1::uuid[])",
            "SELECT d.session FROM logout_deliveries d WHERE d.session = ANY ($1::uuid[])",
        ];
        let receipt = "SELECT r.id FROM logout_receipts r \
            WHERE r.id = ANY ($1::uuid[]) AND r.ordinal = 0";
        let session_id = |id: Uuid| SessionId::from_bytes(id.into_bytes());
        let receipt_id = |id: Uuid| ReceiptId::from_bytes(id.into_bytes());
        Ok(Known {
            sessions: firsts(client, sessions, &ids)
                .await?
                .map(session_id)
                .collect(),
            deliveries: firsts(client, deliveries, &ids)
                .await?
                .map(session_id)
                .collect(),
            receipts: firsts(client, receipt, &receipts)
                .await?
                .map(receipt_id)
                .collect(),
            credentials: rows(client, credentials, &digests)
                .await?
                .into_iter()
                .map(credential)
                .collect::<Result<HashMap<_, _>, Error>>()?,
            once: rows(client, once, &bytes_of(&names.once))
                .await?
                .into_iter()
                .map(once_value)
                .collect::<Result<HashMap<_, _>, Error>>()?,
        })
    }

    /// What is taken in, table by table.
    fn parts(&self, mut known: Known) -> [Part; 6] {
        let mut parts = [
            Part::new(AGREED, "DO NOTHING"),
            // What counts no longer makes room. Where it counts, somebody was faster.
            Part::new(
                CREDENTIALS,
                "(digest) DO UPDATE SET session = excluded.session, expires = excluded.expires, \
                 client = excluded.client, csrf = excluded.csrf WHERE k.expires <= $1",
            ),
            Part::new(
                ONCE,
                "(key) DO UPDATE SET value = excluded.value, expires = excluded.expires \
                 WHERE k.expires <= $1",
            ),
            Part::new(RECEIPTS, "DO NOTHING"),
            Part::new(DELIVERIES, "DO NOTHING"),
            Part::new(SESSIONS, "DO NOTHING"),
        ];
        let [agreed, credentials, once, receipts, deliveries, sessions] =
            parts.each_mut().map(|part| &mut part.rows);
        for record in &self.records {
            let Some(unclaimed) = known.take_in(record, self.now) else {
                continue;
            };
            match record {
                Record::Agreed(one) => agreed.push(params![text(&one.name), one.value.clone()]),
                Record::Delivery(one) => {
                    deliveries.push(row::delivery_values(&OutboxRow::new(one.clone())));
                }
                Record::Once(one) => {
                    let key = one.key.as_bytes().to_vec();
                    once.push(params![key, one.value.clone(), millis(one.expires)]);
                }
                Record::Receipt(one) => receipts.extend(row::receipt_values(one)),
                Record::Session(one) => {
                    let claimed = claimed(one, &unclaimed);
                    credentials.extend(claimed.map(|known| row::credential_values(one, known)));
                    sessions.push(row::session_values(one));
                }
                Record::Tombstone(one) => credentials.push(params![
                    one.digest.as_bytes().to_vec(),
                    uuid(one.session.as_bytes()),
                    millis(one.expires),
                    None::<String>,
                    None::<Vec<u8>>,
                ]),
            }
        }
        parts
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
        let parts = self.parts(self.known(client).await?);
        for part in parts.iter().filter(|part| !part.rows.is_empty()) {
            part.fill(client).await?;
            let onward = client.prepare_cached(&part.onward).await?;
            client.execute(&onward, &[&millis(self.now)]).await?;
        }
        client.batch_execute("COMMIT").await
    }
}

fn bytes_of(digests: &[CredentialDigest]) -> Vec<Vec<u8>> {
    let bytes = digests.iter().map(|digest| digest.as_bytes().to_vec());
    bytes.collect()
}

fn digest(row: &Row) -> Result<CredentialDigest, Error> {
    let bytes: &[u8] = row.try_get(0)?;
    // One of another length is of no record here.
    let bytes = bytes.try_into().unwrap_or_default();
    Ok(CredentialDigest::from_bytes(bytes))
}

/// The rows under some names; nothing is asked where there are none.
async fn rows<T: ToSql + Sync>(
    client: &Object,
    statement: &str,
    names: &Vec<T>,
) -> Result<Vec<Row>, Error>
where
    Vec<T>: ToSql,
{
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let statement = client.prepare_cached(statement).await?;
    client.query(&statement, &[names]).await
}

/// The first column of those.
async fn firsts<T: FromSqlOwned>(
    client: &Object,
    statement: &str,
    names: &Vec<Uuid>,
) -> Result<impl Iterator<Item = T>, Error> {
    let rows = rows(client, statement, names).await?;
    let firsts = rows.iter().map(|row| row.try_get(0));
    Ok(firsts.collect::<Result<Vec<T>, Error>>()?.into_iter())
}

/// Rows for a table. They go into a table of the connection's own, which is empty again after each
/// batch, and from there `onward`.
struct Part {
    table: Table,
    /// `$1` is the instant.
    onward: String,
    rows: Vec<Params>,
}

impl Part {
    /// `conflict` says what becomes of a row whose key is there already.
    fn new(table: Table, conflict: &str) -> Self {
        let onward = format!(
            "INSERT INTO {} AS k ({}) SELECT {} FROM {} WHERE $1::bigint IS NOT NULL \
             ON CONFLICT {conflict}",
            table.name,
            table.columns(),
            table.columns(),
            incoming(&table),
        );
        Self {
            table,
            onward,
            rows: Vec::new(),
        }
    }

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

fn incoming(table: &Table) -> String {
    table.name.replace("logout_", "logout_in_")
}
