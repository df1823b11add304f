//! What connections are used for.

use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::future::try_join4;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Asks for more room than lies about in the tables, and gives it back.
const ASK_FOR_ROOM: &str = "BEGIN; INSERT INTO logout_once (key, value, expires) \
    SELECT 'room', string_agg(uuid_send(gen_random_uuid()), ''), 0 FROM generate_series(1, 8192); \
    ROLLBACK";

/// A value for a statement's parameter.
pub(super) type Value = Box<dyn ToSql + Send + Sync>;

/// Values for a statement's parameters.
pub(super) type Params = Vec<Value>;

macro_rules! params {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as $crate::postgres::work::Value),*]
    };
}
pub(super) use params;

/// Something that is done on one connection.
pub(super) trait Work: Sync {
    type Output: Send;

    /// Whether it consists of several statements, of which all or none count. A failure of these
    /// costs the connection.
    const IS_TRANSACTION: bool;

    /// How much longer it may take than others do.
    fn extra_time(&self) -> Duration {
        Duration::ZERO
    }

    fn execute(
        &self,
        client: &Object,
    ) -> impl Future<Output = Result<Self::Output, tokio_postgres::Error>> + Send;
}

/// One statement, which commits by itself, and brings its rows.
pub(super) struct Statement<'a> {
    pub(super) text: &'a str,
    pub(super) params: &'a Params,
}

impl Work for Statement<'_> {
    type Output = Vec<Row>;
    const IS_TRANSACTION: bool = false;

    async fn execute(&self, client: &Object) -> Result<Vec<Row>, tokio_postgres::Error> {
        let prepared = client.prepare_cached(self.text).await?;
        client.query(&prepared, &values(self.params)).await
    }
}

/// A statement, and one before it whose locks it needs. Both take the same parameters.
pub(super) struct Locked<'a> {
    pub(super) lock: &'a str,
    pub(super) text: &'a str,
    pub(super) params: &'a Params,
    /// How long each may take, if it is longer than usual.
    pub(super) patience: Option<Duration>,
}

impl Work for Locked<'_> {
    type Output = Vec<Row>;
    const IS_TRANSACTION: bool = true;

    fn extra_time(&self) -> Duration {
        self.patience.unwrap_or_default()
    }

    async fn execute(&self, client: &Object) -> Result<Vec<Row>, tokio_postgres::Error> {
        let lock = client.prepare_cached(self.lock).await?;
        let text = client.prepare_cached(self.text).await?;
        let params = values(self.params);
        let begin = begin(self.patience);
        // They go together: where one fails, the server skips the others.
        let ((), _, rows, ()) = try_join4(
            client.batch_execute(&begin),
            client.query(&lock, &params),
            client.query(&text, &params),
            client.batch_execute("COMMIT"),
        )
        .await?;
        Ok(rows)
    }
}

pub(super) fn values(params: &Params) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| &**value as _).collect()
}

/// Begins a transaction whose statements may take as long as `patience`.
pub(super) fn begin(patience: Option<Duration>) -> String {
    patience.map_or_else(
        || "BEGIN".to_owned(),
        |patience| {
            format!(
                "BEGIN; SET LOCAL statement_timeout = {}",
                patience.as_millis()
            )
        },
    )
}

/// Finds out whether there is room on the server's disk.
pub(super) struct RoomRequest;

impl Work for RoomRequest {
    type Output = ();
    const IS_TRANSACTION: bool = true;

    async fn execute(&self, client: &Object) -> Result<(), tokio_postgres::Error> {
        client.batch_execute(ASK_FOR_ROOM).await
    }
}
