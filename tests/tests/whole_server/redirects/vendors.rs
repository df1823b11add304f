//! Where each vendor takes an address.

use logout_tests::http::{Answer, Request, percent_encode};
use logout_tests::hub::Accounts;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};
use url::Url;

use super::{Hub, is_subdomain, queries};
use crate::sample::{self, CLIENT, Sample};

/// A login costs a password hash, so only some of the addresses are tried at logins.
const AT_LOGINS: usize = 11;

/// The challenge in RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) fn sitefinity(store: StoreKind) {
    let hub = Hub::start(store);
    for attack in hub.attacks() {
        for query in queries("redirect_uri", &attack) {
            for method in ["GET", "POST"] {
                let target = format!("/Sitefinity/SignOut?{query}");
                let answer = hub.send(&Request::new(method, &target));
                assert!(
                    matches!(answer.status, 302 | 400),
                    "{target}: {}",
                    answer.status
                );
                hub.assert_leads_where_it_may(&target, &attack, answer.header("location"), |url| {
                    hub.is_allowed(url)
                });
            }
            let target = format!("/Sitefinity/Authenticate/OpenID/connect/authorize?{query}");
            let page = hub.send(&Request::get(&target)).text();
            let redirect = page
                .split("name=\"RedirectUrl\" value=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            if let Some(redirect) = redirect {
                let redirect = redirect
                    .replace("&#38;", "&")
                    .replace("&amp;", "&")
                    .replace("&#39;", "'")
                    .replace("&#34;", "\"");
                hub.assert_leads_where_it_may(&target, &attack, Some(&redirect), |url| {
                    hub.is_allowed(url)
                });
            } else {
                assert!(page.is_empty(), "{page}");
            }
        }
    }
}

pub(super) fn sitefinity_logins(store: StoreKind) {
    let hub = Hub::start(store);
    let token = hub
        .send(&Request::get("/sitefinity/anticsrf").header("X-SF-ANTIFORGERY-REQUEST", "true"))
        .json();
    let token = token["Value"].as_str().unwrap();
    for attack in hub.attacks().iter().step_by(AT_LOGINS) {
        for password in [Accounts::BOB, "wrong"] {
            let form = [
                ("username", "bob"),
                ("password", password),
                ("sf_antiforgery", token),
                ("RedirectUrl", attack),
                ("ErrorRedirectUrl", attack),
            ];
            let answer = hub.send(&Request::post("/sitefinity/login-handler").form(&form));
            assert_eq!(answer.status, 302);
            assert_eq!(
                answer.cookie(".AspNet.Cookies").is_some(),
                password == Accounts::BOB
            );
            hub.assert_leads_where_it_may(
                "/sitefinity/login-handler",
                attack,
                answer.header("location"),
                |url| hub.is_allowed(url),
            );
        }
    }
}

pub(super) fn assets(store: StoreKind) {
    let hub = Hub::start(store);
    for attack in hub.attacks() {
        let form = Request::post("/logout").form(&[("logoutSuccessUrl", &attack)]);
        let queries = queries("logoutSuccessUrl", &attack);
        let by_query = queries
            .iter()
            .map(|query| Request::get(&format!("/logout?{query}")));
        let posted = queries
            .iter()
            .map(|query| Request::post(&format!("/logout?{query}")));
        for request in by_query.chain(posted).chain([form]) {
            let answer = hub.send(&request);
            assert!(
                matches!(answer.status, 302 | 400),
                "{request:?}: {}",
                answer.status
            );
            hub.assert_leads_where_it_may("/logout", &attack, answer.header("location"), |url| {
                hub.is_allowed(url)
            });
        }
    }
    // Logins of the old versions: relative addresses only.
    for attack in hub.attacks().iter().step_by(AT_LOGINS) {
        for password in [Accounts::BOB, "wrong"] {
            let form = [
                ("username", "bob"),
                ("password", password),
                ("nextUrl", attack),
                ("failUrl", attack),
            ];
            let answer = hub.send(&Request::post("/elvis/services/login").form(&form));
            hub.assert_leads_where_it_may(
                "/elvis/services/login",
                attack,
                answer.header("location"),
                |url| hub.is_own(url),
            );
        }
    }
}

