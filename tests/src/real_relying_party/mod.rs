//! Real relying parties: programs that log people in at a provider, and take logout tokens.

mod apache;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::http::{Answer, Request};
use crate::node::NodeServer;
use crate::oidc_provider::{Client, OidcProvider, SECRET};
use crate::process::{Running, free_address};
use crate::skip::Need;
use crate::visitor::{Visitor, address_of};

/// How long one may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Which program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// npm's express-openid-connect.
    ExpressOpenidConnect,
    /// Debian's mod_auth_openidc in Apache.
    ModAuthOpenidc,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ExpressOpenidConnect, Self::ModAuthOpenidc];

    /// Its client id, and its name in tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExpressOpenidConnect => "express-openid-connect",
            Self::ModAuthOpenidc => "mod_auth_openidc",
        }
    }

    /// What has to be installed for it, with a provider.
    pub fn needs(self) -> &'static [Need] {
        match self {
            Self::ExpressOpenidConnect => &[Need::Node],
            Self::ModAuthOpenidc => &[Need::ModAuthOpenidc, Need::Node],
        }
    }
}

/// What a program is told.
#[derive(Debug)]
struct Settings<'s> {
    address: SocketAddr,
    client: &'s Client,
    /// The discovery document of the issuer, with what the provider adds for logins.
    provider: &'s Value,
}

#[derive(Debug)]
enum Program {
    Apache(Running),
    #[expect(dead_code, reason = "it is killed when this goes out of scope")]
    Node(NodeServer),
}

/// A relying party with one page, at an address of its own. It is killed when this goes out of
/// scope.
#[derive(Debug)]
pub struct RelyingParty {
    kind: Kind,
    address: SocketAddr,
    client: Client,
    folder: TempDir,
    /// The discovery document of its issuer, with what its provider adds for logins, once it has
    /// been started.
    provider: Option<Value>,
    program: Option<Program>,
}

impl RelyingParty {
    /// One that has an address, and is not started.
    ///
    /// # Panics
    /// When there is no folder for it.
    pub fn reserve(kind: Kind, with_sid: bool) -> Self {
        let address = free_address();
        let (callback, logout) = match kind {
            Kind::ExpressOpenidConnect => ("callback", "backchannel-logout"),
            Kind::ModAuthOpenidc => ("callback", "callback?logout=backchannel"),
        };
        let client = Client {
            id: kind.name().to_owned(),
            redirect_uri: format!("http://{address}/{callback}"),
            backchannel_logout_uri: format!("http://{address}/{logout}"),
            with_sid,
            post_logout_redirect_uris: Vec::new(),
        };
        Self {
            kind,
            address,
            client,
            folder: tempfile::tempdir().unwrap(),
            provider: None,
            program: None,
        }
    }

    /// It as a client of a provider.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Starts it, with logins at `provider`. Keys are those of the provider's issuer.
    ///
    /// # Panics
    /// When it does not start, or the issuer publishes nothing.
    pub fn start(&mut self, provider: &OidcProvider) {
        let issuer = Url::parse(provider.issuer()).unwrap();
        let discovery = Request::get("/.well-known/openid-configuration");
        let mut document = discovery.send(address_of(&issuer)).json();
        let members = document.as_object_mut().expect("an object");
        members.extend(provider.login_metadata());
        self.provider = Some(document);
        self.start_again();
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.program = None;
    }

    /// Starts it as it was before [`RelyingParty::stop`]. Its sessions have outlived that.
    ///
    /// # Panics
    /// When it does not start, or has never been started.
    pub fn start_again(&mut self) {
        let settings = Settings {
            address: self.address,
            client: &self.client,
            provider: self.provider.as_ref().expect("it has been started"),
        };
        self.program = Some(match self.kind {
            Kind::ExpressOpenidConnect => Program::Node(start_express(&settings)),
            Kind::ModAuthOpenidc => {
                Program::Apache(apache::start(self.folder.path(), &self.log(), &settings))
            }
        });
        let begun = Instant::now();
        while Request::get("/page").try_send(self.address).is_err() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let has_ended = match &mut self.program {
                Some(Program::Apache(running)) => running.0.try_wait().unwrap().is_some(),
                _ => false,
            };
            assert!(
                !has_ended && begun.elapsed() < PATIENCE,
                "it does not start:\n{log}"
            );
            std::thread::sleep(LOOK);
        }
    }

    /// Whether it knows each session by its `sid` alone, and one without by its `sub` until the
    /// next of the same `sub`. Others outlive a token with `sub` alone, which it takes for a
    /// success. Newer versions of mod_auth_openidc than the tried one may end them.
    ///
    /// # Panics
    /// When it has not been started.
    pub fn needs_sid(&self) -> bool {
        match self.kind {
            Kind::ExpressOpenidConnect => false,
            Kind::ModAuthOpenidc => {
                apache::version(&fs::read_to_string(self.log()).unwrap()) == "2.4.12.3"
            }
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Logs in as `name`, and gives `sub` and `sid` of the login, an empty one where it has none.
    ///
    /// # Panics
    /// When it does not get to the page.
    pub fn log_in(&self, visitor: &mut Visitor, name: &str) -> Value {
        let page = Url::parse(&format!("http://{}/page", self.address)).unwrap();
        visitor.follow(&page, name, |url| *url == page);
        let answer = visitor.send(self.address, Request::get("/page"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let claim = |name: &str| match answer.header(name) {
            None | Some("(null)") => "",
            Some(claim) => claim,
        };
        json!({ "sub": claim("login-sub"), "sid": claim("login-sid") })
    }

    /// Whether a visitor gets the page, and is not led to a login.
    ///
    /// # Panics
    /// When it is neither.
    pub fn is_open_to(&self, visitor: &Visitor) -> bool {
        // Of a copy, so that a refusal takes no cookie away that has to be looked at again.
        let answer = visitor.clone().send(self.address, Request::get("/page"));
        match answer.status {
            200 => true,
            302 => false,
            status => panic!("{status} {}", answer.text()),
        }
    }

    /// Sends it a logout token.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn send_token(&self, token: &str) -> Answer {
        let url = Url::parse(&self.client.backchannel_logout_uri).unwrap();
        Request::post(&url[url::Position::BeforePath..])
            .form(&[("logout_token", token)])
            .send(self.address)
    }
}

fn start_express(settings: &Settings<'_>) -> NodeServer {
    let Settings {
        address,
        client,
        provider,
    } = settings;
    let server = NodeServer::start(
        "relying-party",
        &json!({
            "port": address.port(),
            "baseURL": format!("http://{address}"),
            "provider": provider,
            "clientID": client.id,
            "clientSecret": SECRET,
        }),
    );
    server.says();
    server
}

/// Why mod_auth_openidc cannot run here; `None` when it can.
pub(crate) fn module_missing() -> Option<String> {
    let is_there = Path::new(apache::MODULE).is_file();
    (!is_there).then(|| format!("there is no {}", apache::MODULE))
}
