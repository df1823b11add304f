//! One sign-out ends every session of a person, at every product.

use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::json;

use logout_tests::front::{Front, VENDORS, admin, deliveries, login, platform, receipt, settled};

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "everywhere::a_sign_out_at_any_platform_ends_all_four_and_is_verified",
        &[],
        all_four,
    );
    run.on_every_store("everywhere::nobody_else_s_session_ends", &[], nobody_else);
    run.on_every_store(
        "everywhere::a_login_through_the_hub_is_the_product_s_own_and_is_registered",
        &[],
        relayed,
    );
    run.on_every_store(
        "everywhere::a_registered_session_ends_like_one_that_was_relayed",
        &[],
        registered,
    );
    run.on_every_store(
        "everywhere::an_administrator_s_order_reaches_the_products",
        &[],
        ordered,
    );
    run.on_every_store(
        "everywhere::without_waiting_the_answer_comes_at_once_and_the_rest_follows",
        &[],
        not_waiting,
    );
    run.on_every_store(
        "everywhere::a_product_that_is_down_is_told_when_it_is_back",
        &[],
        down_and_back,
    );
    run.on_every_store(
        "everywhere::what_is_due_survives_a_restart_of_the_hub",
        &[],
        over_a_restart,
    );
    run.on_every_store(
        "everywhere::a_claimed_sign_out_whose_token_lives_on_is_reported",
        &[],
        outlived,
    );
    run.test(
        "everywhere::the_store_shows_no_credential_without_the_key",
        &[],
        sealed,
    );
}

