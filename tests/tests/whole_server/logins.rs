//! Logins while somebody guesses at passwords.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub, stand_in};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::json;

const ATTACKERS: usize = 200;

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "logins::a_flood_of_wrong_logins_keeps_nobody_out",
        &[],
        flood,
    );
    run.test(
        "logins::the_limits_are_configurable_and_shown",
        &[],
        configured,
    );
}

/// A login at a hub whose clients say themselves where they come from.
fn log_in(hub: &TestHub, from: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    Request::post("/dx/api/core/v1/auth/login")
        .header("X-Forwarded-For", from)
        .json(&body)
        .send(hub.address())
}

/// Two hundred at once from one address: half of them at the owner's account, half at any. How long
/// it takes is measured by the bench `login`.
fn flood(store: StoreKind) {
    let hub = TestHub::on_store_behind_proxy(&store.empty(), &stand_in("hcl-dx", &[])).unwrap();
    let ready = Barrier::new(ATTACKERS + 1);
    let statuses: BTreeSet<u16> = thread::scope(|scope| {
        let attackers: Vec<_> = (0..ATTACKERS)
            .map(|attacker| {
                let (hub, ready) = (&hub, &ready);
                scope.spawn(move || {
                    ready.wait();
                    let name = if attacker % 2 == 0 {
                        "alice".to_owned()
                    } else {
                        format!("user{attacker}")
                    };
                    let answer = log_in(hub, "198.51.100.1", &name, "wrong");
                    assert_eq!(
                        answer.header("retry-after").is_some(),
                        answer.status == 429,
                        "{}",
                        answer.text()
                    );
                    answer.status
                })
            })
            .collect();
        ready.wait();
        for _ in 0..5 {
            let answer = log_in(&hub, "192.0.2.1", "alice", Accounts::ALICE);
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        attackers
            .into_iter()
            .map(|attacker| attacker.join().unwrap())
            .collect()
    });
    assert_eq!(statuses, BTreeSet::from([401, 429]));
    // One address of IPv6 is one of as many as a client likes.
    for attempt in 0..11 {
        let answer = log_in(&hub, &format!("2001:db8::{attempt}"), "bob", "wrong");
        assert_eq!(
            answer.status,
            if attempt < 10 { 401 } else { 429 },
            "{}",
            answer.text()
        );
    }
    assert_eq!(
        log_in(&hub, "2001:db8:0:1::1", "bob", Accounts::BOB).status,
        200
    );
}

fn configured() {
    let tables = |keys: &str| format!("[login]\n{keys}\n{}", stand_in("hcl-dx", &[]));
    let hub =
        TestHub::on_store_behind_proxy("memory:", &tables("guesses = 2\nwindow = \"1m\"")).unwrap();
    let wrong = || log_in(&hub, "198.51.100.1", "alice", "wrong").status;
    assert_eq!([wrong(), wrong(), wrong()], [401, 401, 429]);
    hub.advance(std::time::Duration::from_secs(60));
    assert_eq!(wrong(), 401);
    for (keys, told) in [
        ("guesses = 0", "guesses"),
        ("window = \"0s\"", "window"),
        ("tries = 3", "tries"),
    ] {
        let fault = TestHub::on_store_behind_proxy("memory:", &tables(keys)).expect_err(keys);
        assert!(fault.contains(told), "{fault}");
    }
}
