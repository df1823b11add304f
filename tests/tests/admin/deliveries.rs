//! Deliveries: listed by what has become of them, and tried again.

use logout_tests::http::Request;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::receipts::{pending, signed_out};
use crate::{admin, assert_is_problem, text};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "deliveries";
        deliveries_are_listed_by_platform_and_state
        a_delivery_that_waits_is_tried_at_once_when_an_administrator_says_so_and_only_until_it_is_confirmed
        a_delivery_that_does_not_exist_cannot_be_tried
    }
}

fn deliveries_are_listed_by_platform_and_state(store: StoreKind) {
    let (hub, _upstream, session, receipt) = pending(store);
    let ids = |query: &str| -> Vec<Value> {
        let answer = admin(&hub, Request::get(&format!("/api/deliveries{query}")));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|delivery| delivery["id"].clone())
            .collect()
    };
    for (query, found) in [
        ("", true),
        ("?state=pending", true),
        ("?platform=portal&state=pending", true),
        ("?state=confirmed", false),
        ("?state=given-up", false),
        ("?platform=dam", false),
        (format!("?after={session}").as_str(), false),
    ] {
        assert_eq!(
            ids(query),
            if found {
                vec![json!(session)]
            } else {
                Vec::new()
            },
            "{query}"
        );
    }
    let delivery = admin(&hub, Request::get("/api/deliveries")).json()["deliveries"][0].clone();
    assert_eq!(
        (
            &delivery["receipt"],
            &delivery["platform"],
            &delivery["subject"]
        ),
        (&json!(receipt), &json!("portal"), &json!("alice"))
    );
    assert!(!delivery.to_string().contains("canary"));
}

fn a_delivery_that_waits_is_tried_at_once_when_an_administrator_says_so_and_only_until_it_is_confirmed(
    store: StoreKind,
) {
    let (hub, upstream, session, receipt) = pending(store);
    upstream.now(signed_out());
    let retry = || {
        admin(
            &hub,
            Request::post(&format!("/api/deliveries/{session}/retry")),
        )
    };
    let answer = retry();
    assert_eq!(
        (answer.status, text(&answer.json()["id"])),
        (202, session.clone()),
        "{}",
        answer.text()
    );
    // An hour would have passed before the next try.
    let settled = admin(
        &hub,
        Request::get(&format!("/api/receipts/{receipt}?wait=60s")),
    )
    .json();
    assert_eq!(settled["progress"]["settled"], 1, "{settled}");
    assert_is_problem(&retry(), 409);
}

fn a_delivery_that_does_not_exist_cannot_be_tried(store: StoreKind) {
    let (hub, _upstream, _, receipt) = pending(store);
    for id in [
        receipt.as_str(),
        "x",
        "018f0000-0000-7000-8000-000000000000",
    ] {
        assert_is_problem(
            &admin(&hub, Request::post(&format!("/api/deliveries/{id}/retry"))),
            404,
        );
    }
}
