//! Receivers of security events: those that the hub pushes to (RFC 8935), and those that poll (RFC
//! 8936).

use std::collections::BTreeSet;
use std::time::Duration;

use logout_standards::{KeySet, SecurityEvent, SignatureAlgorithm};
use logout_tests::front::{admin, wait_until};
use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::relying_party::part;
use logout_tests::secret_file;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::answers::assert_uncached;
use crate::relying_parties::{PERSON, issuer, of_person, scene, settled, sign_out_person, told};
use crate::scene::{Scene, portal, registration};

const AUDIENCE: &str = "https://soc.example/";
const TOKEN: &str = "the receiver's token, long enough to be one";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "event_receivers";
        a_push_is_an_event_that_its_receiver_can_verify
        a_push_that_is_not_taken_comes_again_under_its_name
        a_poll_brings_what_is_not_acknowledged
        an_event_that_nobody_fetches_is_given_up
    }
    for (name, test) in [
        ("a_poll_needs_its_token", a_poll_needs_its_token as fn()),
        (
            "a_poll_that_waits_hears_of_a_sign_out",
            a_poll_that_waits_hears_of_a_sign_out,
        ),
        (
            "what_is_no_polling_request_is_refused",
            what_is_no_polling_request_is_refused,
        ),
        (
            "one_hub_ends_at_another_what_ends_at_it",
            one_hub_ends_at_another_what_ends_at_it,
        ),
    ] {
        run.test(&format!("event_receivers::{name}"), &[], test);
    }
}

/// A hub with one receiver called `soc`.
fn with_receiver(store: StoreKind, token: &NamedTempFile, more: &str) -> Scene {
    let file = token.path().display();
    let table = format!(
        "[[event_receiver]]\nname = \"soc\"\naudience = \"{AUDIENCE}\"\ntoken_file = \"{file}\"\n\
         {more}\n"
    );
    scene(store, PERSON, &table)
}

/// A file that holds the receiver's token.
fn token_file() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    secret_file::write(file.path(), TOKEN);
    file
}

fn poll(hub: &TestHub, body: &Value) -> Answer {
    Request::post("/events/soc/poll")
        .header("Authorization", &format!("Bearer {TOKEN}"))
        .json(body)
        .send(hub.address())
}

