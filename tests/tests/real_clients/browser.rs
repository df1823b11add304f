//! Chromium: log in by cookie, sign out, follow the redirect, and the browser's cookie jar is
//! empty.
//!
//! An empty jar does not show that a session is over, so whatever it held is presented once more by
//! the raw client.

use logout_tests::browser::{Browser, JarCookie};
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::{Need, Run};
use logout_tests::tls::Certificate;
use serde_json::{Value, json};

use crate::logins::{self, WIX_APP, dead, text};

pub(crate) fn add(run: &mut Run) {
    let mut test = |name, body| run.test(name, &[Need::Chromium], body);
    test(
        "browser::sitefinity_sign_out_leaves_no_cookie_and_leads_to_the_root",
        sitefinity,
    );
    test(
        "browser::sitefinity_without_sts_signout_keeps_what_signs_in_again",
        sitefinity_site_only,
    );
    test(
        "browser::secure_cookies_are_gone_after_a_sign_out_over_tls_and_dead_when_put_back",
        over_tls,
    );
    test(
        "browser::assets_logout_leaves_no_cookie_and_leads_to_the_landing_page",
        assets,
    );
    test(
        "browser::assets_logout_leads_to_another_site_that_is_allowed",
        assets_elsewhere,
    );
    test(
        "browser::hcl_dx_portal_logout_leaves_no_cookie_and_leads_to_the_public_home",
        hcl_dx,
    );
    test(
        "browser::wix_redirect_session_leaves_no_cookie_and_leads_back_to_the_app",
        wix,
    );
}

/// The value of the cookie of this name, which scripts must not be able to read.
fn guarded<'a>(cookies: &'a [JarCookie], name: &str) -> &'a str {
    let cookie = cookies
        .iter()
        .find(|cookie| cookie.name == name)
        .unwrap_or_else(|| panic!("no {name} in {cookies:?}"));
    assert!(cookie.http_only, "{cookie:?}");
    &cookie.value
}

fn assert_no_cookie_is_left(browser: &Browser) {
    assert_eq!((browser.cookies(), browser.whole_jar()), (vec![], vec![]));
}

/// Logs `alice` in at the token service's page, and waits for the site's root.
fn log_in_at_sitefinity(browser: &Browser, hub: &TestHub) {
    browser.open(&format!(
        "{}/Sitefinity/Authenticate/OpenID/connect/authorize",
        hub.base()
    ));
    browser.fill("username", "alice");
    browser.fill("password", Accounts::ALICE);
    browser.click("button");
    browser.wait_for_url(|url| url == format!("{}/", hub.base()));
}

fn sitefinity() {
    let (hub, browser) = (TestHub::start("sitefinity", &[]).unwrap(), Browser::start());
    log_in_at_sitefinity(&browser, &hub);
    let cookies = browser.cookies();
    let (site, token_service) = (
        guarded(&cookies, ".AspNet.Cookies"),
        guarded(&cookies, "idsrv"),
    );
    guarded(&cookies, "SF-TokenId");
    assert!(logins::sitefinity_is_signed_in(&hub, site));

    browser.open(&format!(
        "{}/Sitefinity/SignOut?sts_signout=true",
        hub.base()
    ));
    assert_eq!(browser.url(), format!("{}/", hub.base()));
    assert_no_cookie_is_left(&browser);
    assert!(!logins::sitefinity_is_signed_in(&hub, site));
    let silent = Request::get("/Sitefinity/Authenticate/OpenID/connect/authorize")
        .header("Cookie", &format!("idsrv={token_service}"));
    assert_eq!(silent.send(hub.address()).cookie(".AspNet.Cookies"), None);
}

