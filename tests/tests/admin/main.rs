//! The admin listener over sockets: who gets in, what is taken, what is said: `cargo test -p
//! logout-tests --test admin [name]`.
//!
//! What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

/// Names tests after the functions that they are, behind their module and, for each store but the
/// embedded one, in front of it the engine.
macro_rules! on_every_store {
    ($run:expr, $module:literal; $($case:ident)+) => {
        $($run.on_every_store(concat!($module, "::", stringify!($case)), &[], $case);)+
    };
}

/// The same for what no store changes.
macro_rules! on_the_embedded_store {
    ($run:expr, $module:literal; $($case:ident)+) => {
        $($run.test(concat!($module, "::", stringify!($case)), &[], $case);)+
    };
}

mod access;
mod check;
mod commands;
mod deliveries;
mod description;
mod logouts;
mod receipts;
mod registration;
mod silent_store;

use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

/// How long something that happens in the background may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    access::add(&mut run);
    check::add(&mut run);
    commands::add(&mut run);
    deliveries::add(&mut run);
    description::add(&mut run);
    logouts::add(&mut run);
    receipts::add(&mut run);
    registration::add(&mut run);
    silent_store::add(&mut run);
    run.finish()
}

/// A request to the admin API, with its token.
fn admin(hub: &TestHub, request: Request) -> Answer {
    request
        .header("Authorization", &format!("Bearer {}", hub.admin_token()))
        .send(hub.admin_address())
}

fn assert_is_problem(answer: &Answer, status: u16) {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (status, Some("application/problem+json")),
        "{}",
        answer.text()
    );
    let document = answer.json();
    assert_eq!(document["status"], status);
    assert!(
        document["title"].is_string() && document["type"] == "about:blank",
        "{document}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

fn assert_names_field(answer: &Answer, field: &str) {
    assert_is_problem(answer, 422);
    assert_eq!(answer.json()["field"], field, "{}", answer.text());
}

/// An address that nobody listens at.
fn nobody() -> String {
    // Taken for a moment, so that the number is nobody else's.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The table of a platform in front of `upstream`, with further lines.
fn platform(name: &str, vendor: &str, upstream: &str, more: &str) -> String {
    format!(
        "[[platform]]\nname = \"{name}\"\nvendor = \"{vendor}\"\nprefix = \"/{name}\"\nupstream = \"{upstream}\"\n{more}\n"
    )
}

/// A portal and a DAM in front of instances that nobody has started, and a stand-in of a site.
/// Sign-outs wait for nobody.
fn fronts(store: StoreKind) -> TestHub {
    let person = "person = { from = \"subject\", lowercase = true, domain = \"example.com\" }";
    let tables = [
        "[single_logout]\nwait = \"0ms\"\n".to_owned(),
        platform("portal", "hcl-dx", &nobody(), person),
        platform("dam", "assets", &nobody(), person),
        "[[platform]]\nname = \"site\"\nvendor = \"sitefinity\"\nprefix = \"/site\"\n".to_owned(),
    ];
    TestHub::on(store, &tables.concat()).unwrap()
}

/// Registers a session at the portal that has this cookie.
fn register(hub: &TestHub, subject: &str, cookie: &str) -> Value {
    let body =
        json!({ "platform": "portal", "subject": subject, "cookies": { "LtpaToken2": cookie } });
    let answer = admin(hub, Request::post("/api/sessions").json(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn listed(hub: &TestHub, query: &str) -> Vec<Value> {
    let answer = admin(hub, Request::get(&format!("/api/sessions{query}")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["sessions"].as_array().unwrap().clone()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// Waits for something that happens in the background.
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(
            begun.elapsed() < PATIENCE,
            "it never came to pass that {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
