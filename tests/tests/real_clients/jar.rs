//! Chromium's cookie jar in front of a product behind the hub, over TLS: wherever the product's
//! login put its cookie, the sign-out takes it away, and its value opens nothing any more.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use logout_tests::browser::Browser;
use logout_tests::http::Request;
use logout_tests::hub::TestHub;
use logout_tests::skip::{Need, Run};
use logout_tests::tls::Certificate;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::{Value, json};

/// How long something that happens in the background may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);

pub(crate) fn add(run: &mut Run) {
    let mut test = |name, body| run.test(name, &[Need::Chromium], body);
    test("jar::a_cookie_for_the_whole_host_is_gone", || {
        gone(&Scene::new("Path=/; HttpOnly", "", ""))
    });
    test("jar::a_cookie_under_the_service_s_path_is_gone", || {
        gone(&Scene::new("Path=/services", "", ""))
    });
    test("jar::a_cookie_without_a_path_is_gone", || {
        gone(&Scene::new("HttpOnly", "", ""))
    });
    test("jar::a_partitioned_cookie_is_gone", || {
        gone(&Scene::new(
            "Path=/; Secure; SameSite=None; Partitioned",
            "",
            "",
        ))
    });
    test("jar::a_cookie_of_a_real_domain_is_gone", || {
        gone(&Scene::new("Path=/; Secure; Domain=hub.test", "", ""))
    });
    test(
        "jar::what_the_product_itself_removes_is_removed",
        the_products_own,
    );
    test("jar::nobody_has_to_wait_for_the_product", || {
        gone(&Scene::new(
            "Path=/services",
            "",
            "[single_logout]\nwait = \"0ms\"\n",
        ))
    });
    test("jar::the_cookie_of_another_session_stays", another_session);
    test(
        "jar::a_login_that_was_never_seen_is_cleared_as_configured",
        never_seen,
    );
}

/// What plays WoodWing Assets: it knows the tokens that are alive.
#[derive(Clone, Debug, Default)]
struct Product(Arc<Mutex<BTreeSet<String>>>);

impl Product {
    /// Its answer; logins set the cookie with the attributes `login`, sign-outs send the header
    /// lines `logout`.
    fn answer(&self, request: &str, login: &str, logout: &str) -> Vec<u8> {
        let mut alive = self.0.lock().unwrap();
        let json = |headers: &str, body: &Value| {
            Behaviour::bytes(
                "200 OK",
                &format!("{headers}content-type: application/json\r\n"),
                &body.to_string(),
            )
        };
        let presented = alive
            .iter()
            .find(|token| request.contains(token.as_str()))
            .cloned();
        match (request.split(' ').nth(1).unwrap_or_default(), presented) {
            ("/services/login", _) => {
                let token = format!("token-number-{}-of-the-product", alive.len());
                alive.insert(token.clone());
                let attributes = if login.is_empty() {
                    String::new()
                } else {
                    format!("; {login}")
                };
                let body = json!({
                    "loginSuccess": true, "authToken": token, "csrfToken": "proof", "userProfile": { "username": "alice" },
                });
                json(
                    &format!("set-cookie: authToken={token}{attributes}\r\n"),
                    &body,
                )
            }
            ("/services/logout", Some(token)) => {
                alive.remove(&token);
                json(logout, &json!({ "logoutSuccess": true }))
            }
            ("/services/profile", Some(_)) => json("", &json!({ "username": "alice" })),
            _ => json(
                "",
                &json!({ "errorcode": 401, "errorname": "X", "message": "Not logged in" }),
            ),
        }
    }
}

struct Scene {
    product: ScriptedUpstream,
    hub: TestHub,
    browser: Browser,
    // The hub's certificate, for as long as it may start anew.
    _certificate: Certificate,
}

impl Scene {
    fn new(login: &'static str, logout: &'static str, tables: &str) -> Self {
        Self::with_platform(login, logout, tables, "")
    }

    fn with_platform(
        login: &'static str,
        logout: &'static str,
        tables: &str,
        platform: &str,
    ) -> Self {
        let state = Product::default();
        let product = ScriptedUpstream::start(
            [],
            Behaviour::play(move |request| state.answer(request, login, logout)),
        );
        let certificate = Certificate::new();
        let table = format!(
            "[[platform]]\nname = \"dam\"\nvendor = \"assets\"\nupstream = \"{}\"\n{platform}\n",
            product.base()
        );
        let hub = TestHub::over_tls(&certificate, &format!("{tables}{table}")).unwrap();
        Self {
            product,
            hub,
            browser: Browser::with_zone("hub.test"),
            _certificate: certificate,
        }
    }

    /// Calls a service from the page, and returns what it answers.
    fn call(&self, path: &str, headers: &Value) -> Value {
        self.call_with("same-origin", path, headers)
    }

    /// The same; `credentials` says whether cookies are sent and kept, in the words of `fetch`.
    fn call_with(&self, credentials: &str, path: &str, headers: &Value) -> Value {
        const CALL: &str = "const [path, headers, body, credentials] = arguments;
            return fetch(path, { method: 'POST', headers, body, credentials }).then((answer) => answer.json())";
        let form = json!("username=alice&password=secret");
        let form = if path.ends_with("/login") {
            form
        } else {
            json!("")
        };
        self.browser.run(
            CALL,
            &[json!(path), headers.clone(), form, json!(credentials)],
        )
    }

    /// Logs in from a page of the platform, and returns the token.
    fn log_in(&self) -> String {
        // An answer without the pages' security policy, which lets no script of theirs connect to
        // anything.
        self.browser.open(&format!(
            "https://dam.hub.test:{}/services/nothing",
            self.hub.address().port()
        ));
        self.log_in_with("same-origin")
    }

