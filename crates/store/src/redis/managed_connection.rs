//! One connection of the link: made when it is needed, left when it is of no use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, Slot, SlotAddr};
use redis::{AsyncConnectionConfig, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, timeout};

use super::address::{Servers, client_of};
use super::link::LinkError;

/// How long a connection may take to come about.
pub(super) const CONNECTING: Duration = Duration::from_secs(1);
/// For how long a cluster's connection may bring nothing but failures before it is made anew.
const LOST: Duration = Duration::from_secs(10);

pub(super) struct ManagedConnection {
    servers: Servers,
    patience: Duration,
    current: RwLock<(u64, Option<Connection>)>,
    /// Held while a connection is made; when that failed last.
    connecting: tokio::sync::Mutex<Option<(Instant, RedisError)>>,
    attempts: AtomicUsize,
    /// Since when nothing but failures came.
    failing: Mutex<Option<Instant>>,
}

#[derive(Clone)]
enum Connection {
    Cluster(ClusterConnection),
    One(MultiplexedConnection),
}

impl ManagedConnection {
    pub(super) fn new(servers: Servers, patience: Duration) -> Self {
        Self {
            servers,
            patience,
            current: RwLock::new((0, None)),
            connecting: tokio::sync::Mutex::new(None),
            attempts: AtomicUsize::new(0),
            failing: Mutex::new(None),
        }
    }

    pub(super) async fn exchange(
        &self,
        commands: &Pipeline,
        count: usize,
        key: &[u8],
    ) -> Result<Vec<Value>, LinkError> {
        let (generation, connection) = self.connection().await?;
        let exchange = async {
            match connection {
                Connection::One(mut one) => one.req_packed_commands(commands, 0, count).await,
                Connection::Cluster(mut cluster) => {
                    let route = Route::with_slot(Slot::for_key(key), SlotAddr::Master);
                    cluster
                        .route_pipeline(
                            commands.clone(),
                            0,
                            count,
                            SingleNodeRoutingInfo::SpecificNode(route),
                        )
                        .await
                }
            }
        };
        let answers = timeout(self.patience, exchange)
            .await
            .map_err(|_| LinkError::Silence)
            .and_then(|answers| Ok(answers?));
        let leave = match &answers {
            Ok(answers) => answers.iter().any(
                |answer| matches!(answer, Value::ServerError(error) if is_no_master(error.kind())),
            ),
            Err(LinkError::Redis(error)) => {
                error.is_unrecoverable_error() || error.is_timeout() || error.is_io_error()
            }
            Err(_) => true,
        };
        let lost = self.has_failed_for_long(leave);
        if leave {
            self.forget(generation, lost);
        }
        answers
    }

    fn current(&self) -> (u64, Option<Connection>) {
        // A panic cannot leave half a connection in here.
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes whether an exchange failed; whether they have for so long that the connection is of no
    /// use.
    fn has_failed_for_long(&self, failed: bool) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            *failing = None;
            return false;
        }
        let since = *failing.get_or_insert_with(Instant::now);
        let is_lost = since.elapsed() >= LOST;
        if is_lost {
            // The next one gets its time too.
            *failing = None;
        }
        is_lost
    }

    fn forget(&self, generation: u64, lost: bool) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // A cluster's connection finds its way by itself; made anew it would forget which nodes
        // there are. But now and then one was seen that did not find it after a failover.
        if current.0 == generation && (lost || !matches!(current.1, Some(Connection::Cluster(_)))) {
            current.1 = None;
        }
    }

    async fn connection(&self) -> Result<(u64, Connection), LinkError> {
        if let (generation, Some(connection)) = self.current() {
            return Ok((generation, connection));
        }
        let asked = Instant::now();
        let mut failed = self.connecting.lock().await;
        if let (generation, Some(connection)) = self.current() {
            return Ok((generation, connection));
        }
        // Whoever waited for an attempt that failed has their answer; a queue of attempts would
        // keep the last one for minutes.
        if let Some((at, error)) = &*failed
            && *at >= asked
        {
            return Err(error.clone().into());
        }
        match timeout(2 * CONNECTING, self.connect())
            .await
            .unwrap_or_else(|_| Err((ErrorKind::Io, "no connection in time").into()))
        {
            Ok(connection) => {
                *failed = None;
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = (current.0 + 1, Some(connection.clone()));
                Ok((current.0, connection))
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                Err(error.into())
            }
        }
    }

    async fn connect(&self) -> Result<Connection, RedisError> {
        if let Servers::Cluster(nodes) = &self.servers {
            let client = ClusterClient::builder(nodes.clone())
                .connection_timeout(CONNECTING)
                .response_timeout(self.patience)
                .overall_response_timeout(Some(self.patience))
                .retries(3)
                .build()?;
            return client.get_async_connection().await.map(Connection::Cluster);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(self.patience));
        client_of(&self.servers, self.attempts.fetch_add(1, Ordering::Relaxed))
            .await?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map(Connection::One)
    }
}

/// Whether the server says that it is not the master any more.
fn is_no_master(kind: Option<ServerErrorKind>) -> bool {
    matches!(
        kind,
        Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    )
}
