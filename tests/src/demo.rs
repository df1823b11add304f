//! The demo, run as a newcomer runs it: its page, its forms, and the products behind it, asked one
//! by one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Answer, Request};
use crate::server::{self, Server};

/// How long a page may take to say what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The products, and the vendors' own sign-outs as a browser follows them.
pub const SIGN_OUTS: [(&str, &str); 4] = [
    ("cms", "/Sitefinity/SignOut?sts_signout=true"),
    ("dam", "/logout"),
    (
        "portal",
        "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/",
    ),
    ("shop", "/_api/iam/authentication/v1/logout"),
];

/// A demo that runs.
#[derive(Debug)]
pub struct Demo {
    /// Its process.
    pub server: Server,
}

/// Cookies by name, as a browser keeps them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Jar(pub BTreeMap<String, String>);

impl Jar {
    /// Takes in what an answer sets, and drops what it clears.
    pub fn take(&mut self, answer: &Answer) {
        for header in answer.headers_named("set-cookie") {
            let Some((name, value)) = header
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            if value.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The value of a `Cookie` header.
    pub fn header(&self) -> String {
        self.0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

impl Demo {
    /// `logout-hub demo` on a free port, with its data in `data` below `folder`.
    pub fn start(folder: &Path) -> Self {
        Self::with(&[], folder)
    }

    /// The same, with further options.
    pub fn with(options: &[&str], folder: &Path) -> Self {
        let mut command = Command::new(server::binary());
        command
            .args(["demo", "--listen", "127.0.0.1:0", "--data", "data"])
            .args(options);
        Self {
            server: Server::start(&mut command, folder),
        }
    }

    /// Where the hub listens.
    pub fn hub(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where the product of this name listens, as the first line of the output says it.
    ///
    /// # Panics
    /// When there is none.
    pub fn product(&self, name: &str) -> SocketAddr {
        let url = self.server.greeting()["stand_ins"][name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {}", self.server.greeting()));
        url.strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address: {url}"))
    }

    /// The password of this account.
    ///
    /// # Panics
    /// When there is none.
    pub fn password(&self, name: &str) -> String {
        self.server.greeting()["passwords"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{}", self.server.greeting()))
            .to_owned()
    }

    /// The page at `/`.
    pub fn page(&self) -> String {
        let answer = Request::get("/")
            .header("Accept", "text/html")
            .send(self.hub());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// The token that stands in the page's forms.
    ///
    /// # Panics
    /// When there is none.
    pub fn token(&self) -> String {
        let page = self.page();
        let token = page
            .split("name=\"token\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        token
            .unwrap_or_else(|| panic!("no form: {page}"))
            .to_owned()
    }

    /// Presses the button of the form that is posted to `target`.
    ///
    /// # Panics
    /// When it does not lead back to the page.
    pub fn press(&self, target: &str) -> Answer {
        let answer = Request::post(target)
            .form(&[("token", &self.token())])
            .send(self.hub());
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some("/")),
            "{target}: {}",
            answer.text()
        );
        answer
    }

    /// Signs alice in everywhere, and gives back the browser's cookies.
    pub fn sign_in(&self) -> Jar {
        let mut jar = Jar::default();
        jar.take(&self.press("/demo/sign-in"));
        jar
    }

    /// Follows one of [`SIGN_OUTS`], and gives back where it leads: the target of a receipt's page
    /// at the hub.
    ///
    /// # Panics
    /// When it leads elsewhere.
    pub fn sign_out(&self, target: &str, jar: &mut Jar) -> String {
        let answer = Request::get(target)
            .header("Cookie", &jar.header())
            .header("Accept", "text/html")
            .send(self.hub());
        jar.take(&answer);
        let location = answer
            .header("location")
            .and_then(|location| location.strip_prefix(&self.server.base()))
            .unwrap_or_default();
        assert!(
            answer.status == 302 && location.starts_with("/receipts/"),
            "{target}: {} {:?}",
            answer.status,
            answer.headers
        );
        location.to_owned()
    }

    /// Which products, asked themselves, take these cookies for alice's.
    pub fn alive(&self, jar: &Jar) -> Vec<&'static str> {
        let ask = |request: Request, name: &str| {
            request
                .header("Cookie", &jar.header())
                .send(self.product(name))
        };
        let mut alive = Vec::new();
        if ask(Request::get("/rest-api/login-status"), "cms").json()["IsLoggedIn"] == true {
            alive.push("cms");
        }
        if ask(Request::get("/services/profile"), "dam").json()["username"] == "alice" {
            alive.push("dam");
        }
        if ask(Request::post("/dx/api/core/v1/auth/validate"), "portal").status == 200 {
            alive.push("portal");
        }
        if ask(Request::get("/members/v1/members/my"), "shop").status == 200 {
            alive.push("shop");
        }
        alive
    }

    /// Waits until the page at `target` says what `is_said` looks for, and gives it back.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_for(&self, target: &str, is_said: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = Request::get(target).send(self.hub()).text();
            if is_said(&page) {
                return page;
            }
            assert!(
                Instant::now() < deadline,
                "{target} still says:\n{page}\n{}",
                self.server.errors()
            );
            thread::sleep(LOOK);
        }
    }
}

/// The cells of the table rows on a page of ours, without their markup.
pub fn rows(page: &str) -> Vec<Vec<String>> {
    let text = |cell: &str| {
        let inner = cell.split("</td>").next().unwrap_or_default();
        inner
            .split('<')
            .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
            .collect::<String>()
    };
    let cells = |row: &str| {
        row.split("<td data-label=")
            .skip(1)
            .map(|cell| text(cell.split_once('>').map_or("", |(_, rest)| rest)))
            .collect()
    };
    page.split("<tr>")
        .skip(1)
        .map(cells)
        .filter(|row: &Vec<String>| !row.is_empty())
        .collect()
}
