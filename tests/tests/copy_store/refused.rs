//! What is not done, and what is said then.

use futures_executor::block_on;
use logout_core::store::SessionStore as _;
use logout_store::DiskStore;

use crate::command::{completed, copy};
use crate::engine::{Disk, Engine as _};

fn filled() -> Disk {
    let engine = Disk::start();
    block_on(
        DiskStore::open(&engine.path())
            .unwrap()
            .get_or_insert("key", b"value".to_vec()),
    )
    .unwrap();
    engine
}

fn refused(from: &str, to: &str, status: i32) -> String {
    let ended = copy(from, to);
    assert_eq!(
        (ended.status.code(), ended.stdout.len()),
        (Some(status), 0),
        "{from} {to}: {}",
        ended.stderr
    );
    assert!(
        !ended.stderr.is_empty() && !ended.stderr.contains("canary"),
        "{}",
        ended.stderr
    );
    ended.stderr
}

pub(crate) fn urls() {
    let engine = filled();
    let there = engine.url();
    for strange in [
        "memory:",
        "mysql://u:canary@h/d",
        "canary",
        "disk:",
        "redis:",
        "postgres:///canary",
    ] {
        assert!(refused(strange, &there, 2).contains("--from"), "{strange}");
        assert!(refused(&there, strange, 2).contains("--to"), "{strange}");
    }
    assert!(refused(&there, &there, 2).contains("same store"));
    assert!(refused(&there, &there.replace("/store", "/./store"), 2).contains("same store"));
}

pub(crate) fn unreachable() {
    let there = filled();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for nowhere in [
        format!("redis://u:canary@127.0.0.1:{port}"),
        format!("postgres://u:canary@127.0.0.1:{port}/d?password=canary"),
    ] {
        assert!(refused(&nowhere, &there.url(), 1).contains(&port.to_string()));
        assert!(refused(&there.url(), &nowhere, 1).contains(&port.to_string()));
    }
    let absent = Disk::start();
    assert!(refused(&absent.url(), &there.url(), 1).contains("there is no store"));
    assert!(!absent.path().exists(), "looking makes none");
    let held = DiskStore::open(&there.path()).unwrap();
    assert!(refused(&there.url(), &absent.url(), 1).contains("in use"));
    drop(held);
}

pub(crate) fn not_empty() {
    let (from, to) = (filled(), filled());
    assert!(refused(&from.url(), &to.url(), 1).contains("not empty"));
    let empty = Disk::start();
    let line = completed(&copy(&from.url(), &empty.url()));
    assert_eq!(line["destination"]["agreed"], 1, "{line}");
    // What is complete is a store like any other.
    assert!(refused(&from.url(), &empty.url(), 1).contains("not empty"));
}

pub(crate) fn nothing() {
    let (empty, other) = (Disk::start(), Disk::start());
    drop(empty.open());
    assert!(refused(&empty.url(), &other.url(), 1).contains("holds nothing"));
}
