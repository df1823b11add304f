//! Open redirects: every address of `data/redirects.txt`, asked for wherever a vendor takes one.

use logout_tests::http::{Answer, Request, percent_encode};
use logout_tests::hub::Accounts;
use logout_tests::server::Server;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};
use url::Url;

use crate::sample::{self, CLIENT, PLATFORMS, Sample};

const ATTACKS: &str = include_str!("../../data/redirects.txt");
/// A login costs a password hash, so only some of the addresses are tried at logins.
const AT_LOGINS: usize = 11;
/// The challenge in RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "landings::sitefinity_leads_to_allowed_origins_only",
        &[],
        sitefinity,
    );
    run.on_every_store(
        "landings::sitefinitys_logins_lead_to_allowed_origins_only",
        &[],
        sitefinity_logins,
    );
    run.on_every_store(
        "landings::assets_and_elvis_lead_to_allowed_origins_only",
        &[],
        assets,
    );
    run.on_every_store("landings::wix_leads_to_what_the_app_allows_only", &[], wix);
    run.on_every_store(
        "landings::hcl_dx_leads_to_its_own_page_whatever_is_asked",
        &[],
        hcl_dx,
    );
    run.on_every_store("landings::what_is_allowed_is_arrived_at", &[], allowed);
}

struct Hub {
    server: Server,
    folder: tempfile::TempDir,
}

impl Hub {
    fn start(store: StoreKind) -> Self {
        Self::with(store, |_| ())
    }

    fn with(store: StoreKind, before: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let elvis = "[[platform]]\nname = \"elvis\"\nvendor = \"assets\"\nprofile = \"elvis5\"\nprefix = \"/elvis\"\n";
        // As many wrong passwords as there are addresses to try.
        let login = "[login]\nguesses = 1000000\nguesses_per_address = 1000000\nguesses_per_account = 1000000\n";
        sample::configure_with(
            folder.path(),
            store,
            "",
            &format!("{login}{PLATFORMS}{elvis}"),
        );
        before(folder.path());
        Self {
            server: Server::serve(folder.path()),
            folder,
        }
    }

    fn send(&self, request: &Request) -> Answer {
        let answer = request.send(self.server.address());
        assert!(answer.status < 500, "{request:?}: {}", answer.status);
        answer
    }

    /// The addresses, with this server's own in their place.
    fn attacks(&self) -> Vec<String> {
        let host = self.server.address().to_string();
        let lines = ATTACKS
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let attacks: Vec<String> = lines
            .map(|line| {
                serde_json::from_str::<String>(line)
                    .unwrap_or_else(|fault| panic!("{line}: {fault}"))
            })
            .map(|attack| {
                attack
                    .replace("{base}", &self.server.base())
                    .replace("{host}", &host)
            })
            .collect();
        assert!(attacks.len() >= 150, "{}", attacks.len());
        attacks
    }

    /// Where a browser goes that gets `location` in answer to a request for `target`.
    fn resolved(&self, target: &str, location: &str) -> Url {
        assert!(
            location.bytes().all(|byte| byte.is_ascii_graphic()),
            "{location:?} is no header"
        );
        let asked = Url::parse(&format!(
            "{}{}",
            self.server.base(),
            target.split('?').next().unwrap()
        ))
        .unwrap();
        asked
            .join(location)
            .unwrap_or_else(|fault| panic!("{location:?}: {fault}"))
    }

    fn is_own(&self, url: &Url) -> bool {
        url.origin().ascii_serialization() == self.server.base()
    }

    /// The origins of the configuration, judged by their text, unlike the product judges them.
    fn is_allowed(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        self.is_own(url)
            || ["https://www.example.com", "http://localhost:3000"].contains(&origin.as_str())
            || is_subdomain(&origin)
    }

    fn assert_lands_where_it_may(
        &self,
        target: &str,
        attack: &str,
        location: Option<&str>,
        is_allowed: impl Fn(&Url) -> bool,
    ) {
        let Some(location) = location else { return };
        let url = self.resolved(target, location);
        assert!(
            is_allowed(&url),
            "{target} with {attack:?} leads to {url} by {location:?}"
        );
    }
}

