//! Sessions that nobody signs out: they end by themselves, by the same path as any other.

use std::thread;
use std::time::{Duration, Instant};

use logout_core::receipt::Reason;
use logout_hub::Vendor;
use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::sample::{CLIENT, PLATFORMS, VENDORS};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// How long the sweeper may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "expiry::a_session_that_lies_unused_is_over_and_one_in_use_is_not",
        &[],
        idle,
    );
    run.on_every_store(
        "expiry::a_session_is_over_at_its_absolute_end_however_much_it_is_used",
        &[],
        absolute,
    );
    run.on_every_store(
        "expiry::the_sweeper_ends_what_has_expired_with_a_receipt",
        &[],
        swept,
    );
}

/// A hub of all vendors on a store of this kind, whose sweeper runs as `sweep_interval` says.
fn hub(store: StoreKind, sweep_interval: &str) -> TestHub {
    TestHub::on(
        store,
        &format!("[sessions]\nsweep_interval = \"{sweep_interval}\"\n{PLATFORMS}"),
    )
    .unwrap()
}

/// A login as people do it, and the header that presents what came of it.
fn login(hub: &TestHub, vendor: Vendor) -> (&'static str, String) {
    let send = |request: Request| request.send(hub.address());
    let cookie = |answer: &Answer, name: &str| {
        ("Cookie", format!("{name}={}", answer.cookie(name).unwrap()))
    };
    match vendor {
        Vendor::Assets => {
            let answer = send(
                Request::post("/services/login")
                    .form(&[("username", "bob"), ("password", Accounts::BOB)]),
            );
            cookie(&answer, "authToken")
        }
        Vendor::HclDx => {
            let answer = send(
                Request::post("/dx/api/core/v1/auth/login")
                    .json(&json!({ "username": "bob", "password": Accounts::BOB })),
            );
            cookie(&answer, "LtpaToken2")
        }
        Vendor::Sitefinity => {
            let token = send(
                Request::get("/sitefinity/anticsrf").header("X-SF-ANTIFORGERY-REQUEST", "true"),
            )
            .json();
            let form = [
                ("username", "bob"),
                ("password", Accounts::BOB),
                ("sf_antiforgery", token["Value"].as_str().unwrap()),
            ];
            cookie(
                &send(Request::post("/sitefinity/login-handler").form(&form)),
                ".AspNet.Cookies",
            )
        }
        Vendor::Wix => {
            let tokens: Value = send(
                Request::post("/oauth2/token")
                    .json(&json!({ "clientId": CLIENT, "grantType": "anonymous" })),
            )
            .json();
            (
                "Authorization",
                tokens["access_token"].as_str().unwrap().to_owned(),
            )
        }
    }
}

fn is_alive(hub: &TestHub, vendor: Vendor, (name, value): &(&'static str, String)) -> bool {
    let send = |request: Request| request.header(name, value).send(hub.address());
    match vendor {
        Vendor::Assets => send(Request::get("/services/profile"))
            .json()
            .get("errorcode")
            .is_none(),
        Vendor::HclDx => send(Request::post("/dx/api/core/v1/auth/validate")).status == 200,
        Vendor::Sitefinity => {
            send(Request::get("/rest-api/login-status")).json()["IsLoggedIn"] == true
        }
        // A visitor is known, but no member; an expired one is nobody.
        Vendor::Wix => send(Request::get("/members/v1/members/my")).status == 403,
    }
}

/// Whether the vendor's sessions end for lying unused. A token of Wix's or HCL DX's lives as long
/// as it says.
fn has_idle_timeout(vendor: Vendor) -> bool {
    matches!(vendor, Vendor::Assets | Vendor::Sitefinity)
}

fn idle(store: StoreKind) {
    let hub = hub(store, "1h");
    let (used, unused): (Vec<_>, Vec<_>) = VENDORS
        .iter()
        .map(|vendor| {
            (
                (*vendor, login(&hub, *vendor)),
                (*vendor, login(&hub, *vendor)),
            )
        })
        .unzip();
    hub.advance(29 * MINUTE);
    for (vendor, credential) in &used {
        assert!(
            is_alive(&hub, *vendor, credential),
            "{vendor} before its time"
        );
    }
    hub.advance(2 * MINUTE);
    for (vendor, credential) in &used {
        assert!(
            is_alive(&hub, *vendor, credential),
            "{vendor}, used two minutes ago"
        );
    }
    for (vendor, credential) in &unused {
        assert_eq!(
            is_alive(&hub, *vendor, credential),
            !has_idle_timeout(*vendor),
            "{vendor}, unused for 31 minutes"
        );
    }
}

fn absolute(store: StoreKind) {
    // What each vendor's page says, or the platform's default: an Assets token one hour, an LTPA
    // token two, a Wix access token four, a session of Sitefinity's twelve.
    let hub = hub(store, "1h");
    for (vendor, lifetime) in [
        (Vendor::Assets, HOUR),
        (Vendor::HclDx, 2 * HOUR),
        (Vendor::Sitefinity, 12 * HOUR),
        (Vendor::Wix, 4 * HOUR),
    ] {
        let credential = login(&hub, vendor);
        let mut lived = Duration::ZERO;
        while lived + 20 * MINUTE < lifetime {
            hub.advance(20 * MINUTE);
            lived += 20 * MINUTE;
            assert!(
                is_alive(&hub, vendor, &credential),
                "{vendor} after {lived:?}"
            );
        }
        hub.advance(20 * MINUTE);
        assert!(
            !is_alive(&hub, vendor, &credential),
            "{vendor} after {lifetime:?}"
        );
    }
}

fn swept(store: StoreKind) {
    let hub = hub(store, "20ms");
    let credentials: Vec<_> = VENDORS
        .iter()
        .map(|vendor| (*vendor, login(&hub, *vendor)))
        .collect();
    hub.advance(15 * 24 * HOUR);
    let deadline = Instant::now() + PATIENCE;
    // Five sessions: a login at Sitefinity opens one at the site and one at its token service.
    let receipts = loop {
        let page = futures_executor::block_on(hub.services().store.receipts(None, 100)).unwrap();
        if page
            .items
            .iter()
            .map(|receipt| receipt.sessions.len())
            .sum::<usize>()
            == VENDORS.len() + 1
        {
            break page.items;
        }
        assert!(Instant::now() < deadline, "{:?}", page.items);
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(
        receipts.len(),
        1,
        "one step of the sweeper shares one receipt"
    );
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.reason == Reason::Expiry && receipt.platform.is_none()),
        "{receipts:?}"
    );
    let mut platforms: Vec<&str> = receipts[0]
        .sessions
        .iter()
        .map(|session| session.platform.as_str())
        .collect();
    platforms.sort_unstable();
    assert_eq!(
        platforms,
        ["assets", "hcl-dx", "sitefinity", "sitefinity", "wix"]
    );
    for (vendor, credential) in &credentials {
        assert!(!is_alive(&hub, *vendor, credential), "{vendor}");
    }
    // The admin API shows it as it shows any other.
    let told = Request::get("/api/receipts")
        .header("Authorization", &format!("Bearer {}", hub.admin_token()))
        .send(hub.admin_address());
    assert_eq!(
        told.json()["receipts"][0]["reason"],
        "expiry",
        "{}",
        told.text()
    );
}
