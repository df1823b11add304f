//! Security events by push. No transmitter of them can be installed here, so the tests sign them.

use logout_tests::http::{Answer, Request};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::answers::assert_uncached;
use crate::scene::{OP, Scene, with, without};

const AUDIENCE: &str = "https://hub.example/events";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CHANGED: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "events";
        a_revoked_session_ends_and_its_event_may_come_again
        a_revoked_user_loses_every_session
    }
    run.test(
        "events::a_changed_credential_ends_sessions_where_that_is_configured",
        &[],
        a_changed_credential_ends_sessions_where_that_is_configured,
    );
    run.test(
        "events::other_events_are_accepted_and_end_nothing",
        &[],
        other_events_are_accepted_and_end_nothing,
    );
    run.test(
        "events::what_is_refused_ends_nothing",
        &[],
        what_is_refused_ends_nothing,
    );
    run.test(
        "events::without_an_audience_there_is_no_receiver",
        &[],
        without_an_audience_there_is_no_receiver,
    );
}

fn scene(store: StoreKind, more: &str) -> Scene {
    let lines = format!("events_audience = \"{AUDIENCE}\"\n{more}");
    Scene::with(store, &lines, "reach = \"session\"")
}

fn claims(scene: &Scene, event: &str, subject: &Value) -> Value {
    let claims = scene.idp.claims(scene.now(), &json!({ "sub_id": subject }));
    let claims = without(&with(&claims, "aud", json!(AUDIENCE)), "exp");
    with(&claims, "events", json!({ event: {} }))
}

fn sign(scene: &Scene, claims: &Value) -> String {
    let header = with(&scene.idp.header(), "typ", json!("secevent+jwt"));
    scene.idp.sign_as(&header, claims)
}

fn push(scene: &Scene, token: &str) -> Answer {
    Request::post(&format!("/idp/{OP}/events"))
        .header("Content-Type", "application/secevent+jwt")
        .header("Accept", "application/json")
        .body(token)
        .send(scene.hub.address())
}

fn assert_accepted(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (202, ""));
    assert_uncached(answer, "202");
}

fn user(sub: &str) -> Value {
    json!({ "format": "opaque", "id": sub })
}

fn a_revoked_session_ends_and_its_event_may_come_again(store: StoreKind) {
    let scene = scene(store, "");
    let (cookie, names) = scene.open(1);
    let (other, _) = scene.open(2);
    let subject = json!({
        "format": "complex",
        "session": { "format": "opaque", "id": names["sid"] },
        "user": user("alice"),
    });
    let claims = claims(&scene, REVOKED, &subject);
    let token = sign(&scene, &claims);
    assert_accepted(&push(&scene, &token));
    assert_eq!(scene.alive(&[&cookie, &other]), [&other]);
    let receipts = scene.receipts();
    assert_eq!(receipts[0]["token"]["jti"], claims["jti"]);
    scene.hub.advance(std::time::Duration::from_secs(1));
    scene.register_login("later", &names);
    assert_accepted(&push(&scene, &token));
    assert!(scene.is_alive("later"));
    // Of the same sign-out, though its delivery may have been tried meanwhile.
    assert_eq!(ids(&scene.receipts()), ids(&receipts));
}

fn ids(receipts: &[Value]) -> Vec<&Value> {
    receipts.iter().map(|receipt| &receipt["id"]).collect()
}

fn a_revoked_user_loses_every_session(store: StoreKind) {
    let scene = scene(store, "");
    let cookies = [1, 2].map(|row| scene.open(row).0);
    scene.register_login("bobs", &json!({ "sub": "bob" }));
    let subject = json!({ "format": "iss_sub", "iss": scene.idp.issuer(), "sub": "alice" });
    assert_accepted(&push(
        &scene,
        &sign(&scene, &claims(&scene, REVOKED, &subject)),
    ));
    assert_eq!(scene.alive(&[&cookies[0], &cookies[1], "bobs"]), ["bobs"]);
}

fn a_changed_credential_ends_sessions_where_that_is_configured() {
    for (line, ends) in [("", false), ("end_on_credential_change = true", true)] {
        let scene = scene(StoreKind::Disk, line);
        let (cookie, _) = scene.open(1);
        let claims = claims(&scene, CHANGED, &user("alice"));
        assert_accepted(&push(&scene, &sign(&scene, &claims)));
        assert_eq!(scene.is_alive(&cookie), !ends);
    }
}

fn other_events_are_accepted_and_end_nothing() {
    let scene = scene(StoreKind::Disk, "");
    let (cookie, _) = scene.open(1);
    let alice = claims(&scene, VERIFICATION, &user("alice"));
    for claims in [
        with(
            &alice,
            "events",
            json!({ VERIFICATION: { "state": "secret" } }),
        ),
        without(&alice, "sub_id"),
        claims(&scene, "https://example.com/event", &user("alice")),
        claims(&scene, REVOKED, &user("nobody")),
        claims(
            &scene,
            REVOKED,
            &json!({ "format": "iss_sub", "iss": "https://other.example", "sub": "alice" }),
        ),
        claims(
            &scene,
            REVOKED,
            &json!({ "format": "email", "email": "alice@example.com" }),
        ),
    ] {
        assert_accepted(&push(&scene, &sign(&scene, &claims)));
        assert!(scene.is_alive(&cookie), "{claims}");
    }
}

fn what_is_refused_ends_nothing() {
    let scene = scene(StoreKind::Disk, "");
    let (cookie, names) = scene.open(1);
    let good = claims(&scene, REVOKED, &user("alice"));
    for (token, code) in [
        (
            sign(&scene, &with(&good, "iss", json!("https://other.example"))),
            "invalid_issuer",
        ),
        (
            sign(&scene, &with(&good, "aud", json!("https://other.example"))),
            "invalid_audience",
        ),
        (
            sign(&scene, &with(&good, "sub", json!("alice"))),
            "invalid_request",
        ),
        (
            sign(
                &scene,
                &with(&good, "exp", json!(scene.now().as_secs() + 60)),
            ),
            "invalid_request",
        ),
        (sign(&scene, &without(&good, "sub_id")), "invalid_request"),
        (scene.idp.sign(&good), "invalid_request"),
        (scene.token(&names), "invalid_request"),
        (
            scene.idp.forge(
                &with(&scene.idp.header(), "typ", json!("secevent+jwt")),
                &good,
            ),
            "invalid_key",
        ),
        ("rubbish".to_owned(), "invalid_request"),
        ("x".repeat(17_000), "invalid_request"),
    ] {
        let answer = push(&scene, &token);
        assert_eq!(answer.status, 400, "{token}");
        assert_eq!(answer.json()["err"], code, "{}", answer.text());
        assert!(answer.json()["description"].is_string());
        assert_uncached(&answer, code);
    }
    let form = Request::post(&format!("/idp/{OP}/events")).form(&[("token", "x")]);
    assert_eq!(form.send(scene.hub.address()).status, 400);
    let get = Request::get(&format!("/idp/{OP}/events")).send(scene.hub.address());
    assert_eq!(get.status, 405);
    assert!(scene.is_alive(&cookie));
}

fn without_an_audience_there_is_no_receiver() {
    let scene = Scene::start(StoreKind::Disk);
    let claims = claims(&scene, REVOKED, &user("alice"));
    assert_eq!(push(&scene, &sign(&scene, &claims)).status, 404);
}
