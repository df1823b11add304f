//! The flow where a real instance stands behind a platform: registration, login relay, first sight, waiting, check.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_executor::block_on;
use logout_core::authority::Ports;
use logout_core::check::Checked;
use logout_core::credential::{Sealed, Secret};
use logout_core::login_relay::{LoginRelay, RelayFault};
use logout_core::message::{Method, Request, Response};
use logout_core::outbox::Outbox as _;
use logout_core::platform::{Platform, PlatformName};
use logout_core::ports::{Deliveries, Expectation, FirstSight, PersonBySubject, ReceiptPages, Seal, SealFault, Told};
use logout_core::provider::Upstream;
use logout_core::receipt::{EndedSession, Reach, Reason, ReceiptId};
use logout_core::redirect::{ApprovedUrl, RedirectPolicy};
use logout_core::registration::{Registration, RegistrationFault};
use logout_core::session::{Device, Person, SessionId, Subject};
use logout_core::sign_out::{Absent, Choice, CsrfProof, Landing, LandingPolicy, Presented, Target, Wanted};
use logout_core::store::{Found, SessionStore};
use logout_core::testing::{BreakableStore, ListedAccounts, ManualClock, RememberedTokens};
use logout_core::upstream::{
    Addressee, Carrier, CarrierFault, Confirmation, Learned, Presentable, UpstreamAnswer, UpstreamRequest, UpstreamSession,
};
use logout_core::{Endpoint, LogoutProvider, Refusal, Reply, SessionAuthority, SignOut, UpstreamLogout, Vendor};

/// A product whose session is the cookie `sid`, and whose login answers `hello <name>`.
#[derive(Debug)]
struct Simple;

#[async_trait]
impl LogoutProvider for Simple {
    fn vendor(&self) -> Vendor {
        Vendor::Sitefinity
    }

    fn endpoints(&self) -> &[Endpoint] {
        &[]
    }

    async fn logout(&self, request: &Request, sessions: &SessionAuthority) -> Reply {
        match sessions.sign_out(asked(sessions, self.presented(request))).await {
            Ok(done) => Reply::signed_out(&done, Response::new(200)),
            Err(refusal) => self.refused(request, &refusal),
        }
    }

    fn refused(&self, _request: &Request, refusal: &Refusal) -> Reply {
        Reply::refused(refusal, Response::new(400))
    }
}

impl UpstreamLogout for Simple {
    fn relayed_endpoints(&self) -> &[Endpoint] {
        &[]
    }

    fn presented(&self, request: &Request) -> UpstreamSession {
        let cookies = request.cookies("sid").map(|value| ("sid".to_owned(), Secret::new(value))).collect();
        UpstreamSession { cookies, ..UpstreamSession::default() }
    }

    fn credentials(&self, session: &UpstreamSession) -> Vec<Presentable> {
        let secrets = session.cookies.iter().map(|(_, value)| value.clone());
        secrets.map(|secret| Presentable { purpose: "session", secret, csrf_due: true }).collect()
    }

    fn learn(&self, request: &Request, answer: &UpstreamAnswer, now: logout_core::time::Timestamp) -> Option<Learned> {
        let name = std::str::from_utf8(&answer.body).ok()?.strip_prefix("hello ")?;
        let cookies: Vec<_> = answer.cookies_set(now).into_iter().map(|cookie| (cookie.name, cookie.value)).collect();
        let before =
            request.cookies("sid").next().map(|value| Presentable { purpose: "session", secret: Secret::new(value), csrf_due: true });
        let session = UpstreamSession { cookies, ..UpstreamSession::default() };
        Some(Learned { subject: Subject::new("r", name), session, expires: None, renews: before })
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
        Sealed::new([session.as_bytes(), plain.iter().rev().copied().collect::<Vec<_>>().as_slice()].concat())
    }

    fn open(&self, session: SessionId, sealed: &Sealed) -> Result<Vec<u8>, SealFault> {
        let plain = sealed.as_bytes().strip_prefix(session.as_bytes()).ok_or(SealFault)?;
        Ok(plain.iter().rev().copied().collect())
    }
}

/// Deliveries that say what they are told to say.
#[derive(Debug)]
struct Scripted {
    first_sight: Mutex<FirstSight>,
    landing: Option<&'static str>,
    woken: AtomicUsize,
    asked: AtomicUsize,
}

