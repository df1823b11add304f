//! The connections to the database: what goes over them, how long anybody waits, what is said when
//! they break.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use logout_core::store::StoreUnavailable;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Config, Row};

use super::ConnectError;
use super::connector::Connector;
use super::tls;

/// How many connections one hub opens at most. A server takes a hundred by default.
const CONNECTIONS: usize = 12;

/// How long anybody waits for an answer, connecting included. Longer than what the server is given,
/// so that it is the server who gives up where it can.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a connection may take to come, from whichever server.
const CONNECTING: Duration = Duration::from_secs(2);

/// How long a statement that lost against another one, and was undone, is left before it is tried
/// again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// What every connection is set to, before what the URL's own `options` say, which therefore win.
///
/// Plans are made once and kept: planning a sign-out takes longer than carrying it out. They must
/// stay good while tables grow from nothing to millions of rows, so everything that only pays on
/// small tables is off. Warnings are to come: one of them is that a commit has not reached the
/// standbys.
const OPTIONS: &str = "-c synchronous_commit=on -c client_min_messages=warning -c default_transaction_isolation=read\\ committed -c statement_timeout=3000 \
    -c idle_in_transaction_session_timeout=10000 -c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off \
    -c enable_hashjoin=off -c enable_mergejoin=off";

/// Asks for more room than lies about in the tables, and gives it back.
const ASK_FOR_ROOM: &str = "BEGIN; INSERT INTO logout_once (key, value, expires) SELECT 'room', string_agg(uuid_send(gen_random_uuid()), ''), 0 \
    FROM generate_series(1, 8192); ROLLBACK";

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
    /// The server does not answer, and nobody knows whether it was carried out; or it is in no
    /// state to carry out any.
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

enum LinkError {
    Pool(PoolError),
    Server(tokio_postgres::Error),
    Timeout,
    /// Committed, and maybe on this server only: somebody has put an end to its waiting for the
    /// standbys.
    Unconfirmed,
}

impl LinkError {
    /// What may be logged: never a value, which the server likes to quote in messages about data.
    fn reason(&self) -> String {
        let server = |fault: &tokio_postgres::Error| match fault.as_db_error() {
            Some(answer) if matches!(answer.code().code().get(..2), Some("22" | "23")) => {
                format!("SQLSTATE {}", answer.code().code())
            }
            Some(answer) => format!("{} (SQLSTATE {})", answer.message(), answer.code().code()),
            None => std::error::Error::source(fault)
                .map_or_else(|| fault.to_string(), |cause| format!("{fault}: {cause}")),
        };
        match self {
            Self::Pool(PoolError::Backend(fault)) | Self::Server(fault) => server(fault),
            Self::Pool(PoolError::Timeout(_)) => "no connection in time".to_owned(),
            Self::Pool(fault) => fault.to_string(),
            Self::Timeout => "no answer in time".to_owned(),
            Self::Unconfirmed => "a commit was answered before the standbys had it".to_owned(),
        }
    }

    /// It used to take writes, or it would not be in the pool.
    fn is_read_only(&self) -> bool {
        matches!(self, Self::Server(fault) if fault.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION))
    }

    fn is_full(&self) -> bool {
        matches!(self, Self::Server(fault) if fault.code() == Some(&SqlState::DISK_FULL))
    }

    fn was_undone(&self) -> bool {
        let lost = [
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        matches!(self, Self::Server(fault) if fault.code().is_some_and(|code| lost.contains(code)))
    }

    fn failure(&self) -> Failure {
        // In the words of a refusal the server also says goodbye, whatever it was doing, and that
        // it is read-only, full or ill.
        let of_all = |class: &str| matches!(class.get(..2), Some("08" | "25" | "53" | "57" | "58"));
        match self {
            Self::Server(fault) if fault.code().is_some_and(|code| !of_all(code.code())) => {
                Failure::Refused
            }
            Self::Pool(_) | Self::Server(_) | Self::Timeout | Self::Unconfirmed => Failure::Unknown,
        }
    }
}

/// Statements that belong together.
pub(super) trait Steps: Sync {
    fn carry(
        &self,
        client: &Object,
    ) -> impl Future<Output = Result<(), tokio_postgres::Error>> + Send;
}

/// The pool, and whether it is known to be of no use just now.
pub(super) struct Link {
    pool: Pool,
    connector: Connector,
    is_down: AtomicBool,
    /// Whether there was no room for something: what takes none goes on, and says nothing about
    /// that.
    is_full: AtomicBool,
    /// How often all connections were left at once; those from before are not to be used again.
    generation: AtomicU64,
}

