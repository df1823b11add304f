//! One person with a thousand sessions; two people in one browser.

use std::time::Instant;

use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::json;

use logout_tests::front::{Front, SIGNED_OUT, admin, login, platform, receipt};

const SESSIONS: usize = 1_000;

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "many::a_person_with_a_thousand_sessions_ends_in_one_step_and_all_are_told",
        &[],
        thousand,
    );
    run.on_every_store(
        "many::of_two_people_in_one_browser_one_signs_out",
        &[],
        two_people,
    );
}

fn thousand(store: StoreKind) {
    let signed_out = Behaviour::answer("200 OK", "content-type: application/json\r\n", SIGNED_OUT);
    let upstream = ScriptedUpstream::start([], signed_out);
    let settings = "[single_logout]\nwait = \"0ms\"\nverify = false\nmax_in_flight = 8\n";
    let hub = TestHub::on(
        store,
        &format!("{settings}{}", platform("hcl-dx", &upstream.base(), "")),
    )
    .unwrap();
    for number in 0..SESSIONS {
        let registration = json!({ "platform": "hcl-dx", "subject": "alice", "cookies": { "LtpaToken2": format!("token-{number}-") } });
        assert_eq!(
            admin(&hub, Request::post("/api/sessions").json(&registration)).status,
            201
        );
    }
    let begun = Instant::now();
    let answer = Request::post("/dx/api/core/v1/auth/logout")
        .header("Cookie", "LtpaToken2=token-7-")
        .send(hub.address());
    println!("{SESSIONS} sessions ended in {:?}", begun.elapsed());
    let receipts = admin(&hub, Request::get("/api/receipts")).json();
    assert_eq!(
        receipts["receipts"].as_array().unwrap().len(),
        1,
        "one order, one receipt"
    );
    let told = upstream.wait_for(SESSIONS);
    println!("and told in {:?}", begun.elapsed());
    for number in 0..SESSIONS {
        assert!(
            told.iter()
                .any(|request| request.contains(&format!("token-{number}-"))),
            "{number}"
        );
    }
    let id = answer.header("logout-receipt").unwrap();
    let settled = admin(&hub, Request::get(&format!("/api/receipts/{id}?wait=30s"))).json();
    assert_eq!(
        settled["progress"],
        json!({ "deliveries": SESSIONS, "settled": SESSIONS })
    );
}

/// Alice's cookie of one product and bob's of another come along with every request; whose sign-out
/// it is says the product that was asked.
fn two_people(store: StoreKind) {
    let front = Front::start(store, "wait = \"20s\"");
    let (alice, alices_other) = (front.login("assets"), front.login("sitefinity"));
    let bob = login(&front.hub, "hcl-dx", "bob", Accounts::BOB);
    let jar = format!("{}; {}", alice.header.1, bob.header.1);
    let mut request = Request::post("/services/logout").header("Cookie", &jar);
    if let Some(token) = &alice.csrf {
        request = request.header("X-CSRF-TOKEN", token);
    }
    let answer = request.send(front.hub.address());
    assert_eq!(
        receipt(&front.hub, &answer)["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(!front.is_alive(&alice) && !front.is_alive(&alices_other) && front.is_alive(&bob));
}
