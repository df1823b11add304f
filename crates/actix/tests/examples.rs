//! The examples as a newcomer runs them: built by their own command, started on a free port, signed
//! in to and out of.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

const NAMES: [&str; 4] = ["sitefinity", "assets", "wix", "hcl_dx"];

/// Where cargo has put the example `name`. Built here, because the features of a whole workspace's
/// build are more than those of the command that the documentation gives.
fn executable(name: &str) -> PathBuf {
    static BUILT: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let arguments = [
            "build",
            "--package",
            "logout-actix",
            "--examples",
            "--message-format",
            "json-render-diagnostics",
        ];
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the examples do not build");
        let messages = output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let path = |message: Value| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        };
        messages.filter_map(path).collect()
    });
    built
        .iter()
        .find(|(built, _)| built == name)
        .map(|(_, path)| path.clone())
        .unwrap()
}

/// A running example.
struct Example {
    process: Child,
    authority: String,
}

impl Example {
    fn start(name: &str) -> Self {
        let mut process = Command::new(executable(name))
            .arg("0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let authority = line
            .trim()
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_suffix('/'));
        let authority = authority
            .unwrap_or_else(|| panic!("no address: {line:?}"))
            .to_owned();
        Self { process, authority }
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", target, headers, "")
    }

    fn post(&self, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send("POST", target, headers, body)
    }

    fn form(&self, target: &str, form: &str) -> Answer {
        self.post(
            target,
            &[("Content-Type", "application/x-www-form-urlencoded")],
            form,
        )
    }

    fn json(&self, target: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers: Vec<_> = headers
            .iter()
            .copied()
            .chain([("Content-Type", "application/json")])
            .collect();
        self.post(target, &headers, &body.to_string())
    }

    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let (host, length) = (&self.authority, body.len());
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let headers = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        headers
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn location(&self) -> &str {
        self.headers("location").next().unwrap()
    }

    /// `name=value` of a cookie that it sets.
    fn cookie(&self, name: &str) -> String {
        let pairs = self
            .headers("set-cookie")
            .filter_map(|header| header.split(';').next());
        pairs
            .filter(|pair| pair.split_once('=').is_some_and(|(key, _)| key == name))
            .last()
            .unwrap()
            .to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|fault| panic!("{fault} in {:?}", self.body))
    }

    fn text(&self, name: &str) -> String {
        self.json()[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.body))
            .to_owned()
    }
}

fn the_apps_own_routes_work(example: &Example) {
    let about = example.get("/about", &[]);
    assert_eq!((about.status(), about.body.is_empty()), (200, false));
    assert_eq!(example.get("/nowhere", &[]).status(), 404);
}

#[test]
fn every_example_is_under_sixty_lines_and_each_is_tested_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines < 60, "{}: {lines} lines", file.display());
        seen.push(file.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    seen.sort();
    let mut names = NAMES;
    names.sort_unstable();
    assert_eq!(seen, names);
}

#[test]
fn sitefinity_signs_in_and_out() {
    let example = Example::start("sitefinity");
    the_apps_own_routes_work(&example);
    let anti_forgery = example
        .get(
            "/sitefinity/anticsrf",
            &[("X-SF-ANTIFORGERY-REQUEST", "true")],
        )
        .text("Value");
    let login = example.form(
        "/sitefinity/login-handler",
        &format!("username=alice&password=wonderland&sf_antiforgery={anti_forgery}"),
    );
    let cookie = login.cookie(".AspNet.Cookies");
    let is_signed_in = || {
        example
            .get("/rest-api/login-status", &[("Cookie", &cookie)])
            .json()["IsLoggedIn"]
            == true
    };
    assert!(is_signed_in());
    let out = example.get(
        "/Sitefinity/SignOut?sts_signout=true&redirect_uri=%20home",
        &[("Cookie", &cookie)],
    );
    assert_eq!((out.status(), out.location()), (302, "/home"));
    assert!(!is_signed_in());
}

#[test]
fn assets_signs_in_and_out() {
    let example = Example::start("assets");
    the_apps_own_routes_work(&example);
    let login = example.form("/services/login", "username=alice&password=wonderland");
    let (cookie, csrf) = (login.cookie("authToken"), login.text("csrfToken"));
    let profile = || {
        example
            .get("/services/profile", &[("Cookie", &cookie)])
            .json()
    };
    assert_eq!(profile()["username"], "alice");
    let out = example.post(
        "/services/logout",
        &[("Cookie", &cookie), ("X-CSRF-TOKEN", &csrf)],
        "",
    );
    assert_eq!(
        (out.status(), out.json()),
        (200, json!({ "logoutSuccess": true }))
    );
    assert_eq!(profile()["errorcode"], 401);
}

#[test]
fn wix_signs_in_and_out() {
    const CLIENT: &str = "12345678-1234-1234-1234-123456789012";
    const VERIFIER: &str = "a-code-verifier-that-is-long-enough-for-anybody";
    const CHALLENGE: &str = "6qk4648B-EhiwUUvYIWRCcQOmbcfL1JPtWGlE-fbopI";
    let example = Example::start("wix");
    the_apps_own_routes_work(&example);
    let base = format!("http://{}/", example.authority);
    let visitor = example
        .json(
            "/oauth2/token",
            &[],
            &json!({ "clientId": CLIENT, "grantType": "anonymous" }),
        )
        .text("access_token");
    let credentials = json!({ "loginId": { "email": "alice" }, "password": "wonderland" });
    let login = example.json(
        "/_api/iam/authentication/v2/login",
        &[("Authorization", &visitor)],
        &credentials,
    );
    let session_token = login.text("sessionToken");
    let authorized = example.get(
        &format!(
            "/_api/oauth2/authorize?clientId={CLIENT}&responseType=code&responseMode=query&scope=offline_access&state=s&prompt=none\
             &redirectUri={base}&codeChallenge={CHALLENGE}&codeChallengeMethod=S256&sessionToken={session_token}"
        ),
        &[],
    );
    let code = authorized
        .location()
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix("code="))
        .unwrap()
        .to_owned();
    let exchange = json!({
        "clientId": CLIENT, "grantType": "authorization_code", "redirectUri": base, "code": code, "codeVerifier": VERIFIER
    });
    let token = example
        .json("/oauth2/token", &[], &exchange)
        .text("access_token");
    let status = || {
        example
            .get("/members/v1/members/my", &[("Authorization", &token)])
            .status()
    };
    assert_eq!(status(), 200);
    let asked = json!({ "clientId": CLIENT, "postLogoutRedirectUri": base });
    let out = example.json(
        "/authentication/v1/logout",
        &[("Authorization", &token)],
        &asked,
    );
    assert_eq!((out.status(), out.location()), (302, base.as_str()));
    assert_eq!(status(), 401);
}

#[test]
fn hcl_dx_signs_in_and_out() {
    let example = Example::start("hcl_dx");
    the_apps_own_routes_work(&example);
    let login = example.json(
        "/dx/api/core/v1/auth/login",
        &[],
        &json!({ "username": "alice", "password": "wonderland" }),
    );
    let cookie = login.cookie("LtpaToken2");
    let status = || {
        example
            .post("/dx/api/core/v1/auth/validate", &[("Cookie", &cookie)], "")
            .status()
    };
    assert_eq!(status(), 200);
    let out = example.post("/dx/api/core/v1/auth/logout", &[("Cookie", &cookie)], "");
    assert_eq!(
        (out.status(), out.text("redirectUrl")),
        (200, format!("http://{}/wps/portal", example.authority))
    );
    assert_eq!(status(), 401);
}
