//! A whole hub, before and after.

use logout_core::ports::Clock as _;
use logout_hub::SystemClock;
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};

use crate::command::{completed, copy};
use crate::engine::Engine;
use logout_tests::front::{admin, login, more_keys, platform, receipt, wait_until};

/// Stand-ins, and one platform in front of a product that bob is signed in at.
fn tables(product: &TestHub) -> String {
    let settings = "[single_logout]\nwait = \"0ms\"\nattempt_timeout = \"1s\"\nfirst_retry = \"10ms\"\nlast_retry = \"50ms\"\n";
    let stand_in = |vendor: &str| {
        format!(
            "[[platform]]\nname = \"{vendor}\"\nvendor = \"{vendor}\"\n{}\n",
            more_keys(vendor)
        )
    };
    let stand_ins = ["assets", "sitefinity", "wix"].map(stand_in).concat();
    format!(
        "{settings}{}{stand_ins}",
        platform("hcl-dx", &product.base(), "")
    )
}

/// The clock of the command is the system's. What a hub does with the time at its start, it does
/// anew.
fn catch_up(hub: &mut TestHub) {
    let behind = SystemClock.now().since(hub.services().clock.now());
    hub.advance(behind);
    hub.restart().unwrap();
}

fn check(hub: &TestHub, vendor: &str, header: &(&'static str, String)) -> u16 {
    let token = std::fs::read_to_string(hub.folder().join("check.token")).unwrap();
    let request =
        Request::get(&format!("/check/{vendor}/")).header("Logout-Check-Token", token.trim());
    request
        .header(header.0, &header.1)
        .send(hub.admin_address())
        .status
}

/// Cookies and tokens open what they opened, the dead stay dead, and a product that was down is
/// told by the hub on the new store.
pub(crate) fn everybody_goes_on_as_before_and_whoever_was_signed_out_stays_so<
    From: Engine,
    To: Engine,
>() {
    let (from, to) = (From::start(), To::start());
    let mut product = TestHub::start("hcl-dx", &[]).unwrap();
    let mut hub = TestHub::on_store(&from.url(), &tables(&product)).unwrap();
    catch_up(&mut hub);
    catch_up(&mut product);
    let alive: Vec<_> = ["assets", "hcl-dx", "sitefinity", "wix"]
        .map(|vendor| login(&hub, vendor, "alice", Accounts::ALICE))
        .into();
    let dead: Vec<_> = ["assets", "hcl-dx"]
        .map(|vendor| login(&hub, vendor, "bob", Accounts::BOB))
        .into();
    product.pause();
    let answer = dead[1].sign_out().send(hub.address());
    assert_eq!(
        receipt(&hub, &answer)["progress"]["deliveries"],
        1,
        "{}",
        answer.text()
    );
    let sessions =
        |hub: &TestHub| admin(hub, Request::get("/api/sessions")).json()["sessions"].clone();
    let before = sessions(&hub);
    assert!(
        before
            .as_array()
            .is_some_and(|sessions| sessions.len() >= 4),
        "{before}"
    );
    hub.pause();

    let line = completed(&copy(&from.url(), &to.url()));
    assert_eq!(line["source"]["deliveries"], 1, "{line}");
    for kind in ["agreed", "receipts", "sessions", "tombstones"] {
        assert_ne!(line["source"][kind], 0, "{line}");
    }

    hub.resume_on_store(&to.url()).unwrap();
    assert_eq!(sessions(&hub), before);
    product.resume();
    for login in &alive {
        assert!(
            login.is_alive(&hub) || login.vendor == "hcl-dx",
            "{}",
            login.vendor
        );
        assert_eq!(
            check(&hub, login.vendor, &login.header),
            204,
            "{}",
            login.vendor
        );
    }
    for login in &dead {
        assert!(
            login.vendor == "hcl-dx" || !login.is_alive(&hub),
            "{}",
            login.vendor
        );
        assert_eq!(
            check(&hub, login.vendor, &login.header),
            401,
            "{}",
            login.vendor
        );
    }
    assert!(alive[1].is_alive(&product));
    wait_until("the product is told by the hub on the new store", || {
        hub.advance(std::time::Duration::from_secs(30));
        receipt(&hub, &answer)["progress"]["settled"] == 1
    });
    assert!(!dead[1].is_alive(&product) && alive[1].is_alive(&product));
    // And what was moved is signed out like anything else.
    assert!(alive[0].sign_out().send(hub.address()).status < 400);
    assert!(!alive[0].is_alive(&hub));
}
