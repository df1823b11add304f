//! Sign-outs with credentials that the hub never saw.

use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::json;

use logout_tests::front::{
    Front, VENDORS, admin, deliveries, login, platform, receipt, wait_until,
};

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "strangers::a_session_that_was_opened_elsewhere_is_signed_out_at_its_product",
        &[],
        opened_elsewhere,
    );
    run.on_every_store(
        "strangers::garbage_is_answered_from_what_the_product_says_and_leaves_nothing",
        &[],
        garbage,
    );
    run.on_every_store(
        "strangers::who_comes_while_the_product_is_down_is_kept_in_bounds_and_told_later",
        &[],
        while_down,
    );
    run.test(
        "strangers::more_than_the_rate_are_refused_before_anything_is_asked",
        &[],
        rate,
    );
}

fn opened_elsewhere(store: StoreKind) {
    let front = Front::start(store, "wait = \"20s\"");
    for vendor in VENDORS {
        let session = login(&front.stand_ins[vendor], vendor, "alice", Accounts::ALICE);
        assert!(front.is_alive(&session));
        let answer = session.sign_out().send(front.hub.address());
        assert!(
            answer.status < 400,
            "{vendor}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(!front.is_alive(&session), "{vendor}");
    }
    assert_eq!(
        admin(&front.hub, Request::get("/api/receipts")).json()["receipts"],
        json!([])
    );
}

fn garbage(store: StoreKind) {
    let front = Front::start(store, "wait = \"20s\"");
    let assets = Request::post("/services/logout")
        .header("Authorization", "Bearer garbage")
        .send(front.hub.address());
    assert_eq!(assets.json()["errorcode"], 401, "{}", assets.text());
    let dx = Request::post("/dx/api/core/v1/auth/logout")
        .header("Cookie", "LtpaToken2=garbage")
        .send(front.hub.address());
    assert_eq!(dx.status, 401, "{}", dx.text());
    let sitefinity = Request::get("/Sitefinity/SignOut")
        .header("Cookie", ".AspNet.Cookies=garbage")
        .send(front.hub.address());
    assert_eq!(sitefinity.status, 302, "{}", sitefinity.text());
    assert_eq!(
        admin(&front.hub, Request::get("/api/receipts")).json()["receipts"],
        json!([])
    );
    assert_eq!(
        admin(&front.hub, Request::get("/api/deliveries")).json()["deliveries"],
        json!([])
    );
}

fn while_down(store: StoreKind) {
    let mut product = TestHub::start("hcl-dx", &[]).unwrap();
    let settings =
        "wait = \"1s\"\nfirst_sight_kept = 2\nfirst_retry = \"10ms\"\nlast_retry = \"50ms\"";
    let hub = TestHub::on(
        store,
        &format!(
            "[single_logout]\n{settings}\n{}",
            platform("hcl-dx", &product.base(), "")
        ),
    )
    .unwrap();
    let sessions: Vec<_> = (0..3)
        .map(|_| login(&product, "hcl-dx", "alice", Accounts::ALICE))
        .collect();
    product.pause();
    let answers: Vec<_> = sessions
        .iter()
        .map(|session| session.sign_out().send(hub.address()))
        .collect();
    assert_eq!(
        answers
            .iter()
            .map(|answer| answer.status)
            .collect::<Vec<_>>(),
        [200, 200, 503],
        "{}",
        answers[0].text()
    );
    assert_eq!(
        deliveries(&receipt(&hub, &answers[0]))[0]["state"],
        "pending"
    );
    product.resume();
    wait_until("those who were kept are told", || {
        hub.advance(std::time::Duration::from_secs(1));
        answers[..2]
            .iter()
            .all(|answer| deliveries(&receipt(&hub, answer))[0]["state"] == "confirmed")
    });
    let alive: Vec<_> = sessions
        .iter()
        .map(|session| session.is_alive(&product))
        .collect();
    assert_eq!(alive, [false, false, true]);
}

fn rate() {
    let upstream = ScriptedUpstream::start([], Behaviour::answer("401 Unauthorized", "", ""));
    let hub = TestHub::with_platforms(&format!(
        "[single_logout]\nfirst_sight_rate = 3\n{}",
        platform("hcl-dx", &upstream.base(), "")
    ))
    .unwrap();
    let statuses: Vec<_> = (0..40)
        .map(|number| {
            let request = Request::post("/dx/api/core/v1/auth/logout")
                .header("Cookie", &format!("LtpaToken2=garbage{number}"));
            request.send(hub.address()).status
        })
        .collect();
    assert!(
        statuses.contains(&503) && statuses.iter().all(|status| [401, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(
        upstream.requests().len(),
        statuses.iter().filter(|status| **status == 401).count()
    );
}
