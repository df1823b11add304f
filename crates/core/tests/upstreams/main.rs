//! The flow where a real instance stands behind a platform: registration, login relay, first sight,
//! waiting, check.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod check;
mod login_relay;
mod registration;
mod relayed_cookies;
mod sign_out;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_executor::block_on;
use logout_core::authority::Services;
use logout_core::credential::{Sealed, Secret};
use logout_core::message::{Method, Request, Response};
use logout_core::platform::{Platform, PlatformName};
use logout_core::ports::{
    Deliveries, DeliveryResult, PassThrough, PendingResult, PersonBySubject, ReceiptPages, Seal,
    SealError,
};
use logout_core::receipt::{EndedSession, Reach, ReceiptId};
use logout_core::redirect::{ApprovedUrl, RedirectPolicy};
use logout_core::registration::Registration;
use logout_core::session::{Device, SessionId, Subject};
use logout_core::sign_out::{
    CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect, PostLogoutRedirectPolicy,
    PresentedCredential, RequestedRedirect, Target,
};
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamCredential, UpstreamLogin, UpstreamRequest,
    UpstreamSession,
};
use logout_core::{
    CanonicalForm, CredentialReader, Endpoint, LogoutProvider, Refusal, Reply, SessionAuthority,
    SignOut, SignOutDialect, SignedOut, UpstreamLogout,
};
use logout_suite::testing::{
    AsText, BreakableStore, ListedAccounts, ManualClock, RememberedTokens,
};

/// A product whose session is the cookie `sid`, whose login answers `hello <name>`, and which
/// renews it at `/refresh`.
#[derive(Debug)]
struct Simple;

impl CredentialReader for Simple {
    fn canonical_forms(&self, purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        AsText.canonical_forms(purpose, presented)
    }

    fn presented(&self, request: &Request<'_>) -> UpstreamSession {
        let cookies = request
            .cookies("sid")
            .map(|value| ("sid".to_owned(), Secret::new(value)))
            .collect();
        UpstreamSession {
            cookies,
            ..UpstreamSession::default()
        }
    }
}

#[async_trait]
impl LogoutProvider for Simple {
    fn vendor(&self) -> &'static str {
        "simple"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &[]
    }

    fn namespaces(&self) -> &[String] {
        &[]
    }

    async fn logout(&self, request: &Request<'_>, sessions: &SessionAuthority) -> Reply {
        match sessions
            .sign_out(request, asked(sessions, &self.presented(request)))
            .await
        {
            Ok(done) => {
                let removed = "sid=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
                let brought = request.cookies("sid").next().is_some();
                let answer = Response::new(200);
                Reply::signed_out(
                    &done,
                    if brought {
                        answer.header("set-cookie", removed)
                    } else {
                        answer
                    },
                )
            }
            Err(refusal) => self.refused(request, &refusal),
        }
    }

    fn refused(&self, _request: &Request<'_>, refusal: &Refusal) -> Reply {
        Reply::refused(refusal, Response::new(400))
    }
}

impl UpstreamLogout for Simple {
    fn relayed_endpoints(&self) -> &[Endpoint] {
        &[]
    }

    fn credentials(&self, session: &UpstreamSession) -> Vec<UpstreamCredential> {
        let secrets = session.cookies.iter().map(|(_, value)| value.clone());
        secrets
            .map(|secret| UpstreamCredential {
                purpose: "session",
                secret,
                csrf_due: true,
            })
            .collect()
    }

    fn is_anonymous(&self, subject: &Subject) -> bool {
        &*subject.realm == "visitor"
    }

    fn parse_login(
        &self,
        request: &Request<'_>,
        answer: &UpstreamAnswer,
        now: logout_core::time::Timestamp,
    ) -> Option<UpstreamLogin> {
        let name = std::str::from_utf8(&answer.body)
            .ok()?
            .strip_prefix("hello ")?;
        let cookies: Vec<_> = answer
            .cookies_set(now)
            .into_iter()
            .map(|cookie| (cookie.name, cookie.value))
            .collect();
        let known = request
            .cookies("sid")
            .next()
            .filter(|_| request.path() == "/refresh");
        let before = known.map(|value| UpstreamCredential {
            purpose: "session",
            secret: Secret::new(value),
            csrf_due: true,
        });
        let session = UpstreamSession {
            cookies,
            ..UpstreamSession::default()
        };
        Some(UpstreamLogin::new(Subject::new("r", name), session).renewing(before))
    }
}

impl SignOutDialect for Simple {
    fn owns_cookie(&self, name: &str) -> bool {
        name == "sid"
    }

    fn sign_out(&self, _to: &Addressee) -> UpstreamRequest {
        UpstreamRequest::new(Method::Post, "/out")
    }

    fn confirm(&self, _answer: &UpstreamAnswer) -> Confirmation {
        Confirmation::Refused
    }

    fn probe(&self, _to: &Addressee) -> Option<UpstreamRequest> {
        None
    }

    fn alive(&self, _answer: &UpstreamAnswer) -> Option<bool> {
        None
    }
}

/// Seals by turning the bytes around, bound to the session.
#[derive(Debug)]
struct Reversed;

impl Seal for Reversed {
    fn seal(&self, session: SessionId, plain: &[u8]) -> Sealed {
        Sealed::new(
            [
                session.as_bytes(),
                plain.iter().rev().copied().collect::<Vec<_>>().as_slice(),
            ]
            .concat(),
        )
    }

