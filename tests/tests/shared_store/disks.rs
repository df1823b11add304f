//! Engines without room.

use std::os::unix::fs::chown;

use futures_executor::block_on;
use logout_core::store::{Join, OpenOutcome};
use logout_tests::disk::SmallDisk;
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};

use crate::Engine;
use crate::faults::{all_can_be_ended, all_unavailable, ready, sign_out_at_once};
use crate::hubs::{alice, hubs, stand_ins};
use crate::sessions::{NOW, session};
use crate::{postgres, redis};
use logout_tests::front::{VENDORS, wait_until};

fn login_status(hub: &TestHub) -> u16 {
    let form = [("username", "alice"), ("password", Accounts::ALICE)];
    Request::post("/services/login")
        .form(&form)
        .send(hub.address())
        .status
}

pub(crate) fn redis_full() {
    let engine = <redis::Server as Engine>::start();
    let [hub, other]: [TestHub; 2] = hubs(&engine, &stand_ins());
    let sessions = VENDORS.map(|vendor| alice(&hub, vendor));
    assert!(engine.ask("CONFIG SET maxmemory 1mb").contains("OK"));
    assert_eq!(login_status(&hub), 503);
    assert_eq!((ready(&hub), ready(&other)), (503, 503));
    for (session, answer) in sessions.iter().zip(sign_out_at_once(&sessions, &hub)) {
        assert!(
            answer.status < 400,
            "{}: {} {}",
            session.vendor,
            answer.status,
            answer.text()
        );
        assert!(
            !session.is_alive(&hub) && !session.is_alive(&other),
            "{}",
            session.vendor
        );
    }
    assert!(engine.ask("CONFIG SET maxmemory 0").contains("OK"));
    wait_until("both are ready again", || {
        ready(&hub) == 200 && ready(&other) == 200
    });
    assert!(alice(&hub, "assets").is_alive(&other));
}

/// One that PostgreSQL may write to.
fn disk() -> SmallDisk {
    let disk = SmallDisk::mount().unwrap();
    if let Some(Some((user, group))) = postgres::ordinary_user() {
        chown(disk.path(), Some(user), Some(group)).unwrap();
    }
    disk
}

/// Tables only: the log has room.
pub(crate) fn data_full() {
    let (disk, server) = (disk(), postgres::Server::start());
    let sql = |statement: &str| server.sql("postgres", statement).expect("an administrator");
    sql(&format!(
        "CREATE TABLESPACE small LOCATION '{}'",
        disk.path().display()
    ));
    sql("CREATE DATABASE small TABLESPACE small STRATEGY file_copy");
    let hubs: [TestHub; 2] =
        std::array::from_fn(|_| TestHub::on_store(&server.url("small"), &stand_ins()).unwrap());
    let [hub, other] = &hubs;
    let sessions = VENDORS.map(|vendor| alice(hub, vendor));
    let filler = disk.fill();
    let store = &hub.services().store;
    let mut opened = 0;
    while block_on(store.open(session(opened), Join::Always, NOW)) == Ok(OpenOutcome::Opened) {
        opened += 1;
        assert!(
            opened < 5_000,
            "the disk is full, and all went on as before"
        );
    }
    // No receipt was ever written, so the first of them needs room.
    all_unavailable(&sessions, &sign_out_at_once(&sessions, hub));
    // One may still fit where another did not.
    wait_until("no login has room", || login_status(hub) == 503);
    assert_eq!(ready(hub), 503);
    assert!(
        sessions.iter().all(|session| session.is_alive(other)),
        "nothing was carried out"
    );
    std::fs::remove_file(filler).unwrap();
    wait_until("both are ready again", || {
        ready(hub) == 200 && ready(other) == 200
    });
    for number in 0..opened {
        let found = block_on(store.find(&session(number).credentials[0].digest, NOW)).unwrap();
        assert!(
            matches!(found, logout_core::store::Lookup::Live(..)),
            "session {number} was opened"
        );
    }
    all_can_be_ended(&sessions, &[hub, other]);
}

/// PostgreSQL gives up then, and goes on when it is started with room.
pub(crate) fn log_full() {
    let disk = disk();
    let log = disk.path().join("log");
    let mut server =
        postgres::Server::start_with(&["--wal-segsize=1", "--waldir", log.to_str().unwrap()]);
    let [hub, other]: [TestHub; 2] = hubs(&server, &stand_ins());
    let ended = VENDORS.map(|vendor| alice(&hub, vendor));
    let sessions = VENDORS.map(|vendor| alice(&hub, vendor));
    for answer in sign_out_at_once(&ended, &hub) {
        assert!(answer.status < 400, "{} {}", answer.status, answer.text());
    }
    let filler = disk.fill();
    let more = "SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000000)) FROM generate_series(1, 30)";
    wait_until("there is no room for it", || {
        server.sql("postgres", more).is_err()
    });
    wait_until("neither is ready", || {
        drop(server.sql("postgres", more));
        ready(&hub) == 503 && ready(&other) == 503
    });
    let answers = sign_out_at_once(&sessions, &hub);
    server.kill();
    std::fs::remove_file(filler).unwrap();
    server.go_on();
    wait_until("both are ready again", || {
        ready(&hub) == 200 && ready(&other) == 200
    });
    assert!(
        ended
            .iter()
            .all(|session| !session.is_alive(&hub) && !session.is_alive(&other)),
        "what was acknowledged stays so"
    );
    for (session, answer) in sessions.iter().zip(&answers) {
        assert!(
            answer.status == 503 || !session.is_alive(&hub),
            "{}: {}",
            session.vendor,
            answer.status
        );
    }
    all_can_be_ended(&sessions, &[&hub, &other]);
}
