//! A batch of records as rows, and how they get to where they belong.

use std::pin::pin;

use deadpool_postgres::Object;
use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::platform::PlatformName;
use logout_core::receipt::Receipt;
use logout_core::time::Timestamp;
use logout_core::transfer::Record;
use tokio_postgres::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::postgres::link::{Params, Steps, params};
use crate::postgres::row;

/// A kind's own table, which is empty again after each batch, and the statement that moves its rows
/// on.
struct Way {
    table: &'static str,
    like: &'static str,
    columns: &'static str,
    onward: &'static str,
}

// In this order what comes later sees what has ended. `$1` is the instant.
const WAYS: [Way; 6] = [
    Way {
        table: "logout_in_agreed",
        like: "logout_agreed",
        columns: "name, value",
        onward: "INSERT INTO logout_agreed (name, value) SELECT n.name, n.value FROM logout_in_agreed n \
            WHERE $1::bigint IS NOT NULL ON CONFLICT DO NOTHING",
    },
    Way {
        table: "logout_in_tombstones",
        like: "logout_credentials",
        columns: "digest, session, expires",
        onward: "INSERT INTO logout_credentials AS k (digest, session, expires) \
            SELECT DISTINCT ON (n.digest) n.digest, n.session, n.expires FROM logout_in_tombstones n \
            WHERE n.expires > $1::bigint AND NOT EXISTS (SELECT FROM logout_sessions s WHERE s.id = n.session) \
            ORDER BY n.digest \
            ON CONFLICT (digest) DO UPDATE SET session = excluded.session, expires = excluded.expires WHERE k.expires <= $1",
    },
    Way {
        table: "logout_in_once",
        like: "logout_once",
        columns: "key, value, expires",
        onward: "INSERT INTO logout_once (key, value, expires) SELECT n.key, n.value, n.expires FROM logout_in_once n \
            WHERE n.expires > $1::bigint ON CONFLICT DO NOTHING",
    },
    Way {
        table: "logout_in_receipts",
        like: "logout_receipts",
        columns: "id, at, reason, platform, reach, ids, platforms, realms, names, persons, upstreams",
        onward: "INSERT INTO logout_receipts (id, at, reason, platform, reach, ids, platforms, realms, names, persons, upstreams) \
            SELECT n.id, n.at, n.reason, n.platform, n.reach, n.ids, n.platforms, n.realms, n.names, n.persons, n.upstreams \
            FROM logout_in_receipts n WHERE $1::bigint IS NOT NULL ON CONFLICT DO NOTHING",
    },
    Way {
        table: "logout_in_deliveries",
        like: "logout_deliveries",
        columns: "session, platform, realm, name, receipt, sealed, expires, created, due, state, attempts, tried_at, answers, verified, \
            lease, ready",
        onward: "INSERT INTO logout_deliveries (session, platform, realm, name, receipt, sealed, expires, created, due, state, attempts, \
            tried_at, answers, verified, lease, ready) \
            SELECT n.session, n.platform, n.realm, n.name, n.receipt, n.sealed, n.expires, n.created, n.due, n.state, n.attempts, \
                n.tried_at, n.answers, n.verified, n.lease, n.ready \
            FROM logout_in_deliveries n \
            WHERE $1::bigint IS NOT NULL AND NOT EXISTS (SELECT FROM logout_sessions s WHERE s.id = n.session) ON CONFLICT DO NOTHING",
    },
    Way {
        table: "logout_in_sessions",
        like: "logout_sessions",
        columns: "id, platform, realm, name, subject_key, person, person_key, client, sign_on, administrator, csrf, opened, seen, idle, \
            expires, ends, look_at, address, user_agent, sealed, digests, expiries, csrf_dues, account",
        onward: "WITH taken AS ( \
                INSERT INTO logout_sessions (id, platform, realm, name, subject_key, person, person_key, client, sign_on, administrator, \
                    csrf, opened, seen, idle, expires, ends, look_at, address, user_agent, sealed, digests, expiries, csrf_dues, \
                    account) \
                SELECT n.id, n.platform, n.realm, n.name, n.subject_key, n.person, n.person_key, n.client, n.sign_on, n.administrator, \
                    n.csrf, n.opened, n.seen, n.idle, n.expires, n.ends, n.look_at, n.address, n.user_agent, n.sealed, n.digests, \
                    n.expiries, n.csrf_dues, n.account \
                FROM logout_in_sessions n \
                WHERE n.ends > $1::bigint AND NOT EXISTS (SELECT FROM logout_deliveries d WHERE d.session = n.id) AND NOT EXISTS ( \
                    SELECT FROM unnest(n.digests) u(digest) CROSS JOIN LATERAL ( \
                        SELECT FROM logout_credentials k \
                        WHERE k.digest = u.digest AND k.session = n.id AND k.expires > $1 OFFSET 0 \
                    ) known) \
                ORDER BY n.id \
                ON CONFLICT DO NOTHING RETURNING id, digests, expiries \
            ) \
            INSERT INTO logout_credentials AS k (digest, session, expires) \
            SELECT DISTINCT ON (u.digest) u.digest, t.id, u.expires \
            FROM taken t CROSS JOIN LATERAL unnest(t.digests, t.expiries) u(digest, expires) \
            WHERE u.expires > $1 ORDER BY u.digest \
            ON CONFLICT (digest) DO UPDATE SET session = excluded.session, expires = excluded.expires WHERE k.expires <= $1",
    },
];

