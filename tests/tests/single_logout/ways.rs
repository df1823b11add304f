//! Other ways for a session to end, and other ways to tell its product.

use std::time::Duration;

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
        "ways::a_session_that_expires_is_ended_at_its_product_too",
        &[],
        expiry,
    );
    run.on_every_store(
        "ways::traffic_that_passes_the_check_keeps_a_session_from_lying_idle",
        &[],
        idle,
    );
    run.on_every_store(
        "ways::sitefinity_is_told_by_name_where_an_administrator_is_configured",
        &[],
        by_name,
    );
    run.test(
        "ways::the_product_s_return_address_is_taken_where_it_came_in_time_and_is_allowed",
        &[],
        redirect,
    );
    run.on_every_store(
        "ways::at_reach_subject_and_session_others_of_the_person_live_on",
        &[],
        narrower,
    );
    run.test(
        "ways::the_widget_s_link_and_the_servlet_end_all_four_and_a_wrong_spelling_ends_none",
        &[],
        other_links,
    );
    run.test(
        "ways::who_may_read_a_relayed_login_is_for_the_product_to_say",
        &[],
        preflight,
    );
}

/// A hub in front of `product`, which looks for expired sessions all the time.
fn sweeping(store: StoreKind, product: &TestHub, more: &str) -> TestHub {
    let settings = "[single_logout]\nwait = \"0ms\"\n[sessions]\nabsolute_timeout = \"1h\"\nsweep_interval = \"20ms\"\n";
    TestHub::on(
        store,
        &format!("{settings}{}", platform("hcl-dx", &product.base(), more)),
    )
    .unwrap()
}

fn live_sessions(hub: &TestHub) -> usize {
    admin(hub, Request::get("/api/sessions")).json()["sessions"]
        .as_array()
        .unwrap()
        .len()
}

fn expiry(store: StoreKind) {
    let product = TestHub::start("hcl-dx", &[]).unwrap();
    let hub = sweeping(store, &product, "");
    let session = login(&hub, "hcl-dx", "alice", Accounts::ALICE);
    hub.advance(Duration::from_secs(59 * 60));
    assert_eq!(live_sessions(&hub), 1);
    hub.advance(Duration::from_secs(2 * 60));
    wait_until("the product is told", || !session.is_alive(&product));
    let receipts = admin(&hub, Request::get("/api/receipts")).json();
    assert_eq!(receipts["receipts"][0]["reason"], "expiry", "{receipts}");
}

fn idle(store: StoreKind) {
    let product = TestHub::start("hcl-dx", &[]).unwrap();
    let hub = sweeping(store, &product, "idle_timeout = \"10m\"");
    let (used, unused) = (
        login(&hub, "hcl-dx", "alice", Accounts::ALICE),
        login(&hub, "hcl-dx", "bob", Accounts::BOB),
    );
    let token = std::fs::read_to_string(hub.folder().join("check.token")).unwrap();
    let check = |cookie: &str| {
        let request = Request::get("/check/hcl-dx/wps/myportal").header("Cookie", cookie);
        request
            .header("Logout-Check-Token", token.trim())
            .send(hub.admin_address())
            .status
    };
    for _ in 0..3 {
        hub.advance(Duration::from_secs(5 * 60));
        assert_eq!(check(&used.header.1), 204);
    }
    wait_until("the unused one is ended", || !unused.is_alive(&product));
    assert!(used.is_alive(&product));
    assert_eq!((check(&used.header.1), check(&unused.header.1)), (204, 401));
}

fn by_name(store: StoreKind) {
    let product = TestHub::start("sitefinity", &[]).unwrap();
    let administrator = login(&product, "sitefinity", "admin", Accounts::ADMIN);
    let token = administrator.header.1.strip_prefix("Bearer ").unwrap();
    let more = format!("[platform.upstream_administrator]\nbearer_token = \"{token}\"");
    let settings = "[single_logout]\nwait = \"20s\"\nverify = false\n";
    let hub = TestHub::on(
        store,
        &format!(
            "{settings}{}",
            platform("sitefinity", &product.base(), &more)
        ),
    )
    .unwrap();
    let elsewhere = login(&product, "sitefinity", "alice", Accounts::ALICE);
    let bob = login(&product, "sitefinity", "bob", Accounts::BOB);
    // What is registered opens nothing at the product: only the name can have reached it.
    let stale =
        json!({ "platform": "sitefinity", "subject": { "name": "alice" }, "bearer": "stale" });
    let registered = admin(&hub, Request::post("/api/sessions").json(&stale));
    assert_eq!(registered.status, 201, "{}", registered.text());
    let answer = Request::get("/Sitefinity/SignOut?redirect=false")
        .header("Authorization", "Bearer stale")
        .send(hub.address());
    assert_eq!(deliveries(&receipt(&hub, &answer))[0]["state"], "confirmed");
    assert!(
        !elsewhere.is_alive(&product) && bob.is_alive(&product) && administrator.is_alive(&product)
    );
}

