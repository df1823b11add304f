//! Sessions of every vendor, loaded straight into a store: how each is signed out, and what its old
//! credential opens.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::stream::{self, StreamExt as _};
use logout_assets::{AssetsConfig, AssetsProvider};
use logout_core::CredentialReader;
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::platform::{Platform, PlatformName};
use logout_core::ports::{Clock as _, TokenClaims, Tokens};
use logout_core::session::{ClientId, Device, Person, Session, SessionId, Subject};
use logout_core::store::{Join, OpenOutcome, SessionStore};
use logout_core::time::Timestamp;
use logout_hcl_dx::{HclDxConfig, HclDxProvider};
use logout_hub::SystemClock;
use logout_hub::Vendor;
use logout_identity::JwtTokens;
use logout_sitefinity::{SitefinityConfig, SitefinityProvider};
use logout_store::{DiskStore, PostgresStore, RedisStore};
use logout_tests::http::{Answer, Request};
use logout_tests::hub::Accounts;
use logout_tests::stores::StoreKind;
use logout_wix::{WixConfig, WixProvider};

pub(crate) const VENDORS: [Vendor; 4] = [
    Vendor::Assets,
    Vendor::HclDx,
    Vendor::Sitefinity,
    Vendor::Wix,
];

/// The Wix app of [`PLATFORMS`].
pub(crate) const CLIENT: &str = "12345678-1234-1234-1234-123456789012";
/// The content item of [`PLATFORMS`] that takes a login.
const CONTENT: &str = "3f1c2a9e-0000-4000-8000-000000000002";

/// One platform of every vendor at the root, each called like its vendor.
pub(crate) const PLATFORMS: &str = r#"
[[platform]]
name = "assets"
vendor = "assets"
[[platform]]
name = "hcl-dx"
vendor = "hcl-dx"
[[platform.content]]
id = "3f1c2a9e-0000-4000-8000-000000000002"
title = "Members"
[[platform]]
name = "sitefinity"
vendor = "sitefinity"
[[platform]]
name = "wix"
vendor = "wix"
[[platform.app]]
client_id = "12345678-1234-1234-1234-123456789012"
redirect_uris = ["https://www.example.com/goodbye"]
redirect_domains = [".example.org"]
"#;

/// How long sessions of these tests last.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How many sessions are opened at once.
const LOADING: usize = 512;

/// Writes a configuration of [`PLATFORMS`] on an empty store of this kind into `folder`.
pub(crate) fn configure(folder: &Path, store: StoreKind) {
    configure_with(folder, store, "", PLATFORMS);
}

/// The same with other platforms, and with more lines for the `[server]`.
pub(crate) fn configure_with(folder: &Path, store: StoreKind, server: &str, platforms: &str) {
    let server = format!("[server]\nlisten = \"127.0.0.1:0\"\n{server}\n");
    let store = store.empty();
    let rest = "[redirects]\nallow = [\"https://www.example.com\", \"https://*.example.org\", \"http://localhost:3000\"]\n";
    let listeners =
        format!("{server}[admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{store}\"\n");
    fs::write(
        folder.join("hub.toml"),
        format!("{listeners}{rest}{}{platforms}", Accounts::toml()),
    )
    .unwrap();
}

/// Opens `count` sessions, of all vendors in turn, in the store that [`configure`] names; no server
/// may run on it.
pub(crate) fn load(folder: &Path, count: usize) -> Vec<Sample> {
    actix_web::rt::System::new().block_on(async {
        let store = store_of(folder);
        let tokens = JwtTokens::load(&*store, &SystemClock).await.unwrap();
        let now = SystemClock.now();
        let (sessions, samples): (Vec<_>, Vec<_>) = (0..count)
            .map(|number| Sample::new(VENDORS[number % VENDORS.len()], number, &tokens, now))
            .unzip();
        let mut opening = stream::iter(sessions)
            .map(|session| store.open(session, Join::Always, now))
            .buffer_unordered(LOADING);
        while let Some(opened) = opening.next().await {
            assert_eq!(opened, Ok(OpenOutcome::Opened));
        }
        samples
    })
}

