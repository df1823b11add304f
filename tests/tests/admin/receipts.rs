//! Receipts: what they say, how they are waited for, how they are proven.

use std::thread;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use logout_tests::http::Request;
use logout_tests::hub::{TestHub, stand_in};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::{Value, json};

use crate::{PATIENCE, admin, assert_is_problem, fronts, platform, register, text, wait_until};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "receipts";
        a_receipt_says_who_when_why_and_what_has_become_of_each_session
        a_session_that_the_hub_itself_opened_has_no_delivery
        a_pending_receipt_is_waited_for_as_long_as_was_asked_and_no_longer
        a_receipt_that_is_waited_for_comes_as_soon_as_it_is_settled
        a_receipt_is_settled_when_its_last_delivery_is
        whoever_waits_for_a_receipt_does_not_hold_up_a_stop
        a_receipt_that_nobody_has_written_is_not_waited_for
        a_receipt_can_be_had_as_a_token_that_the_published_keys_prove
        a_receipt_is_forgotten_when_its_configured_time_is_over
    }
}

/// What a portal says to a sign-out.
pub(crate) fn signed_out() -> Behaviour {
    Behaviour::answer(
        "200 OK",
        "content-type: application/json\r\n",
        "{\"statusCode\":200}",
    )
}

/// A portal that refuses connections at first, with one session of alice's that has just been ended
/// there: pending after one try.
pub(crate) fn pending(store: StoreKind) -> (TestHub, ScriptedUpstream, String, String) {
    let upstream = ScriptedUpstream::start([], Behaviour::Slam);
    let table = platform("portal", "hcl-dx", &upstream.base(), "");
    let head = "[single_logout]\nwait = \"0ms\"\nverify = false\nfirst_retry = \"1h\"\nlast_retry = \"1h\"\n";
    let hub = TestHub::on(store, &format!("{head}{table}")).unwrap();
    let session = text(&register(&hub, "alice", "canary")["id"]);
    let answer = admin(
        &hub,
        Request::new("DELETE", &format!("/api/sessions/{session}")),
    );
    assert_eq!(answer.json()["deliveries"], 1, "{}", answer.text());
    let receipt = text(&answer.json()["receipt"]);
    wait_until("the delivery was tried once", || {
        read(&hub, &receipt)["sessions"][0]["delivery"]["attempts"] == 1
    });
    (hub, upstream, session, receipt)
}

fn read(hub: &TestHub, receipt: &str) -> Value {
    admin(hub, Request::get(&format!("/api/receipts/{receipt}"))).json()
}

fn a_receipt_says_who_when_why_and_what_has_become_of_each_session(store: StoreKind) {
    let (hub, _upstream, session, id) = pending(store);
    let receipt = read(&hub, &id);
    assert_eq!(
        (&receipt["id"], &receipt["at"]),
        (&json!(id), &json!("2026-09-21T14:13:20Z"))
    );
    assert_eq!(
        receipt["progress"],
        json!({ "deliveries": 1, "settled": 0 })
    );
    let ended = &receipt["sessions"][0];
    for (member, value) in [
        ("id", json!(session)),
        ("subject", json!("alice")),
        ("channel", json!("upstream")),
        ("reason", json!("administrator")),
    ] {
        assert_eq!(ended[member], value, "{member}");
    }
    let delivery = &ended["delivery"];
    assert_eq!(
        (&delivery["state"], &delivery["verified"]),
        (&json!("pending"), &Value::Null)
    );
    assert_eq!(
        delivery["history"],
        json!([{ "at": "2026-09-21T14:13:20Z", "status": null, "fault": "broken" }])
    );
    assert!(
        text(&delivery["due"]) > text(&delivery["created"]),
        "{delivery}"
    );
    assert!(!receipt.to_string().contains("canary"));
    let list = admin(&hub, Request::get("/api/receipts")).json();
    assert_eq!(list, json!({ "receipts": [receipt], "next": null }));
}

