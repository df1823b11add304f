//! Sessions of accounts that are removed, or get another password, end at the next start.

use std::time::Duration;

use logout_core::credential::Secret;
use logout_core::receipt::Reason;
use logout_hub::Vendor;
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::json;

use crate::sample::{CLIENT, PLATFORMS, opens};

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "accounts::a_changed_password_and_a_removed_account_end_their_sessions_at_the_next_start",
        &[],
        changed,
    );
}

type Credential = (Vendor, (&'static str, String));

/// A login at each product that has accounts; the headers that present what came of it.
fn log_in(hub: &TestHub, name: &str, password: &str) -> Vec<Credential> {
    let send = |request: Request| request.send(hub.address());
    let assets =
        send(Request::post("/services/login").form(&[("username", name), ("password", password)]));
    let portal = send(
        Request::post("/dx/api/core/v1/auth/login")
            .json(&json!({ "username": name, "password": password })),
    );
    let token =
        send(Request::get("/sitefinity/anticsrf").header("X-SF-ANTIFORGERY-REQUEST", "true"))
            .json();
    let form = [
        ("username", name),
        ("password", password),
        ("sf_antiforgery", token["Value"].as_str().unwrap()),
    ];
    let site = send(Request::post("/sitefinity/login-handler").form(&form));
    [
        (Vendor::Assets, "authToken", assets),
        (Vendor::HclDx, "LtpaToken2", portal),
        (Vendor::Sitefinity, ".AspNet.Cookies", site),
    ]
    .into_iter()
    .map(|(vendor, cookie, answer)| {
        (
            vendor,
            (
                "Cookie",
                format!("{cookie}={}", answer.cookie(cookie).unwrap()),
            ),
        )
    })
    .collect()
}

fn alive(hub: &TestHub, credentials: &[Credential]) -> usize {
    // By GET only: a person's login at Assets needs its CSRF token for the others.
    credentials
        .iter()
        .filter(|(vendor, header)| opens(*vendor, std::slice::from_ref(header), hub.address()))
        .count()
}

fn changed(store: StoreKind) {
    let mut hub = TestHub::on(store, PLATFORMS).unwrap();
    let (alice, bob) = (
        log_in(&hub, "alice", Accounts::ALICE),
        log_in(&hub, "bob", Accounts::BOB),
    );
    let visitor = Request::post("/oauth2/token")
        .json(&json!({ "clientId": CLIENT, "grantType": "anonymous" }))
        .send(hub.address())
        .json();
    let visitor = visitor["access_token"].as_str().unwrap().to_owned();
    let knows_visitor = |hub: &TestHub| {
        Request::get("/members/v1/members/my")
            .header("Authorization", &visitor)
            .send(hub.address())
            .status
            == 403
    };
    hub.advance(Duration::from_secs(1));
    hub.restart().unwrap();
    assert_eq!(
        (alive(&hub, &alice), alive(&hub, &bob), knows_visitor(&hub)),
        (3, 3, true),
        "nothing has changed"
    );

    let (old, hash) = (
        hub.password_hash("bob"),
        logout_identity::hash_password(&Secret::new("another-password")).unwrap(),
    );
    hub.reconfigure(&old, &hash);
    hub.advance(Duration::from_secs(1));
    hub.restart().unwrap();
    assert_eq!(
        (alive(&hub, &alice), alive(&hub, &bob), knows_visitor(&hub)),
        (3, 0, true),
        "bob has another password"
    );
    let receipts = futures_executor::block_on(hub.services().store.receipts(None, 100))
        .unwrap()
        .items;
    let ended: Vec<_> = receipts
        .iter()
        .filter(|receipt| receipt.reason == Reason::AccountRemoved)
        .collect();
    assert!(
        ended
            .iter()
            .flat_map(|receipt| &receipt.sessions)
            .all(|session| &*session.subject.name == "bob")
    );
    // One at Assets and the portal each, two at the site: its token service has one of its own.
    assert_eq!(
        ended
            .iter()
            .map(|receipt| receipt.sessions.len())
            .sum::<usize>(),
        4
    );

    let between = log_in(&hub, "bob", "another-password");
    hub.reconfigure(&hash, &old);
    hub.advance(Duration::from_secs(1));
    hub.restart().unwrap();
    assert_eq!(
        (alive(&hub, &alice), alive(&hub, &between)),
        (3, 0),
        "bob has the former password again"
    );

    let again = log_in(&hub, "bob", Accounts::BOB);
    let of_alice = hub
        .configuration()
        .split("[[account]]")
        .find(|account| account.contains("person = \"alice@example.com\""))
        .unwrap();
    let of_alice = format!("[[account]]{}", of_alice.split("[[").next().unwrap());
    hub.reconfigure(&of_alice, "");
    hub.advance(Duration::from_secs(1));
    hub.restart().unwrap();
    assert_eq!(
        (
            alive(&hub, &alice),
            alive(&hub, &again),
            knows_visitor(&hub)
        ),
        (0, 3, true),
        "alice is gone"
    );
}
