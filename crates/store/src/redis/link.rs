//! The connection: made again by itself, given up in time, and silent about what it carries.
//!
//! The driver has a connection that reconnects by itself, but not one that asks the sentinels anew,
//! or that leaves a server which has become somebody's replica; with this one, a single server and
//! a master behind sentinels are the same thing.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};

use super::address::{Acknowledged, Address};
use super::managed_connection::ManagedConnection;
use super::record::RecordError;
use super::script::Script;

/// How long an answer may take, besides what is waited for replicas.
const ANSWERING: Duration = Duration::from_secs(2);
/// Connections where writes wait for replicas: each wait holds up what was sent after it on the
/// same one.
const WAITING_CONNECTIONS: usize = 16;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    Record(#[from] RecordError),
    #[error("{}", without_secrets(.0))]
    Redis(#[from] RedisError),
    #[error("no answer in time")]
    Silence,
    #[error("too few replicas, or no synced file, acknowledged a write in time")]
    Unacknowledged,
    #[error("an answer of another shape than expected")]
    Shape,
}

impl LinkError {
    /// Whether the server answered, so that another command may fare better.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            Self::Record(_) | Self::Shape => true,
            Self::Redis(error) => matches!(error.kind(), ErrorKind::Server(_)),
            Self::Silence | Self::Unacknowledged => false,
        }
    }
}

/// What a fault of the driver says that cannot be somebody's credential: servers repeat arguments
/// in some messages.
fn without_secrets(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("the server answered {code}"),
        None if error.is_io_error() => format!("connection: {error}"),
        None => error.category().to_owned(),
    }
}

/// Several connections that are used in turn.
pub(super) struct Link {
    connections: Vec<ManagedConnection>,
    turn: AtomicUsize,
    acknowledged: Acknowledged,
    /// Whether the last answer was a failure, so that an outage is told once.
    down: AtomicBool,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(address: &Address) -> Self {
        let acknowledged = address.options.acknowledged;
        let patience = ANSWERING
            + if acknowledged.is_wanted() {
                acknowledged.patience
            } else {
                Duration::ZERO
            };
        let connection = || ManagedConnection::new(address.servers.clone(), patience);
        let count = if acknowledged.is_wanted() {
            WAITING_CONNECTIONS
        } else {
            1
        };
        Self {
            connections: (0..count).map(|_| connection()).collect(),
            turn: AtomicUsize::new(0),
            acknowledged,
            down: AtomicBool::new(false),
        }
    }

    /// Runs a script on the shard `base`; where `writes`, waits for what the URL says a write must
    /// wait for.
    pub(super) async fn run(
        &self,
        script: &Script,
        base: &[u8],
        arguments: &[impl AsRef<[u8]>],
        writes: bool,
    ) -> Result<Value, LinkError> {
        let mut answer = self
            .send(script.by_digest(base, arguments), base, writes)
            .await;
        if matches!(&answer, Err(LinkError::Redis(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
        {
            answer = self
                .send(script.in_full(base, arguments), base, writes)
                .await;
        }
        answer
    }

    /// Sends one command whose keys lie in the slot of `key`.
    pub(super) async fn send(
        &self,
        command: Cmd,
        key: &[u8],
        writes: bool,
    ) -> Result<Value, LinkError> {
        let mut commands = Pipeline::new();
        commands.add_command(command);
        let waits = if writes {
            self.add_waits(&mut commands)
        } else {
            0
        };
        let mut answers = self.exchange(&commands, 1 + waits, key).await?.into_iter();
        let answer = answers.next().ok_or(LinkError::Shape)?.extract_error()?;
        for acknowledgement in answers {
            let enough = match acknowledgement.extract_error()? {
                Value::Int(replicas) => replicas >= i64::from(self.acknowledged.replicas),
                Value::Array(counts) => match counts[..] {
                    [Value::Int(local), Value::Int(replicas)] => {
                        local >= 1 && replicas >= i64::from(self.acknowledged.replicas)
                    }
                    _ => return Err(LinkError::Shape),
                },
                _ => return Err(LinkError::Shape),
            };
            if !enough {
                return Err(LinkError::Unacknowledged);
            }
        }
        Ok(answer)
    }

    fn add_waits(&self, commands: &mut Pipeline) -> usize {
        let Acknowledged {
            replicas,
            aof,
            patience,
        } = self.acknowledged;
        let patience = patience.as_millis() as u64;
        if aof {
            commands.cmd("WAITAOF").arg(1).arg(replicas).arg(patience);
        } else if replicas > 0 {
            commands.cmd("WAIT").arg(replicas).arg(patience);
        }
        usize::from(self.acknowledged.is_wanted())
    }

    async fn exchange(
        &self,
        commands: &Pipeline,
        count: usize,
        key: &[u8],
    ) -> Result<Vec<Value>, LinkError> {
        let connection =
            &self.connections[self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len()];
        // Boxed, because the driver's futures are large, and nest deeper here than the compiler
        // likes to follow.
        let exchange: Pin<Box<dyn Future<Output = _> + Send + '_>> =
            Box::pin(connection.exchange(commands, count, key));
        exchange.await
    }

    /// Tells the log of the beginning and the end of an outage, once each.
    pub(super) fn note<T>(&self, result: &Result<T, LinkError>) {
        match result {
            Err(fault) if !self.down.swap(true, Ordering::Relaxed) => {
                log::error!("the session store does not answer: {fault}")
            }
            Err(fault) => log::debug!("the session store still does not answer: {fault}"),
            Ok(_)
                if self.down.load(Ordering::Relaxed)
                    && self.down.swap(false, Ordering::Relaxed) =>
            {
                log::info!("the session store answers again");
            }
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::managed_connection::CONNECTING;
    use super::*;

    #[test]
    fn what_is_told_of_a_fault_repeats_nothing_that_a_server_repeated() {
        let faults = [
            RedisError::from((
                ErrorKind::AuthenticationFailed,
                "refused",
                "canary".to_owned(),
            )),
            RedisError::from((
                ErrorKind::Server(ServerErrorKind::ResponseError),
                "unknown command",
                "with args canary".to_owned(),
            )),
            RedisError::from((ErrorKind::Extension, "strange", "canary".to_owned())),
        ];
        for fault in faults {
            let told = LinkError::Redis(fault).to_string();
            assert!(!told.is_empty() && !told.contains("canary"), "{told}");
        }
    }

    /// Somebody listens there, who never says anything.
    #[test]
    fn callers_that_wait_for_the_same_attempt_fail_with_it() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let link = Link::new(
            &Address::parse(&format!("redis://{}", silent.local_addr().unwrap())).unwrap(),
        );
        let begun = std::time::Instant::now();
        runtime.block_on(async {
            let asks = (0..200).map(|_| link.send(redis::cmd("PING"), b"x", false));
            for answer in futures_util::future::join_all(asks).await {
                assert!(matches!(answer, Err(LinkError::Redis(_))), "{answer:?}");
            }
        });
        assert!(begun.elapsed() < 3 * CONNECTING);
    }
}