fn sitefinity_site_only() {
    let (hub, browser) = (TestHub::start("sitefinity", &[]).unwrap(), Browser::start());
    log_in_at_sitefinity(&browser, &hub);
    let cookies = browser.cookies();
    let before = guarded(&cookies, ".AspNet.Cookies");
    let status = format!("{}/rest-api/login-status", hub.base());

    browser.open(&format!(
        "{}/Sitefinity/SignOut?redirect_uri=%2Frest-api%2Flogin-status",
        hub.base()
    ));
    assert_eq!(browser.url(), status);
    assert!(
        browser.text().contains("\"IsLoggedIn\":false"),
        "{}",
        browser.text()
    );
    let left: Vec<String> = browser
        .whole_jar()
        .into_iter()
        .map(|cookie| cookie.name)
        .collect();
    assert_eq!(left, ["idsrv"]);
    assert!(!logins::sitefinity_is_signed_in(&hub, before));

    // The token service still knows the browser, and asks for no password: that is what the other
    // layer is for.
    browser.open(&format!("{}/Sitefinity/Authenticate/OpenID/connect/authorize?redirect_uri=%2Frest-api%2Flogin-status", hub.base()));
    assert_eq!(browser.url(), status);
    assert!(
        browser.text().contains("\"IsLoggedIn\":true"),
        "{}",
        browser.text()
    );
}

fn over_tls() {
    let certificate = Certificate::new();
    let hub = TestHub::over_tls(
        &certificate,
        "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n",
    )
    .unwrap();
    let browser = Browser::start();
    log_in_at_sitefinity(&browser, &hub);
    let cookies = browser.cookies();
    assert!(
        cookies.len() == 3
            && cookies
                .iter()
                .all(|cookie| cookie.secure && cookie.http_only),
        "{cookies:?}"
    );
    let status = format!("{}/rest-api/login-status", hub.base());
    browser.open(&status);
    assert!(
        browser.text().contains("\"IsLoggedIn\":true"),
        "{}",
        browser.text()
    );

    browser.open(&format!(
        "{}/Sitefinity/SignOut?sts_signout=true",
        hub.base()
    ));
    assert_eq!(browser.url(), format!("{}/", hub.base()));
    assert_no_cookie_is_left(&browser);
    for cookie in &cookies {
        browser.put_back(cookie);
    }
    assert_eq!(browser.cookies().len(), 3);
    browser.open(&status);
    assert!(
        browser.text().contains("\"IsLoggedIn\":false"),
        "{}",
        browser.text()
    );
    browser.open(&format!(
        "{}/Sitefinity/Authenticate/OpenID/connect/authorize",
        hub.base()
    ));
    assert!(browser.text().contains("User name"), "{}", browser.text());
}

/// Logs `alice` in by a form that is posted to Assets' login service, and returns the cookie's
/// value.
fn log_in_at_assets(browser: &Browser, hub: &TestHub) -> String {
    const POST_FORM: &str = "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0];
        for (const [name, value] of Object.entries(arguments[1])) {
            const field = document.createElement('input'); field.name = name; field.value = value; form.append(field);
        }
        document.body.append(form); form.submit();";
    browser.open(&format!("{}/client", hub.base()));
    assert!(
        browser.text().contains("Nobody is signed in."),
        "{}",
        browser.text()
    );
    browser.run(
        POST_FORM,
        &[
            json!("/services/login"),
            json!({ "username": "alice", "password": Accounts::ALICE }),
        ],
    );
    browser.wait_for_url(|url| url.ends_with("/services/login"));
    assert!(
        browser.text().contains("\"loginSuccess\":true"),
        "{}",
        browser.text()
    );
    browser.open(&format!("{}/client", hub.base()));
    assert!(
        browser.text().contains("Signed in: Alice Example."),
        "{}",
        browser.text()
    );
    guarded(&browser.cookies(), "authToken").to_owned()
}

fn assets() {
    let (hub, browser) = (
        TestHub::start("assets", &["landing_page = \"/client\"".to_owned()]).unwrap(),
        Browser::start(),
    );
    let token = log_in_at_assets(&browser, &hub);
    browser.open(&format!("{}/logout", hub.base()));
    assert_eq!(browser.url(), format!("{}/client", hub.base()));
    assert!(
        browser.text().contains("Nobody is signed in."),
        "{}",
        browser.text()
    );
    assert_no_cookie_is_left(&browser);
    assert_eq!(
        logins::assets_fault(&hub, "Cookie", &format!("authToken={token}")),
        Some(401)
    );
    assert_eq!(
        logins::assets_fault(&hub, "Authorization", &format!("Bearer {token}")),
        Some(401)
    );
}