/// Rows, kind by kind, as `WAYS` has them.
pub(super) struct Batch {
    rows: [Vec<Params>; WAYS.len()],
    now: i64,
}

impl Batch {
    pub(super) fn of(records: Vec<Record>, now: Timestamp) -> Self {
        let mut batch = Self {
            rows: Default::default(),
            now: row::millis(now),
        };
        let [agreed, tombstones, once, receipts, deliveries, sessions] = &mut batch.rows;
        for record in records {
            match record {
                Record::Agreed(one) => agreed.push(params![row::text(&one.name), one.value]),
                Record::Delivery(one) => deliveries.push(delivery(&one)),
                Record::Once(one) => once.push(params![
                    one.key.as_bytes().to_vec(),
                    one.value,
                    row::millis(one.expires)
                ]),
                Record::Receipt(one) => receipts.push(receipt(&one)),
                Record::Session(one) => sessions.push(row::columns_of(one)),
                Record::Tombstone(one) => {
                    let (digest, session) = (
                        one.digest.as_bytes().to_vec(),
                        row::uuid(one.session.as_bytes()),
                    );
                    tombstones.push(params![digest, session, row::millis(one.expires)]);
                }
            }
        }
        batch
    }
}

impl Steps for Batch {
    async fn carry(&self, client: &Object) -> Result<(), Error> {
        for (way, rows) in WAYS.iter().zip(&self.rows) {
            if !rows.is_empty() {
                way.fill(client, rows).await?;
                let onward = client.prepare_cached(way.onward).await?;
                client.execute(&onward, &[&self.now]).await?;
            }
        }
        Ok(())
    }
}

impl Way {
    async fn fill(&self, client: &Object, rows: &[Params]) -> Result<(), Error> {
        let Self {
            table,
            like,
            columns,
            ..
        } = self;
        client
            .batch_execute(&format!(
                "CREATE TEMP TABLE IF NOT EXISTS {table} (LIKE {like}) ON COMMIT DELETE ROWS"
            ))
            .await?;
        let types: Vec<Type> = {
            let shape = client
                .prepare_cached(&format!("SELECT {columns} FROM {table}"))
                .await?;
            shape
                .columns()
                .iter()
                .map(|column| column.type_().clone())
                .collect()
        };
        let sink = client
            .copy_in(&format!(
                "COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
            ))
            .await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        for row in rows {
            let values: Vec<&(dyn ToSql + Sync)> = row
                .iter()
                .map(|value| &**value as &(dyn ToSql + Sync))
                .collect();
            writer.as_mut().write(&values).await?;
        }
        writer.finish().await.map(drop)
    }
}

fn receipt(receipt: &Receipt) -> Params {
    let sessions = &receipt.sessions;
    let ids: Vec<Uuid> = sessions
        .iter()
        .map(|session| row::uuid(session.id.as_bytes()))
        .collect();
    let platforms: Vec<String> = sessions
        .iter()
        .map(|session| row::text(session.platform.as_str()))
        .collect();
    let realms: Vec<String> = sessions
        .iter()
        .map(|session| row::text(&session.subject.realm))
        .collect();
    let names: Vec<String> = sessions
        .iter()
        .map(|session| row::text(&session.subject.name))
        .collect();
    let persons: Vec<Option<String>> = sessions
        .iter()
        .map(|session| {
            session
                .person
                .as_ref()
                .map(|person| row::text(person.as_str()))
        })
        .collect();
    let upstreams: Vec<bool> = sessions.iter().map(|session| session.upstream).collect();
    params![
        row::uuid(receipt.id.as_bytes()),
        row::millis(receipt.at),
        receipt.reason.as_str(),
        receipt
            .platform
            .as_ref()
            .map(PlatformName::as_str)
            .map(row::text),
        receipt.reach.as_str(),
        ids,
        platforms,
        realms,
        names,
        persons,
        upstreams,
    ]
}

fn delivery(delivery: &Delivery) -> Params {
    let (tried_at, answers): (Vec<i64>, Vec<String>) = delivery
        .history
        .iter()
        .map(|attempt| (row::millis(attempt.at), row::answer(attempt.answer)))
        .unzip();
    let due = row::millis(delivery.due);
    params![
        row::uuid(delivery.session.as_bytes()),
        row::text(delivery.platform.as_str()),
        row::text(&delivery.subject.realm),
        row::text(&delivery.subject.name),
        row::uuid(delivery.receipt.as_bytes()),
        delivery
            .sealed
            .as_ref()
            .map(|sealed| sealed.as_bytes().to_vec()),
        row::millis(delivery.expires),
        row::millis(delivery.created),
        due,
        DeliveryState::as_str(delivery.state),
        i64::from(delivery.attempts),
        tried_at,
        answers,
        delivery.verified.map(|verified| verified.as_str()),
        0_i64,
        due,
    ]
}
