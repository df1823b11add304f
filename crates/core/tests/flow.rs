//! The one flow of a sign-out, over a store in memory: who, may they, is it theirs, where to, and
//! only then the end.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use logout_core::SessionAuthority;
use logout_core::authority::Services;
use logout_core::credential::{Secret, SecretDigest};
use logout_core::housekeeping::Housekeeping;
use logout_core::message::{Method, Request};
use logout_core::platform::Platform;
use logout_core::receipt::{Reach, Reason};
use logout_core::redirect::{RedirectError, RedirectPolicy};
use logout_core::session::{ClientId, Device, Person, Session, SsoSessionId, Subject};
use logout_core::sign_out::{
    ClientClaim, CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect,
    PostLogoutRedirectPolicy, PresentedCredential, Refusal, RequestedRedirect, SignOut, Target,
};
use logout_core::store::{Join, Lookup, OpenOutcome, SessionFilter};
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
        let platform = Platform {
            reach,
            ..Platform::new(name, "https://site.example/".parse().unwrap())
        };
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
fn any_request() -> Request {
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
        landing: PostLogoutRedirect {
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
fn the_wider_of_request_and_configuration_decides_on_the_reach() {
    for (configured, requested, left) in [
        (
            Reach::Session,
            Reach::Session,
            vec!["cms/alice", "cms/alice", "dam/alice", "dam/bob"],
        ),
        (
            Reach::Session,
            Reach::SignOn,
            vec!["cms/alice", "dam/alice", "dam/bob"],
        ),
        (
            Reach::SignOn,
            Reach::Session,
            vec!["cms/alice", "dam/alice", "dam/bob"],
        ),
        (Reach::Subject, Reach::SignOn, vec!["dam/alice", "dam/bob"]),
        (Reach::Person, Reach::Session, vec!["dam/bob"]),
    ] {
        let world = World::new();
        let (cms, dam) = (
            world.platform("cms", configured),
            world.platform("dam", Reach::Session),
        );
        let sign_on = Some(SsoSessionId::random());
        open(
            &cms,
            Session {
                sign_on,
                ..session(&cms, "alice", "a1")
            },
        );
        open(
            &cms,
            Session {
                sign_on,
                ..session(&cms, "alice", "a2")
            },
        );
        open(&cms, session(&cms, "alice", "a3"));
        open(&dam, session(&dam, "alice", "a4"));
        open(&dam, session(&dam, "bob", "b"));
        let done = block_on(cms.sign_out(
            &any_request(),
            SignOut {
                reach: requested,
                ..asked(&cms, &["a1"])
            },
        ))
        .unwrap();
        assert_eq!(world.alive(), left, "{configured:?} {requested:?}");
        assert_eq!(done.reach(), configured.max(requested));
    }
}

#[test]
fn naming_another_subject_takes_an_administrator_whether_the_subject_exists_or_not() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    open(&cms, session(&cms, "alice", "a"));
    open(&cms, session(&cms, "bob", "b"));
    open(
        &cms,
        Session {
            administrator: true,
            ..session(&cms, "admin", "root")
        },
    );
    let naming = |secrets: &[&str], name: &str| SignOut {
        target: Target::Subject(Subject::new("Default", name)),
        reach: Reach::Subject,
        ..asked(&cms, secrets)
    };
    for name in ["bob", "nobody"] {
        assert_eq!(
            block_on(cms.sign_out(&any_request(), naming(&["a"], name))).unwrap_err(),
            Refusal::Forbidden
        );
        assert_eq!(
            block_on(cms.sign_out(&any_request(), naming(&[], name))).unwrap_err(),
            Refusal::NotSignedIn
        );
        let done = block_on(cms.sign_out(&any_request(), naming(&["root"], name))).unwrap();
        assert!(!done.caller_included());
    }
    assert_eq!(world.alive(), ["cms/admin", "cms/alice"]);
    assert!(
        block_on(cms.sign_out(&any_request(), naming(&["a"], "alice")))
            .unwrap()
            .caller_included()
    );
    assert_eq!(world.alive(), ["cms/admin"]);
}

#[test]
fn naming_a_subject_goes_as_far_as_the_platform_is_configured_to() {
    let world = World::new();
    let (cms, dam) = (
        world.platform("cms", Reach::Person),
        world.platform("dam", Reach::Session),
    );
    open(&cms, session(&cms, "bob", "b"));
    open(
        &dam,
        Session {
            person: Some(Person::new("bob")),
            ..session(&dam, "robert", "r")
        },
    );
    open(&dam, session(&dam, "alice", "a"));
    open(
        &cms,
        Session {
            administrator: true,
            ..session(&cms, "admin", "root")
        },
    );
    let target = Target::Subject(Subject::new("Default", "bob"));
    let done = block_on(cms.sign_out(
        &any_request(),
        SignOut {
            target,
            reach: Reach::Subject,
            ..asked(&cms, &["root"])
        },
    ))
    .unwrap();
    assert_eq!((done.ended().len(), done.reach()), (2, Reach::Person));
    assert_eq!(world.alive(), ["cms/admin", "dam/alice"]);
}

#[test]
fn naming_oneself_ends_nobody_else_whose_credential_came_along() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    open(&cms, session(&cms, "alice", "a"));
    open(&cms, session(&cms, "bob", "b"));
    let target = Target::Subject(Subject::new("Default", "alice"));
    let asked = SignOut {
        target,
        credential_policy: CredentialPolicy::All,
        reach: Reach::Subject,
        ..asked(&cms, &["a", "b"])
    };
    assert!(
        block_on(cms.sign_out(&any_request(), asked))
            .unwrap()
            .caller_included()
    );
    assert_eq!(world.alive(), ["cms/bob"]);
}