fn is_subdomain(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").unwrap_or_default();
    host.strip_suffix(".example.org")
        .is_some_and(|label| !label.is_empty() && !label.contains([':', '@']))
}

/// An address as a query holds it: encoded as it should be and, where that is possible at all, as
/// it stands.
fn queries(name: &str, attack: &str) -> Vec<String> {
    let mut queries = vec![format!("{name}={}", percent_encode(attack))];
    if attack
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        queries.push(format!("{name}={attack}"));
    }
    queries
}

fn sitefinity(store: StoreKind) {
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
                hub.assert_lands_where_it_may(&target, &attack, answer.header("location"), |url| {
                    hub.is_allowed(url)
                });
            }
            let target = format!("/Sitefinity/Authenticate/OpenID/connect/authorize?{query}");
            let page = hub.send(&Request::get(&target)).text();
            let landing = page
                .split("name=\"RedirectUrl\" value=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            if let Some(landing) = landing {
                let landing = landing
                    .replace("&#38;", "&")
                    .replace("&amp;", "&")
                    .replace("&#39;", "'")
                    .replace("&#34;", "\"");
                hub.assert_lands_where_it_may(&target, &attack, Some(&landing), |url| {
                    hub.is_allowed(url)
                });
            } else {
                assert!(page.is_empty(), "{page}");
            }
        }
    }
}

fn sitefinity_logins(store: StoreKind) {
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
            hub.assert_lands_where_it_may(
                "/sitefinity/login-handler",
                attack,
                answer.header("location"),
                |url| hub.is_allowed(url),
            );
        }
    }
}

fn assets(store: StoreKind) {
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
            hub.assert_lands_where_it_may("/logout", &attack, answer.header("location"), |url| {
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
            hub.assert_lands_where_it_may(
                "/elvis/services/login",
                attack,
                answer.header("location"),
                |url| hub.is_own(url),
            );
        }
    }
}

fn wix(store: StoreKind) {
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
                hub.assert_lands_where_it_may(
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
            hub.assert_lands_where_it_may(
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
            hub.assert_lands_where_it_may(&target, &attack, answer.header("location"), allowed);
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
            let landing = link
                .query_pairs()
                .find(|(name, _)| name == "postLogoutRedirectUri")
                .map(|(_, value)| value.into_owned());
            hub.assert_lands_where_it_may(
                "/headless/v1/redirect-session",
                &attack,
                landing.as_deref(),
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

fn hcl_dx(store: StoreKind) {
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

fn allowed(store: StoreKind) {
    let hub = Hub::start(store);
    let base = hub.server.base();
    for (wanted, location) in [
        (
            "https://www.example.com/goodbye",
            "https://www.example.com/goodbye",
        ),
        ("https://www.example.com", "https://www.example.com/"),
        (
            "HTTPS://WWW.EXAMPLE.COM/A?b=c#d",
            "https://www.example.com/A?b=c#d",
        ),
        ("https://a.example.org/x", "https://a.example.org/x"),
        ("http://localhost:3000", "http://localhost:3000/"),
        ("/home", "/home"),
        (" home ", "/home"),
        ("/a/../home?x=1", "/home?x=1"),
        (&format!("{base}/home"), &format!("{base}/home")),
    ] {
        for (target, name) in [
            ("/Sitefinity/SignOut", "redirect_uri"),
            ("/logout", "logoutSuccessUrl"),
        ] {
            let answer = hub.send(&Request::get(&format!(
                "{target}?{name}={}",
                percent_encode(wanted)
            )));
            assert_eq!(
                (answer.status, answer.header("location")),
                (302, Some(location)),
                "{target} {wanted}"
            );
        }
    }
    for wanted in [
        "https://www.example.com/goodbye",
        "https://a.example.org/x?y=z",
    ] {
        let query = format!(
            "clientId={CLIENT}&postLogoutRedirectUri={}",
            percent_encode(wanted)
        );
        let answer = hub.send(&Request::get(&format!("/v1/logout?{query}")));
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some(wanted))
        );
    }
    drop(hub.folder);
}
