//! `kill -9` between commit and delivery, during a delivery, and between confirmation and settling.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use logout_tests::http::{Answer, Request};
use logout_tests::server::Server;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::{Value, json};

use logout_tests::front::{SIGNED_OUT, platform, wait_until};

/// How often the hub dies: most often where the store dies with it.
fn rounds(store: StoreKind) -> usize {
    match store {
        StoreKind::Disk => 100,
        StoreKind::Postgres | StoreKind::Redis => 15,
    }
}

/// How many sessions each round signs out.
const SIGN_OUTS: usize = 3;

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "restarts::an_upstream_that_hangs_and_a_slow_request_together_do_not_keep_it_from_stopping",
        &[],
        stops_in_time,
    );
    run.on_every_store(
        "restarts::kills_at_any_moment_lose_no_delivery_and_end_nobody_else_s_session",
        &[],
        killed_again_and_again,
    );
}

/// When the hub dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as the sign-outs are acknowledged; the upstream has not been asked, or has not
    /// answered.
    AfterCommit,
    /// While the upstream has the request and does not answer.
    DuringDelivery,
    /// When the upstream has answered, before that can have been written down.
    AfterConfirmation,
}

fn killed_again_and_again(store: StoreKind) {
    let rounds = rounds(store);
    let folder = tempfile::tempdir().unwrap();
    let upstream = ScriptedUpstream::start([], confirmed());
    configure(folder.path(), &store.empty(), &upstream.base(), "1s");
    let mut receipts: HashMap<String, String> = HashMap::new();
    let mut bystanders = Vec::new();
    for round in 0..rounds {
        let moment = [
            Moment::AfterCommit,
            Moment::DuringDelivery,
            Moment::AfterConfirmation,
        ][round % 3];
        let server = Server::serve(folder.path());
        let admin = Admin::of(&server, folder.path());
        let tokens: Vec<String> = (0..SIGN_OUTS)
            .map(|number| format!("token-{round}-{number}-"))
            .collect();
        tokens
            .iter()
            .for_each(|token| admin.register(token, "alice"));
        bystanders.push(format!("bystander-{round}-"));
        admin.register(&bystanders[round], "bob");
        let asked_before = upstream.requests().len();
        upstream.now(if matches!(moment, Moment::AfterConfirmation) {
            confirmed()
        } else {
            Behaviour::Hang
        });
        for token in &tokens {
            let answer = sign_out(server.address(), token);
            assert_eq!(answer.status, 200, "{moment:?}: {}", answer.text());
            receipts.insert(
                token.clone(),
                answer.header("logout-receipt").unwrap().to_owned(),
            );
        }
        if !matches!(moment, Moment::AfterCommit) {
            upstream.wait_for(asked_before + 1);
        }
        server.kill();
    }
    upstream.now(confirmed());
    let server = Server::serve(folder.path());
    let admin = Admin::of(&server, folder.path());
    wait_until("everything is delivered", || {
        admin.get("/api/deliveries?state=pending").json()["deliveries"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
    let requests = upstream.requests();
    let mut delivered = 0;
    for (token, receipt) in &receipts {
        let times = requests
            .iter()
            .filter(|request| request.contains(token.as_str()))
            .count();
        assert!(times >= 1, "{token} never reached the upstream");
        delivered += times;
        let receipt = admin.get(&format!("/api/receipts/{receipt}")).json();
        assert_eq!(
            receipt["sessions"][0]["delivery"]["state"], "confirmed",
            "{receipt}"
        );
        assert_eq!(admin.check(token), 401, "{token} is alive again");
    }
    for bystander in &bystanders {
        assert!(
            !requests
                .iter()
                .any(|request| request.contains(bystander.as_str())),
            "{bystander} was signed out"
        );
        assert_eq!(admin.check(bystander), 204);
    }
    let alive = admin
        .get("/api/sessions?person=bob@example.com&limit=1000")
        .json()["sessions"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(alive, rounds);
    println!(
        "{rounds} kills: {} sign-outs, delivered {delivered} times",
        receipts.len()
    );
}

/// Both are given their time at once, and what was not delivered is given back: after the next
/// start it is delivered at once, also where the store keeps leases of hubs that are gone, which
/// here last longer than this test waits.
fn stops_in_time(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let upstream = ScriptedUpstream::start([], Behaviour::Hang);
    configure(folder.path(), &store.empty(), &upstream.base(), "1m");
    let server = Server::serve(folder.path());
    Admin::of(&server, folder.path()).register("token", "alice");
    let receipt = sign_out(server.address(), "token")
        .header("logout-receipt")
        .unwrap()
        .to_owned();
    upstream.wait_for(1);
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let head = "POST /dx/api/core/v1/auth/logout HTTP/1.1\r\nHost: hub\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    // The server answers this line once it waits for the body: the request is in flight then, for
    // sure.
    slow.read_exact(&mut [0; 25]).unwrap();
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(10)).success());

    upstream.now(confirmed());
    let server = Server::serve(folder.path());
    let admin = Admin::of(&server, folder.path());
    let state = || {
        admin.get(&format!("/api/receipts/{receipt}")).json()["sessions"][0]["delivery"]["state"]
            .clone()
    };
    wait_until("it is delivered", || state() == "confirmed");
}

fn confirmed() -> Behaviour {
    Behaviour::answer("200 OK", "content-type: application/json\r\n", SIGNED_OUT)
}

fn configure(folder: &Path, store: &str, upstream: &str, attempt_timeout: &str) {
    let head = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{store}\"\n\
                [single_logout]\nwait = \"0ms\"\nverify = false\nattempt_timeout = \"{attempt_timeout}\"\nfirst_retry = \"10ms\"\nlast_retry = \"50ms\"\n"
    );
    fs::write(
        folder.join("hub.toml"),
        format!(
            "{head}{}",
            platform("hcl-dx", upstream, "").replace("\"person\"", "\"session\"")
        ),
    )
    .unwrap();
}

fn sign_out(hub: SocketAddr, token: &str) -> Answer {
    Request::post("/dx/api/core/v1/auth/logout")
        .header("Cookie", &format!("LtpaToken2={token}"))
        .send(hub)
}

/// The admin API of a server.
struct Admin {
    address: SocketAddr,
    token: String,
}

impl Admin {
    fn of(server: &Server, folder: &Path) -> Self {
        let token = fs::read_to_string(folder.join("admin.token"))
            .unwrap()
            .trim()
            .to_owned();
        Self {
            address: server.admin_address(),
            token,
        }
    }

    fn send(&self, request: Request) -> Answer {
        request
            .header("Authorization", &format!("Bearer {}", self.token))
            .send(self.address)
    }

    fn get(&self, target: &str) -> Answer {
        self.send(Request::get(target))
    }

    fn register(&self, secret: &str, name: &str) {
        let registration: Value =
            json!({ "platform": "hcl-dx", "subject": name, "cookies": { "LtpaToken2": secret } });
        let answer = self.send(Request::post("/api/sessions").json(&registration));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    fn check(&self, secret: &str) -> u16 {
        let request = Request::get("/check/hcl-dx/wps/myportal")
            .header("Cookie", &format!("LtpaToken2={secret}"));
        request
            .header("Logout-Check-Token", &self.token)
            .send(self.address)
            .status
    }
}
