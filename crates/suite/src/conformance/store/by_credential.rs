//! Ending by what was presented ([`ByCredential`]).

use std::time::Duration;

use super::{
    IDLE, NOW, Store, after, assert_alive, assert_ended, at_once, end, ids, ids_of, open, order,
    order_at, session,
};
use super::{fresh_credential, fresh_digest, listed, settle};
use logout_core::credential::{Credential, SecretDigest};
use logout_core::receipt::Reach;
use logout_core::session::{ClientId, Person, Session, SessionId, SsoSessionId};
use logout_core::sign_out::CsrfProof;
use logout_core::store::{ByCredential, EndTarget, Join, OpenOutcome, SessionFilter};

/// By the first credential of `session`, which needs no proof.
fn by(session: &Session, reach: Reach) -> EndTarget {
    EndTarget::Credential(ByCredential {
        digest: session.credentials[0].digest,
        client: None,
        csrf: CsrfProof::NotNeeded,
        reach,
    })
}

/// The session goes with all its credentials, and its receipt says so; whoever is at another
/// session notices nothing.
pub async fn a_credential_ends_the_session_that_it_opens_and_no_other(store: Store) {
    let one = open(
        &store,
        Session {
            sign_on: Some(SsoSessionId::random()),
            ..session("cms", "alice")
        },
    )
    .await;
    let other = open(
        &store,
        Session {
            id: SessionId::at(NOW),
            credentials: vec![fresh_credential()],
            ..one.clone()
        },
    )
    .await;
    let order = order(vec![by(&one, Reach::Session)]);
    let ended = store.end(order.clone()).await.expect("the store answers");
    assert_eq!(ids(&ended), ids_of([&one]));
    assert_ended(&store, &one).await;
    assert_alive(&store, &other).await;
    let receipt = store
        .receipt(order.receipt)
        .await
        .expect("the store answers")
        .expect("something ended");
    assert_eq!(receipt, order.receipt_for(ended));
    assert!(
        end(&store, by(&one, Reach::Session)).await.is_empty(),
        "it has ended before"
    );
}

/// A credential that opens nothing ends nothing, whatever the reason, and nothing is written.
pub async fn a_credential_that_opens_nothing_ends_nothing(store: Store) {
    let over = Session {
        expires: after(1),
        ..session("cms", "alice")
    };
    let idle = Session {
        idle_timeout: Some(Duration::from_secs(1)),
        ..session("cms", "alice")
    };
    let one = Session {
        credentials: vec![
            Credential {
                expires: after(1),
                ..fresh_credential()
            },
            fresh_credential(),
        ],
        ..session("cms", "bob")
    };
    for session in [&over, &idle, &one] {
        open(&store, (*session).clone()).await;
    }
    let unknown = Session {
        credentials: vec![fresh_credential()],
        ..session("cms", "carol")
    };
    for session in [&over, &idle, &one, &unknown] {
        let order = order_at(after(1), vec![by(session, Reach::Person)]);
        assert_eq!(
            store.end(order.clone()).await,
            Ok(Vec::new()),
            "{:?}",
            session.subject
        );
        assert_eq!(store.receipt(order.receipt).await, Ok(None));
    }
    let second = EndTarget::Credential(ByCredential {
        digest: one.credentials[1].digest,
        client: None,
        csrf: CsrfProof::NotNeeded,
        reach: Reach::Session,
    });
    let ended = store
        .end(order_at(after(1), vec![second]))
        .await
        .expect("the store answers");
    assert_eq!(
        ids(&ended),
        ids_of([&one]),
        "its other credential still opens it"
    );
}

/// A session that lies idle for less than it may is alive, however late its use was written down.
pub async fn a_credential_ends_a_session_that_was_used_just_now(store: Store) {
    let one = open(&store, session("cms", "alice")).await;
    let later = NOW.plus(IDLE / 2);
    store.touch(one.id, later).await.expect("the store answers");
    settle(&store).await;
    let ended = store
        .end(order_at(
            later.plus(IDLE * 3 / 4),
            vec![by(&one, Reach::Session)],
        ))
        .await
        .expect("the store answers");
    assert_eq!(ids(&ended), ids_of([&one]));
}

/// What another client or a forged request presents ends nothing. A session that was opened for no
/// client is any client's.
pub async fn a_credential_ends_nothing_for_another_client_or_without_the_proof_that_is_due(
    store: Store,
) {
    let token = |number| SecretDigest::from_bytes([number; 32]);
    let bound = Session {
        client: Some(ClientId::new("app")),
        csrf: Some(token(1)),
        ..session("cms", "alice")
    };
    // Longer than a byte can count.
    let long = Session {
        client: Some(ClientId::new("a".repeat(300))),
        csrf: Some(token(1)),
        ..session("cms", "bob")
    };
    let free = Session {
        csrf: None,
        ..session("cms", "carol")
    };
    let ending = |session: &Session, credential: usize, client: Option<&str>, csrf| {
        let digest = session.credentials[credential].digest;
        vec![EndTarget::Credential(ByCredential {
            digest,
            client: client.map(ClientId::new),
            csrf,
            reach: Reach::Session,
        })]
    };
    let (none, right, wrong) = (
        CsrfProof::Presented(None),
        CsrfProof::Presented(Some(token(1))),
        CsrfProof::Presented(Some(token(2))),
    );
    for opened in [&bound, &long, &free] {
        let own = opened.client.as_ref().map(ClientId::as_str);
        open(&store, opened.clone()).await;
        let mut refused = vec![(1, own, none), (1, own, wrong)];
        if opened.csrf.is_none() {
            refused.push((1, own, right));
        }
        if own.is_some() {
            refused.extend([
                (0, Some("ap"), CsrfProof::NotNeeded),
                (0, Some("other"), CsrfProof::NotNeeded),
                (1, Some("other"), right),
            ]);
        }
        for (credential, client, csrf) in refused {
            let ended = store
                .end(order(ending(opened, credential, client, csrf)))
                .await;
            assert_eq!(ended, Ok(Vec::new()), "{credential} {client:?} {csrf:?}");
        }
        assert_alive(&store, opened).await;
    }
    for (opened, credential, client, csrf) in [
        (&bound, 1, Some("app"), right),
        (&long, 0, long.client.as_ref().map(ClientId::as_str), wrong),
        (&free, 1, Some("any"), CsrfProof::NotNeeded),
    ] {
        let ended = store
            .end(order(ending(opened, credential, client, csrf)))
            .await
            .expect("the store answers");
        assert_eq!(ids(&ended), ids_of([opened]));
        assert_ended(&store, opened).await;
    }
}