/// The events that a poll brings.
fn events(hub: &TestHub, body: &Value) -> (Vec<(String, String)>, bool) {
    let answer = poll(hub, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_uncached(&answer, "poll");
    let answer = answer.json();
    let sets = answer["sets"].as_object().unwrap().iter();
    let sets = sets.map(|(jti, set)| (jti.clone(), set.as_str().unwrap().to_owned()));
    (sets.collect(), answer["moreAvailable"].as_bool().unwrap())
}

/// The claims of an event, as a receiver verifies it.
fn verified(scene: &Scene, token: &str) -> Value {
    let keys = Request::get("/.well-known/jwks.json").send(scene.hub.address());
    let algorithms = [SignatureAlgorithm::Rs256];
    let keys = KeySet::parse(keys.text().as_bytes(), &algorithms).unwrap();
    let of = issuer(&scene.hub);
    let event = SecurityEvent::verify(token, (&of, AUDIENCE), &keys, &algorithms, scene.now());
    event.expect("a valid event");
    assert_eq!(part(token, 0)["typ"], "secevent+jwt");
    part(token, 1)
}

fn a_push_is_an_event_that_its_receiver_can_verify(store: StoreKind) {
    let soc = ScriptedUpstream::start([], Behaviour::answer("202 Accepted", "", ""));
    let token = token_file();
    for (row, (format, subject)) in [
        (
            "opaque",
            json!({ "format": "opaque", "id": "alice@x.example" }),
        ),
        (
            "email",
            json!({ "format": "email", "email": "alice@x.example" }),
        ),
        (
            "iss_sub",
            json!({ "format": "iss_sub", "sub": "alice@x.example" }),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let lines = format!(
            "endpoint = \"{}/set?a=b\"\nsubject_format = \"{format}\"",
            soc.base()
        );
        let scene = with_receiver(store, &token, &lines);
        of_person(&scene, "one", &json!({ "sub": "a-1", "sid": "s1" }));
        of_person(&scene, "two", &json!({ "sub": "a-1", "sid": "s2" }));
        let receipt = sign_out_person(&scene.hub)["receipt"].clone();
        let delivery = settled(&scene.hub, &receipt, "soc");
        assert_eq!(delivery["state"], "confirmed", "{delivery}");
        let requests = soc.wait_for(row + 1);
        // One for the person and the receipt.
        assert_eq!(requests.len(), row + 1);
        let (head, set) = requests[row].split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /set?a=b HTTP/1.1\r\n"), "{head}");
        for line in [
            "content-type: application/secevent+jwt",
            &format!("authorization: Bearer {TOKEN}"),
        ] {
            assert!(head.lines().any(|own| own == line), "{head}");
        }
        let claims = verified(&scene, set);
        let mut expected = subject;
        if format == "iss_sub" {
            expected["iss"] = issuer(&scene.hub).into();
        }
        assert_eq!(claims["sub_id"], expected, "{claims}");
        assert_eq!(claims["events"], json!({ REVOKED: {} }), "{claims}");
        let told = told(&scene.hub, &receipt, "soc").remove(0);
        assert_eq!(told["id"], claims["jti"]);
    }
}

fn a_push_that_is_not_taken_comes_again_under_its_name(store: StoreKind) {
    let soc = ScriptedUpstream::start([], Behaviour::answer("503 Service Unavailable", "", ""));
    let token = token_file();
    let lines = format!("endpoint = \"{}/set\"", soc.base());
    let scene = with_receiver(store, &token, &lines);
    of_person(&scene, "one", &json!({ "sub": "a-1" }));
    let receipt = sign_out_person(&scene.hub)["receipt"].clone();
    wait_until("it comes again", || {
        scene.hub.advance(Duration::from_secs(1));
        soc.requests().len() > 1
    });
    soc.now(Behaviour::answer("202 Accepted", "", ""));
    assert_eq!(settled(&scene.hub, &receipt, "soc")["state"], "confirmed");
    let names: BTreeSet<String> = soc
        .requests()
        .iter()
        .map(|text| part(text.split_once("\r\n\r\n").unwrap().1, 1)["jti"].to_string())
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    // What it refuses it would refuse again.
    let error = r#"{"err":"invalid_audience","description":"not mine"}"#;
    soc.now(Behaviour::answer("400 Bad Request", "", error));
    of_person(&scene, "two", &json!({ "sub": "a-1" }));
    let receipt = sign_out_person(&scene.hub)["receipt"].clone();
    let delivery = settled(&scene.hub, &receipt, "soc");
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&json!("given-up"), &json!(1))
    );
}

