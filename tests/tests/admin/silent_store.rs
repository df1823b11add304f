//! A store that does not answer: nobody is told anything.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;

use logout_hub::config::Config;
use logout_hub::{COMPILED, Hub, Options};
use logout_suite::testing::{BreakableStore, ManualClock};
use logout_tests::http::Request;
use logout_tests::process;
use logout_tests::server::binary;
use logout_tests::skip::Run;
use serde_json::json;

use crate::{PATIENCE, assert_is_problem, nobody, platform};

pub(crate) fn add(run: &mut Run) {
    on_the_embedded_store! { run, "silent_store";
        a_store_that_does_not_answer_is_503_everywhere_and_a_proxy_denies
    }
}

/// Runs `ask` with the addresses of a hub on `store`, whose files lie in `folder`.
fn with_hub(store: &Arc<BreakableStore>, folder: &Path, ask: impl FnOnce(SocketAddr)) {
    let listen =
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let text = format!("{listen}{}", platform("portal", "hcl-dx", &nobody(), ""));
    let config = Config::parse(&text, &folder.join("hub.toml"), Vec::new(), &COMPILED).unwrap();
    let (started, has_started) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let store = store.clone();
    let hub = thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let options = Options {
                clock: Arc::<ManualClock>::default(),
                listener: None,
                names_people: false,
                store: Some(store),
            };
            let hub = Hub::start(config, options).await.unwrap();
            started.send(hub.admin_address).unwrap();
            let _ = actix_web::rt::task::spawn_blocking(move || stopped.recv()).await;
            hub.stop().await;
        });
    });
    ask(has_started.recv().unwrap());
    drop(stop);
    hub.join().unwrap();
}

fn a_store_that_does_not_answer_is_503_everywhere_and_a_proxy_denies() {
    let (store, folder) = (
        Arc::<BreakableStore>::default(),
        tempfile::tempdir().unwrap(),
    );
    with_hub(&store, folder.path(), |address| {
        let token = std::fs::read_to_string(folder.path().join("admin.token")).unwrap();
        let send = |request: Request| {
            let bearer = format!("Bearer {}", token.trim());
            request
                .header("Logout-Check-Token", token.trim())
                .header("Authorization", &bearer)
                .send(address)
        };
        let check = || Request::get("/check/portal").header("Cookie", "LtpaToken2=one");
        assert_eq!(send(check()).status, 204);
        store.set_broken(true);
        let id = "018f0000-0000-7000-8000-000000000000";
        let registration =
            json!({ "platform": "portal", "subject": "alice", "cookies": { "LtpaToken2": "one" } });
        for request in [
            check(),
            Request::get("/readyz"),
            Request::get("/api/sessions"),
            Request::get("/api/sessions?subject=alice"),
            Request::post("/api/sessions").json(&registration),
            Request::new("DELETE", &format!("/api/sessions/{id}")),
            Request::post("/api/logouts").json(&json!({ "platform": "portal" })),
            Request::get("/api/receipts"),
            Request::get(&format!("/api/receipts/{id}?wait=60s")),
            Request::get("/api/deliveries"),
            Request::post(&format!("/api/deliveries/{id}/retry")),
        ] {
            assert_is_problem(&send(request), 503);
        }
        let figures = Request::get("/metrics").send(address);
        assert!(
            figures.status == 200
                && figures
                    .text()
                    .lines()
                    .any(|line| line == "logout_hub_ready 0"),
            "{}",
            figures.text()
        );
        for (option, status) in [(None, 1), (Some("--live"), 0)] {
            let mut command = Command::new(binary());
            command
                .args(["check-health", "--admin", &format!("http://{address}")])
                .args(option)
                .env_clear();
            let ended = process::run(&mut command, b"", PATIENCE).unwrap();
            assert_eq!(ended.status.code(), Some(status), "{}", ended.stderr);
            assert_eq!(ended.stderr.starts_with("503: "), status == 1);
        }
        store.set_broken(false);
        assert_eq!(send(check()).status, 204);
    });
}