pub(super) fn wix(store: StoreKind) {
    let mut samples = Vec::new();
    let hub = Hub::with(store, |folder| samples = sample::load(folder, 4));
    let member: &Sample = samples
        .iter()
        .find(|sample| sample.vendor == logout_hub::Vendor::Wix)
        .unwrap();
    let allowed = |url: &Url| {
        let without_answer = url.as_str().split(['?', '#']).next().unwrap();
        without_answer == "https://www.example.com/goodbye"
            || is_subdomain(&url.origin().ascii_serialization())
    };
    for attack in hub.attacks() {
        for query in queries("postLogoutRedirectUri", &attack) {
            for accept in ["*/*", "application/json"] {
                let target =
                    format!("/_api/iam/authentication/v1/logout?clientId={CLIENT}&{query}");
                let answer = hub.send(&Request::get(&target).header("Accept", accept));
                hub.assert_leads_where_it_may(
                    &target,
                    &attack,
                    location(&answer).as_deref(),
                    allowed,
                );
            }
        }
        let body = json!({ "clientId": CLIENT, "postLogoutRedirectUri": attack });
        for accept in ["*/*", "application/json"] {
            let answer = hub.send(
                &Request::post("/v1/logout")
                    .header("Accept", accept)
                    .json(&body),
            );
            hub.assert_leads_where_it_may(
                "/v1/logout",
                &attack,
                location(&answer).as_deref(),
                allowed,
            );
        }
        let rest = format!(
            "clientId={CLIENT}&responseType=code&codeChallenge={CHALLENGE}&codeChallengeMethod=S256&prompt=none"
        );
        for query in queries("redirectUri", &attack) {
            let target = format!("/_api/oauth2/authorize?{rest}&{query}");
            let answer = hub.send(&Request::get(&target));
            hub.assert_leads_where_it_may(&target, &attack, answer.header("location"), allowed);
        }
        let body =
            json!({ "logout": { "clientId": CLIENT }, "callbacks": { "postFlowUrl": attack } });
        let answer =
            hub.send(&member.with(Request::post("/headless/v1/redirect-session").json(&body)));
        if answer.status == 200 {
            let link = Url::parse(
                answer.json()["redirectSession"]["fullUrl"]
                    .as_str()
                    .unwrap(),
            )
            .unwrap();
            assert!(hub.is_own(&link), "{link}");
            let redirect = link
                .query_pairs()
                .find(|(name, _)| name == "postLogoutRedirectUri")
                .map(|(_, value)| value.into_owned());
            hub.assert_leads_where_it_may(
                "/headless/v1/redirect-session",
                &attack,
                redirect.as_deref(),
                allowed,
            );
        }
    }
    assert!(
        member.is_alive(hub.server.address()),
        "nothing of this signed her out"
    );
}

/// The `Location` of an answer, also where an envelope of JSON holds it.
fn location(answer: &Answer) -> Option<String> {
    let plain = answer.header("location").map(str::to_owned);
    plain.or_else(|| {
        let envelope: Value = serde_json::from_slice(&answer.body).ok()?;
        let headers = envelope["headers"].as_array()?;
        let found = headers.iter().find(|header| {
            header["key"]
                .as_str()
                .is_some_and(|key| key.eq_ignore_ascii_case("location"))
        })?;
        found["value"].as_str().map(str::to_owned)
    })
}

pub(super) fn hcl_dx(store: StoreKind) {
    let mut samples = Vec::new();
    let hub = Hub::with(store, |folder| samples = sample::load(folder, 4 * 300));
    samples.retain(|sample| sample.vendor == logout_hub::Vendor::HclDx);
    let portal = "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/";
    let own = format!("{}/wps/portal", hub.server.base());
    for (number, attack) in hub.attacks().into_iter().enumerate() {
        let names = [
            "redirectUrl",
            "redirect.logout.url",
            "logoutExitPage",
            "redirect",
            "url",
            "returnUrl",
            "target",
        ];
        let query = names
            .map(|name| format!("{name}={}", percent_encode(&attack)))
            .join("&");
        // Every other time with a session to sign out.
        let mut with_session = |request: Request| {
            if number % 2 == 0 {
                samples.pop().expect("a session").with(request)
            } else {
                request
            }
        };
        let answer = if number % 3 == 0 {
            hub.send(&with_session(
                Request::post(&format!("/dx/api/core/v1/auth/logout?{query}"))
                    .json(&json!({ "redirectUrl": attack })),
            ))
        } else {
            hub.send(&with_session(Request::get(&format!("{portal}?{query}"))))
        };
        match answer.header("location") {
            Some(location) => assert_eq!(location, own),
            None => assert!(
                answer.status == 401 || answer.json()["redirectUrl"] == *own,
                "{}",
                answer.text()
            ),
        }
    }
}
