//! Orders of an administrator.

use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::{admin, assert_names_field, fronts, listed, register, text};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "logouts";
        an_order_ends_whom_it_names_and_nobody_else
        an_order_for_one_session_ends_that_one
        a_realm_narrows_an_order_to_the_subject_in_it
        an_order_names_exactly_one_target
    }
}

fn order(hub: &TestHub, body: &Value) -> Answer {
    admin(hub, Request::post("/api/logouts").json(body))
}

fn subjects(hub: &TestHub) -> Vec<String> {
    let mut subjects: Vec<_> = listed(hub, "")
        .iter()
        .map(|session| {
            format!(
                "{}/{}",
                text(&session["platform"]),
                text(&session["subject"])
            )
        })
        .collect();
    subjects.sort();
    subjects
}

/// Two of alice's sessions at the portal, one at the DAM, and one of bob's at each.
fn people(store: StoreKind) -> TestHub {
    let hub = fronts(store);
    for (subject, cookie) in [("alice", "a1"), ("alice", "a2"), ("bob", "b1")] {
        register(&hub, subject, cookie);
    }
    for subject in ["alice", "bob"] {
        let body =
            json!({ "platform": "dam", "subject": subject, "cookies": { "authToken": subject } });
        assert_eq!(
            admin(&hub, Request::post("/api/sessions").json(&body)).status,
            201
        );
    }
    hub
}

fn an_order_ends_whom_it_names_and_nobody_else(store: StoreKind) {
    for (body, ended, left, reach) in [
        (
            json!({ "person": "alice@example.com" }),
            3,
            vec!["dam/bob", "portal/bob"],
            "person",
        ),
        (
            json!({ "subject": "alice", "platform": "portal" }),
            2,
            vec!["dam/alice", "dam/bob", "portal/bob"],
            "subject",
        ),
        (
            json!({ "subject": { "name": "alice", "realm": null }, "platform": "dam" }),
            1,
            vec!["dam/bob", "portal/alice", "portal/alice", "portal/bob"],
            "subject",
        ),
        (
            json!({ "platform": "portal" }),
            3,
            vec!["dam/alice", "dam/bob"],
            "subject",
        ),
    ] {
        let hub = people(store);
        let answer = order(&hub, &body);
        assert_eq!(answer.status, 202, "{body}: {}", answer.text());
        let said = answer.json();
        assert_eq!(
            (&said["ended"], &said["deliveries"], &said["settled"]),
            (&json!(ended), &json!(ended), &json!(0)),
            "{body}"
        );
        assert_eq!(subjects(&hub), left, "{body}");
        let receipt = admin(
            &hub,
            Request::get(&format!("/api/receipts/{}", text(&said["receipt"]))),
        )
        .json();
        assert_eq!(
            (&receipt["reason"], &receipt["reach"], &receipt["platform"]),
            (&json!("administrator"), &json!(reach), &Value::Null)
        );
        assert_eq!(
            receipt["sessions"].as_array().unwrap().len(),
            ended,
            "{receipt}"
        );
        assert!(
            receipt["sessions"]
                .as_array()
                .unwrap()
                .iter()
                .all(|session| session["reason"] == "administrator"),
            "{receipt}"
        );
        // The same again ends nothing, and leaves no receipt.
        let again = order(&hub, &body);
        let nothing = json!({ "receipt": null, "ended": 0, "deliveries": 0, "settled": 0 });
        assert_eq!((again.status, again.json()), (202, nothing), "{body}");
    }
}

fn an_order_for_one_session_ends_that_one(store: StoreKind) {
    let hub = people(store);
    let sessions = listed(&hub, "?platform=portal&subject=alice");
    let answer = order(&hub, &json!({ "session": sessions[0]["id"] }));
    assert_eq!((answer.status, &answer.json()["ended"]), (202, &json!(1)));
    assert_eq!(
        listed(&hub, "?platform=portal&subject=alice"),
        sessions[1..]
    );
    let again = order(&hub, &json!({ "session": sessions[0]["id"] }));
    assert_eq!(
        (again.status, &again.json()["receipt"]),
        (202, &Value::Null)
    );
}

fn a_realm_narrows_an_order_to_the_subject_in_it(store: StoreKind) {
    let hub = fronts(store);
    let site = |password: &str, realm: &str| {
        let form = [
            ("grant_type", "password"),
            ("username", "alice"),
            ("password", password),
            ("client_id", "c"),
            ("client_secret", "s"),
            ("membership_provider", realm),
        ];
        let answer = Request::post("/site/sitefinity/oauth/token")
            .form(&form)
            .send(hub.address());
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    site(logout_tests::hub::Accounts::ALICE, "Default");
    site(logout_tests::hub::Accounts::LDAP, "LDAP");
    assert_eq!(listed(&hub, "?platform=site&subject=alice").len(), 2);
    let answer = order(
        &hub,
        &json!({ "subject": "alice", "platform": "site", "realm": "ldap" }),
    );
    assert_eq!(
        (&answer.json()["ended"], &answer.json()["deliveries"]),
        (&json!(1), &json!(0)),
        "{}",
        answer.text()
    );
    assert_eq!(listed(&hub, "?realm=default").len(), 1);
    site(logout_tests::hub::Accounts::LDAP, "LDAP");
    // Without a realm, whoever has that name there.
    assert_eq!(
        order(&hub, &json!({ "subject": "alice", "platform": "site" })).json()["ended"],
        2
    );
}

fn an_order_names_exactly_one_target(store: StoreKind) {
    let hub = people(store);
    for (body, field) in [
        (json!({}), "person"),
        (json!({ "person": null }), "person"),
        (json!({ "person": "" }), "person"),
        (
            json!({ "person": "alice@example.com", "platform": "portal" }),
            "platform",
        ),
        (
            json!({ "person": "alice@example.com", "subject": "alice", "platform": "portal" }),
            "subject",
        ),
        (json!({ "session": "x", "platform": "portal" }), "platform"),
        (json!({ "session": "x" }), "session"),
        (json!({ "subject": "alice" }), "platform"),
        (
            json!({ "subject": { "realm": "Default" }, "platform": "portal" }),
            "subject.name",
        ),
        (
            json!({ "subject": { "realm": "a", "name": "alice" }, "realm": "b", "platform": "portal" }),
            "realm",
        ),
        (json!({ "platform": "prtal" }), "platform"),
        (json!({ "platform": "portal", "realm": "Default" }), "realm"),
        (
            json!({ "person": "alice@example.com", "realm": "Default" }),
            "realm",
        ),
        (json!({ "person": "x".repeat(257) }), "person"),
        (json!({ "persn": "alice@example.com" }), "persn"),
    ] {
        assert_names_field(&order(&hub, &body), field);
    }
    assert_eq!(subjects(&hub).len(), 5, "a refused order ended somebody");
}
