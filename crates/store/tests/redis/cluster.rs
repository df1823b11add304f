//! A cluster of three masters with a replica each.

use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use futures_executor::block_on;
use libtest_mimic::Trial;
use logout_core::store::{EndTarget, Join, OpenOutcome, SessionStore};
use logout_store::RedisStore;

use crate::server::{Server, eventually};
use crate::sessions::{NOW, is_alive, order, session};
use crate::{connect, fresh_url, named};

static NODES: OnceLock<String> = OnceLock::new();

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = named("cluster", logout_suite::store_conformance!(@named fresh));
    trials.extend(named(
        "cluster_outbox",
        logout_suite::outbox_conformance!(@named fresh_outbox),
    ));
    trials.extend(named(
        "cluster_transfer",
        logout_suite::transfer_conformance!(@named fresh_outbox),
    ));
    trials.extend(named(
        "failover",
        vec![(
            "a_master_of_a_cluster_that_dies_is_replaced_and_every_session_can_be_ended",
            a_master_of_a_cluster_that_dies_is_replaced_and_every_session_can_be_ended as fn(),
        )],
    ));
    trials
}

fn a_master_of_a_cluster_that_dies_is_replaced_and_every_session_can_be_ended() {
    let (mut servers, url) = start();
    eventually("each master has its replica", || {
        servers
            .iter()
            .map(|server| server.ask("INFO replication"))
            .all(|info| info.contains("master_link_status:up") || info.contains("state=online"))
    });
    let (store, strict) = (
        connect(&url),
        connect(&format!("{url}?wait_replicas=1&wait_ms=2000")),
    );
    for number in 0..200 {
        assert_eq!(
            block_on(strict.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    let is_master = |server: &Server| server.ask("ROLE").contains("master");
    let master = servers
        .iter()
        .position(is_master)
        .expect("there are masters");
    servers[master].kill();
    eventually("a replica takes over", || {
        servers.iter().filter(|server| is_master(server)).count() == 3
    });
    eventually("the store finds its way", || {
        block_on(store.health()).is_ok()
    });
    for number in 0..200 {
        let order = order(number, EndTarget::Session(session(number).id));
        assert_eq!(
            block_on(store.end(order)).map(|ended| ended.len()),
            Ok(1),
            "session {number}"
        );
        assert!(!is_alive(&*store, &session(number)));
    }
}

fn fresh() -> (Arc<dyn SessionStore>, ()) {
    (fresh_outbox().0, ())
}

fn fresh_outbox() -> (Arc<RedisStore>, ()) {
    (
        connect(&fresh_url(NODES.get().expect("the cluster runs"), "")),
        (),
    )
}

/// Starts one, and makes its address known to the tests.
pub(crate) fn start_shared() -> Vec<Server> {
    let (servers, url) = start();
    NODES.set(url).expect("set once");
    servers
}

fn start() -> (Vec<Server>, String) {
    let settings = [
        "--cluster-enabled",
        "yes",
        "--cluster-config-file",
        "nodes.conf",
        "--cluster-node-timeout",
        "5000",
    ];
    let servers: Vec<_> = (0..6).map(|_| Server::start(&settings)).collect();
    let addresses: Vec<_> = servers
        .iter()
        .map(|server| format!("127.0.0.1:{}", server.port))
        .collect();
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
            info.contains("cluster_state:ok")
                && info.contains("cluster_slots_ok:16384")
                && info.contains("cluster_known_nodes:6")
        })
    });
    let url = format!("redis+cluster://{}", addresses[..3].join(","));
    (servers, url)
}
