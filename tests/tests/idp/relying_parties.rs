//! Relying parties that are told by logout tokens (OpenID Connect Back-Channel Logout 1.0).

use std::collections::BTreeSet;
use std::time::Duration;

use logout_core::time::Timestamp;
use logout_tests::front::{admin, wait_until};
use logout_tests::http::Request;
use logout_tests::hub::TestHub;
use logout_tests::relying_party::{OK, TestRelyingParty, part};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::Behaviour;
use serde_json::{Value, json};

use crate::end_session::{confirm, confirmation, get, id_token};
use crate::scene::Scene;

pub(crate) const PERSON: &str = "reach = \"person\"";
const SESSION: &str = "reach = \"session\"";

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "relying_parties";
        a_sign_out_everywhere_sends_each_a_token_that_it_can_verify
        one_that_wants_sessions_gets_a_token_for_each_that_is_known
        a_sign_out_of_one_session_concerns_none
        a_token_of_a_provider_is_handed_on_with_its_names
        a_browser_that_signs_out_by_its_id_token_is_told_of
        sign_outs_at_the_same_time_send_one_token
        what_it_answers_decides_what_follows
        one_that_is_back_is_told_by_a_fresh_token
    }
    run.test(
        "relying_parties::one_that_can_be_asked_is_asked_whether_the_session_lives",
        &[],
        one_that_can_be_asked_is_asked_whether_the_session_lives,
    );
}

/// A hub with these relying parties, whose sign-outs wait for nobody and are tried again soon.
pub(crate) fn scene(store: StoreKind, reach: &str, parties: &str) -> Scene {
    Scene::of(store, logout_tests::idp::TestIdp::start(), |idp| {
        format!(
            "show_receipt = true\nfirst_retry = \"10ms\"\nlast_retry = \"20ms\"\n\
             attempt_timeout = \"200ms\"\n{}{}{parties}",
            idp.table(crate::scene::OP, ""),
            crate::scene::portal(reach)
        )
    })
}

pub(crate) fn of_person(scene: &Scene, cookie: &str, login: &Value) {
    let mut login = login.clone();
    login["iss"] = scene.idp.issuer().into();
    scene.register(
        cookie,
        &json!({ "person": "alice@x.example", "idp": login }),
    );
}

pub(crate) fn sign_out_person(hub: &TestHub) -> Value {
    let order = json!({ "person": "alice@x.example" });
    let answer = admin(hub, Request::post("/api/logouts").json(&order));
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

/// The sessions of a relying party in a receipt.
pub(crate) fn told(hub: &TestHub, receipt: &Value, party: &str) -> Vec<Value> {
    let receipt = receipt.as_str().expect("a receipt");
    let receipt = admin(hub, Request::get(&format!("/api/receipts/{receipt}"))).json();
    let sessions = receipt["sessions"].as_array().unwrap().iter();
    sessions
        .filter(|session| session["platform"] == party)
        .cloned()
        .collect()
}

/// Waits until its only delivery is no longer pending. Time goes on meanwhile.
pub(crate) fn settled(hub: &TestHub, receipt: &Value, party: &str) -> Value {
    let mut last = Value::Null;
    wait_until("the relying party is told", || {
        let sessions = told(hub, receipt, party);
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        last = sessions[0]["delivery"].clone();
        hub.advance(Duration::from_millis(20));
        last["state"] != "pending"
    });
    last
}

pub(crate) fn issuer(hub: &TestHub) -> String {
    let metadata = Request::get("/.well-known/openid-configuration").send(hub.address());
    assert_eq!(metadata.status, 200, "{}", metadata.text());
    metadata.json()["issuer"].as_str().unwrap().to_owned()
}

fn a_sign_out_everywhere_sends_each_a_token_that_it_can_verify(store: StoreKind) {
    let [wiki, crm] = ["wiki", "crm"].map(|client| TestRelyingParty::start(client, OK));
    let parties = wiki.table("") + &crm.table("name = \"sales\"\nsubject = \"idp\"");
    let scene = scene(store, PERSON, &parties);
    of_person(&scene, "one", &json!({ "sub": "a-1", "sid": "s1" }));
    of_person(&scene, "two", &json!({ "sub": "a-1", "sid": "s2" }));
    scene.register("bob", &json!({ "person": "bob@x.example" }));
    let answer = sign_out_person(&scene.hub);
    assert_eq!(answer["ended"], 4, "{answer}");
    let issuer = issuer(&scene.hub);
    for (party, name, sub) in [(&wiki, "wiki", "alice@x.example"), (&crm, "sales", "a-1")] {
        let token = party.wait_for(1).remove(0);
        let now = scene.now();
        let claims = party.verified(scene.hub.address(), &issuer, &token, now);
        assert_eq!(
            (&claims["sub"], claims.get("sid"), claims.get("nonce")),
            (&json!(sub), None, None),
            "{claims}"
        );
        assert!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap() <= 120);
        assert_eq!(part(&token, 0)["typ"], "logout+jwt");
        let delivery = settled(&scene.hub, &answer["receipt"], name);
        assert_eq!(delivery["state"], "confirmed", "{delivery}");
        // Nothing says that the session is over there.
        assert_eq!(delivery["verified"], "unknown", "{delivery}");
        let session = told(&scene.hub, &answer["receipt"], name).remove(0);
        assert_eq!(
            (&session["channel"], &session["subject"]),
            (&json!("relying-party"), &json!(sub))
        );
    }
    assert_eq!(scene.alive(&["one", "two", "bob"]), ["bob"]);
    // A person without sessions is nobody's concern.
    assert_eq!(sign_out_person(&scene.hub)["ended"], 0);
    assert_eq!((wiki.tokens().len(), crm.tokens().len()), (1, 1));
}

