//! The connections to the database: what goes over them, how long anybody waits, what is said when they break.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use logout_core::store::StoreUnavailable;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

use super::ConnectFault;
use super::tls;

/// How many connections one hub opens at most. A server takes a hundred by default.
const CONNECTIONS: usize = 12;

/// How long anybody waits for an answer, connecting included. Longer than what the server is given, so that it is the server who
/// gives up where it can.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a connection may take to come.
const CONNECTING: Duration = Duration::from_secs(2);

/// How often a statement is tried that lost against another one: what it did is undone then.
const TRIES: usize = 8;

/// What every connection is set to, before what the URL's own `options` say, which therefore win.
///
/// Plans are made once and kept: planning a sign-out takes longer than carrying it out. They must stay good while tables grow
/// from nothing to millions of rows, so everything that only pays on small tables is off.
const OPTIONS: &str = "-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c statement_timeout=3000 \
    -c idle_in_transaction_session_timeout=10000 -c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off \
    -c enable_hashjoin=off -c enable_mergejoin=off";

/// Values for a statement's parameters.
pub(super) type Params = Vec<Box<dyn ToSql + Send + Sync>>;

macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as Box<dyn tokio_postgres::types::ToSql + Send + Sync>),*] };
}
pub(super) use params;

/// Why a statement brought nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// The server answers, and refused this one: nothing was done.
    Refused,
    /// The server does not answer: nobody knows whether it was carried out.
    Unknown,
}

impl From<Failure> for StoreUnavailable {
    fn from(_: Failure) -> Self {
        Self
    }
}

/// A row holds what this program never writes.
impl From<tokio_postgres::Error> for Failure {
    fn from(fault: tokio_postgres::Error) -> Self {
        log::error!("a row of the session store cannot be read: {fault}");
        Self::Unknown
    }
}

enum Fault {
    Pool(PoolError),
    Server(tokio_postgres::Error),
    Timeout,
}

impl Fault {
    /// What may be logged: never a value, which the server likes to quote in messages about data.
    fn reason(&self) -> String {
        let server = |fault: &tokio_postgres::Error| match fault.as_db_error() {
            Some(answer) if matches!(answer.code().code().get(..2), Some("22" | "23")) => format!("SQLSTATE {}", answer.code().code()),
            Some(answer) => format!("{} (SQLSTATE {})", answer.message(), answer.code().code()),
            None => std::error::Error::source(fault).map_or_else(|| fault.to_string(), |cause| format!("{fault}: {cause}")),
        };
        match self {
            Self::Pool(PoolError::Backend(fault)) | Self::Server(fault) => server(fault),
            Self::Pool(PoolError::Timeout(_)) => "no connection in time".to_owned(),
            Self::Pool(fault) => fault.to_string(),
            Self::Timeout => "no answer in time".to_owned(),
        }
    }

    fn was_undone(&self) -> bool {
        let lost = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
        matches!(self, Self::Server(fault) if fault.code().is_some_and(|code| lost.contains(code)))
    }

    fn failure(&self) -> Failure {
        // The server says goodbye in the words of a refusal, whatever it was doing.
        let goodbye = |class: &str| matches!(class.get(..2), Some("08" | "57"));
        match self {
            Self::Server(fault) if fault.code().is_some_and(|code| !goodbye(code.code())) => Failure::Refused,
            Self::Pool(_) | Self::Server(_) | Self::Timeout => Failure::Unknown,
        }
    }
}

/// The pool, and whether it is known to be of no use just now.
pub(super) struct Link {
    pool: Pool,
    is_down: AtomicBool,
}

impl Link {
    /// A link to where `url` points; nothing is connected yet.
    pub(super) fn new(url: &str) -> Result<Self, ConnectFault> {
        // The reason is not passed on: it may quote the URL, and with it the password.
        let mut config: Config = url.parse().map_err(|_| ConnectFault::Url)?;
        let options = config.get_options().map_or_else(|| OPTIONS.to_owned(), |theirs| format!("{OPTIONS} {theirs}"));
        config.options(options).connect_timeout(CONNECTING).tcp_user_timeout(PATIENCE).keepalives_idle(Duration::from_secs(15));
        if config.get_application_name().is_none() {
            config.application_name("logout-hub");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if config.get_ssl_mode() == SslMode::Require {
            Manager::from_config(config, tls::connector()?, recycling)
        } else {
            config.ssl_mode(SslMode::Disable);
            Manager::from_config(config, NoTls, recycling)
        };
        let pool = Pool::builder(manager).max_size(CONNECTIONS).runtime(Runtime::Tokio1).create_timeout(Some(CONNECTING));
        let pool = pool.wait_timeout(Some(PATIENCE)).build().map_err(|fault| ConnectFault::NoAnswer { reason: fault.to_string() })?;
        Ok(Self { pool, is_down: AtomicBool::new(false) })
    }

    /// A connection, for what is not a single statement.
    pub(super) async fn connection(&self) -> Result<Object, ConnectFault> {
        self.pool.get().await.map_err(|fault| ConnectFault::NoAnswer { reason: Fault::Pool(fault).reason() })
    }

    /// Carries out one statement, which commits by itself, and brings its rows.
    pub(super) async fn rows(&self, statement: &str, params: &Params) -> Result<Vec<Row>, Failure> {
        self.rows_within(None, statement, params).await
    }

    /// The same, for a statement that may take as long as `patience`.
    pub(super) async fn rows_within(&self, patience: Option<Duration>, statement: &str, params: &Params) -> Result<Vec<Row>, Failure> {
        let mut tries = 1;
        loop {
            let limit = PATIENCE + patience.unwrap_or_default();
            let outcome = timeout(limit, self.once(patience, statement, params)).await.unwrap_or(Err(Fault::Timeout));
            match outcome {
                Ok(rows) => {
                    if self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::Relaxed) {
                        log::info!("the session store answers again");
                    }
                    return Ok(rows);
                }
                Err(fault) if fault.was_undone() && tries < TRIES => tries += 1,
                Err(fault) => {
                    if !self.is_down.swap(true, Ordering::Relaxed) {
                        log::error!("the session store does not answer: {}", fault.reason());
                    }
                    return Err(fault.failure());
                }
            }
        }
    }

    async fn once(&self, patience: Option<Duration>, statement: &str, params: &Params) -> Result<Vec<Row>, Fault> {
        let object = self.pool.get().await.map_err(Fault::Pool)?;
        // Taken out of the pool until it has proved good: a caller who stops waiting drops it, and with it what was still under way.
        let mut kept = Kept(Some(object));
        let Some(client) = &kept.0 else { return Err(Fault::Timeout) };
        let outcome = run(client, patience, statement, params).await.map_err(Fault::Server);
        if outcome.as_ref().err().is_none_or(|fault| fault.was_undone() && patience.is_none()) {
            kept.give_back();
        }
        outcome
    }
}

async fn run(client: &Object, patience: Option<Duration>, statement: &str, params: &Params) -> Result<Vec<Row>, tokio_postgres::Error> {
    let prepared = client.prepare_cached(statement).await?;
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    let Some(patience) = patience else { return client.query(&prepared, &params).await };
    client.batch_execute(&format!("BEGIN; SET LOCAL statement_timeout = {}", patience.as_millis())).await?;
    let rows = client.query(&prepared, &params).await?;
    client.batch_execute("COMMIT").await?;
    Ok(rows)
}

/// A connection that is closed when it is dropped before it was given back.
struct Kept(Option<Object>);

impl Kept {
    fn give_back(&mut self) {
        self.0 = None;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}
