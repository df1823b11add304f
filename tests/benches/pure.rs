//! The parts of a sign-out without sockets and without a store: reading the request, the flow, the
//! reply, the redirect rule, cookies. `cargo bench -p logout-tests`, or `cargo bench` for
//! everything.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot set itself up should stop"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_executor::block_on;
use logout_core::authority::Services;
use logout_core::canonical::CanonicalForm;
use logout_core::cookie::{CookiePolicy, CookieSpec};
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::platform::Platform;
use logout_core::ports::{Clock as _, TokenClaims, Tokens};
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::redirect::RedirectPolicy;
use logout_core::session::{ClientId, Device, Person, Session, SessionId, Subject};
use logout_core::store::Join;
use logout_core::store::{
    EndOrder, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable, SweepPage,
};
use logout_core::time::Timestamp;
use logout_core::{LoginProvider, Method, Request, Response, SessionAuthority};
use logout_identity::JwtTokens;
use logout_store::MemoryStore;
use logout_suite::testing::{AsText, ListedAccounts, ManualClock};

const CLIENT: &str = "12345678-1234-1234-1234-123456789012";

/// Finds the same live session behind every credential, and ends it every time, at no cost.
#[derive(Debug)]
struct TirelessStore(Arc<Session>);

#[async_trait]
impl SessionStore for TirelessStore {
    async fn open(
        &self,
        _: Session,
        _: Join,
        _: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        Ok(OpenOutcome::Opened)
    }

    async fn find(&self, _: &CredentialDigest, _: Timestamp) -> Result<Lookup, StoreUnavailable> {
        Ok(Lookup::Live(self.0.clone(), self.0.credentials[0].clone()))
    }

    async fn attach(
        &self,
        _: SessionId,
        _: Credential,
        _: Option<Sealed>,
        _: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        Ok(true)
    }

    async fn touch(&self, _: SessionId, _: Timestamp) -> Result<(), StoreUnavailable> {
        Ok(())
    }

    async fn end(&self, _: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        Ok(vec![EndedSession::from(&*self.0)])
    }

    async fn put_once(
        &self,
        _: CredentialDigest,
        _: Vec<u8>,
        _: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        Ok(true)
    }

    async fn take_once(
        &self,
        _: &CredentialDigest,
        _: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(None)
    }

    async fn sessions(
        &self,
        _: &SessionFilter,
        _: Option<SessionId>,
        _: usize,
        _: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        Ok(Page {
            items: Vec::new(),
            next: None,
        })
    }

    async fn receipt(&self, _: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        Ok(None)
    }

    async fn receipts(
        &self,
        _: Option<ReceiptId>,
        _: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        Ok(Page {
            items: Vec::new(),
            next: None,
        })
    }

    async fn sweep(
        &self,
        _: Option<Vec<u8>>,
        _: usize,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        Ok(SweepPage::default())
    }

    async fn get_or_insert(
        &self,
        _: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        Ok(candidate)
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        Ok(())
    }
}

struct Subjects {
    platform: Platform,
    clock: Arc<ManualClock>,
    tokens: Arc<JwtTokens>,
}