fn one_that_wants_sessions_gets_a_token_for_each_that_is_known(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", OK);
    let scene = scene(store, PERSON, &wiki.table("session_required = true"));
    of_person(&scene, "one", &json!({ "sub": "a-1", "sid": "s1" }));
    of_person(&scene, "same", &json!({ "sub": "a-1", "sid": "s1" }));
    of_person(&scene, "two", &json!({ "sub": "a-1", "sid": "s2" }));
    of_person(&scene, "without", &json!({ "sub": "a-1" }));
    sign_out_person(&scene.hub);
    let tokens = wiki.wait_for(2);
    let sids: BTreeSet<String> = tokens
        .iter()
        .map(|token| part(token, 1)["sid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sids, ["s1", "s2"].map(str::to_owned).into());
    assert_eq!(sign_out_person(&scene.hub)["ended"], 0);
    assert_eq!(wiki.tokens().len(), 2);
}

fn a_sign_out_of_one_session_concerns_none(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", OK);
    let scene = scene(store, SESSION, &wiki.table(""));
    of_person(&scene, "one", &json!({ "sub": "a-1", "sid": "s1" }));
    of_person(&scene, "two", &json!({ "sub": "a-1", "sid": "s2" }));
    let sessions = admin(&scene.hub, Request::get("/api/sessions")).json();
    let order = json!({ "session": sessions["sessions"][0]["id"] });
    let answer = admin(&scene.hub, Request::post("/api/logouts").json(&order)).json();
    assert_eq!(answer["ended"], 1, "{answer}");
    // What comes after it arrives, and is the only one.
    sign_out_person(&scene.hub);
    assert_eq!(wiki.wait_for(1).len(), 1);
    assert!(scene.alive(&["one", "two"]).is_empty());
    assert_eq!(wiki.tokens().len(), 1);
}

fn a_token_of_a_provider_is_handed_on_with_its_names(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", OK);
    let scene = scene(store, SESSION, &wiki.table("subject = \"idp\""));
    of_person(&scene, "one", &json!({ "sub": "a-1", "sid": "s1" }));
    of_person(&scene, "two", &json!({ "sub": "a-1", "sid": "s2" }));
    scene.sign_out(&json!({ "sub": "a-1", "sid": "s1" }));
    let claims = part(&wiki.wait_for(1)[0], 1);
    assert_eq!(
        (&claims["sub"], &claims["sid"]),
        (&json!("a-1"), &json!("s1"))
    );
    scene.sign_out(&json!({ "sub": "a-1" }));
    let claims = part(&wiki.wait_for(2)[1], 1);
    assert_eq!((&claims["sub"], claims.get("sid")), (&json!("a-1"), None));
    // One that comes back for what is dead goes no further.
    scene.sign_out(&json!({ "sub": "a-1" }));
    assert_eq!((scene.receipts().len(), wiki.tokens().len()), (2, 2));
}

fn a_browser_that_signs_out_by_its_id_token_is_told_of(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", OK);
    let scene = scene(store, SESSION, &wiki.table("subject = \"idp\""));
    of_person(&scene, "one", &json!({ "sub": "a-1", "sid": "s1" }));
    of_person(&scene, "two", &json!({ "sub": "a-1", "sid": "s2" }));
    let hint = id_token(&scene, "wiki", &json!({ "sub": "a-1", "sid": "s1" }));
    let answer = get(&scene, &[("id_token_hint", &hint)], Some("one"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let claims = part(&wiki.wait_for(1)[0], 1);
    assert_eq!(
        (&claims["sub"], &claims["sid"]),
        (&json!("a-1"), &json!("s1"))
    );
    assert_eq!(scene.alive(&["one", "two"]), ["two"]);
    // Without one, the browser's sessions end, and nobody knows that the login is over.
    let page = get(&scene, &[], Some("two"));
    let (field, confirmed) = confirmation(&page);
    let cookies = format!("LtpaToken2=two; logout-hub-confirm={confirmed}");
    assert_eq!(
        confirm(&scene, &[("confirm", &field)], &cookies).status,
        200
    );
    assert!(scene.alive(&["one", "two"]).is_empty());
    assert_eq!(wiki.tokens().len(), 1);
}

fn sign_outs_at_the_same_time_send_one_token(store: StoreKind) {
    const ROUNDS: usize = 10;
    let wiki = TestRelyingParty::start("wiki", OK);
    let scene = scene(store, PERSON, &wiki.table(""));
    for round in 0..ROUNDS {
        of_person(&scene, &format!("one-{round}"), &json!({ "sub": "a-1" }));
        of_person(&scene, &format!("two-{round}"), &json!({ "sub": "a-1" }));
        let ended: Vec<u64> = std::thread::scope(|scope| {
            let orders: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| sign_out_person(&scene.hub)["ended"].as_u64().unwrap()))
                .collect();
            orders
                .into_iter()
                .map(|order| order.join().unwrap())
                .collect()
        });
        assert!(ended.iter().sum::<u64>() >= 3, "{ended:?}");
    }
    assert_eq!(wiki.wait_for(ROUNDS).len(), ROUNDS);
}

fn what_it_answers_decides_what_follows(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", OK);
    let scene = scene(store, PERSON, &wiki.table(""));
    let empty = |status: &str| Behaviour::answer(status, "location: /elsewhere\r\n", "");
    let cases = [
        (empty("200 OK"), "confirmed", json!(200)),
        (empty("204 No Content"), "confirmed", json!(204)),
        (empty("302 Found"), "given-up", json!(302)),
        (empty("400 Bad Request"), "given-up", json!(400)),
        (empty("401 Unauthorized"), "given-up", json!(401)),
        (empty("403 Forbidden"), "given-up", json!(403)),
        (empty("404 Not Found"), "given-up", json!(404)),
        (empty("408 Request Timeout"), "pending", json!(408)),
        (empty("429 Too Many Requests"), "pending", json!(429)),
        (empty("500 Internal Server Error"), "pending", json!(500)),
        (empty("503 Service Unavailable"), "pending", json!(503)),
        (Behaviour::Hang, "pending", Value::Null),
        (Behaviour::Slam, "pending", Value::Null),
        (Behaviour::Drip, "pending", Value::Null),
    ];
    for (row, (behaviour, state, status)) in cases.into_iter().enumerate() {
        wiki.now(behaviour.clone());
        of_person(&scene, &format!("cookie-{row}"), &json!({ "sub": "a-1" }));
        let receipt = sign_out_person(&scene.hub)["receipt"].clone();
        let mut delivery = Value::Null;
        wait_until("it was tried", || {
            delivery = told(&scene.hub, &receipt, "wiki").remove(0)["delivery"].clone();
            delivery["attempts"].as_u64().unwrap() > 0
        });
        assert_eq!(delivery["state"], state, "{behaviour:?} {delivery}");
        assert_eq!(
            delivery["history"][0]["status"], status,
            "{behaviour:?} {delivery}"
        );
        if state == "pending" {
            wiki.now(empty("200 OK"));
        } else {
            assert_eq!(delivery["attempts"], 1, "{behaviour:?} {delivery}");
        }
        let end = settled(&scene.hub, &receipt, "wiki");
        let expected = if state == "given-up" {
            state
        } else {
            "confirmed"
        };
        assert_eq!(end["state"], expected, "{behaviour:?} {end}");
    }
}

fn one_that_is_back_is_told_by_a_fresh_token(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", "503 Service Unavailable");
    let scene = scene(store, PERSON, &wiki.table(""));
    of_person(&scene, "one", &json!({ "sub": "a-1" }));
    let receipt = sign_out_person(&scene.hub)["receipt"].clone();
    wait_until("it is tried again", || {
        // Longer than a token is valid.
        scene.hub.advance(Duration::from_secs(10 * 60));
        wiki.tokens().len() > 1
    });
    wiki.now(Behaviour::answer(OK, "", ""));
    assert_eq!(settled(&scene.hub, &receipt, "wiki")["state"], "confirmed");
    let tokens = wiki.tokens();
    let last = tokens.last().unwrap();
    let issued = Timestamp::from_millis(part(last, 1)["iat"].as_u64().unwrap() * 1000);
    wiki.verified(scene.hub.address(), &issuer(&scene.hub), last, issued);
    let first = part(&tokens[0], 1)["exp"].as_u64().unwrap();
    assert!(issued.as_secs() > first);
    let names: BTreeSet<String> = tokens
        .iter()
        .map(|token| part(token, 1)["jti"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), tokens.len());
    // A retry by hand after a token was rejected.
    wiki.now(Behaviour::answer("400 Bad Request", "", ""));
    of_person(&scene, "two", &json!({ "sub": "a-1" }));
    let receipt = sign_out_person(&scene.hub)["receipt"].clone();
    assert_eq!(settled(&scene.hub, &receipt, "wiki")["state"], "given-up");
    wiki.now(Behaviour::answer(OK, "", ""));
    let session = told(&scene.hub, &receipt, "wiki").remove(0);
    let retry = format!("/api/deliveries/{}/retry", session["id"].as_str().unwrap());
    assert_eq!(admin(&scene.hub, Request::post(&retry)).status, 202);
    assert_eq!(settled(&scene.hub, &receipt, "wiki")["state"], "confirmed");
}

fn one_that_can_be_asked_is_asked_whether_the_session_lives() {
    let wiki = TestRelyingParty::start("wiki", OK);
    let probe = format!("probe_uri = \"{}/alive?x=1\"", wiki.base());
    let scene = scene(StoreKind::Disk, PERSON, &wiki.table(&probe));
    for (status, verified) in [
        ("200 OK", "outlived"),
        ("404 Not Found", "dead"),
        ("401 Unauthorized", "unknown"),
    ] {
        let probed = status.to_owned();
        wiki.now(Behaviour::play(move |request| {
            let status = if request.starts_with("POST ") {
                OK
            } else {
                &probed
            };
            Behaviour::bytes(status, "", "")
        }));
        of_person(&scene, verified, &json!({ "sub": "a-1", "sid": "s1" }));
        let receipt = sign_out_person(&scene.hub)["receipt"].clone();
        let delivery = settled(&scene.hub, &receipt, "wiki");
        assert_eq!(
            (&delivery["state"], &delivery["verified"]),
            (&json!("confirmed"), &json!(verified)),
            "{status}"
        );
        let asked = wiki.requests().pop().unwrap();
        assert!(asked.starts_with("GET /alive?x=1 HTTP/1.1\r\n"), "{asked}");
        let (_, token) = asked.split_once("authorization: Bearer ").unwrap();
        let token = token.lines().next().unwrap();
        let claims = part(token, 1);
        assert_eq!(part(token, 0)["typ"], "session-status+jwt");
        assert_eq!(
            (&claims["aud"], &claims["sub"], claims.get("events")),
            (&json!("wiki"), &json!("alice@x.example"), None)
        );
    }
}
