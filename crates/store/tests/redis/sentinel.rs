//! A master with two replicas, and three sentinels that put one of them in its place.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_executor::block_on;
use libtest_mimic::Trial;
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome, SessionStore as _};
use logout_store::RedisStore;
use tempfile::TempDir;

use crate::relay::Relay;
use crate::server::{Server, ask, eventually, free_port};
use crate::sessions::{NOW, order, session};
use crate::{connect, named};

/// Longer than a test takes until the master dies: by then the sentinels would have led the
/// replicas past the relay. A vote without a winner is repeated after twice as long.
const FAILOVER_TIMEOUT: &str = "20000";

pub(crate) fn trials() -> Vec<Trial> {
    named(
        "sentinel",
        vec![(
            "no_sign_out_that_the_replicas_acknowledged_is_lost_with_the_master_and_the_next_one_is_found",
            no_sign_out_that_the_replicas_acknowledged_is_lost_with_the_master_and_the_next_one_is_found as fn(),
        )],
    )
}

struct Sentinel {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Sentinel {
    fn start(master: u16) -> Self {
        let (port, directory) = (
            free_port(),
            tempfile::tempdir().expect("a temporary folder"),
        );
        let settings = directory.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main {FAILOVER_TIMEOUT}\n"
        );
        std::fs::write(&settings, text).expect("written");
        let child = Command::new("redis-server")
            .arg(&settings)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the sentinel starts");
        eventually("the sentinel answers", || {
            ask(port, "PING").contains("PONG")
        });
        Self {
            child,
            port,
            _directory: directory,
        }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// All of it, running.
pub(crate) struct Group {
    pub(crate) master: Server,
    pub(crate) replicas: Vec<Server>,
    /// What the master has to say to the replicas goes this way.
    pub(crate) way: Relay,
    sentinels: Vec<Sentinel>,
}

impl Group {
    pub(crate) fn start(replicas: usize) -> Self {
        let master = Server::start(&[]);
        let way = Relay::start(master.port);
        let settings = ["--replicaof", "127.0.0.1", &way.port.to_string()];
        let replicas: Vec<_> = (0..replicas).map(|_| Server::start(&settings)).collect();
        for replica in &replicas {
            eventually("the replica follows", || {
                replica
                    .ask("INFO replication")
                    .contains("master_link_status:up")
            });
        }
        let sentinels: Vec<_> = (0..3).map(|_| Sentinel::start(master.port)).collect();
        let count = replicas.len();
        for sentinel in &sentinels {
            eventually("the sentinels know each other and the replicas", || {
                let known = ask(sentinel.port, "SENTINEL MASTER main");
                known.contains(&format!("num-slaves\r\n$1\r\n{count}"))
                    && known.contains("num-other-sentinels\r\n$1\r\n2")
            });
        }
        Self {
            master,
            replicas,
            way,
            sentinels,
        }
    }

    pub(crate) fn url(&self, query: &str) -> String {
        let hosts = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect::<Vec<_>>()
            .join(",");
        format!("redis+sentinel://{hosts}/main{query}")
    }

    /// The machine of the master is gone, with what it had not yet said.
    pub(crate) fn lose_master(&mut self) {
        self.way.cut(true);
        self.master.kill();
    }
}

pub(crate) fn is_ended(store: &RedisStore, number: u32) -> bool {
    block_on(store.find(&session(number).credentials[0].digest, NOW)).expect("the store answers")
        == Lookup::Ended
}

fn no_sign_out_that_the_replicas_acknowledged_is_lost_with_the_master_and_the_next_one_is_found() {
    const SESSIONS: u32 = 2_000;
    let mut group = Group::start(2);
    let (lenient, strict) = (
        connect(&group.url("")),
        connect(&group.url("?wait_replicas=2&wait_ms=1000")),
    );
    for number in 0..SESSIONS {
        assert_eq!(
            block_on(lenient.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    let (begun, dead) = (AtomicBool::new(false), AtomicBool::new(false));
    let acknowledged: Vec<u32> = std::thread::scope(|scope| {
        let ending = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            for number in 0..SESSIONS {
                match block_on(strict.end(order(number, EndTarget::Session(session(number).id)))) {
                    Ok(_) => acknowledged.push(number),
                    Err(_) if dead.load(Ordering::SeqCst) => break,
                    Err(_) => panic!("the master is alive and both replicas follow"),
                }
                begun.store(acknowledged.len() > 50, Ordering::SeqCst);
            }
            acknowledged
        });
        eventually("sign-outs are under way", || begun.load(Ordering::SeqCst));
        // Before the kill, so that no error comes as a surprise to the other thread.
        dead.store(true, Ordering::SeqCst);
        group.master.kill();
        ending.join().expect("no panic")
    });
    eventually("one of the replicas is the master", || {
        block_on(lenient.health()).is_ok()
    });
    assert!(
        group
            .replicas
            .iter()
            .any(|replica| replica.ask("ROLE").contains("master"))
    );
    for number in &acknowledged {
        assert!(
            is_ended(&lenient, *number),
            "session {number} was acknowledged as ended, and is not"
        );
    }
    assert_eq!(
        block_on(lenient.open(session(SESSIONS), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
}
