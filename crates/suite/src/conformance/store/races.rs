//! What several do at the same time.

use super::{
    NOW, Store, after, assert_alive, assert_ended, at_once, end, found, fresh_credential, ids,
    ids_of, open, order, session, settle,
};
use logout_core::session::{Session, SsoSessionId};
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome};

/// Sixty-four clicks on "sign out".
pub async fn sixty_four_orders_for_one_session_credit_exactly_one(store: Store) {
    for _ in 0..10 {
        let session = open(&store, session("cms", "alice")).await;
        let orders: Vec<_> = (0..64)
            .map(|_| order(vec![EndTarget::Session(session.id)]))
            .collect();
        let ended = at_once(64, |index| {
            let (store, order) = (store.clone(), orders[index].clone());
            async move { store.end(order).await.expect("the store answers") }
        });
        let winners: Vec<_> = (0..64).filter(|index| !ended[*index].is_empty()).collect();
        assert_eq!(winners.len(), 1, "credited: {winners:?}");
        for (index, order) in orders.iter().enumerate() {
            let receipt = store
                .receipt(order.receipt)
                .await
                .expect("the store answers");
            assert_eq!(
                receipt.is_some(),
                winners == [index],
                "receipt of order {index}"
            );
        }
        assert_ended(&store, &session).await;
    }
}

/// Wide and narrow orders at the same time.
pub async fn overlapping_orders_for_a_person_and_for_sessions_credit_each_session_once(
    store: Store,
) {
    for _ in 0..5 {
        let mut sessions = Vec::new();
        for _ in 0..40 {
            sessions.push(open(&store, session("cms", "alice")).await);
        }
        let bob = open(&store, session("cms", "bob")).await;
        let ended = at_once(48, |index| {
            let target = match index {
                0..40 => EndTarget::Session(sessions[index].id),
                40..44 => EndTarget::Person(sessions[0].person.clone().expect("has one")),
                _ => EndTarget::Subject(sessions[0].platform.clone(), sessions[0].subject.clone()),
            };
            let store = store.clone();
            async move { end(&store, target).await }
        });
        assert_eq!(ids(&ended.concat()), ids_of(&sessions));
        for session in &sessions {
            assert_ended(&store, session).await;
        }
        assert_alive(&store, &bob).await;
        end(&store, EndTarget::Session(bob.id)).await;
    }
}

/// Whichever comes first.
pub async fn joining_and_ending_a_sign_on_at_once_leaves_nothing_alive(store: Store) {
    for round in 0..40 {
        let sign_on = SsoSessionId::random();
        let first = open(
            &store,
            Session {
                sign_on: Some(sign_on),
                ..session("cms", "alice")
            },
        )
        .await;
        let joining: Vec<_> = (0..6)
            .map(|_| Session {
                sign_on: Some(sign_on),
                ..session("dam", "alice")
            })
            .collect();
        let results = at_once(7, |index| {
            let (store, joining) = (store.clone(), joining.get(index).cloned());
            async move {
                match joining {
                    Some(session) => Err(store
                        .open(session, Join::IfLive, NOW)
                        .await
                        .expect("the store answers")),
                    None => Ok(ids(&end(&store, EndTarget::SignOn(sign_on)).await)),
                }
            }
        });
        let ended = results
            .last()
            .cloned()
            .and_then(Result::ok)
            .expect("the last one ends");
        assert!(ended.contains(&first.id));
        for (session, result) in joining.iter().zip(&results) {
            let opened = *result == Err(OpenOutcome::Opened);
            assert_eq!(ended.contains(&session.id), opened, "round {round}");
            let expected = if opened {
                Lookup::Ended
            } else {
                Lookup::Unknown
            };
            assert_eq!(
                found(&store, &session.credentials[0].digest, NOW).await,
                expected,
                "round {round}"
            );
        }
    }
}

/// A token refreshed in the instant of the sign-out.
pub async fn attaching_and_ending_at_once_leaves_nothing_alive(store: Store) {
    for round in 0..40 {
        let session = open(&store, session("cms", "alice")).await;
        let tokens: Vec<_> = (0..6).map(|_| fresh_credential()).collect();
        let attached = at_once(7, |index| {
            let (store, token) = (store.clone(), tokens.get(index).cloned());
            async move {
                match token {
                    Some(token) => store
                        .attach(session.id, token, None, NOW)
                        .await
                        .expect("the store answers"),
                    None => end(&store, EndTarget::Session(session.id)).await.len() == 1,
                }
            }
        });
        assert!(attached[6], "the order was credited");
        for (token, attached) in tokens.iter().zip(attached) {
            let expected = if attached {
                Lookup::Ended
            } else {
                Lookup::Unknown
            };
            assert_eq!(
                found(&store, &token.digest, NOW).await,
                expected,
                "round {round}"
            );
        }
        assert_ended(&store, &session).await;
    }
}

/// A page that loads in the instant of the sign-out.
pub async fn touching_and_ending_at_once_leaves_nothing_alive(store: Store) {
    for _ in 0..40 {
        let session = open(&store, session("cms", "alice")).await;
        at_once(4, |index| {
            let store = store.clone();
            async move {
                if index == 0 {
                    assert_eq!(end(&store, EndTarget::Session(session.id)).await.len(), 1);
                } else {
                    store
                        .touch(session.id, after(30))
                        .await
                        .expect("the store answers");
                }
            }
        });
        settle(&store).await;
        assert_ended(&store, &session).await;
    }
}

/// Unknown would be wrong at any instant, and an adapter may treat it differently from ended.
pub async fn who_looks_during_an_ending_sees_it_alive_or_ended_but_never_unknown(store: Store) {
    for round in 0..100 {
        let session = open(&store, session("cms", "alice")).await;
        at_once(3, |index| {
            let (store, session) = (store.clone(), session.clone());
            async move {
                if index == 0 {
                    assert_eq!(end(&store, EndTarget::Session(session.id)).await.len(), 1);
                    return;
                }
                for _ in 0..10_000 {
                    match found(&store, &session.credentials[0].digest, NOW).await {
                        Lookup::Ended => return,
                        found => assert!(
                            matches!(found, Lookup::Live(..)),
                            "round {round}: {found:?}"
                        ),
                    }
                }
            }
        });
        assert_ended(&store, &session).await;
    }
}
