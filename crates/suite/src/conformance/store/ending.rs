//! Orders, and what each target reaches.

use super::{
    NOW, Store, after, assert_alive, assert_ended, end, found, ids, ids_of, open, order, order_at,
    session, settle,
};
use logout_core::receipt::EndedSession;
use logout_core::session::{Person, Session, SsoSessionId, Subject};
use logout_core::store::{EndTarget, Lookup};

/// Also not another session of the same subject.
pub async fn ending_a_session_kills_all_its_credentials_and_no_other_session(store: Store) {
    let (one, other, bob) = (
        session("cms", "alice"),
        session("cms", "alice"),
        session("cms", "bob"),
    );
    for session in [&one, &other, &bob] {
        open(&store, session.clone()).await;
    }
    assert_eq!(
        end(&store, EndTarget::Session(one.id)).await,
        [EndedSession::from(&one)]
    );
    assert_ended(&store, &one).await;
    assert_alive(&store, &other).await;
    assert_alive(&store, &bob).await;
    assert_eq!(
        end(
            &store,
            EndTarget::Person(one.person.clone().expect("has one"))
        )
        .await,
        [EndedSession::from(&other)]
    );
    assert_alive(&store, &bob).await;
}

/// A name alone is nobody: the platform and the realm belong to it.
pub async fn ending_a_subject_ends_it_at_this_platform_and_realm_only(store: Store) {
    let one = open(&store, session("cms", "alice")).await;
    let two = open(&store, session("cms", "alice")).await;
    let others = [
        session("dam", "alice"),
        session("cms", "alic"),
        session("cms", "alice2"),
        Session {
            subject: Subject::new("Other", "alice"),
            ..session("cms", "alice")
        },
        Session {
            subject: Subject::new("Defaulta", "lice"),
            ..session("cms", "alice")
        },
        Session {
            subject: Subject::new("sDefault", "alice"),
            ..session("cm", "alice")
        },
    ];
    for other in &others {
        open(&store, other.clone()).await;
    }
    let target = EndTarget::Subject(one.platform.clone(), one.subject.clone());
    assert_eq!(ids(&end(&store, target).await), ids_of([&one, &two]));
    for other in &others {
        assert_alive(&store, other).await;
    }
}

/// One person, several platforms and names.
pub async fn ending_a_person_ends_all_platforms_and_no_other_person(store: Store) {
    let alice = Person::new("alice@example.com");
    let cms = open(&store, session("cms", "alice")).await;
    let dam = open(
        &store,
        Session {
            person: Some(alice.clone()),
            ..session("dam", "a.smith")
        },
    )
    .await;
    let namesake = open(
        &store,
        Session {
            person: Some(Person::new("alice@example.org")),
            ..session("cms", "alice")
        },
    )
    .await;
    assert_eq!(
        ids(&end(&store, EndTarget::Person(alice)).await),
        ids_of([&cms, &dam])
    );
    assert_ended(&store, &cms).await;
    assert_ended(&store, &dam).await;
    assert_alive(&store, &namesake).await;
}

/// Everybody there, nobody elsewhere.
pub async fn ending_a_platform_leaves_other_platforms_alone(store: Store) {
    let (alice, bob) = (
        open(&store, session("cms", "alice")).await,
        open(&store, session("cms", "bob")).await,
    );
    let dam = open(&store, session("dam", "alice")).await;
    assert_eq!(
        ids(&end(&store, EndTarget::Platform(alice.platform.clone())).await),
        ids_of([&alice, &bob])
    );
    assert_ended(&store, &alice).await;
    assert_ended(&store, &bob).await;
    assert_alive(&store, &dam).await;
}

/// Overlap within one order.
pub async fn several_targets_are_a_union_that_credits_nothing_twice(store: Store) {
    let sign_on = SsoSessionId::random();
    let one = open(
        &store,
        Session {
            sign_on: Some(sign_on),
            ..session("cms", "alice")
        },
    )
    .await;
    let two = open(&store, session("cms", "alice")).await;
    let bob = open(&store, session("cms", "bob")).await;
    let targets = vec![
        EndTarget::Session(one.id),
        EndTarget::Session(one.id),
        EndTarget::SignOn(sign_on),
        EndTarget::Subject(one.platform.clone(), one.subject.clone()),
        EndTarget::Person(one.person.clone().expect("has one")),
    ];
    let ended = store.end(order(targets)).await.expect("the store answers");
    assert_eq!(ids(&ended), ids_of([&one, &two]));
    assert_alive(&store, &bob).await;
}

