//! No secret leaves: not in a log at its most talkative, not in the admin API, not in a receipt,
//! not in an error message.

use std::process::Command;

use logout_tests::http::{Request, percent_encode};
use logout_tests::hub::Accounts;
use logout_tests::server::{self, Server};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::sample::{self, CLIENT, PLATFORMS, sign_out};

/// Passwords and keys that stand out in any output.
const WRONG_PASSWORD: &str = "canary-wrong-password-7f3a";
const ACCESS_KEY: &str = "canary-access-key-91c2";
const STALE_COOKIE: &str = "canary-stale-cookie-55d0";
const STALE_TOKEN: &str = "canary-stale-token-20ef";

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "secrets::no_secret_is_in_the_log_the_admin_api_or_a_receipt",
        &[],
        canaries,
    );
    run.test(
        "secrets::an_error_in_the_configuration_does_not_repeat_a_secret",
        &[],
        configuration,
    );
}

/// What was sent and received that nobody else may see.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn keep(&mut self, what: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 12, "{what} would be found by chance");
        self.0.push((what, secret.clone()));
        secret
    }

    /// Plainly, as a query holds it, as JSON does, and in base64 with whatever stands before it.
    fn assert_absent(&self, place: &str, output: &str) {
        for (what, secret) in &self.0 {
            let quoted = json!(secret).to_string();
            for form in [
                secret.clone(),
                percent_encode(secret),
                quoted[1..quoted.len() - 1].to_owned(),
            ] {
                let found = output.lines().find(|line| line.contains(&form));
                assert!(
                    found.is_none(),
                    "{what} is in {place}: {}",
                    found.unwrap_or_default()
                );
            }
        }
    }
}

