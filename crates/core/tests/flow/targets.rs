//! Targets and reach: the sessions that an order may end, and how far it goes.

use futures_executor::block_on;
use logout_core::receipt::Reach;
use logout_core::session::{Person, Session, SsoSessionId, Subject};
use logout_core::sign_out::{CredentialPolicy, Refusal, SignOut, Target};

use crate::{World, any_request, asked, open, session};

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