/// Housekeeping cannot end what somebody used in the meantime.
pub async fn an_order_for_expired_sessions_leaves_live_ones_alone(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    let target = || vec![EndTarget::Expired(session.id)];
    assert_eq!(
        store.end(order_at(after(59), target())).await,
        Ok(Vec::new())
    );
    assert_alive(&store, &session).await;
    assert_eq!(
        ids(&store
            .end(order_at(after(60), target()))
            .await
            .expect("the store answers")),
        [session.id].into()
    );
    assert_ended(&store, &session).await;
}

/// The same, where only the touch keeps it alive.
pub async fn a_touched_session_is_not_ended_as_expired(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    store
        .touch(session.id, after(50))
        .await
        .expect("the store answers");
    let target = || vec![EndTarget::Expired(session.id)];
    settle(&store).await;
    assert_eq!(
        store.end(order_at(after(109), target())).await,
        Ok(Vec::new())
    );
    assert_eq!(
        store
            .end(order_at(after(110), target()))
            .await
            .expect("the store answers")
            .len(),
        1
    );
}

/// Nothing in common is not something in common.
pub async fn a_session_without_person_or_sign_on_is_ended_by_neither(store: Store) {
    let lone = open(
        &store,
        Session {
            person: None,
            ..session("cms", "alice")
        },
    )
    .await;
    open(
        &store,
        Session {
            sign_on: Some(SsoSessionId::random()),
            ..session("cms", "bob")
        },
    )
    .await;
    assert!(
        end(&store, EndTarget::Person(Person::new("")))
            .await
            .is_empty()
    );
    assert!(
        end(&store, EndTarget::SignOn(SsoSessionId::from_bytes([0; 16])))
            .await
            .is_empty()
    );
    assert_alive(&store, &lone).await;
    assert_eq!(
        end(&store, EndTarget::Session(lone.id)).await,
        [EndedSession::from(&lone)]
    );
}

/// However many, one step and one record.
pub async fn a_person_with_a_thousand_sessions_ends_in_one_order_with_one_receipt(store: Store) {
    let mut sessions = Vec::new();
    for index in 0..1_000 {
        sessions.push(open(&store, session(["cms", "dam", "shop"][index % 3], "alice")).await);
    }
    let bob = open(&store, session("cms", "bob")).await;
    let order = order(vec![EndTarget::Person(Person::new("alice@example.com"))]);
    let ended = store.end(order.clone()).await.expect("the store answers");
    assert_eq!(ids(&ended), ids_of(&sessions));
    for session in &sessions {
        assert_eq!(
            found(&store, &session.credentials[0].digest, NOW).await,
            Lookup::Ended
        );
        assert_eq!(
            found(&store, &session.credentials[1].digest, NOW).await,
            Lookup::Ended
        );
    }
    assert_alive(&store, &bob).await;
    let receipts = store.receipts(None, 10).await.expect("the store answers");
    assert_eq!(receipts.items, [order.receipt_for(ended)]);
}

/// What a store remembers of a person must follow every opening and ending.
pub async fn a_person_who_signs_in_again_and_again_is_ended_each_time(store: Store) {
    let alice = || EndTarget::Person(Person::new("alice@example.com"));
    for round in 0..20 {
        let one = open(&store, session("cms", "alice")).await;
        let two = open(&store, session("dam", "alice")).await;
        let mut left = ids_of([&one, &two]);
        if round % 2 == 0 {
            assert_eq!(end(&store, EndTarget::Session(one.id)).await.len(), 1);
            left.remove(&one.id);
        }
        assert_eq!(ids(&end(&store, alice()).await), left, "round {round}");
        assert!(end(&store, alice()).await.is_empty());
        assert_ended(&store, &one).await;
        assert_ended(&store, &two).await;
    }
}

/// A copied token is recognised as ended for as long as anybody might still believe in it.
pub async fn a_tombstone_stays_until_the_credential_would_have_expired(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    let [long, short] = [
        &session.credentials[0].digest,
        &session.credentials[1].digest,
    ];
    end(&store, EndTarget::Session(session.id)).await;
    assert_eq!(found(&store, short, after(1_799)).await, Lookup::Ended);
    assert_eq!(found(&store, short, after(1_800)).await, Lookup::Unknown);
    assert_eq!(found(&store, long, after(3_599)).await, Lookup::Ended);
    assert_eq!(found(&store, long, after(3_600)).await, Lookup::Unknown);

    let late = open(
        &store,
        Session {
            idle_timeout: None,
            ..self::session("cms", "bob")
        },
    )
    .await;
    store
        .end(order_at(after(1_800), vec![EndTarget::Session(late.id)]))
        .await
        .expect("the store answers");
    assert_eq!(
        found(&store, &late.credentials[1].digest, NOW).await,
        Lookup::Unknown,
        "it had expired before the end"
    );
    assert_eq!(
        found(&store, &late.credentials[0].digest, NOW).await,
        Lookup::Ended
    );
}