fn canaries(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let key = format!("[[platform.access_key]]\nkey = \"{ACCESS_KEY}\"\nusername = \"alice\"\n");
    let platforms = PLATFORMS.replace(
        "vendor = \"sitefinity\"\n",
        &format!("vendor = \"sitefinity\"\n{key}"),
    );
    for format in ["text", "json"] {
        sample::configure_with(
            folder.path(),
            store,
            &format!("log_format = \"{format}\""),
            &platforms,
        );
        let mut command = Command::new(server::binary());
        let server = Server::start(
            command
                .args(["serve", "--config", "hub.toml"])
                .env("RUST_LOG", "trace"),
            folder.path(),
        );
        let mut canaries = Canaries::default();
        canaries.keep("an account's password", Accounts::ALICE);
        canaries.keep("an account's password", Accounts::BOB);
        canaries.keep("an account's password", Accounts::ADMIN);
        let token = std::fs::read_to_string(folder.path().join("admin.token")).unwrap();
        canaries.keep("the admin token", token.trim());
        for (what, secret) in [
            ("a wrong password", WRONG_PASSWORD),
            ("an access key", ACCESS_KEY),
            ("a stale cookie", STALE_COOKIE),
            ("a stale token", STALE_TOKEN),
        ] {
            canaries.keep(what, secret);
        }
        use_everything(&server, &mut canaries);

        let sessions = server.admin("/api/sessions?limit=1000", folder.path());
        let receipts = server.admin("/api/receipts?limit=1000", folder.path());
        assert!(!sessions.json()["sessions"].as_array().unwrap().is_empty());
        let listed = receipts.json()["receipts"].as_array().unwrap().len();
        assert!(listed >= 4, "{listed}");
        canaries.assert_absent("/api/sessions", &sessions.text());
        canaries.assert_absent("/api/receipts", &receipts.text());
        let id = receipts.json()["receipts"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        canaries.assert_absent(
            "a receipt",
            &server
                .admin(&format!("/api/receipts/{id}"), folder.path())
                .text(),
        );
        canaries.assert_absent(
            "the index",
            &Request::get("/").send(server.address()).text(),
        );
        let printed = server::run(&["print-config", "--config", "hub.toml"], folder.path());
        assert!(printed.status.success(), "{}", printed.stderr);
        canaries.assert_absent("print-config", &String::from_utf8_lossy(&printed.stdout));

        server.signal("TERM");
        let log = folder.path().join("stderr.log");
        assert!(server.wait(std::time::Duration::from_secs(10)).success());
        let log = std::fs::read_to_string(log).unwrap();
        // Ids are what the log is for: in either format a line says what it is about.
        let line = log
            .lines()
            .find(|line| line.contains("signed out"))
            .expect("the log is not talkative at all");
        assert!(
            ["platform", "receipt", "ended"]
                .iter()
                .all(|field| line.contains(field)),
            "{format}: {line}"
        );
        canaries.assert_absent("the log", &log);
    }
}

/// Logins that succeed and fail, probes, sign-outs with fresh and stale credentials, and requests
/// that are refused.
fn use_everything(server: &Server, canaries: &mut Canaries) {
    let send = |request: Request| request.send(server.address());
    let stale = format!(
        "authToken={STALE_COOKIE}; LtpaToken2={STALE_COOKIE}; .AspNet.Cookies={STALE_COOKIE}; idsrv={STALE_COOKIE}; smSession={STALE_COOKIE}"
    );
    for vendor in sample::VENDORS {
        let (method, target) = sign_out(vendor);
        send(Request::new(method, target).header("Cookie", &stale));
        send(
            Request::new(method, target).header("Authorization", &format!("Bearer {STALE_TOKEN}")),
        );
        send(Request::new(
            method,
            &format!(
                "{target}{}ticket={STALE_TOKEN}",
                if target.contains('?') { '&' } else { '?' }
            ),
        ));
        send(Request::new("DELETE", target).header("Cookie", &stale));
        let revoke = format!("/revoke/{vendor}");
        let form = [("token", STALE_TOKEN), ("client_secret", WRONG_PASSWORD)];
        send(Request::post(&format!("{revoke}?token={STALE_TOKEN}")).form(&form[1..]));
        send(Request::post(&revoke).form(&form[..1]));
        send(Request::post(&revoke).form(&[form[0], ("client_id", "a")]));
        send(Request::post(&revoke).form(&[form[0], ("client_id", CLIENT), form[1]]));
    }
    for password in [WRONG_PASSWORD, Accounts::ALICE] {
        // Assets, for people and for programs, by query too.
        let form = [("username", "alice"), ("password", password)];
        let answer = send(Request::post("/services/login").form(&form));
        if let Some(cookie) = answer.cookie("authToken") {
            let cookie = canaries.keep("an Assets token", cookie);
            let csrf = canaries.keep("a CSRF token", answer.json()["csrfToken"].as_str().unwrap());
            let request =
                Request::post("/services/logout").header("Cookie", &format!("authToken={cookie}"));
            send(request.clone().header("X-CSRF-TOKEN", WRONG_PASSWORD));
            assert_eq!(
                send(request.header("X-CSRF-TOKEN", &csrf)).text(),
                r#"{"logoutSuccess":true}"#
            );
        }
        let query = format!(
            "/services/apilogin?username=alice&password={}",
            percent_encode(password)
        );
        if let Some(token) = send(Request::post(&query)).json()["authToken"].as_str() {
            let token = canaries.keep("an Assets token", token);
            let revoked = Request::post("/revoke/assets").form(&[("token", &token)]);
            assert_eq!(send(revoked).status, 200);
        }
        // HCL DX.
        let answer = send(
            Request::post("/dx/api/core/v1/auth/login")
                .json(&json!({ "username": "alice", "password": password })),
        );
        if let Some(token) = answer.cookie("LtpaToken2") {
            let token = canaries.keep("an LTPA token", token);
            let out = Request::post("/dx/api/core/v1/auth/logout")
                .header("Cookie", &format!("LtpaToken2={token}"));
            assert_eq!(send(out).status, 200);
        }
        // Sitefinity, by form and by token.
        let token =
            send(Request::get("/sitefinity/anticsrf").header("X-SF-ANTIFORGERY-REQUEST", "true"))
                .json();
        let token = canaries.keep("an anti-forgery token", token["Value"].as_str().unwrap());
        let form = [
            ("username", "alice"),
            ("password", password),
            ("sf_antiforgery", &token),
        ];
        let answer = send(Request::post("/sitefinity/login-handler").form(&form));
        if let Some(cookie) = answer.cookie(".AspNet.Cookies") {
            let cookie = canaries.keep("a Sitefinity cookie", cookie);
            let idsrv = canaries.keep("a token service's cookie", answer.cookie("idsrv").unwrap());
            let cookies = format!(".AspNet.Cookies={cookie}; idsrv={idsrv}");
            assert_eq!(
                send(
                    Request::get("/Sitefinity/SignOut?sts_signout=true").header("Cookie", &cookies)
                )
                .status,
                302
            );
        }
        let form = [
            ("grant_type", "password"),
            ("username", "alice"),
            ("password", password),
        ];
        if let Some(token) =
            send(Request::post("/sitefinity/oauth/token").form(&form)).json()["access_token"]
                .as_str()
        {
            canaries.keep("a Sitefinity token", token);
        }
        // Wix: visitor, login, code, tokens, redirect session, and out by its ticket.
        wix(server, canaries, password);
    }
    let by_key =
        send(Request::get("/api/default/users/current").header("X-SF-Access-Key", ACCESS_KEY));
    assert_eq!(
        by_key.json()["value"]["Username"],
        "alice",
        "{}",
        by_key.text()
    );
    send(Request::get("/api/default/users/current").header("X-SF-Access-Key", WRONG_PASSWORD));
    let wrong =
        Request::get("/api/sessions").header("Authorization", &format!("Bearer {WRONG_PASSWORD}"));
    assert_eq!(wrong.send(server.admin_address()).status, 401);
}

fn wix(server: &Server, canaries: &mut Canaries, password: &str) {
    let send = |request: Request| request.send(server.address());
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or_else(|| panic!("no text: {value}"))
            .to_owned()
    };
    let visitor = send(
        Request::post("/oauth2/token")
            .json(&json!({ "clientId": CLIENT, "grantType": "anonymous" })),
    )
    .json();
    let access = canaries.keep("a visitor's token", text(&visitor["access_token"]));
    canaries.keep("a refresh token", text(&visitor["refresh_token"]));
    let login = json!({ "loginId": { "email": "alice@example.com" }, "password": password });
    let answer = send(
        Request::post("/_api/iam/authentication/v2/login")
            .header("Authorization", &access)
            .json(&login),
    )
    .json();
    let Some(session_token) = answer["sessionToken"].as_str() else {
        return;
    };
    let session_token = canaries.keep("a session token", session_token);
    let verifier = canaries.keep(
        "a code verifier",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    );
    let callback = "https://www.example.com/goodbye";
    let authorize = format!(
        "/_api/oauth2/authorize?clientId={CLIENT}&responseType=code&state=s&prompt=none&redirectUri={}&sessionToken={session_token}\
         &codeChallenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&codeChallengeMethod=S256",
        percent_encode(callback)
    );
    let answer = send(Request::get(&authorize));
    canaries.keep("a member's cookie", answer.cookie("smSession").unwrap());
    let location = url::Url::parse(answer.header("location").unwrap()).unwrap();
    let code = location
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let code = canaries.keep("a code", code);
    let grant = json!({
        "clientId": CLIENT, "grantType": "authorization_code", "redirectUri": callback, "code": code, "codeVerifier": verifier,
    });
    let tokens = send(Request::post("/oauth2/token").json(&grant)).json();
    let access = canaries.keep("a member's token", text(&tokens["access_token"]));
    canaries.keep("a refresh token", text(&tokens["refresh_token"]));
    let intent =
        json!({ "logout": { "clientId": CLIENT }, "callbacks": { "postFlowUrl": callback } });
    let answer = send(
        Request::post("/headless/v1/redirect-session")
            .header("Authorization", &access)
            .json(&intent),
    )
    .json();
    canaries.keep(
        "a ticket",
        text(&answer["redirectSession"]["urlDetails"]["searchParams"]["ticket"]),
    );
    let link = text(&answer["redirectSession"]["fullUrl"]);
    let answer = send(Request::get(link.strip_prefix(&server.base()).unwrap()));
    assert_eq!(answer.status, 302, "{}", answer.text());
}

