//! Tokens of an identity provider, whichever hub they are sent to.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use logout_tests::front::{admin, passes, platform, wait_until};
use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::idp::{TestIdp, send_token};
use serde_json::{Value, json};

use crate::Engine;
use crate::faults::ready;
use crate::hubs::hubs;

/// How often two hubs get the same token.
const ROUNDS: usize = 20;
/// How many sessions each of these tokens ends.
const SESSIONS: usize = 3;

/// A portal that is reached nowhere, and the provider.
fn tables(idp: &TestIdp) -> String {
    let portal = platform("hcl-dx", "http://127.0.0.1:9", "");
    let portal = portal.replace("reach = \"person\"", "reach = \"session\"");
    format!(
        "[single_logout]\nwait = \"0ms\"\n{}{portal}",
        idp.table("op", "")
    )
}

fn two_hubs(engine: &impl Engine, idp: &TestIdp) -> [TestHub; 2] {
    let [one, mut other] = hubs(engine, &tables(idp));
    other.share_seal_of(&one);
    [one, other]
}

/// Registers a session that came from a login at the provider.
fn register(hub: &TestHub, idp: &TestIdp, cookie: &str, names: &Value) {
    let mut login = names.clone();
    login["iss"] = idp.issuer().into();
    let body = json!({ "platform": "hcl-dx", "subject": "alice", "cookies": { "LtpaToken2": cookie }, "idp": login });
    let answer = admin(hub, Request::post("/api/sessions").json(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn is_alive(hub: &TestHub, cookie: &str) -> bool {
    passes(hub, "hcl-dx", "Cookie", &format!("LtpaToken2={cookie}"))
}

/// The receipts of a token, as every hub sees them.
fn receipts_of(hub: &TestHub, jti: &Value) -> Vec<Value> {
    let receipts = admin(hub, Request::get("/api/receipts?limit=1000")).json();
    let receipts = receipts["receipts"].as_array().unwrap();
    let of_token = |receipt: &&Value| receipt["token"]["jti"] == *jti;
    receipts.iter().filter(of_token).cloned().collect()
}

/// Sends a token to all hubs at the same time, and gives the statuses in order.
fn send_at_once(hubs: &[TestHub], token: &str) -> Vec<u16> {
    let together = Arc::new(Barrier::new(hubs.len()));
    let sending: Vec<_> = hubs
        .iter()
        .map(|hub| {
            let (address, token, together) = (hub.address(), token.to_owned(), together.clone());
            thread::spawn(move || {
                together.wait();
                send_token(address, "op", &token)
            })
        })
        .collect();
    let answers = sending.into_iter().map(|sending| sending.join().unwrap());
    let mut statuses: Vec<u16> = answers.map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

/// Whichever is first, and also where there is nothing to end.
pub(crate) fn a_token_is_taken_once_by_all_hubs_together<E: Engine>() {
    let (engine, idp) = (E::start(), TestIdp::start());
    let hubs = two_hubs(&engine, &idp);
    // As clocks of two machines do, they differ: an order is known again by its instant.
    hubs[1].advance(Duration::from_millis(1));
    let now = hubs[0].services().clock.now();
    for round in 0..ROUNDS {
        let sub = format!("alice {round}");
        let cookies: Vec<String> = (0..SESSIONS)
            .map(|number| format!("{round}-{number}"))
            .collect();
        for (number, cookie) in cookies.iter().enumerate() {
            let names = json!({ "sub": sub, "sid": cookie });
            register(&hubs[number % 2], &idp, cookie, &names);
        }
        let claims = idp.claims(now, &json!({ "sub": sub }));
        let token = idp.sign(&claims);
        assert_eq!(send_at_once(&hubs, &token), [200, 400], "round {round}");
        for hub in &hubs {
            assert!(cookies.iter().all(|cookie| !is_alive(hub, cookie)));
            let receipts = receipts_of(hub, &claims["jti"]);
            assert_eq!(receipts.len(), 1, "{receipts:?}");
            let ended = receipts[0]["sessions"].as_array().unwrap();
            assert_eq!(ended.len(), SESSIONS, "{ended:?}");
            assert_eq!(send_token(hub.address(), "op", &token).status, 400);
        }
        let nothing = idp.token(now, &json!({ "sub": sub }));
        assert_eq!(send_at_once(&hubs, &nothing), [200, 400], "round {round}");
        assert_eq!(send_at_once(&hubs, &nothing), [400, 400], "round {round}");
    }
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// A session, and the token that is to end it. The keys have been fetched.
fn prepared(hubs: &[TestHub; 2], idp: &TestIdp) -> (Value, String) {
    let now = hubs[0].services().clock.now();
    for hub in hubs {
        let other = idp.token(now, &json!({ "sub": "nobody" }));
        assert_eq!(send_token(hub.address(), "op", &other).status, 200);
    }
    let names = json!({ "sub": "alice", "sid": "1" });
    register(&hubs[0], idp, "cookie", &names);
    let claims = idp.claims(now, &names);
    let token = idp.sign(&claims);
    (claims, token)
}

/// What is not sure to have failed is sent again, and in the end it is dead and told once.
fn assert_ends_at_last(hubs: &[TestHub; 2], claims: &Value, token: &str) {
    wait_until("both are ready again", || {
        hubs.iter().all(|hub| ready(hub) == 200)
    });
    let answer = send_token(hubs[1].address(), "op", token);
    assert!(
        matches!(answer.status, 200 | 400),
        "{} {}",
        answer.status,
        answer.text()
    );
    assert!(hubs.iter().all(|hub| !is_alive(hub, "cookie")));
    assert_eq!(receipts_of(&hubs[0], &claims["jti"]).len(), 1);
    for hub in hubs {
        assert_eq!(send_token(hub.address(), "op", token).status, 400);
    }
}

pub(crate) fn a_token_that_comes_while_the_engine_is_down_is_taken_when_it_is_back<E: Engine>() {
    let (mut engine, idp) = (E::start(), TestIdp::start());
    let hubs = two_hubs(&engine, &idp);
    let (claims, token) = prepared(&hubs, &idp);
    engine.kill();
    for hub in &hubs {
        assert_unavailable(&send_token(hub.address(), "op", &token));
    }
    engine.restart();
    wait_until("both are ready again", || {
        hubs.iter().all(|hub| ready(hub) == 200)
    });
    assert!(hubs.iter().all(|hub| is_alive(hub, "cookie")));
    // Nothing was written, so the token is as good as new.
    let answer = send_token(hubs[0].address(), "op", &token);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_ends_at_last(&hubs, &claims, &token);
}

pub(crate) fn a_token_that_comes_while_the_engine_takes_no_writes_is_taken_when_it_does<
    E: Engine,
>() {
    let (engine, idp) = (E::start(), TestIdp::start());
    let hubs = two_hubs(&engine, &idp);
    let (claims, token) = prepared(&hubs, &idp);
    engine.read_only(true);
    wait_until("neither is ready", || {
        hubs.iter().all(|hub| ready(hub) == 503)
    });
    assert_unavailable(&send_token(hubs[0].address(), "op", &token));
    engine.read_only(false);
    wait_until("both are ready again", || {
        hubs.iter().all(|hub| ready(hub) == 200)
    });
    assert!(hubs.iter().all(|hub| is_alive(hub, "cookie")));
    let answer = send_token(hubs[0].address(), "op", &token);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_ends_at_last(&hubs, &claims, &token);
}

/// The hub gives up waiting before the engine has answered, so what it asked may be carried out
/// later.
pub(crate) fn a_token_that_comes_while_the_engine_hangs_ends_its_session_at_last<E: Engine>() {
    let (engine, idp) = (E::start(), TestIdp::start());
    let hubs = two_hubs(&engine, &idp);
    let (claims, token) = prepared(&hubs, &idp);
    engine.pause(true);
    let answer = send_token(hubs[0].address(), "op", &token);
    engine.pause(false);
    assert_unavailable(&answer);
    assert_ends_at_last(&hubs, &claims, &token);
}

/// Sessions go on at the other, and so does the memory of what was carried out.
pub(crate) fn a_token_that_one_hub_has_taken_is_refused_by_another_after_its_end<E: Engine>() {
    let (engine, idp) = (E::start(), TestIdp::start());
    let [mut dying, other] = two_hubs(&engine, &idp);
    let now = dying.services().clock.now();
    let names = json!({ "sub": "alice", "sid": "1" });
    register(&dying, &idp, "cookie", &names);
    let token = idp.token(now, &names);
    assert_eq!(send_token(dying.address(), "op", &token).status, 200);
    dying.pause();
    assert_eq!(send_token(other.address(), "op", &token).status, 400);
    // Until it is too old to be taken at all.
    other.advance(Duration::from_secs(5 * 60));
    assert_eq!(send_token(other.address(), "op", &token).status, 400);
}