/// What becomes of a statement that nobody waits for any longer.
#[derive(Clone, Copy)]
enum GivenUp {
    /// It is ended at the server.
    Cancelled,
    /// The server goes on with it. A commit that waits for a standby would otherwise be there for
    /// everybody to see, and be gone with this server: whoever signs out again would hear that
    /// there was nothing left to end.
    LeftAlone,
}

impl Link {
    /// A link to where `url` points; nothing is connected yet.
    pub(super) fn new(url: &str) -> Result<Self, ConnectError> {
        // The reason is not passed on: it may quote the URL, and with it the password.
        let mut config: Config = url.parse().map_err(|_| ConnectError::Url)?;
        let options = config.get_options().map_or_else(
            || OPTIONS.to_owned(),
            |theirs| format!("{OPTIONS} {theirs}"),
        );
        config
            .options(options)
            .connect_timeout(CONNECTING)
            .tcp_user_timeout(PATIENCE)
            .keepalives_idle(Duration::from_secs(15));
        if config.get_application_name().is_none() {
            config.application_name("logout-hub");
        }
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let connector = if config.get_ssl_mode() == SslMode::Require {
            Connector::new(Some(tls::connector()?))
        } else {
            config.ssl_mode(SslMode::Disable);
            Connector::new(None)
        };
        let manager = Manager::from_connect(config, connector.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(CONNECTING));
        let pool =
            pool.wait_timeout(Some(PATIENCE))
                .build()
                .map_err(|fault| ConnectError::NoAnswer {
                    reason: fault.to_string(),
                })?;
        Ok(Self {
            pool,
            connector,
            is_down: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            generation: AtomicU64::new(0),
        })
    }

    /// A connection, for what is not a single statement.
    pub(super) async fn connection(&self) -> Result<Object, ConnectError> {
        self.pool
            .get()
            .await
            .map_err(|fault| ConnectError::NoAnswer {
                reason: LinkError::Pool(fault).reason(),
            })
    }

    /// Carries out one statement, which commits by itself, and brings its rows.
    pub(super) async fn rows(&self, statement: &str, params: &Params) -> Result<Vec<Row>, Failure> {
        self.rows_within(None, statement, params).await
    }

    /// The same, for a statement that may take as long as `patience`.
    pub(super) async fn rows_within(
        &self,
        patience: Option<Duration>,
        statement: &str,
        params: &Params,
    ) -> Result<Vec<Row>, Failure> {
        self.try_and_try(GivenUp::LeftAlone, patience, statement, params)
            .await
    }

    /// The same, for a statement whose effect is of no use to anybody who did not wait for it; and
    /// whether there is room again, where there was none.
    pub(super) async fn probe(&self, statement: &str) -> Result<Vec<Row>, Failure> {
        if self.is_full.load(Ordering::Relaxed) {
            let asking = async {
                let object = self.pool.get().await.map_err(LinkError::Pool)?;
                let kept = Kept {
                    object: Some(object),
                    canceller: None,
                };
                let Some(client) = &kept.object else {
                    return Err(LinkError::Timeout);
                };
                client
                    .batch_execute(ASK_FOR_ROOM)
                    .await
                    .map_err(LinkError::Server)
            };
            timeout(PATIENCE, asking)
                .await
                .unwrap_or(Err(LinkError::Timeout))
                .map_err(|fault| fault.failure())?;
            self.is_full.store(false, Ordering::Relaxed);
        }
        self.try_and_try(GivenUp::Cancelled, None, statement, &Params::new())
            .await
    }

    async fn try_and_try(
        &self,
        given_up: GivenUp,
        patience: Option<Duration>,
        statement: &str,
        params: &Params,
    ) -> Result<Vec<Row>, Failure> {
        let deadline = Instant::now() + PATIENCE + patience.unwrap_or_default();
        let mut pause = PAUSE.0;
        loop {
            let outcome = timeout_at(deadline, self.once(given_up, patience, statement, params))
                .await
                .unwrap_or(Err(LinkError::Timeout));
            match outcome {
                Ok(rows) => {
                    if self.is_down.load(Ordering::Relaxed)
                        && self.is_down.swap(false, Ordering::Relaxed)
                    {
                        log::info!("the session store answers again");
                    }
                    return Ok(rows);
                }
                Err(fault) if fault.was_undone() && Instant::now() + pause < deadline => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                Err(fault) => {
                    self.is_full.fetch_or(fault.is_full(), Ordering::Relaxed);
                    if !self.is_down.swap(true, Ordering::Relaxed) {
                        log::error!("the session store does not answer: {}", fault.reason());
                    }
                    return Err(fault.failure());
                }
            }
        }
    }

