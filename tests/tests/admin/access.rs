//! Who gets in, under which names, and what is said of what cannot be understood.

use std::time::{Duration, Instant};

use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::server::Server;
use logout_tests::skip::Run;

use crate::{admin, assert_is_problem, assert_names_field};

pub(crate) fn add(run: &mut Run) {
    on_the_embedded_store! { run, "access";
        without_the_token_the_admin_api_says_nothing
        the_admin_api_answers_under_its_own_names_only
        further_names_of_the_listener_may_be_configured
        every_answer_forbids_a_browser_to_guess_its_type
        health_takes_no_token_and_the_platforms_are_not_served_there
        an_administrator_ends_one_session_and_finds_its_receipt
        what_cannot_be_understood_is_said_by_name
        bodies_are_one_json_object_of_bounded_size
        a_body_that_does_not_arrive_is_not_waited_for_for_ever
    }
}

/// Everything that takes a token.
const GUARDED: &[(&str, &str)] = &[
    ("GET", "/api/sessions"),
    (
        "DELETE",
        "/api/sessions/018f0000-0000-7000-8000-000000000000",
    ),
    ("GET", "/api/receipts"),
    ("GET", "/api/receipts/018f0000-0000-7000-8000-000000000000"),
    ("GET", "/api/nothing"),
    ("POST", "/api/sessions"),
    ("POST", "/api/logouts"),
    ("GET", "/api/deliveries"),
    (
        "POST",
        "/api/deliveries/018f0000-0000-7000-8000-000000000000/retry",
    ),
    (
        "GET",
        "/api/receipts/018f0000-0000-7000-8000-000000000000.jwt",
    ),
    ("PUT", "/api/sessions"),
];

fn hub() -> TestHub {
    TestHub::start("assets", &[]).unwrap()
}

/// Logs alice in and returns the value of her cookie.
fn login(hub: &TestHub) -> String {
    let form = [("username", "alice"), ("password", Accounts::ALICE)];
    Request::post("/services/login")
        .form(&form)
        .send(hub.address())
        .cookie("authToken")
        .unwrap()
        .to_owned()
}

fn is_alive(hub: &TestHub, cookie: &str) -> bool {
    let profile = Request::get("/services/profile")
        .header("Cookie", &format!("authToken={cookie}"))
        .send(hub.address());
    profile.json()["username"] == "alice"
}

fn without_the_token_the_admin_api_says_nothing() {
    let hub = hub();
    let almost = &hub.admin_token()[1..];
    for (method, target) in GUARDED {
        for value in [
            None,
            Some("Bearer".to_owned()),
            Some(format!("Bearer {almost}")),
            Some(format!("Basic {}", hub.admin_token())),
        ] {
            let request = Request::new(method, target);
            let request = if let Some(value) = &value {
                request.header("Authorization", value)
            } else {
                request
            };
            let answer = request.send(hub.admin_address());
            assert_is_problem(&answer, 401);
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer"),
                "{target}"
            );
        }
    }
    assert_eq!(admin(&hub, Request::get("/api/sessions")).status, 200);
}

fn the_admin_api_answers_under_its_own_names_only() {
    let hub = hub();
    let port = hub.admin_address().port();
    // What takes no token either; health alone is for everybody, because probes come by any name.
    for target in ["/metrics", "/openapi.json"] {
        let ask = |host: &str| {
            Request::get(target)
                .header("Host", host)
                .send(hub.admin_address())
                .status
        };
        assert_eq!(
            (
                ask(&format!("localhost:{port}")),
                ask(&format!("rebound.example:{port}"))
            ),
            (200, 421),
            "{target}"
        );
    }
    let health = Request::get("/healthz")
        .header("Host", "10.0.0.7")
        .send(hub.admin_address());
    assert_eq!(health.status, 200);
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("LOCALHOST:{port}"), 200),
        (format!("rebound.example:{port}"), 421),
        ("127.0.0.1".to_owned(), 421),
        ("localhost".to_owned(), 421),
        (String::new(), 421),
    ] {
        let answer = admin(&hub, Request::get("/api/sessions").header("Host", &host));
        assert_eq!(answer.status, status, "{host}");
    }
}

fn further_names_of_the_listener_may_be_configured() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\nhosts = [\"hub.internal:8081\"]\n\
                         [store]\nurl = \"memory:\"\n[[platform]]\nname = \"dam\"\nvendor = \"assets\"\n";
    std::fs::write(folder.path().join("hub.toml"), configuration).unwrap();
    let server = Server::serve(folder.path());
    let ask = |host: &str| {
        Request::get("/metrics")
            .header("Host", host)
            .send(server.admin_address())
            .status
    };
    assert_eq!(
        (
            ask("hub.internal:8081"),
            ask("HUB.INTERNAL:8081"),
            ask("other.internal:8081")
        ),
        (200, 200, 421)
    );
}