fn a_session_that_the_hub_itself_opened_has_no_delivery(store: StoreKind) {
    let hub = TestHub::on(store, &stand_in("assets", &[])).unwrap();
    let form = [
        ("username", "alice"),
        ("password", logout_tests::hub::Accounts::ALICE),
    ];
    let cookie = Request::post("/services/login")
        .form(&form)
        .send(hub.address())
        .cookie("authToken")
        .unwrap()
        .to_owned();
    let logout = Request::get("/logout")
        .header("Cookie", &format!("authToken={cookie}"))
        .send(hub.address());
    let receipt = read(&hub, logout.header("logout-receipt").unwrap());
    assert_eq!(
        (&receipt["reason"], &receipt["platform"]),
        (&json!("user"), &json!("assets")),
        "{receipt}"
    );
    assert_eq!(
        receipt["progress"],
        json!({ "deliveries": 0, "settled": 0 })
    );
    let ended = &receipt["sessions"][0];
    assert_eq!(
        (&ended["channel"], &ended["delivery"], &ended["reason"]),
        (&json!("hub"), &Value::Null, &json!("user"))
    );
}

fn a_pending_receipt_is_waited_for_as_long_as_was_asked_and_no_longer(store: StoreKind) {
    let (hub, _upstream, _, id) = pending(store);
    for millis in [0, 300] {
        let begun = Instant::now();
        let answer = admin(
            &hub,
            Request::get(&format!("/api/receipts/{id}?wait={millis}ms")),
        );
        let took = begun.elapsed();
        assert_eq!(
            (answer.status, &answer.json()["progress"]["settled"]),
            (200, &json!(0))
        );
        assert!(
            took >= Duration::from_millis(millis) && took < PATIENCE,
            "{millis}: {took:?}"
        );
    }
}

fn a_receipt_that_is_waited_for_comes_as_soon_as_it_is_settled(store: StoreKind) {
    let (hub, upstream, session, id) = pending(store);
    let (address, token) = (hub.admin_address(), format!("Bearer {}", hub.admin_token()));
    let target = format!("/api/receipts/{id}?wait=60s");
    let waiting = thread::spawn(move || {
        Request::get(&target)
            .header("Authorization", &token)
            .send(address)
    });
    upstream.now(signed_out());
    let begun = Instant::now();
    assert_eq!(
        admin(
            &hub,
            Request::post(&format!("/api/deliveries/{session}/retry"))
        )
        .status,
        202
    );
    let receipt = waiting.join().unwrap().json();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(
        receipt["progress"],
        json!({ "deliveries": 1, "settled": 1 }),
        "{receipt}"
    );
    let delivery = &receipt["sessions"][0]["delivery"];
    assert_eq!(
        (
            &delivery["state"],
            &delivery["attempts"],
            &delivery["history"][1]["status"]
        ),
        (&json!("confirmed"), &json!(2), &json!(200))
    );
}

