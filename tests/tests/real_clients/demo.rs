//! The demo in Chromium, by clicking, on a desk's screen and on a phone's.
//!
//! With `LOGOUT_HUB_SCREENSHOTS` set to a folder, the pictures in `docs/` are taken anew.

use std::path::Path;

use logout_tests::browser::Browser;
use logout_tests::demo::{Demo, Jar, SIGN_OUTS};
use logout_tests::skip::{Need, Run};
use serde_json::json;

const FOUR: [&str; 4] = ["cms", "dam", "portal", "shop"];

pub(crate) fn add(run: &mut Run) {
    let mut test = |name, body| run.test(name, &[Need::Chromium], body);
    test(
        "demo::one_click_signs_in_and_each_vendors_link_ends_all_four_and_lands_on_the_receipt",
        every_link,
    );
    test(
        "demo::the_receipt_in_the_browser_turns_from_pending_to_confirmed_by_itself",
        live_receipt,
    );
}

fn every_link() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, browser) = (Demo::start(folder.path()), Browser::start());
    for (asked, _) in SIGN_OUTS {
        let old = sign_in(&browser, &demo);
        fits_a_phone(&browser);
        browser.click(&format!("#{asked} .sign-out"));
        browser.wait_for_url(|url| url.starts_with(&format!("{}/receipts/", demo.server.base())));
        browser.wait_for_text(|text| text.contains("4 of 4 confirmed"));
        assert_eq!(
            browser.text().matches("verified dead").count(),
            4,
            "{}",
            browser.text()
        );
        assert_eq!(demo.alive(&old), [""; 0], "{asked}");
        fits_a_phone(&browser);
    }
}

fn live_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, browser) = (Demo::start(folder.path()), Browser::start());
    let old = sign_in(&browser, &demo);
    browser.resize(1000, 1010);
    picture(&browser, "console.png");
    browser.click("#shop form button");
    browser.wait_for_text(|text| text.contains("stopped"));
    browser.click("#cms .sign-out");
    browser.wait_for_url(|url| url.contains("/receipts/"));
    browser.wait_for_text(|text| text.contains("3 of 4 confirmed") && text.contains("1 pending"));
    browser.resize(1000, 420);
    picture(&browser, "receipt.png");
    fits_a_phone(&browser);
    // Started behind the browser's back: nobody touches the page that waits.
    demo.press("/demo/stand-ins/shop/start");
    browser.wait_for_text(|text| text.contains("4 of 4 confirmed") && !text.contains("pending"));
    assert_eq!(demo.alive(&old), [""; 0]);
    browser.click("a");
    browser.wait_for_text(|text| text.contains("Nobody is signed in"));
}

/// Clicks on the button, waits for four live sessions, and gives back the browser's cookies.
fn sign_in(browser: &Browser, demo: &Demo) -> Jar {
    browser.open(&demo.server.base());
    browser.click("#sign-in");
    browser.wait_for_text(|text| text.matches("alive").count() == FOUR.len());
    let jar = Jar(browser
        .cookies()
        .into_iter()
        .map(|cookie| (cookie.name, cookie.value))
        .collect());
    assert_eq!(demo.alive(&jar), FOUR);
    jar
}

/// Nothing of the page lies outside a phone's screen.
fn fits_a_phone(browser: &Browser) {
    browser.resize(360, 740);
    let width = browser.run(
        "return document.documentElement.scrollWidth",
        &[json!(null)],
    );
    browser.resize(1000, 860);
    assert!(width.as_u64().is_some_and(|width| width <= 360), "{width}");
}

fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("LOGOUT_HUB_SCREENSHOTS") {
        std::fs::write(Path::new(&folder).join(name), browser.screenshot()).unwrap();
    }
}
