//! Relying parties that are down while somebody is signed out, and a hub that dies meanwhile.

use std::collections::BTreeSet;

use logout_tests::front::wait_until;
use logout_tests::http::Request;
use logout_tests::relying_party::{OK, TestRelyingParty, part};
use logout_tests::secret_file;
use logout_tests::server::Server;
use logout_tests::signing_key::SigningKey;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::Behaviour;
use serde_json::{Value, json};

use crate::process::HubProcess;
use crate::scene::registration;

/// Who tokens are from, whatever the address after a restart.
const ISSUER: &str = "https://hub.example";
const SERVER: &str = "public_url = \"https://hub.example\"";
const RETRIES: &str = "first_retry = \"10ms\"\nlast_retry = \"20ms\"\nattempt_timeout = \"5s\"\n";
/// A person that stands out in any output.
const PERSON: &str = "canary-person-61e0@x.example";
const SUB: &str = "canary-sub-8a54";
const SID: &str = "canary-sid-c7d2";

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "sender_restarts";
        a_relying_party_that_was_down_is_told_by_a_hub_that_was_killed
    }
    run.test(
        "sender_restarts::no_token_key_or_name_is_in_the_log",
        &[],
        no_token_key_or_name_is_in_the_log,
    );
}

/// Registers a session of the person, who is known to the provider as well.
fn register(hub: &HubProcess, server: &Server, cookie: &str) {
    let login = json!({ "iss": hub.idp.issuer(), "sub": SUB, "sid": SID });
    let body = registration(cookie, &json!({ "person": PERSON, "idp": login }));
    let answer = hub.admin(server, Request::post("/api/sessions").json(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn sign_out(hub: &HubProcess, server: &Server) -> Value {
    let order = json!({ "person": PERSON });
    let answer = hub.admin(server, Request::post("/api/logouts").json(&order));
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

/// What the receipt says of the relying party's delivery.
fn delivery(hub: &HubProcess, server: &Server, receipt: &Value, party: &str) -> Value {
    let path = format!("/api/receipts/{}", receipt.as_str().unwrap());
    let receipt = hub.admin(server, Request::get(&path)).json();
    let mut sessions = receipt["sessions"].as_array().unwrap().iter();
    let session = sessions.find(|session| session["platform"] == party);
    session.unwrap_or_else(|| panic!("{receipt}"))["delivery"].clone()
}

/// One has no sign-out yet, the other one has it and has said nothing.
fn a_relying_party_that_was_down_is_told_by_a_hub_that_was_killed(store: StoreKind) {
    let [wiki, crm] = ["wiki", "crm"].map(|client| TestRelyingParty::start(client, OK));
    wiki.now(Behaviour::Slam);
    crm.now(Behaviour::Hang);
    let tables = format!(
        "{RETRIES}{}{}",
        wiki.table(""),
        crm.table("subject = \"idp\"")
    );
    let hub = HubProcess::with(store, SERVER, &tables);
    let server = hub.serve();
    register(&hub, &server, "cookie");
    let answer = sign_out(&hub, &server);
    assert_eq!(answer["ended"], 3, "{answer}");
    crm.wait_for(1);
    server.kill();
    let parties = [(&wiki, "wiki", PERSON), (&crm, "crm", SUB)];
    let told = parties.map(|(party, ..)| party.tokens().len());
    for (party, ..) in parties {
        party.now(Behaviour::answer(OK, "", ""));
    }

    let server = hub.serve();
    for ((party, name, sub), before) in parties.into_iter().zip(told) {
        // Of a server the delivery may be leased to the hub that is gone.
        wait_until("it is told", || party.tokens().len() > before);
        let tokens = party.tokens();
        let last = tokens.last().unwrap();
        let claims = party.verified(server.address(), ISSUER, last, hub.now());
        assert_eq!((&claims["sub"], claims.get("sid")), (&json!(sub), None));
        let delivery = || delivery(&hub, &server, &answer["receipt"], name);
        wait_until("it is confirmed", || delivery()["state"] == "confirmed");
        let names: BTreeSet<String> = tokens
            .iter()
            .map(|token| part(token, 1)["jti"].to_string())
            .collect();
        assert_eq!(names.len(), tokens.len());
    }
    assert!(!hub.is_alive(&server, "cookie"));
    // Nothing is left of which they would be told again.
    assert_eq!(sign_out(&hub, &server)["ended"], 0);
    let receipts = server.admin("/api/receipts", hub.folder()).json();
    assert_eq!(receipts["receipts"].as_array().unwrap().len(), 1);
}

fn no_token_key_or_name_is_in_the_log() {
    let (wiki, key) = (TestRelyingParty::start("wiki", OK), SigningKey::generate());
    let crm = TestRelyingParty::start("crm", OK);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signing.pem");
    secret_file::write(&file, key.pem());
    let probe = format!(
        "session_required = true\nsubject = \"idp\"\nprobe_uri = \"{}/alive\"",
        crm.base()
    );
    let tables = format!(
        "{RETRIES}[logout_tokens]\nsigning_key_files = [{file:?}]\n{}{}",
        wiki.table(""),
        crm.table(&probe)
    );
    let hub = HubProcess::with(StoreKind::Disk, SERVER, &tables);
    for (number, level) in ["debug", "trace"].into_iter().enumerate() {
        let server = hub.serve_with_log(level);
        for (status, state) in [
            ("200 OK", "confirmed"),
            ("400 Bad Request", "given-up"),
            ("503 Service Unavailable", "pending"),
        ] {
            for party in [&wiki, &crm] {
                party.now(Behaviour::answer(status, "", "canary-answer-20b7"));
            }
            register(&hub, &server, &format!("canary-cookie-{number}-{state}"));
            let receipt = sign_out(&hub, &server)["receipt"].clone();
            for party in ["wiki", "crm"] {
                wait_until("it was tried", || {
                    let told = delivery(&hub, &server, &receipt, party);
                    told["attempts"].as_u64().unwrap() > 0 && told["state"] == state
                });
            }
        }
        server.kill();
    }
    let log = std::fs::read_to_string(hub.folder().join("stderr.log")).unwrap();
    assert!(
        log.contains("wiki") && log.contains("crm"),
        "the log is silent"
    );
    let mut secrets: Vec<String> = [PERSON, SUB, SID, "canary"].map(str::to_owned).into();
    let lines = key.pem().lines().filter(|line| !line.starts_with('-'));
    secrets.extend(lines.map(str::to_owned));
    for request in wiki.requests().into_iter().chain(crm.requests()) {
        let token = request
            .split(['=', ' ', '\r', '\n'])
            .find(|word| word.starts_with("eyJ"))
            .unwrap_or_else(|| panic!("no token: {request}"));
        // The header is the same for all. Claims and signature are not for others.
        secrets.extend(token.split('.').skip(1).map(str::to_owned));
    }
    for secret in secrets {
        let found = log.lines().find(|line| line.contains(&secret));
        assert_eq!(found, None, "{secret}");
    }
}