#[test]
fn an_administrators_right_ends_when_the_account_loses_it() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    // alice has an account, and it is no administrator's (any more).
    open(
        &cms,
        Session {
            administrator: true,
            ..session(&cms, "alice", "a")
        },
    );
    let target = Target::Subject(Subject::new("Default", "bob"));
    let refused = block_on(cms.sign_out(
        &any_request(),
        SignOut {
            target,
            reach: Reach::Subject,
            ..asked(&cms, &["a"])
        },
    ))
    .unwrap_err();
    assert_eq!(refused, Refusal::Forbidden);
}

#[test]
fn csrf_is_due_where_the_credential_says_so() {
    let world = World::new();
    let dam = world.platform("dam", Reach::Session);
    let mut guarded = session(&dam, "alice", "a");
    guarded.csrf = Some(SecretDigest::of("proof"));
    guarded.credentials[0].csrf_due = true;
    open(&dam, guarded);
    let with = |token: Option<&str>| SignOut {
        csrf: CsrfProof::Presented(token.map(SecretDigest::of)),
        ..asked(&dam, &["a"])
    };
    assert_eq!(
        block_on(dam.sign_out(&any_request(), with(None))).unwrap_err(),
        Refusal::CsrfMissing
    );
    assert_eq!(
        block_on(dam.sign_out(&any_request(), with(Some("other")))).unwrap_err(),
        Refusal::CsrfWrong
    );
    assert_eq!(world.alive(), ["dam/alice"]);
    assert_eq!(
        block_on(dam.sign_out(&any_request(), with(Some("proof"))))
            .unwrap()
            .ended()
            .len(),
        1
    );
}

#[test]
fn a_client_signs_out_its_own_sessions_only() {
    let world = World::new();
    let shop = world.platform("shop", Reach::Session);
    open(
        &shop,
        Session {
            client: Some(ClientId::new("app")),
            ..session(&shop, "alice", "a")
        },
    );
    let naming = |id: &str, known| SignOut {
        client: Some(ClientClaim {
            id: ClientId::new(id),
            known,
        }),
        ..asked(&shop, &["a"])
    };
    assert_eq!(
        block_on(shop.sign_out(&any_request(), naming("nowhere", false))).unwrap_err(),
        Refusal::ClientUnknown
    );
    assert_eq!(
        block_on(shop.sign_out(&any_request(), naming("other", true))).unwrap_err(),
        Refusal::ClientMismatch
    );
    assert_eq!(
        block_on(shop.sign_out(&any_request(), naming("app", true)))
            .unwrap()
            .ended()
            .len(),
        1
    );
}

