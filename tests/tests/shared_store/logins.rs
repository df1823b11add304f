//! Wrong passwords, whichever hub they are tried at.

use std::time::Duration;

use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub, stand_in};
use serde_json::json;

use crate::Engine;

const ATTACKER: &str = "198.51.100.1";

/// A login at a hub whose clients say themselves where they come from.
fn log_in(hub: &TestHub, from: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    Request::post("/dx/api/core/v1/auth/login")
        .header("X-Forwarded-For", from)
        .json(&body)
        .send(hub.address())
}

/// The owner of the account, who comes from elsewhere, logs in all the while.
pub(crate) fn wrong_passwords_are_counted_by_all_hubs_together<E: Engine>() {
    let engine = E::start();
    let hubs: [TestHub; 2] = std::array::from_fn(|_| {
        TestHub::on_store_behind_proxy(&engine.url(), &stand_in("hcl-dx", &[])).unwrap()
    });
    let right = |hub, from, name, password| log_in(hub, from, name, password).status;
    for guess in 0..10 {
        assert_eq!(
            log_in(&hubs[guess % 2], ATTACKER, "alice", "wrong").status,
            401,
            "guess {guess}"
        );
        assert_eq!(
            right(&hubs[guess % 2], "192.0.2.1", "alice", Accounts::ALICE),
            200
        );
    }
    for hub in &hubs {
        let refused = log_in(hub, ATTACKER, "alice", Accounts::ALICE);
        assert_eq!(refused.status, 429, "{}", refused.text());
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=15 * 60).contains(&seconds), "{seconds}");
        assert_eq!(
            right(hub, "192.0.2.1", "alice", Accounts::ALICE),
            200,
            "from elsewhere"
        );
        assert_eq!(
            right(hub, ATTACKER, "bob", Accounts::BOB),
            200,
            "another account"
        );
    }
    hubs.iter()
        .for_each(|hub| hub.advance(Duration::from_secs(15 * 60)));
    assert!(
        hubs.iter()
            .all(|hub| right(hub, ATTACKER, "alice", Accounts::ALICE) == 200),
        "the window is over"
    );
}
