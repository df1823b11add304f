//! Headless Chromium, driven over the W3C WebDriver protocol.

use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, Request, percent_encode};
use crate::process::Running;

/// How long the browser may take to start, or a page to load, before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many drivers are started at most, until one goes on running.
const DRIVERS: usize = 5;
/// How often a page that is being waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The key under which WebDriver hands out an element (W3C WebDriver, "Elements").
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// No sandbox, because tests run as root in containers; no service of the browser's maker, because
/// there is no network; and a pipe to the driver, so that the browser ends with it whatever happens
/// to the test.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// A browser with a profile of its own, and one window.
#[derive(Debug)]
pub struct Browser {
    driver: SocketAddr,
    session: String,
    // Dropped in this order: the browser's profile goes when nothing writes to it any more.
    _process: Running,
    _profile: TempDir,
}

/// A cookie in the browser's jar.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JarCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether scripts cannot read it.
    pub http_only: bool,
    /// Whether it goes over TLS only.
    pub secure: bool,
}

impl Browser {
    /// Starts a browser. Certificates that nobody vouches for are accepted.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Self {
        Self::with_flags(&[])
    }

    /// Starts a browser that takes every name below `zone` for this machine. No other name resolves
    /// there anyway.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with_zone(zone: &str) -> Self {
        Self::with_flags(&[format!("--host-resolver-rules=MAP *.{zone} 127.0.0.1")])
    }

    fn with_flags(more: &[String]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (process, port) = (0..DRIVERS)
            .find_map(|_| started_driver())
            .expect("chromedriver says which port it listens on");
        let driver = SocketAddr::from(([127, 0, 0, 1], port));

        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        flags.extend_from_slice(more);
        let timeouts = json!({ "pageLoad": PATIENCE.as_millis(), "script": PATIENCE.as_millis() });
        let binary = crate::process::find("chromium");
        let wanted = json!({
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "timeouts": timeouts,
            "goog:chromeOptions": { "args": flags, "binary": binary },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let made = call(
            driver,
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": wanted } }),
        );
        let session = made["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("no session: {made}"))
            .to_owned();
        Self {
            driver,
            session,
            _process: process,
            _profile: profile,
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        call(
            self.driver,
            method,
            &format!("/session/{}{path}", self.session),
            body,
        )
    }

    /// Goes to an address, as if it had been typed in, and waits until the page that this leads to
    /// has loaded.
    pub fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// The address of the page.
    pub fn url(&self) -> String {
        text(&self.call("GET", "/url", &Value::Null))
    }

    /// The text of the page, as a person sees it.
    pub fn text(&self) -> String {
        text(&self.call(
            "GET",
            &format!("/element/{}/text", self.element("body")),
            &Value::Null,
        ))
    }

    /// Types into the field of this name.
    pub fn fill(&self, name: &str, value: &str) {
        self.call(
            "POST",
            &format!(
                "/element/{}/value",
                self.element(&format!("[name=\"{name}\"]"))
            ),
            &json!({ "text": value }),
        );
    }

    /// Clicks on the first element that the CSS selector matches.
    pub fn click(&self, selector: &str) {
        self.call(
            "POST",
            &format!("/element/{}/click", self.element(selector)),
            &json!({}),
        );
    }

    fn element(&self, selector: &str) -> String {
        let found = self.call(
            "POST",
            "/element",
            &json!({ "using": "css selector", "value": selector }),
        );
        percent_encode(&text(&found[ELEMENT]))
    }

    /// Runs the body of a function in the page, and waits for what it returns or promises.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.call(
            "POST",
            "/execute/sync",
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// What pages and the browser itself have said on the console since it was last read.
    pub fn console(&self) -> Vec<String> {
        let said = self.call("POST", "/se/log", &json!({ "type": "browser" }));
        let said = said.as_array().cloned().unwrap_or_default();
        said.iter().map(|line| text(&line["message"])).collect()
    }

    /// The cookies that the page's address gets, those that scripts cannot read included.
    pub fn cookies(&self) -> Vec<JarCookie> {
        jar(&self.call("GET", "/cookie", &Value::Null))
    }

    /// Puts a cookie that was in the jar before back into it, for the page's host.
    pub fn put_back(&self, cookie: &JarCookie) {
        let JarCookie {
            name,
            value,
            http_only,
            secure,
        } = cookie;
        self.call("POST", "/cookie", &json!({ "cookie": { "name": name, "value": value, "httpOnly": http_only, "secure": secure } }));
    }

    /// Every cookie in the jar, of whatever site and path.
    pub fn whole_jar(&self) -> Vec<JarCookie> {
        jar(&self.call(
            "POST",
            "/goog/cdp/execute",
            &json!({ "cmd": "Storage.getCookies", "params": {} }),
        )["cookies"])
    }

    /// Shows pages as on a screen of this size, in CSS pixels: a phone's, say.
    pub fn resize(&self, width: u32, height: u32) {
        let screen =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call(
            "POST",
            "/goog/cdp/execute",
            &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": screen }),
        );
    }

    /// The page as it is seen, as a PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        STANDARD
            .decode(text(&self.call("GET", "/screenshot", &Value::Null)))
            .unwrap()
    }

    /// Waits until the page, which may go on to another or load itself again meanwhile, says what
    /// `is_said` looks for.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_for_text(&self, is_said: impl Fn(&str) -> bool) {
        // In one call, since an element of a page that has just gone cannot be asked.
        let text = || {
            self.run("return document.body ? document.body.innerText : ''", &[])
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let deadline = Instant::now() + PATIENCE;
        while !is_said(&text()) {
            assert!(
                Instant::now() < deadline,
                "the browser at {} still says:\n{}",
                self.url(),
                text()
            );
            thread::sleep(LOOK);
        }
    }

    /// Waits until the page's address is one that `is_there` accepts.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_for_url(&self, is_there: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_there(&self.url()) {
            assert!(
                Instant::now() < deadline,
                "the browser is still at {}:\n{}",
                self.url(),
                self.text()
            );
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Whatever fails here, the driver is killed next, and with it goes the browser's pipe.
        let _ = exchange(
            self.driver,
            "DELETE",
            &format!("/session/{}", self.session),
            &Value::Null,
        );
    }
}

/// A driver, and its port; `None` where it ended at once. It takes a port that is free for IPv4, and
/// ends where somebody else has the same one for IPv6.
fn started_driver() -> Option<(Running, u16)> {
    let mut command = Command::new("chromedriver");
    command
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Running(
        command
            .spawn()
            .unwrap_or_else(|fault| panic!("chromedriver cannot be started: {fault}")),
    );
    let port = port(process.0.stdout.take().unwrap())?;
    Some((process, port))
}

/// The port that the driver says it has found free; `None` where it ends without. What it says
/// later is read too, so that it never waits for a reader.
fn port(output: ChildStdout) -> Option<u16> {
    let (found, port) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let number = line
                .strip_prefix("ChromeDriver was started successfully on port ")
                .map(|rest| rest.trim_end_matches('.'));
            if let Some(port) = number.and_then(|number| number.parse().ok()) {
                let _ = found.send(port);
            }
        }
    });
    match port.recv_timeout(PATIENCE) {
        Ok(port) => Some(port),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("chromedriver does not say where it listens"),
    }
}

/// Sends a command and returns the `value` of the answer.
fn call(driver: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    let answer = exchange(driver, method, path, body)
        .unwrap_or_else(|fault| panic!("{method} {path}: {fault}"));
    let mut told = answer.json();
    assert!(
        answer.status == 200,
        "{method} {path}: {}: {}",
        told["value"]["error"],
        told["value"]["message"]
    );
    told["value"].take()
}

fn exchange(driver: SocketAddr, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
    let request = Request::new(method, path);
    let request = if body.is_null() {
        request
    } else {
        request.json(body)
    };
    request.send_over(&mut TcpStream::connect(driver)?)
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn jar(cookies: &Value) -> Vec<JarCookie> {
    let cookies = cookies
        .as_array()
        .unwrap_or_else(|| panic!("no cookies: {cookies}"));
    let cookie = |cookie: &Value| JarCookie {
        name: text(&cookie["name"]),
        value: text(&cookie["value"]),
        http_only: cookie["httpOnly"] == true,
        secure: cookie["secure"] == true,
    };
    cookies.iter().map(cookie).collect()
}
