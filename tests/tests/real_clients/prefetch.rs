//! Chromium fetches links of a page before anybody clicks on them: that ends nothing, and the click
//! does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use logout_tests::browser::{Browser, JarCookie};
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub, stand_in};
use logout_tests::skip::{Need, Run};
use serde_json::json;

pub(crate) fn add(run: &mut Run) {
    run.test(
        "browser::a_link_that_chromium_fetches_ahead_of_a_click_ends_nothing",
        &[Need::Chromium],
        ahead,
    );
}

/// How long the browser may take to fetch what the page offers.
const PATIENCE: Duration = Duration::from_secs(30);

const PORTAL: &str = "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!";

/// The links of the page, by vendor.
const LINKS: [(&str, &str); 3] = [
    ("sitefinity", "/Sitefinity/SignOut"),
    ("assets", "/logout"),
    ("hcl-dx", PORTAL),
];

/// A page with a link for each, all of which the browser is asked to fetch at once.
fn page() -> String {
    let links: String = LINKS
        .iter()
        .map(|(vendor, path)| format!("<a id=\"{vendor}\" href=\"{path}\">{vendor}</a>"))
        .collect();
    let paths: Vec<&str> = LINKS.iter().map(|(_, path)| *path).collect();
    let rules =
        json!({ "prefetch": [{ "source": "list", "urls": paths, "eagerness": "immediate" }] });
    format!(
        "<!doctype html><title>links</title>{links}<script type=\"speculationrules\">{rules}</script>"
    )
}

/// The head of a request, as it came.
struct Seen {
    target: String,
    head: String,
}

/// Serves the page at `/page`, carries everything else to the hub, and tells what it saw.
fn front(hub: SocketAddr) -> (SocketAddr, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, seen) = mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, tell) = (connection.unwrap(), tell.clone());
            thread::spawn(move || carry(connection, hub, &tell));
        }
    });
    (address, seen)
}

fn carry(mut client: TcpStream, hub: SocketAddr, tell: &Sender<Seen>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let target = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
    if target == "/page" {
        let page = page();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            page.len()
        );
        let _ = client.write_all((head + &page).as_bytes());
        return;
    }
    let kept = lines
        .iter()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    let mut upstream = TcpStream::connect(hub).unwrap();
    upstream
        .write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).unwrap();
    let _ = client.write_all(&answer);
    // Now that the hub has answered.
    let _ = tell.send(Seen {
        target,
        head: lines.join("\n").to_ascii_lowercase(),
    });
}

struct Session {
    vendor: &'static str,
    cookie: (&'static str, String),
}

impl Session {
    fn open(vendor: &'static str, hub: &TestHub) -> Self {
        let send = |request: Request| request.send(hub.address());
        let (name, answer) = match vendor {
            "assets" => {
                let form = [("username", "bob"), ("password", Accounts::BOB)];
                (
                    "authToken",
                    send(Request::post("/services/login").form(&form)),
                )
            }
            "hcl-dx" => {
                let body = json!({ "username": "bob", "password": Accounts::BOB });
                (
                    "LtpaToken2",
                    send(Request::post("/dx/api/core/v1/auth/login").json(&body)),
                )
            }
            _ => {
                let token = send(
                    Request::get("/sitefinity/anticsrf").header("X-SF-ANTIFORGERY-REQUEST", "true"),
                )
                .json();
                let form = [
                    ("username", "bob"),
                    ("password", Accounts::BOB),
                    ("sf_antiforgery", token["Value"].as_str().unwrap()),
                ];
                (
                    ".AspNet.Cookies",
                    send(Request::post("/sitefinity/login-handler").form(&form)),
                )
            }
        };
        Self {
            vendor,
            cookie: (name, answer.cookie(name).unwrap().to_owned()),
        }
    }

    fn is_alive(&self, hub: &TestHub) -> bool {
        let cookie = format!("{}={}", self.cookie.0, self.cookie.1);
        let send = |request: Request| request.header("Cookie", &cookie).send(hub.address());
        match self.vendor {
            "assets" => send(Request::get("/services/profile"))
                .json()
                .get("errorcode")
                .is_none(),
            "hcl-dx" => send(Request::post("/dx/api/core/v1/auth/validate")).status == 200,
            _ => send(Request::get("/rest-api/login-status")).json()["IsLoggedIn"] == true,
        }
    }
}

fn ahead() {
    let tables: String = LINKS
        .iter()
        .map(|(vendor, _)| stand_in(vendor, &[]))
        .collect();
    let hub = TestHub::with_platforms(&tables).unwrap();
    let (address, seen) = front(hub.address());
    let browser = Browser::start();
    // Cookies belong to a host, whatever the port.
    browser.open(&format!("http://{address}/rest-api/login-status"));
    let sessions: Vec<Session> = LINKS
        .iter()
        .map(|(vendor, _)| Session::open(vendor, &hub))
        .collect();
    for session in &sessions {
        let (name, value) = session.cookie.clone();
        browser.put_back(&JarCookie {
            name: name.to_owned(),
            value,
            http_only: true,
            secure: false,
        });
    }

    browser.open(&format!("http://{address}/page"));
    let mut waiting: Vec<&str> = LINKS.iter().map(|(_, path)| *path).collect();
    while !waiting.is_empty() {
        let Seen { target, head } = seen
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("not fetched: {waiting:?}"));
        if waiting.contains(&target.as_str()) {
            assert!(head.contains("sec-purpose: prefetch"), "{head}");
            assert!(head.contains("cookie: "), "{head}");
            waiting.retain(|path| *path != target);
        }
    }
    assert!(sessions.iter().all(|session| session.is_alive(&hub)));

    for session in &sessions {
        browser.open(&format!("http://{address}/page"));
        browser.click(&format!("#{}", session.vendor));
        browser.wait_for_url(|url| !url.ends_with("/page"));
        assert!(!session.is_alive(&hub), "{}", session.vendor);
    }
}
