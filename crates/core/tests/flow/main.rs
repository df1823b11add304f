//! The one flow of a sign-out, over a store in memory: who, may they, is it theirs, where to, and
//! only then the end.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod identity_provider;
mod proofs;
mod relying_parties;
mod replacement;
mod targets;
mod token_revocation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use logout_core::SessionAuthority;
use logout_core::authority::Services;
use logout_core::credential::Secret;
use logout_core::housekeeping::Housekeeping;
use logout_core::message::{Method, Request};
use logout_core::platform::Platform;
use logout_core::ports::Clock as _;
use logout_core::receipt::{Reach, Reason};
use logout_core::redirect::{RedirectError, RedirectPolicy};
use logout_core::session::{ClientId, Device, Person, Session, Subject};
use logout_core::sign_out::{
    CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect, PostLogoutRedirectPolicy,
    PresentedCredential, Refusal, RequestedRedirect, SignOut, Target,
};
use logout_core::store::{Join, SessionFilter};
use logout_store::MemoryStore;
use logout_suite::testing::{AsText, ListedAccounts, ManualClock, RememberedTokens};

struct World {
    clock: Arc<ManualClock>,
    services: Services,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let accounts = Arc::new(ListedAccounts::default());
        let services = Services::of_stand_ins(
            accounts,
            clock.clone(),
            Arc::new(MemoryStore::new()),
            Arc::new(RememberedTokens::default()),
        );
        Self { clock, services }
    }

    fn platform(&self, name: &str, reach: Reach) -> SessionAuthority {
        let mut platform = Platform::new(name, "https://site.example/".parse().unwrap());
        platform.reach = reach;
        SessionAuthority::new(Arc::new(platform), Arc::new(AsText), self.services.clone())
    }

    /// The names of the secrets that still open something, at any of the platforms.
    fn alive(&self) -> Vec<String> {
        let page = block_on(self.services.store.sessions(
            &SessionFilter::default(),
            None,
            100,
            self.services.clock.now(),
        ))
        .unwrap();
        let mut names: Vec<_> = page
            .items
            .into_iter()
            .map(|session| format!("{}/{}", session.platform, session.subject.name))
            .collect();
        names.sort();
        names
    }
}

fn session(authority: &SessionAuthority, name: &str, secret: &str) -> Session {
    let mut session = authority.new_session(Subject::new("Default", name), None, Device::default());
    session.person = Some(Person::new(name));
    session.credentials =
        vec![authority.credential("session", &Secret::new(secret), session.expires, false)];
    session
}

fn open(authority: &SessionAuthority, session: Session) {
    block_on(authority.open(session, Join::Always)).unwrap();
}

/// The request of a sign-out that nothing is read out of.
fn any_request() -> Request<'static> {
    Request::new(Method::Post, "/")
}

fn asked(authority: &SessionAuthority, secrets: &[&str]) -> SignOut {
    let policy = RedirectPolicy::new(&authority.platform().public_url).unwrap();
    SignOut {
        credentials: secrets
            .iter()
            .map(|secret| PresentedCredential::in_cookie("session", *secret))
            .collect(),
        credential_policy: CredentialPolicy::FirstValid,
        csrf: CsrfProof::NotNeeded,
        client: None,
        target: Target::Caller,
        reach: Reach::Session,
        no_session: NoSessionPolicy::Succeed,
        redirect: PostLogoutRedirect {
            requested: RequestedRedirect::Nothing,
            policy: PostLogoutRedirectPolicy::Platform(Arc::new(policy)),
            default: None,
            reject_invalid: false,
        },
    }
}

#[test]
fn a_sign_out_ends_the_callers_session_and_leaves_a_receipt_without_secrets() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    open(&cms, session(&cms, "alice", "canary"));
    open(&cms, session(&cms, "alice", "a2"));
    let done = block_on(cms.sign_out(&any_request(), asked(&cms, &["canary"]))).unwrap();
    assert_eq!(done.ended().len(), 1);
    assert_eq!(world.alive(), ["cms/alice"]);
    let receipt = block_on(world.services.store.receipt(done.receipt()))
        .unwrap()
        .unwrap();
    assert_eq!(
        (receipt.reason, receipt.reach, receipt.sessions.len()),
        (Reason::User, Reach::Session, 1)
    );
    assert!(!serde_json::to_string(&receipt).unwrap().contains("canary"));
}

#[test]
fn nothing_is_written_when_nothing_ended_and_yet_the_answer_names_a_receipt() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    let done = block_on(cms.sign_out(&any_request(), asked(&cms, &["nobody"]))).unwrap();
    assert!(done.ended().is_empty());
    assert_eq!(
        block_on(world.services.store.receipt(done.receipt())).unwrap(),
        None
    );
}

#[test]
fn a_bad_return_address_is_refused_before_anything_ends_or_replaced_after_it_did() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    open(&cms, session(&cms, "alice", "a"));
    let to = |reject_invalid| {
        let mut sign_out = asked(&cms, &["a"]);
        sign_out.redirect.requested = RequestedRedirect::Address("https://evil.test".into());
        sign_out.redirect.reject_invalid = reject_invalid;
        sign_out
    };
    assert_eq!(
        block_on(cms.sign_out(&any_request(), to(true))).unwrap_err(),
        Refusal::RedirectRefused(RedirectError::ForeignOrigin)
    );
    assert_eq!(world.alive(), ["cms/alice"]);
    let done = block_on(cms.sign_out(&any_request(), to(false))).unwrap();
    assert_eq!((done.ended().len(), done.redirect()), (1, None));
}

