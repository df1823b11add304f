//! The tables, version by version.

use deadpool_postgres::Object;

use super::ConnectError;

/// One step each, as it was released, but for functions that version 4 drops. Version 2 had nothing
/// else.
const STEPS: &[&str] = &[
    include_str!("schema_1.sql"),
    "",
    // The version of the account that a session was opened with.
    "ALTER TABLE logout_sessions ADD COLUMN account bytea",
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// The lock for changing the tables, so that of hubs that start at once one does it. Our choice:
/// "logout" in ASCII.
const LOCK: i64 = 0x006c_6f67_6f75_7400;

fn latest() -> i32 {
    i32::try_from(STEPS.len()).unwrap_or(i32::MAX)
}

fn fault(fault: tokio_postgres::Error) -> ConnectError {
    let reason = fault
        .as_db_error()
        .map_or_else(|| fault.to_string(), |answer| answer.message().to_owned());
    ConnectError::Schema { reason }
}

async fn version(client: &Object) -> Result<i32, ConnectError> {
    let exists: bool = client
        .query_one("SELECT to_regclass('logout_schema') IS NOT NULL", &[])
        .await
        .map_err(fault)?
        .get(0);
    if !exists {
        return Ok(0);
    }
    let row = client
        .query_one("SELECT coalesce(max(version), 0) FROM logout_schema", &[])
        .await
        .map_err(fault)?;
    row.try_get(0).map_err(fault)
}

/// Brings the tables to this program's version; needs no right to do so where they are.
pub(super) async fn migrate(client: &Object) -> Result<(), ConnectError> {
    if version(client).await? >= latest() {
        return check(client).await;
    }
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = '30min'; SELECT pg_advisory_xact_lock({LOCK})"
    );
    client.batch_execute(&begin).await.map_err(fault)?;
    client
        .batch_execute("CREATE TABLE IF NOT EXISTS logout_schema (version integer PRIMARY KEY)")
        .await
        .map_err(fault)?;
    // Another hub may have changed them while this one waited.
    let from = version(client).await?;
    for (step, number) in STEPS.iter().zip(1..).filter(|(_, number)| *number > from) {
        client.batch_execute(step).await.map_err(fault)?;
        client
            .execute(
                "INSERT INTO logout_schema (version) VALUES ($1)",
                &[&number],
            )
            .await
            .map_err(fault)?;
    }
    client.batch_execute("COMMIT").await.map_err(fault)?;
    check(client).await
}

/// Whether the tables have this program's version.
pub(super) async fn check(client: &Object) -> Result<(), ConnectError> {
    match version(client).await? {
        found if found == latest() => Ok(()),
        found => Err(ConnectError::Version {
            found,
            known: latest(),
        }),
    }
}
