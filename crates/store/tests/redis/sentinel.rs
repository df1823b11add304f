//! A master with two replicas, and three sentinels that put one of them in its place.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_executor::block_on;
use libtest_mimic::Trial;
use logout_core::store::{EndTarget, Found, Opened, SessionStore as _};
use logout_store::RedisStore;
use tempfile::TempDir;

use crate::server::{Server, ask, eventually, free_port};
use crate::sessions::{NOW, order, session};
use crate::{connect, named};

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
        let (port, directory) = (free_port(), tempfile::tempdir().expect("a temporary folder"));
        let settings = directory.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
        );
        std::fs::write(&settings, text).expect("written");
        let child = Command::new("redis-server")
            .arg(&settings)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the sentinel starts");
        eventually("the sentinel answers", || ask(port, "PING").contains("PONG"));
        Self { child, port, _directory: directory }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn replica_of(master: &Server) -> Server {
    let replica = Server::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    eventually("the replica follows", || replica.ask("INFO replication").contains("master_link_status:up"));
    replica
}

fn is_ended(store: &RedisStore, number: u32) -> bool {
    block_on(store.find(&session(number).credentials[0].digest, NOW)).expect("the store answers") == Found::Ended
}

fn no_sign_out_that_the_replicas_acknowledged_is_lost_with_the_master_and_the_next_one_is_found() {
    const SESSIONS: u32 = 2_000;
    let mut master = Server::start(&[]);
    let replicas = [replica_of(&master), replica_of(&master)];
    let sentinels: Vec<_> = (0..3).map(|_| Sentinel::start(master.port)).collect();
    for sentinel in &sentinels {
        eventually("the sentinels know each other and the replicas", || {
            let known = ask(sentinel.port, "SENTINEL MASTER main");
            known.contains("num-slaves\r\n$1\r\n2") && known.contains("num-other-sentinels\r\n$1\r\n2")
        });
    }
    let hosts = sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect::<Vec<_>>().join(",");
    let lenient = connect(&format!("redis+sentinel://{hosts}/main"));
    let strict = connect(&format!("redis+sentinel://{hosts}/main?wait_replicas=2&wait_ms=1000"));
    for number in 0..SESSIONS {
        assert_eq!(block_on(lenient.open(session(number), false, NOW)), Ok(Opened::Opened));
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
        master.kill();
        ending.join().expect("no panic")
    });
    eventually("one of the replicas is the master", || block_on(lenient.health()).is_ok());
    assert!(replicas.iter().any(|replica| replica.ask("ROLE").contains("master")));
    for number in &acknowledged {
        assert!(is_ended(&lenient, *number), "session {number} was acknowledged as ended, and is not");
    }
    assert_eq!(block_on(lenient.open(session(SESSIONS), false, NOW)), Ok(Opened::Opened));
}
