//! Sessions that somebody else has opened.

use std::sync::atomic::Ordering;

use futures_executor::block_on;
use logout_core::outbox::Outbox as _;
use logout_core::ports::Seal as _;
use logout_core::registration::{Registration, RegistrationError};
use logout_core::session::{Person, Subject};
use logout_core::store::{Lookup, SessionStore as _};
use logout_core::upstream::UpstreamSession;

use super::{Reversed, Simple, register, registration, sign_out, world};

#[test]
fn a_registered_session_is_found_by_its_credential_and_becomes_a_delivery_when_it_ends() {
    let world = world();
    let id = register(&world, "Alice", "canary");
    assert_eq!(register(&world, "Alice", "canary"), id);
    let Ok(Lookup::Live(session, _)) = block_on(world.sessions.look_up("session", "canary")) else {
        panic!()
    };
    assert_eq!(session.person, Some(Person::new("alice@example.com")));
    assert!(!format!("{session:?}").contains("canary"));
    let done = sign_out(&world, "canary", |asked| asked).unwrap();
    assert_eq!(
        (
            done.ended().len(),
            world.deliveries.woken.load(Ordering::SeqCst)
        ),
        (1, 1)
    );
    let delivery = block_on(world.store.delivery(id)).unwrap().unwrap();
    let opened = Reversed.open(id, &delivery.sealed.unwrap()).unwrap();
    assert_eq!(
        UpstreamSession::from_bytes(&opened)
            .cookie("sid")
            .unwrap()
            .reveal(),
        "canary"
    );
    let again = block_on(
        world
            .sessions
            .register(&Simple, registration("Alice", "canary")),
    );
    assert_eq!(again, Err(RegistrationError::Ended));
}

#[test]
fn nobody_in_particular_is_no_person_unless_the_registration_names_one() {
    let world = world();
    let visitor = |secret: &str| Registration {
        subject: Subject::new("visitor", "3e50"),
        ..registration("", secret)
    };
    let named = Registration {
        person: Some(Person::new("alice@example.com")),
        ..visitor("named")
    };
    for (secret, registration, person) in [
        ("unnamed", visitor("unnamed"), None),
        ("named", named, Some(Person::new("alice@example.com"))),
    ] {
        block_on(world.sessions.register(&Simple, registration)).unwrap();
        let Ok(Lookup::Live(session, _)) = block_on(world.sessions.look_up("session", secret))
        else {
            panic!()
        };
        assert_eq!(session.person, person, "{secret}");
    }
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
                    block_on(
                        world
                            .sessions
                            .register(&Simple, registration("alice", "same")),
                    )
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let page = block_on(
        world
            .store
            .sessions(&Default::default(), None, 99, world.sessions.now()),
    )
    .unwrap();
    assert_eq!(page.items.len(), 1);
    for outcome in registered {
        assert!(
            outcome == Ok(page.items[0].id) || outcome == Err(RegistrationError::Busy),
            "{outcome:?}"
        );
    }
    assert_eq!(register(&world, "alice", "same"), page.items[0].id);
}

#[test]
fn what_cannot_be_registered_is_refused_and_leaves_nothing() {
    let world = world();
    let fault =
        |registration| block_on(world.sessions.register(&Simple, registration)).unwrap_err();
    let none = Registration {
        session: UpstreamSession::default(),
        ..registration("a", "x")
    };
    assert_eq!(fault(none), RegistrationError::NoCredential);
    let past = Registration {
        expires: Some(world.sessions.now()),
        ..registration("a", "x")
    };
    assert_eq!(fault(past), RegistrationError::Expired);
    world.store.set_broken(true);
    assert!(matches!(
        fault(registration("a", "x")),
        RegistrationError::Unavailable(_)
    ));
    world.store.set_broken(false);
    assert_eq!(
        block_on(
            world
                .store
                .sessions(&Default::default(), None, 9, world.sessions.now())
        )
        .unwrap()
        .items,
        []
    );
}