fn a_poll_brings_what_is_not_acknowledged(store: StoreKind) {
    let token = token_file();
    let scene = with_receiver(store, &token, "");
    let at_once = json!({ "returnImmediately": true });
    assert_eq!(events(&scene.hub, &at_once), (vec![], false));
    let receipts: Vec<Value> = (0..3)
        .map(|row| {
            of_person(&scene, &format!("cookie-{row}"), &json!({ "sub": "a-1" }));
            sign_out_person(&scene.hub)["receipt"].clone()
        })
        .collect();
    let (first, more) = events(
        &scene.hub,
        &json!({ "maxEvents": 2, "returnImmediately": true }),
    );
    assert_eq!((first.len(), more), (2, true));
    for (jti, set) in &first {
        let claims = verified(&scene, set);
        assert_eq!(claims["jti"], json!(jti));
        assert_eq!(
            claims["sub_id"],
            json!({ "format": "opaque", "id": "alice@x.example" })
        );
    }
    let (second, more) = events(&scene.hub, &at_once);
    assert_eq!((second.len(), more), (1, false));
    // What is not acknowledged within a minute comes again, under the same name.
    assert_eq!(events(&scene.hub, &at_once), (vec![], false));
    scene.hub.advance(Duration::from_secs(61));
    let names = |events: &[(String, String)]| -> BTreeSet<String> {
        events.iter().map(|(jti, _)| jti.clone()).collect()
    };
    let (again, _) = events(&scene.hub, &at_once);
    let all: BTreeSet<String> = names(&first).union(&names(&second)).cloned().collect();
    assert_eq!(names(&again), all);
    // Acknowledged by the same request that asks for more, or by one that asks for none.
    let body = json!({
        "ack": [again[0].0, "nobody's", first[0].0],
        "setErrs": { &again[2].0: { "err": "jwtIss", "description": "no" } },
        "returnImmediately": true,
    });
    assert_eq!(events(&scene.hub, &body), (vec![], false));
    let states = || -> Vec<String> {
        let of = |receipt| told(&scene.hub, receipt, "soc").remove(0);
        let mut states: Vec<_> = receipts.iter().map(of).collect();
        states.sort_by_key(|session| again.iter().position(|(jti, _)| session["id"] == **jti));
        let state = |session: Value| session["delivery"]["state"].as_str().unwrap().to_owned();
        states.into_iter().map(state).collect()
    };
    let second_state = if first[0].0 == again[1].0 {
        "confirmed"
    } else {
        "pending"
    };
    assert_eq!(states(), ["confirmed", second_state, "given-up"]);
    let body = json!({ "maxEvents": 0, "ack": [again[1].0] });
    assert_eq!(events(&scene.hub, &body), (vec![], false));
    assert_eq!(states(), ["confirmed", "confirmed", "given-up"]);
    scene.hub.advance(Duration::from_secs(3_600));
    assert_eq!(events(&scene.hub, &at_once), (vec![], false));
    // A delivery to somebody else is none of its.
    of_person(&scene, "other", &json!({ "sub": "a-1" }));
    let receipt = sign_out_person(&scene.hub)["receipt"].clone();
    let portal = told(&scene.hub, &receipt, "portal").remove(0);
    let body = json!({ "maxEvents": 0, "ack": [portal["id"]] });
    assert_eq!(poll(&scene.hub, &body).status, 200);
    let portal = told(&scene.hub, &receipt, "portal").remove(0);
    assert_eq!(portal["delivery"]["state"], "pending");
}

fn an_event_that_nobody_fetches_is_given_up(store: StoreKind) {
    let token = token_file();
    let file = token.path().display();
    let table = format!(
        "[[event_receiver]]\nname = \"soc\"\naudience = \"{AUDIENCE}\"\ntoken_file = \"{file}\"\n\
         [sessions]\nsweep_interval = \"50ms\"\n"
    );
    let scene = scene(store, PERSON, &table);
    of_person(&scene, "one", &json!({ "sub": "a-1" }));
    let receipt = sign_out_person(&scene.hub)["receipt"].clone();
    scene.hub.advance(Duration::from_secs(23 * 3_600));
    let at_once = json!({ "returnImmediately": true });
    assert_eq!(events(&scene.hub, &at_once).0.len(), 1);
    scene.hub.advance(Duration::from_secs(2 * 3_600));
    let delivery = settled(&scene.hub, &receipt, "soc");
    assert_eq!(delivery["state"], "given-up", "{delivery}");
    assert_eq!(events(&scene.hub, &at_once), (vec![], false));
}

fn a_poll_needs_its_token() {
    let token = token_file();
    let scene = with_receiver(StoreKind::Disk, &token, "");
    of_person(&scene, "one", &json!({ "sub": "a-1" }));
    sign_out_person(&scene.hub);
    let request = || Request::post("/events/soc/poll").json(&json!({ "returnImmediately": true }));
    let answers = [
        request().send(scene.hub.address()),
        request()
            .header("Authorization", "Bearer another")
            .send(scene.hub.address()),
        request()
            .header("Authorization", &format!("Basic {TOKEN}"))
            .send(scene.hub.address()),
    ];
    for answer in answers {
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert!(answer.header("www-authenticate").is_some());
        assert_uncached(&answer, "poll");
    }
    let elsewhere = Request::post("/events/other/poll").send(scene.hub.address());
    assert_eq!(elsewhere.status, 404);
    let read = Request::get("/events/soc/poll").send(scene.hub.address());
    assert_eq!((read.status, read.header("allow")), (405, Some("POST")));
    // None of them took the event.
    assert_eq!(
        events(&scene.hub, &json!({ "returnImmediately": true }))
            .0
            .len(),
        1
    );
    let guesses = (0..40).map(|guess| {
        let guess = format!("Bearer {guess}");
        let request = request().header("Authorization", &guess);
        request.send(scene.hub.address()).status
    });
    assert!(guesses.collect::<Vec<_>>().contains(&429));
}