    fn log_in_with(&self, credentials: &str) -> String {
        let form = json!({ "Content-Type": "application/x-www-form-urlencoded" });
        let answer = self.call_with(credentials, "/services/login", &form);
        assert_eq!(answer["loginSuccess"], true, "{answer}");
        answer["authToken"].as_str().unwrap().to_owned()
    }

    fn jar(&self) -> Vec<(String, String)> {
        self.browser
            .whole_jar()
            .into_iter()
            .map(|cookie| (cookie.name, cookie.value))
            .collect()
    }

    /// The status of the gate for a cookie of this value.
    fn check(&self, token: &str) -> u16 {
        let proof = std::fs::read_to_string(self.hub.folder().join("check.token")).unwrap();
        let request =
            Request::get("/check/dam/services/profile").header("Logout-Check-Token", proof.trim());
        request
            .header("Cookie", &format!("authToken={token}"))
            .send(self.hub.admin_address())
            .status
    }

    /// Whether the product itself takes the token.
    fn is_alive(&self, token: &str) -> bool {
        let request =
            Request::get("/services/profile").header("Cookie", &format!("authToken={token}"));
        request.send(self.product.address()).json()["username"] == "alice"
    }

    /// Waits until the product has been told, which it need not be before the browser has its
    /// answer.
    fn assert_is_dead(&self, token: &str) {
        assert_eq!(self.check(token), 401);
        let begun = Instant::now();
        while self.is_alive(token) {
            assert!(
                begun.elapsed() < PATIENCE,
                "the product still takes the token"
            );
            thread::sleep(LOOK);
        }
    }
}

/// By cookie, with the proof that the service asks for.
fn gone(scene: &Scene) {
    let token = scene.log_in();
    assert_eq!(scene.jar(), [("authToken".to_owned(), token.clone())]);
    assert_eq!((scene.is_alive(&token), scene.check(&token)), (true, 204));
    let answer = scene.call("/services/logout", &json!({ "X-CSRF-TOKEN": "proof" }));
    assert_eq!(answer, json!({ "logoutSuccess": true }));
    assert_eq!(scene.jar(), []);
    scene.assert_is_dead(&token);
}

/// By bearer token, since the cookie lies under a path that the service is not below. A login
/// before the hub was there put another one elsewhere, which only the product knows of.
fn the_products_own() {
    let scene = Scene::new(
        "Path=/app; Secure",
        "set-cookie: authToken=; Path=/app; Max-Age=0\r\nset-cookie: authToken=; Path=/old; Max-Age=0\r\n\
         set-cookie: theme=; Path=/; Max-Age=0\r\nset-cookie: authToken=alive; Path=/\r\n",
        "",
    );
    let token = scene.log_in();
    scene.browser.run(
        "document.cookie = 'authToken=of-old; Path=/old'; document.cookie = 'theme=dark; Path=/'",
        &[],
    );
    assert_eq!(scene.jar().len(), 3);
    let answer = scene.call(
        "/services/logout",
        &json!({ "Authorization": format!("Bearer {token}"), "X-CSRF-TOKEN": "proof" }),
    );
    assert_eq!(answer, json!({ "logoutSuccess": true }));
    assert_eq!(scene.jar(), [("theme".to_owned(), "dark".to_owned())]);
    scene.assert_is_dead(&token);
}

/// A session that lives on keeps its cookie, though one that ends had one of the same name and
/// path, and though the product removes it.
fn another_session() {
    let scene = Scene::new(
        "Path=/",
        "set-cookie: authToken=; Path=/; Max-Age=0\r\n",
        "",
    );
    let kept = scene.log_in();
    let ended = scene.log_in_with("omit");
    assert_eq!(scene.jar(), [("authToken".to_owned(), kept.clone())]);
    let answer = scene.call(
        "/services/logout",
        &json!({ "Authorization": format!("Bearer {ended}"), "X-CSRF-TOKEN": "proof" }),
    );
    assert_eq!(answer, json!({ "logoutSuccess": true }));
    assert_eq!(scene.jar(), [("authToken".to_owned(), kept.clone())]);
    scene.assert_is_dead(&ended);
    assert_eq!((scene.is_alive(&kept), scene.check(&kept)), (true, 204));
}

/// The hub saw no login; the paths and the partition are configured.
fn never_seen() {
    let platform = "[platform.cookies]\npaths = [\"/services\"]\npartitioned = true";
    let scene = Scene::with_platform("Path=/", "", "", platform);
    // What the product set when browsers still went there directly.
    let login = Request::post("/services/login")
        .form(&[("username", "alice")])
        .send(scene.product.address())
        .json();
    let token = login["authToken"].as_str().unwrap().to_owned();
    scene.browser.open(&format!(
        "https://dam.hub.test:{}/services/nothing",
        scene.hub.address().port()
    ));
    const SET: &str = "for (const more of ['', '; Secure; Partitioned']) { document.cookie = arguments[0] + '; Path=/services' + more }";
    scene
        .browser
        .run(SET, &[json!(format!("authToken={token}"))]);
    assert_eq!(scene.jar().len(), 2, "{:?}", scene.jar());
    let answer = scene.call("/services/logout", &json!({ "X-CSRF-TOKEN": "proof" }));
    assert_eq!(answer, json!({ "logoutSuccess": true }));
    assert_eq!(scene.jar(), []);
    assert!(!scene.is_alive(&token));
}