fn all_four(store: StoreKind) {
    for asked in VENDORS {
        let front = Front::start(store, "wait = \"20s\"");
        let sessions = VENDORS.map(|vendor| front.login(vendor));
        for session in &sessions {
            assert!(front.is_alive(session), "{}", session.vendor);
        }
        let of_asked = sessions
            .iter()
            .find(|session| session.vendor == asked)
            .unwrap();
        let answer = of_asked.sign_out().send(front.hub.address());
        assert!(
            answer.status < 400,
            "{asked}: {} {}",
            answer.status,
            answer.text()
        );
        for session in &sessions {
            assert!(
                !front.is_alive(session),
                "{} lives after a sign-out at {asked}",
                session.vendor
            );
        }
        // It waited: the receipt is complete by now.
        let receipt = receipt(&front.hub, &answer);
        let mut platforms: Vec<_> = receipt["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|session| session["platform"].clone())
            .collect();
        platforms.sort_by_key(ToString::to_string);
        assert_eq!(json!(platforms), json!(VENDORS), "{receipt}");
        assert_eq!(
            receipt["progress"],
            json!({ "deliveries": 4, "settled": 4 }),
            "{receipt}"
        );
        for delivery in deliveries(&receipt) {
            assert_eq!(
                (&delivery["state"], &delivery["verified"]),
                (&json!("confirmed"), &json!("dead")),
                "{receipt}"
            );
        }
        let again = of_asked.sign_out().send(front.hub.address());
        let ended = admin(
            &front.hub,
            Request::get("/api/sessions?person=alice@example.com"),
        )
        .json()["sessions"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(ended, 0, "{} {}", again.status, again.text());
    }
}

fn nobody_else(store: StoreKind) {
    let front = Front::start(store, "wait = \"20s\"");
    let bobs = VENDORS.map(|vendor| login(&front.hub, vendor, "bob", Accounts::BOB));
    let alices = VENDORS.map(|vendor| front.login(vendor));
    alices[0].sign_out().send(front.hub.address());
    for (bob, alice) in bobs.iter().zip(&alices) {
        assert!(
            front.is_alive(bob) && !front.is_alive(alice),
            "{}",
            bob.vendor
        );
    }
}

fn relayed(store: StoreKind) {
    let front = Front::start(store, "");
    for vendor in VENDORS {
        let session = front.login(vendor);
        assert!(front.is_alive(&session), "{vendor}");
        // Beside the visitor that a Wix login begins as.
        let filter = format!("/api/sessions?platform={vendor}&person=alice@example.com");
        let known = admin(&front.hub, Request::get(&filter)).json();
        let known = known["sessions"].as_array().unwrap();
        assert_eq!(known.len(), 1, "{vendor}");
        assert_eq!(
            (&known[0]["person"], &known[0]["upstream"]),
            (&json!("alice@example.com"), &json!(true)),
            "{vendor}"
        );
    }
    let wrong = Request::post("/services/login")
        .form(&[("username", "alice"), ("password", "wrong")])
        .send(front.hub.address());
    assert_eq!(wrong.json()["loginSuccess"], false);
    assert_eq!(
        admin(&front.hub, Request::get("/api/sessions?platform=assets")).json()["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

fn registered(store: StoreKind) {
    let front = Front::start(store, "wait = \"20s\"");
    let own = login(
        &front.stand_ins["hcl-dx"],
        "hcl-dx",
        "alice",
        Accounts::ALICE,
    );
    let (_, cookie) = own.header.1.split_once('=').unwrap();
    let registration =
        json!({ "platform": "hcl-dx", "subject": "alice", "cookies": { "LtpaToken2": cookie } });
    let answer = admin(
        &front.hub,
        Request::post("/api/sessions").json(&registration),
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
    let other = front.login("assets");
    other.sign_out().send(front.hub.address());
    assert!(!front.is_alive(&own) && !front.is_alive(&other));
}

fn ordered(store: StoreKind) {
    let front = Front::start(store, "wait = \"0ms\"");
    let sessions = VENDORS.map(|vendor| front.login(vendor));
    let order = admin(
        &front.hub,
        Request::post("/api/logouts").json(&json!({ "person": "alice@example.com" })),
    );
    assert_eq!(order.status, 202, "{}", order.text());
    let id = order.json()["receipt"].as_str().unwrap().to_owned();
    let receipt = admin(
        &front.hub,
        Request::get(&format!("/api/receipts/{id}?wait=20s")),
    )
    .json();
    assert_eq!(
        (&receipt["reason"], &receipt["progress"]["settled"]),
        (&json!("administrator"), &json!(4)),
        "{receipt}"
    );
    assert!(sessions.iter().all(|session| !front.is_alive(session)));
}

fn not_waiting(store: StoreKind) {
    let front = Front::start(store, "wait = \"0ms\"");
    let sessions = VENDORS.map(|vendor| front.login(vendor));
    let answer = sessions[1].sign_out().send(front.hub.address());
    let receipt = settled(&front.hub, &answer);
    assert_eq!(receipt["progress"]["settled"], 4);
    assert!(sessions.iter().all(|session| !front.is_alive(session)));
}

fn down_and_back(store: StoreKind) {
    let mut front = Front::start(
        store,
        "wait = \"100ms\"\nfirst_retry = \"10ms\"\nlast_retry = \"50ms\"",
    );
    let sessions = VENDORS.map(|vendor| front.login(vendor));
    front.stand_ins.get_mut("assets").unwrap().pause();
    let answer = sessions[2].sign_out().send(front.hub.address());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let pending = receipt(&front.hub, &answer);
    let of = |receipt: &serde_json::Value, platform: &str| {
        let sessions = receipt["sessions"].as_array().unwrap();
        sessions
            .iter()
            .find(|session| session["platform"] == platform)
            .unwrap()["delivery"]["state"]
            .clone()
    };
    assert_eq!(of(&pending, "assets"), "pending", "{pending}");
    front.stand_ins.get_mut("assets").unwrap().resume();
    logout_tests::front::wait_until("the product is told", || {
        front.hub.advance(std::time::Duration::from_secs(1));
        of(&receipt(&front.hub, &answer), "assets") == "confirmed"
    });
    assert!(sessions.iter().all(|session| !front.is_alive(session)));
}

fn over_a_restart(store: StoreKind) {
    let mut front = Front::start(
        store,
        "wait = \"0ms\"\nfirst_retry = \"10ms\"\nlast_retry = \"50ms\"",
    );
    let sessions = VENDORS.map(|vendor| front.login(vendor));
    for stand_in in front.stand_ins.values_mut() {
        stand_in.pause();
    }
    let answer = sessions[3].sign_out().send(front.hub.address());
    front.hub.restart().unwrap();
    for stand_in in front.stand_ins.values_mut() {
        stand_in.resume();
    }
    logout_tests::front::wait_until("all products are told", || {
        front.hub.advance(std::time::Duration::from_secs(1));
        receipt(&front.hub, &answer)["progress"]["settled"] == 4
    });
    assert!(sessions.iter().all(|session| !front.is_alive(session)));
}

/// LTPA is the case in point: a product that does not track tokens that were signed out.
fn outlived(store: StoreKind) {
    let product =
        TestHub::start("hcl-dx", &["track_logged_out_tokens = false".to_owned()]).unwrap();
    let hub = TestHub::on(
        store,
        &format!(
            "[single_logout]\nwait = \"20s\"\n{}",
            platform("hcl-dx", &product.base(), "")
        ),
    )
    .unwrap();
    let session = login(&hub, "hcl-dx", "alice", Accounts::ALICE);
    let answer = session.sign_out().send(hub.address());
    let receipt = receipt(&hub, &answer);
    let delivery = &deliveries(&receipt)[0];
    assert_eq!(
        (&delivery["state"], &delivery["verified"]),
        (&json!("confirmed"), &json!("outlived")),
        "{receipt}"
    );
    assert!(session.is_alive(&product));
    let metrics = Request::get("/metrics").send(hub.admin_address()).text();
    assert!(
        metrics.lines().any(|line| line.contains("outlived")
            && line.contains("hcl-dx")
            && !line.ends_with(" 0")),
        "{metrics}"
    );
}

fn sealed() {
    let mut front = Front::start(StoreKind::Disk, "wait = \"0ms\"");
    let sessions = VENDORS.map(|vendor| front.login(vendor));
    for stand_in in front.stand_ins.values_mut() {
        stand_in.pause();
    }
    sessions[0].sign_out().send(front.hub.address());
    // Written out by the stop, read back after it.
    front.hub.restart().unwrap();
    let mut bytes = 0;
    for file in files(front.hub.folder()) {
        let content = std::fs::read(&file).unwrap();
        bytes += content.len();
        for session in &sessions {
            let secret = session
                .header
                .1
                .rsplit(['=', ' '])
                .find(|part| part.len() > 20)
                .unwrap()
                .as_bytes();
            assert!(
                !content.windows(secret.len()).any(|window| window == secret),
                "{} is in {}",
                session.vendor,
                file.display()
            );
        }
    }
    assert!(bytes > 1_000, "the store was not looked at");
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