    fn open(&self, session: SessionId, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let plain = sealed
            .as_bytes()
            .strip_prefix(session.as_bytes())
            .ok_or(SealError)?;
        Ok(plain.iter().rev().copied().collect())
    }
}

/// Deliveries that say what they are told to say.
#[derive(Debug)]
struct Scripted {
    pass_through: Mutex<PassThrough>,
    redirect: Option<&'static str>,
    woken: AtomicUsize,
    asked: AtomicUsize,
}

struct Expected(Option<&'static str>);

#[async_trait]
impl PendingResult for Expected {
    async fn told(self: Box<Self>, ended: &[EndedSession]) -> Vec<DeliveryResult> {
        ended
            .iter()
            .map(|session| DeliveryResult {
                confirmed: true,
                redirect: self.0.map(str::to_owned),
                ..DeliveryResult::nothing(session.id)
            })
            .collect()
    }
}

#[async_trait]
impl Deliveries for Scripted {
    fn expect(&self, _receipt: ReceiptId) -> Option<Box<dyn PendingResult>> {
        Some(Box::new(Expected(self.redirect)))
    }

    fn wake(&self, ended: &[EndedSession]) {
        self.woken.fetch_add(ended.len(), Ordering::SeqCst);
    }

    async fn pass_through(
        &self,
        _platform: &PlatformName,
        _session: &UpstreamSession,
    ) -> PassThrough {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.pass_through.lock().unwrap().clone()
    }
}

#[derive(Debug)]
struct Pages;

impl ReceiptPages for Pages {
    fn address(&self, receipt: ReceiptId) -> Option<ApprovedUrl> {
        ApprovedUrl::from_operator(&format!("https://hub.example/receipts/of-{receipt}")).ok()
    }
}

struct World {
    sessions: SessionAuthority,
    store: Arc<BreakableStore>,
    deliveries: Arc<Scripted>,
    clock: Arc<ManualClock>,
}

fn upstream_platform() -> Platform {
    let mut platform = Platform::new("cms", "https://cms.example/".parse().unwrap());
    platform.has_upstream = true;
    platform
}

fn world_with(redirect: Option<&'static str>, pages: bool) -> World {
    world_of(upstream_platform(), redirect, pages)
}

fn world_of(platform: Platform, redirect: Option<&'static str>, pages: bool) -> World {
    let (clock, store) = (
        Arc::new(ManualClock::default()),
        Arc::new(BreakableStore::default()),
    );
    let pass_through = Mutex::new(PassThrough::NotSignedIn);
    let deliveries = Arc::new(Scripted {
        pass_through,
        redirect,
        woken: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
    });
    let accounts = Arc::new(ListedAccounts::default());
    let mut services = Services::of_stand_ins(
        accounts,
        clock.clone(),
        store.clone(),
        Arc::new(RememberedTokens::default()),
    );
    services.deliveries = deliveries.clone();
    services.seal = Some(Arc::new(Reversed));
    services.receipt_pages = pages.then(|| Arc::new(Pages) as Arc<dyn ReceiptPages>);
    let persons = Arc::new(PersonBySubject {
        lowercase: true,
        domain: Some("example.com".to_owned()),
    });
    World {
        sessions: SessionAuthority::new(Arc::new(platform), Arc::new(Simple), services)
            .with_persons(persons),
        store,
        deliveries,
        clock,
    }
}

fn world() -> World {
    world_with(None, false)
}

fn known_by(secret: &str) -> UpstreamSession {
    UpstreamSession {
        cookies: vec![("sid".to_owned(), Secret::new(secret))],
        ..UpstreamSession::default()
    }
}

/// Signs out by this session's cookie; `change` makes of what a request asks for what this one
/// does.
fn sign_out(
    world: &World,
    secret: &str,
    change: impl FnOnce(SignOut) -> SignOut,
) -> Result<SignedOut, Refusal> {
    let request = Request::new(Method::Post, "/out").with_header("cookie", format!("sid={secret}"));
    let asked = change(asked(&world.sessions, &known_by(secret)));
    block_on(world.sessions.sign_out(&request, asked))
}

fn asked(sessions: &SessionAuthority, presented: &UpstreamSession) -> SignOut {
    let policy = RedirectPolicy::new(&sessions.platform().public_url).unwrap();
    let credentials = presented
        .cookies
        .iter()
        .map(|(_, value)| PresentedCredential::in_cookie("session", value.reveal()));
    SignOut {
        credentials: credentials.collect(),
        credential_policy: CredentialPolicy::All,
        csrf: CsrfProof::NotNeeded,
        client: None,
        target: Target::Caller,
        reach: Reach::Session,
        no_session: NoSessionPolicy::Succeed,
        redirect: PostLogoutRedirect {
            requested: RequestedRedirect::Nothing,
            policy: PostLogoutRedirectPolicy::Platform(Arc::new(policy)),
            default: Some(ApprovedUrl::from_operator("/bye").unwrap()),
            reject_invalid: false,
        },
    }
}

fn registration(name: &str, secret: &str) -> Registration {
    let (subject, session) = (Subject::new("r", name), known_by(secret));
    Registration {
        subject,
        person: None,
        session,
        expires: None,
        device: Device::default(),
        idp: None,
        id_token: None,
    }
}

fn register(world: &World, name: &str, secret: &str) -> SessionId {
    block_on(world.sessions.register(&Simple, registration(name, secret))).unwrap()
}