fn every_answer_forbids_a_browser_to_guess_its_type() {
    let hub = hub();
    let own = [
        "/services/profile",
        "/services/nothing",
        "/logout",
        "/",
        "/receipts/x",
        "/nothing",
    ];
    let answers = own.map(|target| (target, Request::get(target).send(hub.address())));
    let admins = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/api/sessions",
        "/check/assets/",
        "/nothing",
    ];
    let admins = admins.map(|target| (target, Request::get(target).send(hub.admin_address())));
    for (target, answer) in answers.iter().chain(&admins) {
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{target}"
        );
        assert_eq!(answer.header("strict-transport-security"), None, "{target}");
    }
}

fn health_takes_no_token_and_the_platforms_are_not_served_there() {
    let hub = hub();
    for (target, word) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = Request::get(target).send(hub.admin_address());
        assert_eq!(
            (answer.status, answer.json()["status"].as_str()),
            (200, Some(word))
        );
        let head = Request::new("HEAD", target).send(hub.admin_address());
        assert_eq!((head.status, head.text().as_str()), (200, ""), "{target}");
    }
    assert_is_problem(
        &Request::get("/services/profile").send(hub.admin_address()),
        404,
    );
    let token = format!("Bearer {}", hub.admin_token());
    assert_eq!(
        Request::get("/api/sessions")
            .header("Authorization", &token)
            .send(hub.address())
            .status,
        404
    );
}

fn an_administrator_ends_one_session_and_finds_its_receipt() {
    let hub = hub();
    let ended = login(&hub);
    // Ids sort by time: the first one listed will be hers.
    hub.advance(Duration::from_secs(1));
    let other = login(&hub);
    let listed = admin(&hub, Request::get("/api/sessions?platform=assets"));
    let sessions = listed.json()["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    let id = sessions[0]["id"].as_str().unwrap().to_owned();

    let answer = admin(&hub, Request::new("DELETE", &format!("/api/sessions/{id}")));
    assert_eq!(
        (answer.status, answer.json()["ended"].as_u64()),
        (202, Some(1))
    );
    assert_eq!(
        (is_alive(&hub, &ended), is_alive(&hub, &other)),
        (false, true)
    );

    let receipt = answer.json()["receipt"].as_str().unwrap().to_owned();
    let receipt = admin(&hub, Request::get(&format!("/api/receipts/{receipt}"))).json();
    assert_eq!(
        (
            receipt["reason"].as_str(),
            receipt["sessions"][0]["id"].as_str()
        ),
        (Some("administrator"), Some(id.as_str()))
    );
    assert_is_problem(
        &admin(&hub, Request::new("DELETE", &format!("/api/sessions/{id}"))),
        404,
    );
}

fn what_cannot_be_understood_is_said_by_name() {
    let hub = hub();
    for (target, field) in [
        ("/api/sessions?after=x", "after"),
        ("/api/sessions?limit=-1", "limit"),
        ("/api/deliveries?after=x", "after"),
        ("/api/deliveries?state=done", "state"),
        (
            "/api/receipts/018f0000-0000-7000-8000-000000000000?wait=long",
            "wait",
        ),
        ("/api/receipts?before=x", "before"),
        ("/api/receipts?limit=99999999999999999999", "limit"),
    ] {
        assert_names_field(&admin(&hub, Request::get(target)), field);
    }
    for target in [
        "/api/sessions?peson=x",
        "/api/receipts?limit=1&limit=2",
        "/api/deliveries?states=pending",
    ] {
        assert_is_problem(&admin(&hub, Request::get(target)), 422);
    }
}

fn bodies_are_one_json_object_of_bounded_size() {
    let hub = hub();
    for target in ["/api/sessions", "/api/logouts"] {
        let post = || Request::post(target);
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
            "",
        ] {
            assert_is_problem(
                &admin(&hub, post().header("Content-Type", media_type).body("{}")),
                415,
            );
        }
        assert_is_problem(&admin(&hub, post().body("{}")), 415);
        let json = || post().header("Content-Type", "application/json; charset=utf-8");
        for body in [
            "",
            "{",
            "[]",
            "null",
            "\"x\"",
            "{} {}",
            "{\"person\":\"a\",\"person\":\"b\"}",
            "{\"subject\":{\"name\":\"a\",\"name\":\"b\"}}",
        ] {
            assert_is_problem(&admin(&hub, json().body(body)), 400);
        }
        let large = format!("{{\"person\":\"{}\"}}", "x".repeat(64 * 1024));
        assert_is_problem(&admin(&hub, json().body(large)), 413);
        assert_names_field(
            &admin(&hub, json().body("{\"constructor\":1}")),
            if target == "/api/logouts" {
                "constructor"
            } else {
                "platform"
            },
        );
    }
}

fn a_body_that_does_not_arrive_is_not_waited_for_for_ever() {
    let hub = hub();
    let began = Instant::now();
    let request = Request::post("/api/logouts")
        .header("Content-Type", "application/json")
        .header("Content-Length", "100")
        .body("{");
    assert_is_problem(&admin(&hub, request), 408);
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}