fn configuration() {
    let folder = tempfile::tempdir().unwrap();
    for (number, wrong) in [
        format!("[[account]]\nname = \"x\"\npassword_hash = \"{WRONG_PASSWORD}\"\n"),
        format!("[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n[[platform.access_key]]\nkey = [\"{ACCESS_KEY}\"]\nusername = \"alice\"\n"),
        format!("[store]\nurl = \"postgres://hub:{WRONG_PASSWORD}@/\"\n"),
        format!("[store]\nurl = \"redis://:{WRONG_PASSWORD}@/\"\n"),
    ]
    .iter()
    .enumerate()
    {
        std::fs::write(folder.path().join("hub.toml"), wrong).unwrap();
        for command in ["check-config", "print-config", "serve"] {
            let ended = server::run(&[command, "--config", "hub.toml"], folder.path());
            assert!(!ended.status.success(), "{number} is accepted");
            assert!(!ended.stderr.contains("canary") && !ended.stderr.is_empty(), "{}", ended.stderr);
        }
    }
    // Right as far as anybody can tell, but nobody listens there.
    for scheme in ["postgres", "redis"] {
        let url = format!("{scheme}://hub:{WRONG_PASSWORD}@127.0.0.1:1/0");
        let listeners = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
        std::fs::write(
            folder.path().join("hub.toml"),
            format!("{listeners}[store]\nurl = \"{url}\"\n"),
        )
        .unwrap();
        let ended = server::run(&["serve", "--config", "hub.toml"], folder.path());
        assert!(!ended.status.success(), "{scheme}");
        assert!(
            !ended.stderr.contains("canary") && !ended.stderr.is_empty(),
            "{}",
            ended.stderr
        );
    }
}