    /// Carries out several statements, all of them or none, as long as `patience` lasts.
    pub(super) async fn in_one_step(
        &self,
        patience: Duration,
        steps: &impl Steps,
    ) -> Result<(), Failure> {
        let outcome = timeout(patience, async {
            let mut kept = Kept {
                object: Some(self.pool.get().await.map_err(LinkError::Pool)?),
                canceller: None,
            };
            let Some(client) = &kept.object else {
                return Err(LinkError::Timeout);
            };
            let unconfirmed = self.connector.unconfirmed();
            client
                .batch_execute(&begin(patience))
                .await
                .map_err(LinkError::Server)?;
            steps.carry(client).await.map_err(LinkError::Server)?;
            client
                .batch_execute("COMMIT")
                .await
                .map_err(LinkError::Server)?;
            if self.connector.unconfirmed() != unconfirmed {
                return Err(LinkError::Unconfirmed);
            }
            kept.give_back();
            Ok(())
        });
        outcome
            .await
            .unwrap_or(Err(LinkError::Timeout))
            .map_err(|fault| {
                log::error!(
                    "the session store did not carry out a batch: {}",
                    fault.reason()
                );
                fault.failure()
            })
    }

    async fn once(
        &self,
        given_up: GivenUp,
        patience: Option<Duration>,
        statement: &str,
        params: &Params,
    ) -> Result<Vec<Row>, LinkError> {
        let generation = self.generation.load(Ordering::SeqCst);
        let object = self.pool.get().await.map_err(LinkError::Pool)?;
        let canceller = matches!(given_up, GivenUp::Cancelled)
            .then(|| (self.connector.clone(), object.cancel_token()));
        // Taken out of the pool until it has proved good: a caller who stops waiting drops it, and
        // with it what was still under way.
        let mut kept = Kept {
            object: Some(object),
            canceller,
        };
        let Some(client) = &kept.object else {
            return Err(LinkError::Timeout);
        };
        // Not only of this connection: a false alarm of another one is better than a sign-out that
        // is not there after all.
        let unconfirmed = self.connector.unconfirmed();
        let mut outcome = run(client, patience, statement, params)
            .await
            .map_err(LinkError::Server);
        if outcome.is_ok() && self.connector.unconfirmed() != unconfirmed {
            outcome = Err(LinkError::Unconfirmed);
        }
        if outcome.as_ref().err().is_some_and(LinkError::is_read_only) {
            self.leave();
        }
        let is_good = outcome
            .as_ref()
            .err()
            .is_none_or(|fault| fault.was_undone() && patience.is_none());
        if is_good && self.generation.load(Ordering::SeqCst) == generation {
            kept.give_back();
        }
        outcome
    }

    /// Uses no connection again that there is: another server may be the one to talk to, which a
    /// connection that only reads does not notice.
    pub(super) fn leave(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.pool.retain(|_, _| false);
    }
}

fn begin(patience: Duration) -> String {
    format!(
        "BEGIN; SET LOCAL statement_timeout = {}",
        patience.as_millis()
    )
}

async fn run(
    client: &Object,
    patience: Option<Duration>,
    statement: &str,
    params: &Params,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let prepared = client.prepare_cached(statement).await?;
    let params: Vec<&(dyn ToSql + Sync)> = params
        .iter()
        .map(|value| &**value as &(dyn ToSql + Sync))
        .collect();
    let Some(patience) = patience else {
        return client.query(&prepared, &params).await;
    };
    client.batch_execute(&begin(patience)).await?;
    let rows = client.query(&prepared, &params).await?;
    client.batch_execute("COMMIT").await?;
    Ok(rows)
}

/// A connection that is closed when it is dropped before it was given back.
struct Kept {
    object: Option<Object>,
    canceller: Option<(Connector, CancelToken)>,
}

impl Kept {
    fn give_back(&mut self) {
        self.object = None;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else {
            return;
        };
        drop(Object::take(object));
        if let (Some((connector, token)), Ok(runtime)) =
            (self.canceller.take(), Handle::try_current())
        {
            runtime.spawn(connector.cancel(token));
        }
    }
}