/// From the session that the credential opens it goes as far as asked, and no farther.
pub async fn a_credential_ends_as_far_as_asked(store: Store) {
    for (reach, expected) in [
        (Reach::Session, 1),
        (Reach::SignOn, 2),
        (Reach::Subject, 3),
        (Reach::Person, 4),
    ] {
        let name = format!("alice{expected}");
        let own = Session {
            sign_on: Some(SsoSessionId::random()),
            ..session("cms", &name)
        };
        let sibling = Session {
            sign_on: own.sign_on,
            person: None,
            ..session("dam", "sibling")
        };
        let same_subject = Session {
            person: None,
            ..session("cms", &name)
        };
        let same_person = Session {
            person: own.person.clone(),
            ..session("dam", "somebody")
        };
        let all = [
            own,
            sibling,
            same_subject,
            same_person,
            Session {
                person: Some(Person::new("x")),
                ..session("cms", "else")
            },
        ];
        for session in &all {
            open(&store, session.clone()).await;
        }
        assert_eq!(
            ids(&end(&store, by(&all[0], reach)).await),
            ids_of(&all[..expected]),
            "{reach:?}"
        );
        for (index, session) in all.iter().enumerate() {
            if index < expected {
                assert_ended(&store, session).await
            } else {
                assert_alive(&store, session).await
            }
        }
    }
}

/// Of several credentials each counts, two of one session once; beside other targets too.
pub async fn several_credentials_in_one_order_are_a_union(store: Store) {
    let mut opened = Vec::new();
    for name in ["alice", "bob", "carol", "dora"] {
        opened.push(open(&store, session("cms", name)).await);
    }
    let second = ByCredential {
        digest: opened[0].credentials[1].digest,
        client: None,
        csrf: CsrfProof::NotNeeded,
        reach: Reach::Session,
    };
    let unknown = ByCredential {
        digest: fresh_digest(),
        ..second.clone()
    };
    let targets = vec![
        by(&opened[0], Reach::Session),
        EndTarget::Credential(unknown),
        EndTarget::Credential(second),
        by(&opened[1], Reach::Person),
        EndTarget::Session(opened[2].id),
    ];
    let ended = store.end(order(targets)).await.expect("the store answers");
    assert_eq!(ids(&ended), ids_of(&opened[..3]));
    assert_alive(&store, &opened[3]).await;
}

/// Whoever comes at the same time, by the credential or by the session's name: one is told that it
/// ended it.
pub async fn orders_by_credential_and_by_session_at_once_credit_exactly_one(store: Store) {
    for round in 0..10 {
        let one = open(&store, session("cms", &format!("alice{round}"))).await;
        let reaches = [Reach::Session, Reach::SignOn, Reach::Subject, Reach::Person];
        let credited = at_once(16, async |index| {
            let target = if index % 5 == 4 {
                EndTarget::Session(one.id)
            } else {
                by(&one, reaches[index % 5])
            };
            end(&store, target).await.len()
        });
        assert_eq!(credited.iter().sum::<usize>(), 1, "{credited:?}");
        assert_ended(&store, &one).await;
    }
}

/// Whoever joins a sign-on while it is ended by a credential has joined before and dies with it, or
/// is refused.
pub async fn joining_a_sign_on_that_a_credential_ends_leaves_nothing_alive(store: Store) {
    for _ in 0..10 {
        let sign_on = Some(SsoSessionId::random());
        let first = open(
            &store,
            Session {
                sign_on,
                ..session("cms", "alice")
            },
        )
        .await;
        // Opened one after the other, as their ids say: of ids from one instant any may be the
        // lowest, which is the one to wait for.
        let joining: Vec<_> = (1..9)
            .map(|number| Session {
                sign_on,
                id: SessionId::at(after(number)),
                ..session("dam", "alice")
            })
            .collect();
        at_once(9, async |index| match joining.get(index) {
            Some(session) => drop(
                store
                    .open(session.clone(), Join::IfLive, NOW)
                    .await
                    .expect("the store answers"),
            ),
            None => assert!(
                end(&store, by(&first, Reach::SignOn))
                    .await
                    .iter()
                    .any(|ended| ended.id == first.id)
            ),
        });
        assert_ended(&store, &first).await;
        for session in &joining {
            let live = listed(&store, &SessionFilter::default(), NOW).await;
            assert!(
                !live.contains(&session.id),
                "it joined a login that had ended"
            );
        }
        assert_eq!(
            store
                .open(
                    Session {
                        sign_on,
                        ..session("dam", "alice")
                    },
                    Join::IfLive,
                    NOW
                )
                .await,
            Ok(OpenOutcome::SignOnEnded)
        );
    }
}