struct Expected(Option<&'static str>);

#[async_trait]
impl Expectation for Expected {
    async fn told(self: Box<Self>, ended: &[EndedSession]) -> Vec<Told> {
        ended.iter().map(|session| Told { session: session.id, confirmed: true, landing: self.0.map(str::to_owned) }).collect()
    }
}

#[async_trait]
impl Deliveries for Scripted {
    fn expect(&self, _receipt: ReceiptId) -> Option<Box<dyn Expectation>> {
        Some(Box::new(Expected(self.landing)))
    }

    fn wake(&self, ended: &[EndedSession]) {
        self.woken.fetch_add(ended.len(), Ordering::SeqCst);
    }

    async fn first_sight(&self, _platform: &PlatformName, _session: &UpstreamSession) -> FirstSight {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.first_sight.lock().unwrap().clone()
    }
}

#[derive(Debug)]
struct Pages;

impl ReceiptPages for Pages {
    fn landing(&self, receipt: ReceiptId) -> Option<ApprovedUrl> {
        ApprovedUrl::from_operator(&format!("https://hub.example/receipts/of-{receipt}")).ok()
    }
}

struct World {
    sessions: SessionAuthority,
    store: Arc<BreakableStore>,
    deliveries: Arc<Scripted>,
    clock: Arc<ManualClock>,
}

fn world_with(landing: Option<&'static str>, pages: bool) -> World {
    let (clock, store) = (Arc::new(ManualClock::default()), Arc::new(BreakableStore::default()));
    let first_sight = Mutex::new(FirstSight::NotSignedIn);
    let deliveries = Arc::new(Scripted { first_sight, landing, woken: AtomicUsize::new(0), asked: AtomicUsize::new(0) });
    let accounts = Arc::new(ListedAccounts::default());
    let ports = Ports {
        deliveries: deliveries.clone(),
        seal: Some(Arc::new(Reversed)),
        receipt_pages: pages.then(|| Arc::new(Pages) as Arc<dyn ReceiptPages>),
        ..Ports::of_stand_ins(accounts, clock.clone(), store.clone(), Arc::new(RememberedTokens::default()))
    };
    let platform = Platform { has_upstream: true, ..Platform::new("cms", "https://cms.example/".parse().unwrap()) };
    let persons = Arc::new(PersonBySubject { lowercase: true, domain: Some("example.com".to_owned()) });
    World { sessions: SessionAuthority::new(Arc::new(platform), ports).with_persons(persons), store, deliveries, clock }
}

fn world() -> World {
    world_with(None, false)
}

fn known_by(secret: &str) -> UpstreamSession {
    UpstreamSession { cookies: vec![("sid".to_owned(), Secret::new(secret))], ..UpstreamSession::default() }
}

fn asked(sessions: &SessionAuthority, presented: UpstreamSession) -> SignOut {
    let policy = RedirectPolicy::new(&sessions.platform().public_url).unwrap();
    let digests = presented.cookies.iter().map(|(_, value)| Presented::in_cookie(Some(sessions.digest("session", value.reveal()))));
    SignOut {
        credentials: digests.collect(),
        choice: Choice::All,
        csrf: CsrfProof::NotNeeded,
        client: None,
        target: Target::Caller,
        reach: Reach::Session,
        absent: Absent::Accept,
        landing: Landing {
            wanted: Wanted::Nothing,
            policy: LandingPolicy::Platform(Arc::new(policy)),
            default: Some(ApprovedUrl::from_operator("/bye").unwrap()),
            refuse_bad: false,
        },
        first_sight: (!presented.is_empty()).then_some(presented),
    }
}

fn registration(name: &str, secret: &str) -> Registration {
    let (subject, session) = (Subject::new("r", name), known_by(secret));
    Registration { subject, person: None, session, expires: None, device: Device::default() }
}

fn register(world: &World, name: &str, secret: &str) -> SessionId {
    block_on(world.sessions.register(&Simple, registration(name, secret))).unwrap()
}

#[test]
fn a_registered_session_is_found_by_its_credential_and_becomes_a_delivery_when_it_ends() {
    let world = world();
    let id = register(&world, "Alice", "canary");
    assert_eq!(register(&world, "Alice", "canary"), id);
    let Ok(Found::Live(session, _)) = block_on(world.sessions.look_up(&world.sessions.digest("session", "canary"))) else { panic!() };
    assert_eq!(session.person, Some(Person::new("alice@example.com")));
    assert!(!format!("{session:?}").contains("canary"));
    let done = block_on(world.sessions.sign_out(asked(&world.sessions, known_by("canary")))).unwrap();
    assert_eq!((done.ended().len(), world.deliveries.woken.load(Ordering::SeqCst)), (1, 1));
    let delivery = block_on(world.store.delivery(id)).unwrap().unwrap();
    let opened = Reversed.open(id, &delivery.sealed.unwrap()).unwrap();
    assert_eq!(UpstreamSession::from_bytes(&opened).cookie("sid").unwrap().reveal(), "canary");
    let again = block_on(world.sessions.register(&Simple, registration("Alice", "canary")));
    assert_eq!(again, Err(RegistrationFault::Ended));
}

#[test]
fn a_credential_that_many_register_at_once_becomes_one_session() {
    let world = world();
    let together = std::sync::Barrier::new(16);
    let registered: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    block_on(world.sessions.register(&Simple, registration("alice", "same")))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let page = block_on(world.store.sessions(&Default::default(), None, 99, world.sessions.now())).unwrap();
    assert_eq!(page.items.len(), 1);
    for outcome in registered {
        assert!(outcome == Ok(page.items[0].id) || outcome == Err(RegistrationFault::Busy), "{outcome:?}");
    }
    assert_eq!(register(&world, "alice", "same"), page.items[0].id);
}

#[test]
fn what_cannot_be_registered_is_refused_and_leaves_nothing() {
    let world = world();
    let fault = |registration| block_on(world.sessions.register(&Simple, registration)).unwrap_err();
    let none = Registration { session: UpstreamSession::default(), ..registration("a", "x") };
    assert_eq!(fault(none), RegistrationFault::NoCredential);
    let past = Registration { expires: Some(world.sessions.now()), ..registration("a", "x") };
    assert_eq!(fault(past), RegistrationFault::Expired);
    world.store.set_broken(true);
    assert!(matches!(fault(registration("a", "x")), RegistrationFault::Unavailable(_)));
    world.store.set_broken(false);
    assert_eq!(block_on(world.store.sessions(&Default::default(), None, 9, world.sessions.now())).unwrap().items, []);
}

#[test]
fn the_landing_is_the_upstream_s_where_nothing_is_asked_for_and_the_rule_allows_it() {
    for (upstream, landing) in
        [(Some("https://cms.example/goodbye"), "https://cms.example/goodbye"), (Some("https://evil.example/"), "/bye"), (None, "/bye")]
    {
        let world = world_with(upstream, false);
        register(&world, "alice", "a");
        let done = block_on(world.sessions.sign_out(asked(&world.sessions, known_by("a")))).unwrap();
        assert_eq!(done.landing().unwrap().as_str(), landing);
        register(&world, "alice", "b");
        let mut wants = asked(&world.sessions, known_by("b"));
        wants.landing.wanted = Wanted::Address("/own".to_owned());
        assert_eq!(block_on(world.sessions.sign_out(wants)).unwrap().landing().unwrap().as_str(), "/own");
    }
}

#[test]
fn the_receipt_s_page_is_the_landing_of_those_who_ended_something_and_asked_for_nothing() {
    let world = world_with(None, true);
    register(&world, "alice", "a");
    let done = block_on(world.sessions.sign_out(asked(&world.sessions, known_by("a")))).unwrap();
    assert_eq!(done.landing().unwrap().as_str(), format!("https://hub.example/receipts/of-{}", done.receipt()));
    let again = block_on(world.sessions.sign_out(asked(&world.sessions, known_by("a")))).unwrap();
    assert_eq!((again.ended().len(), again.landing().unwrap().as_str()), (0, "/bye"));
}

#[test]
fn a_stranger_is_answered_from_what_the_upstream_says_and_nothing_is_written() {
    let world = world();
    let says = |first_sight, absent| {
        *world.deliveries.first_sight.lock().unwrap() = first_sight;
        let asked = SignOut { absent, ..asked(&world.sessions, known_by("foreign")) };
        block_on(world.sessions.sign_out(asked)).map(|done| done.landing().unwrap().as_str().to_owned())
    };
    let elsewhere = |to: &str| FirstSight::Confirmed { landing: Some(to.to_owned()) };
    assert_eq!(says(FirstSight::Confirmed { landing: None }, Absent::Refuse).as_deref(), Ok("/bye"));
    assert_eq!(says(elsewhere("https://cms.example/x"), Absent::Refuse).as_deref(), Ok("https://cms.example/x"));
    assert_eq!(says(elsewhere("https://evil.example/"), Absent::Refuse).as_deref(), Ok("/bye"));
    assert_eq!(says(FirstSight::NotSignedIn, Absent::Refuse), Err(Refusal::NotSignedIn));
    assert_eq!(says(FirstSight::NotSignedIn, Absent::Accept).as_deref(), Ok("/bye"));
    assert_eq!(says(FirstSight::Refused, Absent::Accept), Err(Refusal::Unavailable));
    assert_eq!(says(FirstSight::Busy, Absent::Accept), Err(Refusal::Unavailable));
    assert_eq!(block_on(world.store.receipts(None, 9)).unwrap().items, []);
    let digest = world.sessions.digest("session", "foreign");
    assert_eq!(block_on(world.sessions.look_up(&digest)), Ok(Found::Unknown));
}

#[test]
fn a_stranger_whose_upstream_is_dead_is_kept_as_a_delivery_and_tombstoned() {
    let world = world();
    *world.deliveries.first_sight.lock().unwrap() = FirstSight::Unreachable;
    let done = block_on(world.sessions.sign_out(asked(&world.sessions, known_by("foreign")))).unwrap();
    assert_eq!((done.ended().len(), world.deliveries.woken.load(Ordering::SeqCst)), (1, 1));
    let delivery = block_on(world.store.delivery(done.ended()[0].id)).unwrap().unwrap();
    assert_eq!((&*delivery.subject.name, delivery.receipt), ("", done.receipt()));
    let digest = world.sessions.digest("session", "foreign");
    assert_eq!(block_on(world.sessions.look_up(&digest)), Ok(Found::Ended));
    // Once ended it is nobody's first sight.
    let asked_before = world.deliveries.asked.load(Ordering::SeqCst);
    block_on(world.sessions.sign_out(asked(&world.sessions, known_by("foreign")))).unwrap();
    assert_eq!(world.deliveries.asked.load(Ordering::SeqCst), asked_before);
}

#[test]
fn an_administrator_s_order_and_expiry_reach_upstreams_too() {
    let world = world();
    register(&world, "alice", "a");
    let targets = vec![logout_core::store::EndTarget::Person(Person::new("alice@example.com"))];
    let ports = ports_of(&world);
    let (_, ended) = block_on(ports.end(Reason::Administrator, Reach::Person, targets)).unwrap();
    assert_eq!((ended.len(), world.deliveries.woken.load(Ordering::SeqCst)), (1, 1));
}

fn ports_of(world: &World) -> Ports {
    let tokens = Arc::new(RememberedTokens::default());
    let ports = Ports::of_stand_ins(Arc::new(ListedAccounts::default()), world.clock.clone(), world.store.clone(), tokens);
    Ports { deliveries: world.deliveries.clone(), ..ports }
}

#[test]
fn a_store_that_fails_claims_nothing_and_tells_nobody() {
    let world = world();
    register(&world, "alice", "a");
    world.store.set_broken(true);
    let refused = block_on(world.sessions.sign_out(asked(&world.sessions, known_by("a")))).unwrap_err();
    assert_eq!((refused, world.deliveries.woken.load(Ordering::SeqCst)), (Refusal::Unavailable, 0));
    world.store.set_broken(false);
    let done = block_on(world.sessions.sign_out(asked(&world.sessions, known_by("a")))).unwrap();
    assert_eq!((done.ended().len(), world.deliveries.woken.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn the_check_refuses_what_has_ended_and_passes_the_rest() {
    let world = world();
    register(&world, "alice", "live");
    register(&world, "alice", "dead");
    block_on(world.sessions.sign_out(asked(&world.sessions, known_by("dead")))).unwrap();
    let check = |cookies: &str| block_on(world.sessions.check(&Simple, &Request::new(Method::Get, "/x").with_header("cookie", cookies)));
    assert_eq!(check("sid=live; other=1"), Ok(Checked::Passes));
    assert_eq!(check("sid=unknown"), Ok(Checked::Passes));
    assert_eq!(check("sid=dead"), Ok(Checked::Ended));
    assert_eq!(check("sid=live; sid=dead"), Ok(Checked::Ended));
    assert_eq!(check(""), Ok(Checked::Passes));
    world.store.set_broken(true);
    assert!(check("sid=live").is_err());
}

#[test]
fn an_ended_cookie_gets_by_the_check_in_no_spelling_that_a_product_might_read() {
    let world = world();
    register(&world, "alice", "live");
    register(&world, "alice", "dead+/=");
    block_on(world.sessions.sign_out(asked(&world.sessions, known_by("dead+/=")))).unwrap();
    let check = |cookies: &str| block_on(world.sessions.check(&Simple, &Request::new(Method::Get, "/x").with_header("cookie", cookies)));
    for ended in [
        "sid=\"dead+/=\"",
        "a=1; sid = \"dead+/=\" ;b=2",
        "a=1, sid=dead+/=",
        "a=1,sid=\"dead+/=\",b=2",
        "sid=%64ead%2B%2F%3d",
        "s%69d=dead+/=",
        "a=%20, sid=\"%64ead+/=\"",
    ] {
        assert_eq!(check(ended), Ok(Checked::Ended), "{ended}");
    }
    for passes in ["sid=\"live\"", "sid=live; theme=%7B%22a%22%3A1%7D", "other=\"dead+/=\"", "sid=\"", "sid=%", "sid=%ff", "=,%,;\""] {
        assert_eq!(check(passes), Ok(Checked::Passes), "{passes}");
    }
}

/// Answers once, and keeps what it was sent.
#[derive(Debug)]
struct Recorder {
    answer: Result<UpstreamAnswer, CarrierFault>,
    sent: Mutex<Option<UpstreamRequest>>,
}

#[async_trait]
impl Carrier for Recorder {
    async fn send(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, CarrierFault> {
        *self.sent.lock().unwrap() = Some(request);
        self.answer.clone()
    }
}

fn relay(world: &World, answer: Result<UpstreamAnswer, CarrierFault>) -> (LoginRelay, Arc<Recorder>) {
    let carrier = Arc::new(Recorder { answer, sent: Mutex::new(None) });
    let upstream = Upstream { provider: Arc::new(Simple), carrier: carrier.clone() };
    (LoginRelay::new(upstream, "https://cms.internal:8443/base".parse().unwrap(), world.sessions.clone()), carrier)
}

fn header(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

#[test]
fn a_relayed_login_is_registered_and_its_answer_mapped() {
    let world = world();
    let headers = vec![
        header("set-cookie", "sid=s1; Domain=.internal; Path=/; HttpOnly"),
        header("set-cookie", "theme=dark; Domain=other.example"),
        header("location", "https://cms.internal:8443/base/home?a=1#b"),
        header("x-odd", "kept as it is"),
        header("connection", "close, X-Hop"),
        header("x-hop", "1"),
        header("transfer-encoding", "chunked"),
    ];
    let (relay, carrier) = relay(&world, Ok(UpstreamAnswer { status: 302, headers, body: b"hello alice".to_vec() }));
    let request = Request::new(Method::Post, "/login")
        .with_query("next=%2Fx")
        .with_header("host", "cms.example")
        .with_header("connection", "keep-alive, x-hop")
        .with_header("x-hop", "1")
        .with_header("x-forwarded-for", "6.6.6.6")
        .with_header("accept-encoding", "br")
        .with_header("content-type", "text/plain")
        .with_client(Some([192, 0, 2, 7].into()))
        .with_secure(true)
        .with_body("secret words");
    let answer = block_on(relay.login(&request)).unwrap();
    let values: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect();
    assert_eq!(
        values,
        [
            "set-cookie: sid=s1; Path=/; HttpOnly",
            "set-cookie: theme=dark; Domain=other.example",
            "location: https://cms.example/home?a=1#b",
            "x-odd: kept as it is",
        ]
    );
    assert_eq!((answer.status, answer.body.as_slice()), (302, b"hello alice".as_slice()));
    let sent = carrier.sent.lock().unwrap().take().unwrap();
    assert_eq!((sent.method, sent.target.as_str(), sent.body.as_slice()), (Method::Post, "/login?next=%2Fx", b"secret words".as_slice()));
    let sent: Vec<_> = sent.headers.iter().map(|(name, value)| format!("{name}: {}", value.reveal())).collect();
    assert_eq!(
        sent,
        ["content-type: text/plain", "x-forwarded-for: 192.0.2.7", "x-forwarded-host: cms.example", "x-forwarded-proto: https"]
    );
    assert!(matches!(block_on(world.sessions.look_up(&world.sessions.digest("session", "s1"))), Ok(Found::Live(..))));
}

#[test]
fn a_location_below_the_upstream_s_address_becomes_the_platform_s_and_any_other_is_left_alone() {
    let world = world();
    for (told, arrives) in [
        ("https://cms.internal:8443/base", "https://cms.example"),
        ("https://CMS.internal:8443/base/home?a=1#b", "https://cms.example/home?a=1#b"),
        ("http://cms.internal:8443/base/home", "https://cms.example/home"),
        ("//cms.internal:8443/base/home", "https://cms.example/home"),
        ("/base/home", "/base/home"),
        ("home", "home"),
        ("https://cms.internal/base/home", "https://cms.internal/base/home"),
        ("https://cms.internal.evil.example:8443/base/", "https://cms.internal.evil.example:8443/base/"),
        ("ftp://cms.internal:8443/base/", "ftp://cms.internal:8443/base/"),
        ("//other.example/base", "//other.example/base"),
    ] {
        let answer = UpstreamAnswer { status: 302, headers: vec![header("location", told)], body: Vec::new() };
        let (relay, _) = relay(&world, Ok(answer));
        let answer = block_on(relay.login(&Request::new(Method::Post, "/login"))).unwrap();
        assert_eq!(answer.header("location"), Some(arrives), "{told}");
    }
}

#[test]
fn a_login_that_is_answered_by_another_protocol_is_not_relayed() {
    let world = world();
    let answer = UpstreamAnswer { status: 101, headers: vec![header("upgrade", "h2c")], body: Vec::new() };
    let (relay, _) = relay(&world, Ok(answer));
    let fault = block_on(relay.login(&Request::new(Method::Post, "/login"))).unwrap_err();
    assert_eq!(fault, RelayFault::Upstream(CarrierFault::Broken));
}

#[test]
fn a_renewed_credential_belongs_to_the_session_it_renews() {
    let world = world();
    let id = register(&world, "alice", "old");
    let answer = UpstreamAnswer { status: 200, headers: vec![header("set-cookie", "sid=new")], body: b"hello alice".to_vec() };
    let (relay, _) = relay(&world, Ok(answer));
    block_on(relay.login(&Request::new(Method::Post, "/refresh").with_header("cookie", "sid=old"))).unwrap();
    for secret in ["old", "new"] {
        let Ok(Found::Live(session, _)) = block_on(world.sessions.look_up(&world.sessions.digest("session", secret))) else { panic!() };
        assert_eq!(session.id, id);
        let opened = Reversed.open(id, session.sealed.as_ref().unwrap()).unwrap();
        assert_eq!(UpstreamSession::from_bytes(&opened).cookie("sid").unwrap().reveal(), "new");
    }
}

#[test]
fn a_login_that_cannot_be_registered_never_reaches_the_client() {
    let world = world();
    let answer = UpstreamAnswer { status: 200, headers: vec![header("set-cookie", "sid=s1")], body: b"hello alice".to_vec() };
    let (registering, _) = relay(&world, Ok(answer));
    world.store.set_broken(true);
    assert_eq!(block_on(registering.login(&Request::new(Method::Post, "/login"))).unwrap_err(), RelayFault::Unavailable);
    let (unreachable, _) = relay(&world, Err(CarrierFault::Timeout));
    let fault = block_on(unreachable.login(&Request::new(Method::Post, "/login"))).unwrap_err();
    assert_eq!(fault, RelayFault::Upstream(CarrierFault::Timeout));
}