fn redirect() {
    for (configured, sent) in [
        ("https://www.example.com/goodbye", true),
        ("https://evil.example/", false),
    ] {
        let redirect = format!(
            "config_service = {{ \"redirect.logout\" = true, \"redirect.logout.url\" = \"{configured}\" }}"
        );
        let product = TestHub::start("hcl-dx", &[redirect]).unwrap();
        let settings = "[single_logout]\nwait = \"20s\"\n";
        let allow = "redirects = [\"https://www.example.com\"]";
        let hub = TestHub::with_platforms(&format!(
            "{settings}{}",
            platform("hcl-dx", &product.base(), allow)
        ))
        .unwrap();
        let answer = login(&hub, "hcl-dx", "alice", Accounts::ALICE)
            .sign_out()
            .send(hub.address());
        assert_eq!(
            answer.json()["redirectUrl"] == configured,
            sent,
            "{}",
            answer.text()
        );
        assert_eq!(deliveries(&receipt(&hub, &answer))[0]["state"], "confirmed");
    }
}

fn other_links() {
    for (asked, link, wrong, location) in [
        (
            "sitefinity",
            "/news/press/SignOut",
            "/news//press/SignOut",
            "/news/press",
        ),
        (
            "hcl-dx",
            "/wps/portal/ibm_security_logout?logoutExitPage=/portal",
            "/wps/portal/ibm_security_logout/",
            "/wps/portal",
        ),
    ] {
        let front = Front::with(StoreKind::Disk, "wait = \"20s\"", "person");
        let sessions = VENDORS.map(|vendor| front.login(vendor));
        let of_asked = sessions
            .iter()
            .find(|session| session.vendor == asked)
            .unwrap();
        let call = |path: &str| {
            Request::get(path)
                .header(of_asked.header.0, &of_asked.header.1)
                .send(front.hub.address())
        };
        assert_eq!(call(wrong).status, 404, "{wrong}");
        assert!(
            sessions.iter().all(|session| front.is_alive(session)),
            "{wrong}"
        );
        let answer = call(link);
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some(location)),
            "{link}"
        );
        for session in &sessions {
            assert!(
                !front.is_alive(session),
                "{} lives after {link}",
                session.vendor
            );
        }
        assert_eq!(
            receipt(&front.hub, &answer)["progress"],
            json!({ "deliveries": 4, "settled": 4 }),
            "{link}"
        );
    }
}

fn narrower(store: StoreKind) {
    for (reach, others_of_subject) in [("session", true), ("subject", false)] {
        let front = Front::with(store, "wait = \"20s\"", reach);
        let (first, second, other) = (
            front.login("hcl-dx"),
            front.login("hcl-dx"),
            front.login("assets"),
        );
        let answer = first.sign_out().send(front.hub.address());
        assert_eq!(receipt(&front.hub, &answer)["reach"], reach);
        assert!(!front.is_alive(&first) && front.is_alive(&other), "{reach}");
        assert_eq!(front.is_alive(&second), others_of_subject, "{reach}");
    }
}

fn preflight() {
    let allowed = "access-control-allow-origin: https://app.example\r\naccess-control-allow-headers: x-of-the-product\r\n";
    let upstream = ScriptedUpstream::start([], Behaviour::answer("204 No Content", allowed, ""));
    let hub = TestHub::with_platforms(&platform(
        "hcl-dx",
        &upstream.base(),
        "cors_origins = [\"https://other.example\"]",
    ))
    .unwrap();
    let asked = |path: &str| {
        let request = Request::new("OPTIONS", path).header("Origin", "https://app.example");
        request
            .header("Access-Control-Request-Method", "POST")
            .send(hub.address())
    };
    let answer = asked("/dx/api/core/v1/auth/login");
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("x-of-the-product"),
        "{}",
        answer.status
    );
    assert!(upstream.wait_for(1)[0].starts_with("OPTIONS /dx/api/core/v1/auth/login "));
    // Of a sign-out the hub itself is asked, and by this origin in vain.
    assert_eq!(
        asked("/dx/api/core/v1/auth/logout").header("access-control-allow-origin"),
        None
    );
    assert_eq!(upstream.requests().len(), 1);
}