fn a_receipt_is_settled_when_its_last_delivery_is(store: StoreKind) {
    let upstream = ScriptedUpstream::start([], Behaviour::Slam);
    let head = "[single_logout]\nwait = \"0ms\"\nverify = false\nfirst_retry = \"1h\"\nlast_retry = \"1h\"\n";
    let hub = TestHub::on(
        store,
        &format!(
            "{head}{}",
            platform("portal", "hcl-dx", &upstream.base(), "")
        ),
    )
    .unwrap();
    let sessions = ["a", "b", "c"].map(|cookie| text(&register(&hub, "alice", cookie)["id"]));
    let order = admin(
        &hub,
        Request::post("/api/logouts").json(&json!({ "platform": "portal" })),
    )
    .json();
    assert_eq!(
        (&order["ended"], &order["deliveries"]),
        (&json!(3), &json!(3))
    );
    let receipt = text(&order["receipt"]);
    let tried = |receipt: &Value| {
        receipt["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|session| session["delivery"]["attempts"] == 1)
    };
    wait_until("each was tried once", || tried(&read(&hub, &receipt)));
    upstream.now(signed_out());
    for (number, session) in sessions.iter().enumerate() {
        assert_eq!(
            admin(
                &hub,
                Request::post(&format!("/api/deliveries/{session}/retry"))
            )
            .status,
            202
        );
        wait_until("it is confirmed", || {
            read(&hub, &receipt)["progress"]["settled"] == number + 1
        });
        let wait = if number == 2 { "60s" } else { "50ms" };
        let waited = admin(
            &hub,
            Request::get(&format!("/api/receipts/{receipt}?wait={wait}")),
        )
        .json();
        assert_eq!(
            waited["progress"],
            json!({ "deliveries": 3, "settled": number + 1 })
        );
    }
}

fn whoever_waits_for_a_receipt_does_not_hold_up_a_stop(store: StoreKind) {
    let (mut hub, _upstream, _, id) = pending(store);
    let (address, token) = (hub.admin_address(), format!("Bearer {}", hub.admin_token()));
    let waiting = thread::spawn(move || {
        Request::get(&format!("/api/receipts/{id}?wait=60s"))
            .header("Authorization", &token)
            .try_send(address)
    });
    // Answered on connections that were opened after the one that waits.
    for _ in 0..3 {
        assert_eq!(admin(&hub, Request::get("/api/receipts")).status, 200);
    }
    let begun = Instant::now();
    hub.pause();
    let took = begun.elapsed();
    // `shutdown_timeout` would cut it off after eight seconds.
    assert!(took < Duration::from_secs(6), "{took:?}");
    if let Ok(answer) = waiting.join().unwrap() {
        assert_eq!(
            (answer.status, &answer.json()["progress"]["settled"]),
            (200, &json!(0))
        );
    }
}

fn a_receipt_that_nobody_has_written_is_not_waited_for(store: StoreKind) {
    let hub = fronts(store);
    let begun = Instant::now();
    for id in [
        "018f0000-0000-7000-8000-000000000000",
        "x",
        "%FF",
        "%2e%2e",
        "018f0000-0000-7000-8000-000000000000.jwt",
    ] {
        assert_is_problem(
            &admin(&hub, Request::get(&format!("/api/receipts/{id}?wait=60s"))),
            404,
        );
    }
    assert!(begun.elapsed() < PATIENCE);
}

fn a_receipt_can_be_had_as_a_token_that_the_published_keys_prove(store: StoreKind) {
    let (hub, _upstream, _, id) = pending(store);
    let by_header = admin(
        &hub,
        Request::get(&format!("/api/receipts/{id}"))
            .header("Accept", "application/json;q=0.1, application/JWT"),
    );
    let by_name = admin(&hub, Request::get(&format!("/api/receipts/{id}.jwt")));
    let published = Request::get("/.well-known/jwks.json").send(hub.admin_address());
    let keys: JwkSet = serde_json::from_slice(&published.body).unwrap();
    for answer in [by_header, by_name] {
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/jwt"))
        );
        let token = answer.text();
        let key = keys
            .find(&decode_header(&token).unwrap().kid.unwrap())
            .expect("the key is published");
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        rules.set_issuer(&[hub.base()]);
        let claims = decode::<Value>(&token, &DecodingKey::from_jwk(key).unwrap(), &rules)
            .unwrap()
            .claims;
        assert_eq!(
            (&claims["jti"], &claims["iat"]),
            (&json!(id), &json!(1_790_000_000))
        );
        assert_eq!(claims["receipt"], read(&hub, &id));
        // A token that says anything else is none of the hub's.
        let (head, rest) = token.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let forged = format!(
            "{head}.{}{}.{signature}",
            &payload[..payload.len() - 1],
            if payload.ends_with('A') { 'B' } else { 'A' }
        );
        assert!(decode::<Value>(&forged, &DecodingKey::from_jwk(key).unwrap(), &rules).is_err());
    }
    for accept in ["*/*", "application/json", "text/html, application/*"] {
        let answer = admin(
            &hub,
            Request::get(&format!("/api/receipts/{id}")).header("Accept", accept),
        );
        assert_eq!(
            (answer.json()["id"].as_str(), answer.header("vary")),
            (Some(id.as_str()), Some("Accept")),
            "{accept}"
        );
    }
}

fn a_receipt_is_forgotten_when_its_configured_time_is_over(store: StoreKind) {
    let settings = "[single_logout]\nwait = \"0ms\"\n[receipts]\nretention = \"1h\"\n[sessions]\nsweep_interval = \"20ms\"\n";
    let upstream = ScriptedUpstream::start([], signed_out());
    let hub = TestHub::on(
        store,
        &format!(
            "{settings}{}",
            platform("portal", "hcl-dx", &upstream.base(), "")
        ),
    )
    .unwrap();
    let session = text(&register(&hub, "alice", "canary")["id"]);
    let id = text(
        &admin(
            &hub,
            Request::new("DELETE", &format!("/api/sessions/{session}")),
        )
        .json()["receipt"],
    );
    let status =
        |what: &str| admin(&hub, Request::get(&format!("/api/receipts/{id}{what}"))).status;
    assert_eq!(status("?wait=30s"), 200);
    hub.advance(Duration::from_secs(59 * 60));
    assert_eq!((status(""), status(".jwt")), (200, 200));
    hub.advance(Duration::from_secs(2 * 60));
    wait_until("the receipt is forgotten", || {
        status("") == 404 && status(".jwt") == 404
    });
}
