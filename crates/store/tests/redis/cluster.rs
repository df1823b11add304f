//! A cluster of three masters with a replica each.

use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use libtest_mimic::Trial;
use logout_core::store::SessionStore;
use logout_store::RedisStore;

use crate::server::{Server, eventually};
use crate::{connect, fresh_url, named};

static NODES: OnceLock<String> = OnceLock::new();

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = named("cluster", logout_core::store_conformance!(@named fresh));
    trials.extend(named("cluster_outbox", logout_core::outbox_conformance!(@named fresh_outbox)));
    trials
}

fn fresh() -> (Arc<dyn SessionStore>, ()) {
    (fresh_outbox().0, ())
}

fn fresh_outbox() -> (Arc<RedisStore>, ()) {
    (connect(&fresh_url(NODES.get().expect("the cluster runs"), "")), ())
}

/// Starts it, and makes its address known to the tests.
pub(crate) fn start() -> Vec<Server> {
    let settings = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "5000"];
    let servers: Vec<_> = (0..6).map(|_| Server::start(&settings)).collect();
    let addresses: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    let created = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&addresses)
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .stdout(Stdio::null())
        .status()
        .expect("redis-cli starts");
    assert!(created.success(), "the cluster could not be made");
    eventually("the cluster is whole", || {
        servers.iter().all(|server| {
            let info = server.ask("CLUSTER INFO");
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") && info.contains("cluster_known_nodes:6")
        })
    });
    NODES.set(format!("redis+cluster://{}", addresses[..3].join(","))).expect("set once");
    servers
}