fn assets_elsewhere() {
    let elsewhere = TestHub::start("assets", &["landing_page = \"/goodbye\"".to_owned()]).unwrap();
    // Another host name makes it another site.
    let return_address = format!(
        "http://localhost:{}/goodbye?from=dam#top",
        elsewhere.address().port()
    );
    let allowed = format!(
        "landing_page = \"/client\"\nredirects = [\"http://localhost:{}\"]",
        elsewhere.address().port()
    );
    let (hub, browser) = (
        TestHub::start("assets", &[allowed]).unwrap(),
        Browser::start(),
    );
    let token = log_in_at_assets(&browser, &hub);
    browser.open(&format!(
        "{}/logout?logoutSuccessUrl={}",
        hub.base(),
        logout_tests::http::percent_encode(&return_address)
    ));
    assert_eq!(browser.url(), return_address);
    assert_no_cookie_is_left(&browser);
    assert_eq!(
        logins::assets_fault(&hub, "Cookie", &format!("authToken={token}")),
        Some(401)
    );
}

fn hcl_dx() {
    const LOG_IN: &str = "return fetch('/dx/api/core/v1/auth/login', {
            method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(arguments[0]),
        }).then((answer) => answer.status)";
    const LOGOUT: &str =
        "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/";
    let (hub, browser) = (TestHub::start("hcl-dx", &[]).unwrap(), Browser::start());
    // An answer without the pages' security policy, which lets no script of theirs connect to
    // anything.
    browser.open(&format!("{}/dx/api/core/v1/auth/validate", hub.base()));
    assert_eq!(
        browser.run(
            LOG_IN,
            &[json!({ "username": "alice", "password": Accounts::ALICE })]
        ),
        200
    );
    browser.open(&format!("{}/wps/myportal", hub.base()));
    assert!(
        browser.text().contains("Signed in: alice."),
        "{}",
        browser.text()
    );
    let cookies = browser.cookies();
    let token = guarded(&cookies, "LtpaToken2");
    assert_eq!(logins::ltpa_probe(&hub, token), 200);

    browser.open(&format!("{}{LOGOUT}", hub.base()));
    assert_eq!(browser.url(), format!("{}/wps/portal", hub.base()));
    assert!(
        browser.text().contains("Nobody is signed in."),
        "{}",
        browser.text()
    );
    assert_no_cookie_is_left(&browser);
    assert_eq!(logins::ltpa_probe(&hub, token), 401);
}

fn wix() {
    let (hub, browser) = (logins::wix_hub(), Browser::start());
    // The app is another site: the browser compares host names.
    let app = format!("http://localhost:{}/", hub.address().port());
    browser.open(&format!("{}{}", hub.base(), logins::wix_authorize(&app)));
    browser.fill("email", "alice@example.com");
    browser.fill("password", Accounts::ALICE);
    browser.click("button");
    browser.wait_for_url(|url| url.starts_with(&app));
    let member = logins::wix_exchange(&hub, &app, &browser.url());
    let jar = browser.whole_jar();
    let cookie = guarded(&jar, "smSession");
    let by_cookie = || {
        Request::get("/members/v1/members/my")
            .header("Cookie", &format!("smSession={cookie}"))
            .send(hub.address())
            .status
    };
    assert_eq!(
        (by_cookie(), logins::wix_probes(&hub, &member)),
        (200, logins::alive())
    );

    let wanted = json!({ "logout": { "clientId": WIX_APP }, "callbacks": { "postFlowUrl": format!("{app}?bye=1#top") } });
    let made: Value = Request::post("/headless/v1/redirect-session")
        .header("Authorization", &member.access)
        .json(&wanted)
        .send(hub.address())
        .json();
    let full_url = text(&made["redirectSession"]["fullUrl"]);
    browser.open(&full_url);
    assert_eq!(
        browser.url(),
        format!("{app}?bye=1&wixMemberLoggedIn=false#top")
    );
    assert_no_cookie_is_left(&browser);
    assert_eq!(
        (by_cookie(), logins::wix_probes(&hub, &member)),
        (401, dead())
    );

    // Whoever follows the link again arrives all the same.
    browser.open(&full_url);
    assert_eq!(
        browser.url(),
        format!("{app}?bye=1&wixMemberLoggedIn=false#top")
    );
}