#[test]
fn a_bad_landing_is_refused_before_anything_ends_or_replaced_after_it_did() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    open(&cms, session(&cms, "alice", "a"));
    let to = |reject_invalid| {
        let mut sign_out = asked(&cms, &["a"]);
        sign_out.landing.requested = RequestedRedirect::Address("https://evil.test".into());
        sign_out.landing.reject_invalid = reject_invalid;
        sign_out
    };
    assert_eq!(
        block_on(cms.sign_out(&any_request(), to(true))).unwrap_err(),
        Refusal::LandingRefused(RedirectError::ForeignOrigin)
    );
    assert_eq!(world.alive(), ["cms/alice"]);
    let done = block_on(cms.sign_out(&any_request(), to(false))).unwrap();
    assert_eq!((done.ended().len(), done.landing()), (1, None));
}

#[test]
fn the_landing_is_decided_by_the_client_of_the_request_or_else_of_the_session() {
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
        sign_out.landing.requested = RequestedRedirect::Address("https://app.example/bye".into());
        sign_out.landing.policy = PostLogoutRedirectPolicy::ByClient(policies.clone());
        sign_out.landing.reject_invalid = true;
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
fn several_credentials_count_as_the_vendor_says() {
    for (choice, left) in [
        (CredentialPolicy::FirstValid, vec!["cms/alice", "cms/bob"]),
        (CredentialPolicy::FirstAndSameSubject, vec!["cms/bob"]),
        (CredentialPolicy::All, vec![]),
    ] {
        let world = World::new();
        let cms = world.platform("cms", Reach::Session);
        for (name, secret) in [("alice", "a1"), ("alice", "a2"), ("bob", "b")] {
            open(&cms, session(&cms, name, secret));
        }
        block_on(cms.sign_out(
            &any_request(),
            SignOut {
                credential_policy: choice,
                ..asked(&cms, &["stale", "a1", "b", "a2"])
            },
        ))
        .unwrap();
        assert_eq!(world.alive(), left, "{choice:?}");
    }
}

#[test]
fn a_cookie_may_have_to_be_proven_by_something_that_a_browser_does_not_send_by_itself() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    for (name, secret) in [
        ("alice", "a1"),
        ("alice", "a2"),
        ("bob", "b"),
        ("bob", "b2"),
    ] {
        open(&cms, session(&cms, name, secret));
    }
    let with = |credentials: Vec<PresentedCredential>| {
        block_on(cms.sign_out(
            &any_request(),
            SignOut {
                credential_policy: CredentialPolicy::FirstAndProvenCookies,
                credentials,
                ..asked(&cms, &[])
            },
        ))
        .map(|done| done.ended().len())
    };
    let (header, cookie) = (
        |secret: &str| PresentedCredential::in_header("session", secret),
        |secret: &str| PresentedCredential::in_cookie("session", secret),
    );
    assert_eq!(with(vec![cookie("a1")]), Err(Refusal::CsrfMissing));
    assert_eq!(
        with(vec![header("stale"), cookie("a1")]),
        Err(Refusal::CsrfMissing)
    );
    assert_eq!(
        with(vec![header("b"), cookie("a1")]),
        Err(Refusal::CsrfWrong)
    );
    assert_eq!(with(vec![cookie("stale")]), Ok(0));
    assert_eq!(with(vec![header("a2"), cookie("a1")]), Ok(2));
    assert_eq!(with(vec![header("b")]), Ok(1));
    assert_eq!(world.alive(), ["cms/bob"]);
}