impl Subjects {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let tokens = block_on(JwtTokens::load(&MemoryStore::new(), &*clock)).unwrap();
        Self {
            platform: Platform::new("bench", "http://127.0.0.1/".parse().unwrap()),
            clock,
            tokens: Arc::new(tokens),
        }
    }

    fn sessions(&self) -> SessionAuthority {
        let now = self.clock.now();
        let expires = now.plus(Duration::from_secs(3_600));
        let digest = CredentialDigest::of(
            &self.platform.name,
            "any",
            &CanonicalForm::of_text("secret"),
        );
        let session = Session {
            id: SessionId::at(now),
            platform: self.platform.name.clone(),
            sign_on: None,
            subject: Subject::new("default", "alice"),
            person: Some(Person::new("alice@example.com")),
            account: None,
            client: Some(ClientId::new(CLIENT)),
            administrator: false,
            credentials: vec![Credential {
                digest,
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
            idp: None,
        };
        let store = Arc::new(TirelessStore(Arc::new(session)));
        let ports = Services::of_stand_ins(
            Arc::new(ListedAccounts::default()),
            self.clock.clone(),
            store,
            self.tokens.clone(),
        );
        SessionAuthority::new(Arc::new(self.platform.clone()), Arc::new(AsText), ports)
    }

    fn token(&self, audience: &str, vendor: &[(&str, &str)]) -> String {
        let now = self.clock.now().as_secs();
        let claims = TokenClaims {
            iss: "bench".to_owned(),
            aud: audience.to_owned(),
            sub: "alice".to_owned(),
            jti: "4".repeat(43),
            iat: now,
            exp: now + 3_600,
            vendor: vendor
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        self.tokens.mint(&claims).unwrap().reveal().to_owned()
    }
}

fn sign_outs(criterion: &mut Criterion) {
    let subjects = Subjects::new();
    let sessions = subjects.sessions();
    let secret = "s".repeat(43);
    let toml = |text: &str| -> toml::Table { text.parse().unwrap() };
    let wix =
        format!("app = [{{ client_id = \"{CLIENT}\", redirect_domains = [\"app.example\"] }}]");
    let cases: Vec<(&str, Box<dyn LoginProvider>, Request)> = vec![
        (
            "sitefinity",
            Box::new(
                logout_sitefinity::SitefinityProvider::new(
                    logout_sitefinity::SitefinityConfig::default(),
                    &subjects.platform,
                )
                .unwrap(),
            ),
            Request::new(Method::Get, "/Sitefinity/SignOut")
                .with_query("sts_signout=true")
                .with_header("cookie", format!(".AspNet.Cookies={secret}")),
        ),
        (
            "assets",
            Box::new(
                logout_assets::AssetsProvider::new(
                    logout_assets::AssetsConfig::default(),
                    &subjects.platform,
                )
                .unwrap(),
            ),
            Request::new(Method::Post, "/services/logout").with_header(
                "authorization",
                format!(
                    "Bearer {}",
                    subjects.token("authToken", &[("reqCsrf", "false")])
                ),
            ),
        ),
        (
            "wix",
            Box::new(
                logout_wix::WixProvider::new(toml(&wix).try_into().unwrap(), &subjects.platform)
                    .unwrap(),
            ),
            Request::new(Method::Get, "/_api/iam/authentication/v1/logout")
                .with_query(format!(
                    "postLogoutRedirectUri=https%3A%2F%2Fapp.example%2Fbye&clientId={CLIENT}"
                ))
                .with_header(
                    "authorization",
                    format!(
                        "OauthNG.JWS.{}",
                        subjects.token("access", &[("client_id", CLIENT)])
                    ),
                ),
        ),
        (
            "hcl-dx",
            Box::new(
                logout_hcl_dx::HclDxProvider::new(
                    logout_hcl_dx::HclDxConfig::default(),
                    &subjects.platform,
                )
                .unwrap(),
            ),
            Request::new(Method::Post, "/dx/api/core/v1/auth/logout")
                .with_header("cookie", format!("LtpaToken2={secret}=")),
        ),
    ];
    let mut group = criterion.benchmark_group("read, flow, reply");
    for (vendor, provider, request) in &cases {
        let endpoint = provider
            .endpoints()
            .iter()
            .find(|endpoint| endpoint.matches(request.path()).is_some())
            .unwrap();
        let request = request.clone().with_endpoint(endpoint.name(), Vec::new());
        let answer = Response::from(block_on(provider.logout(&request, &sessions)));
        assert!(matches!(answer.status(), 200 | 302), "{vendor}: {answer:?}");
        group.bench_function(*vendor, |bencher| {
            bencher.iter(|| block_on(provider.logout(black_box(&request), &sessions)))
        });
    }
    group.finish();
}

fn redirects(criterion: &mut Criterion) {
    let policy = RedirectPolicy::new(&"https://site.example/".parse().unwrap())
        .and_then(|policy| policy.allow("https://www.example.com"))
        .and_then(|policy| policy.allow("https://*.example.org"))
        .unwrap();
    let mut group = criterion.benchmark_group("redirect");
    for (name, wanted) in [
        ("relative", " home"),
        ("allowed", "https://shop.example.org/bye?a=b#c"),
        ("refused", "https://www.example.com@evil.test/"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| policy.approve(black_box(wanted)))
        });
    }
    group.finish();
}

fn cookies(criterion: &mut Criterion) {
    let spec = CookieSpec::new("session", "/", true, &CookiePolicy::default(), false);
    let mut group = criterion.benchmark_group("cookie");
    group.bench_function("set", |bencher| {
        bencher.iter(|| spec.set(black_box("value"), true, None))
    });
    group.bench_function("clear", |bencher| {
        bencher.iter(|| spec.clear(black_box(true)).to_vec())
    });
    let request = Request::new(Method::Get, "/").with_header(
        "cookie",
        "a=1; b=2; session=abcdefghijklmnopqrstuvwxyz; c=3",
    );
    group.bench_function("read", |bencher| {
        bencher.iter(|| black_box(&request).cookies("session").count())
    });
    group.finish();
}

criterion_group!(benches, sign_outs, redirects, cookies);
criterion_main!(benches);