#[test]
fn the_return_address_is_decided_by_the_client_of_the_request_or_else_of_the_session() {
    let world = World::new();
    let shop = world.platform("shop", Reach::Session);
    let base = "https://site.example/".parse().unwrap();
    let policy = RedirectPolicy::new(&base)
        .unwrap()
        .without_own_origin()
        .allow("https://app.example")
        .unwrap();
    let policies = Arc::new(BTreeMap::from([(ClientId::new("app"), policy)]));
    for (client, allowed) in [(Some(ClientId::new("app")), true), (None, false)] {
        open(
            &shop,
            Session {
                client,
                ..session(&shop, "alice", "a")
            },
        );
        let mut sign_out = asked(&shop, &["a"]);
        sign_out.redirect.requested = RequestedRedirect::Address("https://app.example/bye".into());
        sign_out.redirect.policy = PostLogoutRedirectPolicy::ByClient(policies.clone());
        sign_out.redirect.reject_invalid = true;
        assert_eq!(
            block_on(shop.sign_out(&any_request(), sign_out)).is_ok(),
            allowed
        );
    }
}

#[test]
fn an_absent_session_is_accepted_refused_or_refused_when_unrecognised() {
    let world = World::new();
    let shop = world.platform("shop", Reach::Session);
    open(&shop, session(&shop, "alice", "spent"));
    block_on(shop.sign_out(&any_request(), asked(&shop, &["spent"]))).unwrap();
    let header = |secret: &str| PresentedCredential::in_header("session", secret);
    let with = |no_session, credentials: Vec<PresentedCredential>| {
        block_on(shop.sign_out(
            &any_request(),
            SignOut {
                no_session,
                credentials,
                ..asked(&shop, &[])
            },
        ))
        .map(|_| ())
    };
    let refused = Err(Refusal::NotSignedIn);
    assert_eq!(with(NoSessionPolicy::Succeed, vec![header("x")]), Ok(()));
    assert_eq!(with(NoSessionPolicy::Reject, vec![]), refused);
    assert_eq!(
        with(NoSessionPolicy::Reject, vec![header("spent")]),
        refused
    );
    assert_eq!(with(NoSessionPolicy::RejectUnrecognized, vec![]), Ok(()));
    assert_eq!(
        with(NoSessionPolicy::RejectUnrecognized, vec![header("x")]),
        refused
    );
    assert_eq!(
        with(
            NoSessionPolicy::RejectUnrecognized,
            vec![PresentedCredential::in_header("session", "foreign").foreign()]
        ),
        refused
    );
    assert_eq!(
        with(NoSessionPolicy::RejectUnrecognized, vec![header("spent")]),
        Ok(())
    );
    assert_eq!(
        with(
            NoSessionPolicy::RejectUnrecognized,
            vec![header("x").vouched()]
        ),
        Ok(())
    );
    assert_eq!(
        with(
            NoSessionPolicy::RejectUnrecognized,
            vec![
                header("x"),
                PresentedCredential::in_cookie("session", "foreign").foreign()
            ]
        ),
        Ok(())
    );
}

#[test]
fn of_many_at_once_exactly_one_is_told_that_it_ended_the_session() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    open(&cms, session(&cms, "alice", "a"));
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|_| {
                scope.spawn(|| {
                    block_on(cms.sign_out(
                        &any_request(),
                        SignOut {
                            no_session: NoSessionPolicy::Reject,
                            ..asked(&cms, &["a"])
                        },
                    ))
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(
        outcomes
            .into_iter()
            .filter_map(Result::err)
            .all(|refusal| refusal == Refusal::NotSignedIn)
    );
}

#[test]
fn housekeeping_ends_what_has_expired_in_one_receipt_a_batch_and_leaves_the_rest() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    for index in 0..5 {
        open(&cms, session(&cms, "alice", &format!("old{index}")));
    }
    world.clock.advance(Duration::from_secs(29 * 60));
    open(&cms, session(&cms, "bob", "new"));
    world.clock.advance(Duration::from_secs(2 * 60));
    let mut housekeeping =
        Housekeeping::new(world.services.clone(), Duration::from_secs(3600), 100);
    let step = block_on(housekeeping.step()).unwrap();
    assert_eq!((step.ended, step.finished), (5, true));
    assert_eq!(world.alive(), ["cms/bob"]);
    let receipts = block_on(world.services.store.receipts(None, 10))
        .unwrap()
        .items;
    assert_eq!(
        receipts
            .iter()
            .map(|receipt| (receipt.reason, receipt.sessions.len()))
            .collect::<Vec<_>>(),
        [(Reason::Expiry, 5)]
    );
    world.clock.advance(Duration::from_secs(2 * 3600));
    block_on(housekeeping.step()).unwrap();
    block_on(housekeeping.step()).unwrap();
    let receipts = block_on(world.services.store.receipts(None, 10))
        .unwrap()
        .items;
    assert_eq!(
        receipts.len(),
        1,
        "the old receipt is forgotten, bob's expiry has its own"
    );
    assert_eq!(receipts[0].sessions[0].subject.name.as_ref(), "bob");
}
