//! How long a login takes while others guess at passwords: `cargo bench -p logout-tests --bench
//! login`.
//!
//! A whole hub with one worker, and its clients, in one process. An attacker is 200 connections,
//! each of which tries a wrong password as soon as it has been answered.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot set itself up should stop"
)]
#![allow(clippy::print_stdout, reason = "printing is all it is for")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub, stand_in};
use serde_json::json;

const ATTACKERS: usize = 200;
const LOGINS: usize = 50;

fn log_in(hub: &TestHub, from: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    Request::post("/dx/api/core/v1/auth/login")
        .header("X-Forwarded-For", from)
        .json(&body)
        .send(hub.address())
}

/// Measures logins of one owner while `attack` says where each attacker comes from and whom it
/// guesses at.
fn measure(
    what: &str,
    attackers: usize,
    limits: &str,
    attack: impl Fn(usize, usize) -> (String, String) + Sync,
) {
    let hub = TestHub::on_store_behind_proxy(
        "memory:",
        &format!("{limits}\n{}", stand_in("hcl-dx", &[])),
    )
    .unwrap();
    let (over, ready) = (AtomicBool::new(false), Barrier::new(attackers + 1));
    let answers: Mutex<BTreeMap<u16, usize>> = Mutex::default();
    let mut took = Vec::with_capacity(LOGINS);
    std::thread::scope(|scope| {
        for attacker in 0..attackers {
            let (hub, over, ready, answers, attack) = (&hub, &over, &ready, &answers, &attack);
            scope.spawn(move || {
                ready.wait();
                for turn in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let (from, name) = attack(attacker, turn);
                    let status = log_in(hub, &from, &name, "wrong").status;
                    *answers.lock().unwrap().entry(status).or_default() += 1;
                }
            });
        }
        ready.wait();
        for _ in 0..LOGINS {
            let begun = Instant::now();
            let answer = log_in(&hub, "192.0.2.1", "alice", Accounts::ALICE);
            took.push(begun.elapsed());
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        over.store(true, Ordering::Relaxed);
    });
    took.sort_unstable();
    let millis = |took: Duration| took.as_millis();
    let answers = answers.into_inner().unwrap();
    println!(
        "| {what} | {} | {} | {:?} |",
        millis(took[LOGINS / 2]),
        millis(took[LOGINS - 1]),
        answers
    );
}

fn main() {
    println!("| attack | median ms | slowest of {LOGINS} ms | answers to the attack |");
    println!("|---|---|---|---|");
    measure("none", 0, "", |_, _| unreachable!());
    let one = |name: String| ("198.51.100.1".to_owned(), name);
    measure("one address, the same account", ATTACKERS, "", |_, _| {
        one("alice".to_owned())
    });
    measure(
        "one address, a new name each time",
        ATTACKERS,
        "",
        |attacker, turn| one(format!("{attacker}-{turn}")),
    );
    let many = |attacker: usize, name: String| {
        (
            format!("198.51.{}.{}", attacker / 250, 1 + attacker % 250),
            name,
        )
    };
    measure(
        "200 addresses, the same account",
        ATTACKERS,
        "",
        |attacker, _| many(attacker, "alice".to_owned()),
    );
    // Every guess is looked at: only turns keep the attack from the owner.
    let all =
        "[login]\nguesses = 1000000\nguesses_per_address = 1000000\nguesses_per_account = 1000000";
    measure(
        "one address, the same account, guesses without limit",
        ATTACKERS,
        all,
        |_, _| one("alice".to_owned()),
    );
}