#[test]
fn the_client_is_that_of_the_first_session_where_others_only_accompany_it() {
    let world = World::new();
    let shop = world.platform("shop", Reach::Session);
    for (secret, client) in [("a1", "one"), ("a2", "two")] {
        open(
            &shop,
            Session {
                client: Some(ClientId::new(client)),
                ..session(&shop, "alice", secret)
            },
        );
    }
    let with = |choice, client: &str| {
        let client = Some(ClientClaim {
            id: ClientId::new(client),
            known: true,
        });
        block_on(shop.sign_out(
            &any_request(),
            SignOut {
                credential_policy: choice,
                client,
                ..asked(&shop, &["a1", "a2"])
            },
        ))
        .map(|done| done.ended().len())
    };
    assert_eq!(
        with(CredentialPolicy::All, "one"),
        Err(Refusal::ClientMismatch)
    );
    assert_eq!(
        with(CredentialPolicy::FirstAndSameSubject, "two"),
        Err(Refusal::ClientMismatch)
    );
    assert_eq!(with(CredentialPolicy::FirstAndSameSubject, "one"), Ok(2));
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

#[test]
fn a_session_that_is_opened_in_place_of_others_ends_them() {
    for (ends, left) in [
        (true, vec!["cms/alice", "cms/bob"]),
        (
            false,
            vec!["cms/alice", "cms/alice", "cms/alice", "cms/bob"],
        ),
    ] {
        let world = World::new();
        let platform = Platform {
            end_previous: ends,
            ..Platform::new("cms", "https://site.example/".parse().unwrap())
        };
        let cms =
            SessionAuthority::new(Arc::new(platform), Arc::new(AsText), world.services.clone());
        let sign_on = Some(SsoSessionId::random());
        open(
            &cms,
            Session {
                sign_on,
                ..session(&cms, "alice", "a1")
            },
        );
        open(
            &cms,
            Session {
                sign_on,
                ..session(&cms, "alice", "a2")
            },
        );
        open(&cms, session(&cms, "bob", "b"));
        let cookies = [("session", "a1"), ("session", "unknown"), ("other", "b")];
        let opened =
            block_on(cms.open_in_place_of(session(&cms, "alice", "a3"), Join::Always, &cookies))
                .unwrap();
        assert_eq!(opened, OpenOutcome::Opened);
        assert_eq!(world.alive(), left, "{ends}");
        let receipts = block_on(world.services.store.receipts(None, 10))
            .unwrap()
            .items;
        let told: Vec<_> = receipts
            .iter()
            .map(|receipt| (receipt.reason, receipt.sessions.len()))
            .collect();
        assert_eq!(
            told,
            if ends {
                vec![(Reason::Replaced, 2)]
            } else {
                vec![]
            }
        );
    }
}

#[test]
fn a_session_that_is_not_opened_takes_no_place_and_one_of_the_same_login_keeps_its_siblings() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    let sign_on = Some(SsoSessionId::random());
    open(
        &cms,
        Session {
            sign_on,
            ..session(&cms, "alice", "parent")
        },
    );
    open(
        &cms,
        Session {
            sign_on,
            ..session(&cms, "alice", "site")
        },
    );
    let joining = |name: &str, secret: &str, sign_on| Session {
        sign_on,
        ..session(&cms, name, secret)
    };
    let cookies = [("session", "site")];
    let refused = block_on(cms.open_in_place_of(
        joining("bob", "b", Some(SsoSessionId::random())),
        Join::IfLive,
        &cookies,
    ))
    .unwrap();
    assert_eq!(
        (refused, world.alive().len()),
        (OpenOutcome::SignOnEnded, 2)
    );
    block_on(cms.open_in_place_of(joining("alice", "next", sign_on), Join::IfLive, &cookies))
        .unwrap();
    let lives = |secret: &str| {
        matches!(
            block_on(cms.look_up("session", secret)),
            Ok(Lookup::Live(..))
        )
    };
    assert_eq!(["parent", "site", "next"].map(lives), [true, false, true]);
}
