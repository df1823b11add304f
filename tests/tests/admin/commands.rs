//! The commands that ask a running hub, as a shell sees them.

use std::path::Path;
use std::process::Command;

use logout_tests::hub::TestHub;
use logout_tests::process::{self, Ended};
use logout_tests::server::binary;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::receipts::{pending, signed_out};
use crate::{PATIENCE, fronts, register, text};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "commands";
        sessions_are_listed_and_ended
        receipts_are_shown_and_waited_for_and_deliveries_tried_again
        a_hub_is_named_by_options_or_by_the_environment
        health_is_checked_without_a_token
    }
}

fn run_in(folder: &Path, environment: &[(&str, String)], arguments: &[&str]) -> Ended {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)));
    process::run(&mut command, b"", PATIENCE).unwrap()
}

fn ask(hub: &TestHub, arguments: &[&str]) -> Ended {
    run_in(
        hub.folder(),
        &[(
            "LOGOUT_HUB_ADMIN",
            format!("http://{}", hub.admin_address()),
        )],
        arguments,
    )
}

/// The objects that a command printed, one a line.
fn lines(ended: &Ended) -> Vec<Value> {
    assert!(ended.status.success(), "{}", ended.stderr);
    let output = String::from_utf8(ended.stdout.clone()).unwrap();
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}")))
        .collect()
}

fn assert_fails(ended: &Ended, reason: &str) {
    assert_eq!(
        (ended.status.code(), ended.stdout.as_slice()),
        (Some(1), &b""[..]),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains(reason) && ended.stderr.lines().count() == 1,
        "{}",
        ended.stderr
    );
}

fn sessions_are_listed_and_ended(store: StoreKind) {
    let hub = fronts(store);
    for number in 0..3 {
        register(&hub, "alice", &format!("a{number}"));
    }
    register(&hub, "bob", "b");
    assert_eq!(lines(&ask(&hub, &["sessions", "list"])).len(), 4);
    assert_eq!(
        lines(&ask(&hub, &["sessions", "list", "--limit", "2"])).len(),
        2
    );
    let bobs = lines(&ask(
        &hub,
        &[
            "sessions",
            "list",
            "--subject",
            "bob",
            "--platform",
            "portal",
        ],
    ));
    assert_eq!(bobs.len(), 1);
    let id = text(&bobs[0]["id"]);
    let ended = lines(&ask(&hub, &["sessions", "end", &id]));
    assert_eq!(ended[0]["ended"], 1);
    assert_fails(
        &ask(&hub, &["sessions", "end", &id]),
        "404: There is nothing here",
    );
    assert_fails(&ask(&hub, &["sessions", "end", ".."]), "40");
    assert_eq!(lines(&ask(&hub, &["sessions", "list"])).len(), 3);
}

fn receipts_are_shown_and_waited_for_and_deliveries_tried_again(store: StoreKind) {
    let (hub, upstream, session, receipt) = pending(store);
    assert_eq!(lines(&ask(&hub, &["receipts", "list"])).len(), 1);
    assert_eq!(
        lines(&ask(&hub, &["receipts", "show", &receipt, "--wait", "0s"]))[0]["progress"]["settled"],
        0
    );
    assert_eq!(
        lines(&ask(&hub, &["deliveries", "list", "--state", "pending"]))[0]["id"],
        session
    );
    upstream.now(signed_out());
    assert_eq!(
        lines(&ask(&hub, &["deliveries", "retry", &session]))[0]["id"],
        session
    );
    assert_eq!(
        lines(&ask(&hub, &["receipts", "show", &receipt, "--wait", "20s"]))[0]["progress"]["settled"],
        1
    );
    assert!(lines(&ask(&hub, &["deliveries", "list", "--state", "pending"])).is_empty());
    assert_fails(&ask(&hub, &["deliveries", "retry", &session]), "409: ");
    assert_fails(
        &ask(&hub, &["deliveries", "list", "--state", "done"]),
        "422: A value is missing or not allowed: state",
    );
    let token = ask(&hub, &["receipts", "show", &receipt, "--jwt"]);
    assert_eq!(
        String::from_utf8(token.stdout)
            .unwrap()
            .trim_end()
            .split('.')
            .count(),
        3
    );
}

fn a_hub_is_named_by_options_or_by_the_environment(store: StoreKind) {
    let hub = fronts(store);
    let (elsewhere, token) = (
        tempfile::tempdir().unwrap(),
        hub.folder().join("admin.token"),
    );
    let admin = format!("http://localhost:{}", hub.admin_address().port());
    let token = token.to_str().unwrap();
    let options = run_in(
        elsewhere.path(),
        &[],
        &["sessions", "list", "--admin", &admin, "--token-file", token],
    );
    assert!(options.status.success(), "{}", options.stderr);
    let environment = [
        ("LOGOUT_HUB_ADMIN", admin.clone()),
        ("LOGOUT_HUB_TOKEN_FILE", token.to_owned()),
    ];
    let by_environment = run_in(elsewhere.path(), &environment, &["receipts", "list"]);
    assert!(by_environment.status.success(), "{}", by_environment.stderr);
    assert_fails(
        &run_in(
            elsewhere.path(),
            &[],
            &["sessions", "list", "--admin", &admin],
        ),
        "admin.token: ",
    );
    std::fs::write(elsewhere.path().join("wrong.token"), "wrong\n").unwrap();
    let wrong = run_in(
        elsewhere.path(),
        &[],
        &[
            "sessions",
            "list",
            "--admin",
            &admin,
            "--token-file",
            "wrong.token",
        ],
    );
    assert_fails(&wrong, "401: The admin token is missing or wrong");
    let nobody = crate::nobody();
    assert_fails(
        &run_in(hub.folder(), &[], &["sessions", "list", "--admin", &nobody]),
        "error sending request",
    );
    let other = format!("http://{}", hub.address());
    assert_fails(
        &run_in(hub.folder(), &[], &["sessions", "list", "--admin", &other]),
        "the answer is not a hub's",
    );
}

fn health_is_checked_without_a_token(store: StoreKind) {
    let hub = fronts(store);
    let elsewhere = tempfile::tempdir().unwrap();
    let admin = format!("http://{}", hub.admin_address());
    let check = |address: &str, more: &[&str]| {
        let arguments = [&["check-health", "--admin", address], more].concat();
        run_in(elsewhere.path(), &[], &arguments)
    };
    assert_eq!(lines(&check(&admin, &[])), [json!({ "status": "ready" })]);
    assert_eq!(
        lines(&check(&admin, &["--live"])),
        [json!({ "status": "ok" })]
    );
    assert_fails(&check(&crate::nobody(), &[]), "error sending request");
    let platforms = format!("http://{}", hub.address());
    assert_fails(&check(&platforms, &[]), "the answer is not a hub's");
}