fn a_poll_that_waits_hears_of_a_sign_out() {
    let token = token_file();
    let scene = with_receiver(StoreKind::Disk, &token, "");
    of_person(&scene, "one", &json!({ "sub": "a-1" }));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| events(&scene.hub, &json!({})));
        sign_out_person(&scene.hub);
        assert_eq!(waiting.join().unwrap().0.len(), 1);
    });
    // One that hears of nothing is answered too.
    assert_eq!(events(&scene.hub, &json!({})), (vec![], false));
}

fn what_is_no_polling_request_is_refused() {
    let token = token_file();
    let scene = with_receiver(StoreKind::Disk, &token, "");
    for body in [
        json!([]),
        json!({ "ack": "one" }),
        json!({ "maxEvents": -1 }),
        json!({ "setErrs": { "one": "two" } }),
        json!({ "returnImmediately": 1 }),
    ] {
        let answer = poll(&scene.hub, &body);
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["err"], "invalid_request", "{body}");
    }
    let form = Request::post("/events/soc/poll")
        .header("Authorization", &format!("Bearer {TOKEN}"))
        .form(&[("ack", "x")])
        .send(scene.hub.address());
    assert_eq!(form.status, 400);
}

/// The hub that sends is the provider of the one that receives: by a logout token, and by an event.
fn one_hub_ends_at_another_what_ends_at_it() {
    let tables = format!(
        "[single_logout]\nwait = \"0ms\"\n[[idp]]\nname = \"first\"\nissuer = \"http://127.0.0.1:9\"\n\
         client_id = \"second\"\njwks_uri = \"http://127.0.0.1:9/.well-known/jwks.json\"\n\
         person = \"sub\"\nevents_audience = \"{AUDIENCE}\"\n{}",
        portal(PERSON)
    );
    let mut hub = TestHub::on(StoreKind::Disk, &tables).unwrap();
    let second = hub.address();
    let parties = format!(
        "[[relying_party]]\nclient_id = \"second\"\n\
         backchannel_logout_uri = \"http://{second}/idp/first/backchannel-logout\"\n\
         [[event_receiver]]\nname = \"events\"\naudience = \"{AUDIENCE}\"\n\
         endpoint = \"http://{second}/idp/first/events\"\n"
    );
    let first = scene(StoreKind::Disk, PERSON, &parties);
    let issuer = issuer(&first.hub);
    hub.reconfigure("http://127.0.0.1:9", &issuer);
    hub.restart().unwrap();
    let register = |cookie: &str| {
        let body = registration(cookie, &json!({ "person": "alice@x.example" }));
        let answer = admin(&hub, Request::post("/api/sessions").json(&body));
        assert_eq!(answer.status, 201, "{}", answer.text());
    };
    register("there");
    of_person(&first, "here", &json!({ "sub": "a-1" }));
    let receipt = sign_out_person(&first.hub)["receipt"].clone();
    assert_eq!(
        settled(&first.hub, &receipt, "second")["state"],
        "confirmed"
    );
    assert_eq!(
        settled(&first.hub, &receipt, "events")["state"],
        "confirmed"
    );
    let lives = |cookie: &str| {
        let cookie = format!("LtpaToken2={cookie}");
        logout_tests::front::passes(&hub, "portal", "Cookie", &cookie)
    };
    assert!(!lives("there"));
    let receipts = crate::scene::receipts(&hub);
    assert_eq!(receipts.len(), 1, "the other one found nothing to end");
    assert_eq!(receipts[0]["token"]["iss"], json!(issuer));
}
