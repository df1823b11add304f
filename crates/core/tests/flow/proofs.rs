//! CSRF proofs, clients, and several credentials of one request.

use futures_executor::block_on;
use logout_core::credential::SecretDigest;
use logout_core::receipt::Reach;
use logout_core::session::{ClientId, Session};
use logout_core::sign_out::{
    ClientClaim, CredentialPolicy, CsrfProof, PresentedCredential, Refusal, SignOut,
};

use crate::{World, any_request, asked, open, session};

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