/// The store that the configuration in `folder` names.
fn store_of(folder: &Path) -> Box<dyn SessionStore> {
    let configuration: toml::Table = fs::read_to_string(folder.join("hub.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let url = configuration["store"]["url"].as_str().unwrap();
    match url.split_once(':').unwrap() {
        ("disk", path) => Box::new(DiskStore::open(&folder.join(path)).unwrap()),
        ("postgres", _) => Box::new(PostgresStore::connect(url).unwrap()),
        ("redis", _) => Box::new(RedisStore::connect(url).unwrap()),
        (other, _) => panic!("{other}"),
    }
}

/// A session, and the credential that opens it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) vendor: Vendor,
    pub(crate) id: SessionId,
    pub(crate) secret: String,
}

impl Sample {
    /// The `number`th session of alice's at the platform called like its vendor.
    pub(crate) fn new(
        vendor: Vendor,
        number: usize,
        tokens: &dyn Tokens,
        now: Timestamp,
    ) -> (Session, Self) {
        let platform = PlatformName::new(vendor.name());
        let expires = now.plus(LIFETIME);
        let id = SessionId::at(now);
        let token = |audience: &str, vendor: &[(&str, &str)]| {
            let claims = TokenClaims {
                iss: platform.as_str().to_owned(),
                aud: audience.to_owned(),
                sub: "alice".to_owned(),
                jti: id.to_string(),
                iat: now.as_secs(),
                exp: expires.as_secs(),
                vendor: vendor
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            };
            tokens.mint(&claims).unwrap().reveal().to_owned()
        };
        let (purpose, secret, realm) = match vendor {
            Vendor::Assets => (
                "authToken",
                token("authToken", &[("reqCsrf", "false")]),
                "Default",
            ),
            Vendor::HclDx => (
                "ltpa",
                STANDARD.encode([&random_bytes::<64>()[number % 3..], id.as_bytes()].concat()),
                "Default",
            ),
            Vendor::Sitefinity => (
                "site",
                URL_SAFE_NO_PAD
                    .encode([&random_bytes::<96>()[number % 3..], id.as_bytes()].concat()),
                "default",
            ),
            Vendor::Wix => (
                "access",
                format!("OauthNG.JWS.{}", token("access", &[("client_id", CLIENT)])),
                "Default",
            ),
        };
        let session = Session {
            id,
            sign_on: None,
            subject: Subject::new(realm, "alice"),
            person: Some(Person::new("alice@example.com")),
            account: None,
            client: (vendor == Vendor::Wix).then(|| ClientId::new(CLIENT)),
            administrator: false,
            credentials: vec![Credential {
                digest: digest(vendor, &platform, purpose, &secret),
                expires,
                csrf_due: false,
            }],
            csrf: None,
            opened: now,
            seen: now,
            idle_timeout: None,
            expires,
            device: Device::default(),
            sealed: None,
            platform,
            idp: None,
        };
        (session, Self { vendor, id, secret })
    }

    /// The header that presents the credential.
    pub(crate) fn header(&self) -> (&'static str, String) {
        match self.vendor {
            Vendor::Assets => ("Authorization", format!("Bearer {}", self.secret)),
            Vendor::HclDx => ("Cookie", format!("LtpaToken2={}", self.secret)),
            Vendor::Sitefinity => ("Cookie", format!(".AspNet.Cookies={}", self.secret)),
            Vendor::Wix => ("Authorization", self.secret.clone()),
        }
    }

    /// The request with the credential.
    pub(crate) fn with(&self, request: Request) -> Request {
        let (name, value) = self.header();
        request.header(name, &value)
    }

    /// Signs it out as the vendor documents it.
    pub(crate) fn sign_out(&self) -> Request {
        let (method, target) = sign_out(self.vendor);
        self.with(Request::new(method, target))
    }

    /// The same as bytes, for a connection that stays open.
    pub(crate) fn sign_out_bytes(&self) -> Vec<u8> {
        let ((method, target), (name, value)) = (sign_out(self.vendor), self.header());
        format!("{method} {target} HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n{name}: {value}\r\n\r\n").into_bytes()
    }

    /// Whether the credential opens the session, on which all of the vendor's probes have to agree.
    pub(crate) fn is_alive(&self, address: SocketAddr) -> bool {
        opens(self.vendor, &[self.header()], address)
    }
}

/// Whether these headers open a session, on which all of the vendor's probes have to agree.
pub(crate) fn opens(vendor: Vendor, headers: &[(&str, String)], address: SocketAddr) -> bool {
    let mut answers = probes(vendor).into_iter().map(|(request, is_alive)| {
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let answer = request.clone().send(address);
        is_alive(&answer)
            .unwrap_or_else(|| panic!("{request:?}: {} {}", answer.status, answer.text()))
    });
    let first = answers.next().unwrap();
    assert!(
        answers.all(|answer| answer == first),
        "the probes of {vendor} do not agree"
    );
    first
}

/// The method and target of each vendor's documented sign-out.
pub(crate) fn sign_out(vendor: Vendor) -> (&'static str, &'static str) {
    match vendor {
        Vendor::Assets => ("POST", "/services/logout"),
        Vendor::HclDx => ("POST", "/dx/api/core/v1/auth/logout"),
        Vendor::Sitefinity => ("GET", "/Sitefinity/SignOut?sts_signout=true"),
        Vendor::Wix => ("POST", "/_api/iam/authentication/v1/logout"),
    }
}

/// Whether an answer says, in the vendor's words, that a sign-out was done.
pub(crate) fn says_done(vendor: Vendor, answer: &Answer) -> bool {
    match vendor {
        Vendor::Assets => answer.status == 200 && answer.text() == r#"{"logoutSuccess":true}"#,
        Vendor::HclDx => {
            answer.status == 200 && answer.text().contains("You are successfully logged out")
        }
        Vendor::Sitefinity => answer.status == 302,
        Vendor::Wix => answer.status == 200 && answer.text().contains("signed out"),
    }
}

type Probe = (Request, fn(&Answer) -> Option<bool>);

/// Every request by which a client of the vendor learns whether it is signed in.
pub(crate) fn probes(vendor: Vendor) -> Vec<Probe> {
    let by_status: fn(&Answer) -> Option<bool> = |answer| match answer.status {
        200 => Some(true),
        401 => Some(false),
        _ => None,
    };
    match vendor {
        Vendor::Assets => {
            let by_object: fn(&Answer) -> Option<bool> =
                |answer| match answer.json().get("errorcode") {
                    None => (answer.status == 200).then_some(true),
                    Some(code) => (code == 401).then_some(false),
                };
            ["/services/profile", "/services/ping", "/services/search?q="]
                .map(|target| (Request::get(target), by_object))
                .into()
        }
        Vendor::HclDx => {
            let by_redirect: fn(&Answer) -> Option<bool> = |answer| match answer.status {
                200 => Some(true),
                302 => Some(false),
                _ => None,
            };
            let by_page: fn(&Answer) -> Option<bool> =
                |answer| Some(!answer.text().contains("Nobody is signed in"));
            vec![
                (Request::post("/dx/api/core/v1/auth/validate"), by_status),
                (
                    Request::get(&format!(
                        "/dx/api/core/v1/dxmyrest/webcontent/contents/{CONTENT}"
                    )),
                    by_status,
                ),
                (Request::get("/wps/myportal"), by_redirect),
                (Request::get("/wps/portal"), by_page),
            ]
        }
        Vendor::Sitefinity => {
            let by_flag: fn(&Answer) -> Option<bool> =
                |answer| answer.json()["IsLoggedIn"].as_bool();
            let by_value: fn(&Answer) -> Option<bool> =
                |answer| answer.json()["value"]["IsAuthenticated"].as_bool();
            vec![
                (Request::get("/rest-api/login-status"), by_flag),
                (Request::get("/api/default/users/current"), by_value),
                (Request::get("/sf/system/users/current"), by_value),
            ]
        }
        Vendor::Wix => vec![
            (Request::get("/members/v1/members/my"), by_status),
            (Request::get("/_api/members/v1/members/my"), by_status),
            // A redirect session is only given to somebody who is signed in.
            (
                Request::post("/headless/v1/redirect-session")
                    .json(&serde_json::json!({ "logout": { "clientId": CLIENT } })),
                by_status,
            ),
        ],
    }
}

/// The digest that the hub keeps a credential under.
fn digest(
    vendor: Vendor,
    platform: &PlatformName,
    purpose: &str,
    secret: &str,
) -> CredentialDigest {
    let bare = Platform::new(platform.as_str(), "http://127.0.0.1/".parse().unwrap());
    let reader: Box<dyn CredentialReader> = match vendor {
        Vendor::Assets => Box::new(AssetsProvider::new(AssetsConfig::default(), &bare).unwrap()),
        Vendor::HclDx => Box::new(HclDxProvider::new(HclDxConfig::default(), &bare).unwrap()),
        Vendor::Sitefinity => {
            Box::new(SitefinityProvider::new(SitefinityConfig::default(), &bare).unwrap())
        }
        Vendor::Wix => Box::new(WixProvider::new(WixConfig::default(), &bare).unwrap()),
    };
    CredentialDigest::of(
        platform,
        purpose,
        &reader.canonical_forms(purpose, secret)[0],
    )
}
