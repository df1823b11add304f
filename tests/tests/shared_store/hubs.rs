//! The rules, whatever the engine.

use std::time::Duration;

use logout_core::credential::Secret;
use logout_identity::hash_password;
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};

use crate::Engine;
use logout_tests::front::{
    Login, admin, deliveries, login, more_keys, platform, receipt, wait_until,
};

const VENDORS: [&str; 4] = logout_tests::front::VENDORS;

pub(crate) fn stand_ins() -> String {
    VENDORS
        .map(|vendor| {
            format!(
                "[[platform]]\nname = \"{vendor}\"\nvendor = \"{vendor}\"\n{}\n",
                more_keys(vendor)
            )
        })
        .concat()
}

pub(crate) fn hubs<const COUNT: usize>(engine: &impl Engine, tables: &str) -> [TestHub; COUNT] {
    std::array::from_fn(|_| TestHub::on_store(&engine.url(), tables).unwrap())
}

pub(crate) fn alice(hub: &TestHub, vendor: &'static str) -> Login {
    login(hub, vendor, "alice", Accounts::ALICE)
}

/// And what is opened at one is known at all.
pub(crate) fn what_is_signed_out_at_one_hub_is_dead_at_all_at_once<E: Engine>() {
    let engine = E::start();
    let hubs: [TestHub; 3] = hubs(&engine, &stand_ins());
    for (at, vendor) in VENDORS.into_iter().enumerate() {
        let session = alice(&hubs[at % 3], vendor);
        assert!(hubs.iter().all(|hub| session.is_alive(hub)), "{vendor}");
        let answer = session.sign_out().send(hubs[(at + 1) % 3].address());
        assert!(
            answer.status < 400,
            "{vendor}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(hubs.iter().all(|hub| !session.is_alive(hub)), "{vendor}");
        for hub in &hubs {
            assert_eq!(
                receipt(hub, &answer)["sessions"].as_array().unwrap().len(),
                1,
                "{vendor}"
            );
        }
    }
}

/// Whichever of them is ahead.
pub(crate) fn clocks_five_minutes_apart_bring_nothing_back<E: Engine>() {
    let engine = E::start();
    let [slow, fast]: [TestHub; 2] = hubs(
        &engine,
        &format!("[sessions]\nsweep_interval = \"20ms\"\n{}", stand_ins()),
    );
    fast.advance(Duration::from_secs(5 * 60));
    for (by, of) in [(&slow, &fast), (&fast, &slow)] {
        let sessions = VENDORS.map(|vendor| alice(of, vendor));
        for session in &sessions {
            assert!(
                session.is_alive(by) && session.is_alive(of),
                "{}",
                session.vendor
            );
            session.sign_out().send(by.address());
        }
        for session in &sessions {
            assert!(
                !session.is_alive(by) && !session.is_alive(of),
                "{}",
                session.vendor
            );
        }
    }
    // Half an hour without use ends a session, by either clock.
    let idle = alice(&slow, "assets");
    fast.advance(Duration::from_secs(26 * 60));
    assert!(!idle.is_alive(&fast));
    wait_until("it is ended", || expired(&fast) == 1);
    assert!(
        !idle.is_alive(&slow),
        "what one hub has ended as expired, another does not open"
    );
}

/// How many of alice's sessions were ended because they had expired.
fn expired(hub: &TestHub) -> usize {
    let receipts = admin(hub, Request::get("/api/receipts")).json();
    let by_expiry = receipts["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|receipt| receipt["reason"] == "expiry");
    let ended = by_expiry.flat_map(|receipt| receipt["sessions"].as_array().unwrap());
    ended
        .filter(|session| session["person"] == "alice@example.com")
        .count()
}

/// A hub that is restarted last has opened sessions with the old password meanwhile.
pub(crate) fn a_changed_password_ends_what_any_hub_opened_with_the_old_one<E: Engine>() {
    let engine = E::start();
    let [mut first, mut last]: [TestHub; 2] = hubs(&engine, &stand_ins());
    let early = VENDORS.map(|vendor| login(&first, vendor, "bob", Accounts::BOB));
    let (old, new) = (
        first.password_hash("bob"),
        hash_password(&Secret::new("another-password")).unwrap(),
    );
    first.reconfigure(&old, &new);
    first.restart().unwrap();
    assert!(
        early
            .iter()
            .all(|session| !session.is_alive(&first) && !session.is_alive(&last))
    );
    let late = VENDORS.map(|vendor| login(&last, vendor, "bob", Accounts::BOB));
    let newer = VENDORS.map(|vendor| login(&first, vendor, "bob", "another-password"));
    last.reconfigure(&old, &new);
    last.restart().unwrap();
    wait_until("they are ended", || {
        late.iter()
            .all(|session| !session.is_alive(&first) && !session.is_alive(&last))
    });
    assert!(newer.iter().all(|session| session.is_alive(&last)));
}

fn in_front_of(product: &TestHub) -> String {
    let settings = "[single_logout]\nwait = \"0ms\"\nattempt_timeout = \"1s\"\nfirst_retry = \"10ms\"\nlast_retry = \"50ms\"\n";
    format!("{settings}{}", platform("hcl-dx", &product.base(), ""))
}

/// By the time its lease would have run out, at the latest.
pub(crate) fn deliveries_of_a_hub_that_is_gone_are_made_by_another<E: Engine>() {
    let engine = E::start();
    let mut product = TestHub::start("hcl-dx", &[]).unwrap();
    let [mut dying, mut other]: [TestHub; 2] = hubs(&engine, &in_front_of(&product));
    other.share_seal_of(&dying);
    let sessions: Vec<_> = (0..5).map(|_| alice(&dying, "hcl-dx")).collect();
    product.pause();
    let answer = sessions[0].sign_out().send(dying.address());
    assert_eq!(receipt(&other, &answer)["progress"]["deliveries"], 5);
    dying.pause();
    product.resume();
    wait_until("the other hub tells the product", || {
        other.advance(Duration::from_secs(30));
        receipt(&other, &answer)["progress"]["settled"] == 5
    });
    assert!(sessions.iter().all(|session| !session.is_alive(&product)));
}

/// Though both look for what is due.
pub(crate) fn two_hubs_tell_each_product_and_settle_once<E: Engine>() {
    let engine = E::start();
    let product = TestHub::start("hcl-dx", &[]).unwrap();
    let [one, mut other]: [TestHub; 2] = hubs(&engine, &in_front_of(&product));
    other.share_seal_of(&one);
    let sessions: Vec<_> = (0..20)
        .map(|number| alice(if number % 2 == 0 { &one } else { &other }, "hcl-dx"))
        .collect();
    let answer = sessions[0].sign_out().send(other.address());
    wait_until("all are told", || {
        receipt(&one, &answer)["progress"]["settled"] == 20
    });
    for delivery in deliveries(&receipt(&other, &answer)) {
        assert_eq!(
            (&delivery["state"], &delivery["attempts"]),
            (&"confirmed".into(), &1.into()),
            "{delivery}"
        );
    }
    assert!(sessions.iter().all(|session| !session.is_alive(&product)));
}

/// 503, or the truth.
pub(crate) fn while_the_engine_is_down_nothing_is_claimed_and_then_all_goes_on<E: Engine>() {
    let mut engine = E::start();
    let [hub, other]: [TestHub; 2] = hubs(&engine, &stand_ins());
    let sessions = VENDORS.map(|vendor| alice(&hub, vendor));
    let ended = alice(&hub, "hcl-dx");
    assert_eq!(ended.sign_out().send(hub.address()).status, 200);
    let ready = |hub: &TestHub| Request::get("/readyz").send(hub.admin_address()).status;
    assert_eq!((ready(&hub), ready(&other)), (200, 200));
    engine.kill();
    for session in &sessions {
        let answer = session.sign_out().send(hub.address());
        assert_eq!(answer.status, 503, "{}: {}", session.vendor, answer.text());
        assert!(
            answer.headers_named("set-cookie").next().is_none(),
            "{} clears a cookie",
            session.vendor
        );
    }
    assert_eq!(ready(&hub), 503);
    engine.restart();
    wait_until("both are ready again", || {
        ready(&hub) == 200 && ready(&other) == 200
    });
    assert!(
        !ended.is_alive(&hub) && !ended.is_alive(&other),
        "what was acknowledged stays so"
    );
    for session in &sessions {
        assert!(session.is_alive(&other), "{}", session.vendor);
        assert!(
            session.sign_out().send(hub.address()).status < 400,
            "{}",
            session.vendor
        );
        assert!(!session.is_alive(&other), "{}", session.vendor);
    }
}

pub(crate) fn migrated_by_command() {
    let engine = <logout_engines::postgres::Server as Engine>::start();
    let by_hand = format!("migrate = false\n{}", stand_ins());
    let refused =
        TestHub::on_store(&Engine::url(&engine), &by_hand).expect_err("there are no tables");
    assert!(!refused.is_empty());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hub.toml"),
        format!(
            "[store]\nurl = \"{}\"\nmigrate = false\n",
            Engine::url(&engine)
        ),
    )
    .unwrap();
    for _ in 0..2 {
        let migrated =
            logout_tests::server::run(&["migrate", "--config", "hub.toml"], folder.path());
        assert!(
            migrated.status.success() && migrated.stdout.starts_with(b"ok: "),
            "{}",
            migrated.stderr
        );
    }
    let hub = TestHub::on_store(&Engine::url(&engine), &by_hand).unwrap();
    let session = alice(&hub, "assets");
    assert!(session.is_alive(&hub));
}
