//! The connections to the database: what goes over them, how long anybody waits, what is said when
//! they break.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, Config, Row};

use super::ConnectError;
use super::connector::Connector;
use super::failure::{Failure, LinkError};
use super::tls;
use super::work::{Params, RoomRequest, Statement, Work};

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
const OPTIONS: &str = "-c synchronous_commit=on -c client_min_messages=warning \
    -c default_transaction_isolation=read\\ committed -c statement_timeout=3000 \
    -c idle_in_transaction_session_timeout=10000 -c plan_cache_mode=force_generic_plan -c jit=off \
    -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

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
    pub(super) async fn rows(&self, text: &str, params: &Params) -> Result<Vec<Row>, Failure> {
        self.execute(&Statement { text, params }).await
    }

    /// Does `work`, once more where the server undid it in favour of another.
    pub(super) async fn execute<W: Work>(&self, work: &W) -> Result<W::Output, Failure> {
        self.attempt(GivenUp::LeftAlone, work).await
    }

    /// Carries out a statement whose effect is of no use to a caller that did not wait for it. If
    /// there was no room before, it first asks whether there is again.
    pub(super) async fn probe(&self, text: &str) -> Result<Vec<Row>, Failure> {
        if self.is_full.load(Ordering::Relaxed) {
            timeout(PATIENCE, self.once(GivenUp::LeftAlone, &RoomRequest))
                .await
                .unwrap_or(Err(LinkError::Timeout))
                .map_err(|fault| fault.failure())?;
            self.is_full.store(false, Ordering::Relaxed);
        }
        let params = &Params::new();
        self.attempt(GivenUp::Cancelled, &Statement { text, params })
            .await
    }

    async fn attempt<W: Work>(&self, given_up: GivenUp, work: &W) -> Result<W::Output, Failure> {
        let deadline = Instant::now() + PATIENCE + work.extra_time();
        let mut pause = PAUSE.0;
        loop {
            let outcome = timeout_at(deadline, self.once(given_up, work))
                .await
                .unwrap_or(Err(LinkError::Timeout));
            match outcome {
                Ok(output) => {
                    if self.is_down.load(Ordering::Relaxed)
                        && self.is_down.swap(false, Ordering::Relaxed)
                    {
                        log::info!("the session store answers again");
                    }
                    return Ok(output);
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

    async fn once<W: Work>(&self, given_up: GivenUp, work: &W) -> Result<W::Output, LinkError> {
        let generation = self.generation.load(Ordering::SeqCst);
        let object = self.pool.get().await.map_err(LinkError::Pool)?;
        let canceller = matches!(given_up, GivenUp::Cancelled)
            .then(|| (self.connector.clone(), object.cancel_token()));
        let connection = PooledConn {
            object: Some(object),
            canceller,
        };
        // Not only of this connection: a false alarm of another one is better than a sign-out that
        // is not there after all.
        let unconfirmed = self.connector.unconfirmed();
        let mut outcome = work
            .execute(connection.client())
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
            .is_none_or(|fault| fault.was_undone() && !W::IS_TRANSACTION);
        if is_good && self.generation.load(Ordering::SeqCst) == generation {
            connection.give_back();
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

/// A connection that is closed when it is dropped before it was given back: by a caller that stops
/// waiting, say, and with it what was still under way.
struct PooledConn {
    object: Option<Object>,
    canceller: Option<(Connector, CancelToken)>,
}

impl PooledConn {
    #[expect(
        clippy::expect_used,
        reason = "it is there until this is given back or dropped"
    )]
    fn client(&self) -> &Object {
        self.object.as_ref().expect("not given back")
    }

    fn give_back(mut self) {
        self.object = None;
    }
}

impl Drop for PooledConn {
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
