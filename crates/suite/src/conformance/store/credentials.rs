//! What opens a session, and for how long.

use super::{
    NOW, Store, after, assert_alive, assert_ended, end, found, fresh_credential, fresh_digest, ids,
    listed, open, session, settle,
};
use logout_core::credential::Credential;
use logout_core::session::{Session, SessionId};
use logout_core::store::{EndTarget, Lookup, SessionFilter};

/// Nothing is known of a digest that was never opened.
pub async fn a_credential_nobody_opened_is_unknown(store: Store) {
    open(&store, session("cms", "alice")).await;
    assert_eq!(found(&store, &fresh_digest(), NOW).await, Lookup::Unknown);
}

/// Each credential finds the session, and only until its own expiry.
pub async fn a_credential_opens_its_session_until_it_expires(store: Store) {
    let session = open(
        &store,
        Session {
            idle_timeout: None,
            ..session("cms", "alice")
        },
    )
    .await;
    assert_alive(&store, &session).await;
    let [long, short] = [
        &session.credentials[0].digest,
        &session.credentials[1].digest,
    ];
    assert!(matches!(
        found(&store, short, after(1_799)).await,
        Lookup::Live(..)
    ));
    assert_eq!(found(&store, short, after(1_800)).await, Lookup::Unknown);
    assert!(matches!(
        found(&store, long, after(1_800)).await,
        Lookup::Live(..)
    ));
}

/// Neither idle nor absolute expiry needs anybody to end the session first.
pub async fn a_credential_opens_nothing_once_its_session_is_over(store: Store) {
    let idle = open(&store, session("cms", "alice")).await;
    let late = fresh_credential();
    let brief = Session {
        idle_timeout: None,
        expires: after(10),
        ..session("cms", "bob")
    };
    let brief = open(
        &store,
        Session {
            credentials: vec![late],
            ..brief
        },
    )
    .await;
    assert!(matches!(
        found(&store, &idle.credentials[0].digest, after(59)).await,
        Lookup::Live(..)
    ));
    assert_eq!(
        found(&store, &idle.credentials[0].digest, after(60)).await,
        Lookup::Unknown
    );
    assert!(matches!(
        found(&store, &brief.credentials[0].digest, after(9)).await,
        Lookup::Live(..)
    ));
    assert_eq!(
        found(&store, &brief.credentials[0].digest, after(10)).await,
        Lookup::Unknown
    );
    assert!(
        listed(&store, &SessionFilter::default(), after(60))
            .await
            .is_empty()
    );
}

/// Without an idle timeout only the absolute expiry counts.
pub async fn a_session_without_idle_timeout_lives_until_its_expiry(store: Store) {
    let session = open(
        &store,
        Session {
            idle_timeout: None,
            ..session("cms", "alice")
        },
    )
    .await;
    assert!(matches!(
        found(&store, &session.credentials[0].digest, after(3_599)).await,
        Lookup::Live(..)
    ));
    assert_eq!(
        found(&store, &session.credentials[0].digest, after(3_600)).await,
        Lookup::Unknown
    );
}

/// A later credential is as good as the first, and ends with it.
pub async fn an_attached_credential_opens_the_session_and_dies_with_it(store: Store) {
    let mut session = open(&store, session("cms", "alice")).await;
    for _ in 0..3 {
        let more = Credential {
            csrf_due: true,
            ..fresh_credential()
        };
        assert_eq!(
            store.attach(session.id, more.clone(), None, NOW).await,
            Ok(true)
        );
        session.credentials.push(more);
    }
    assert_alive(&store, &session).await;
    assert_eq!(
        ids(&end(&store, EndTarget::Session(session.id)).await),
        [session.id].into()
    );
    assert_ended(&store, &session).await;
}

/// A session that is refreshed for weeks stays small.
pub async fn what_has_expired_makes_room_for_what_is_attached(store: Store) {
    let session = open(
        &store,
        Session {
            idle_timeout: None,
            ..session("cms", "alice")
        },
    )
    .await;
    for second in 0..20 {
        let brief = Credential {
            expires: after(second + 1),
            ..fresh_credential()
        };
        assert_eq!(
            store.attach(session.id, brief, None, after(second)).await,
            Ok(true)
        );
    }
    let page = store
        .sessions(&SessionFilter::default(), None, 10, after(19))
        .await
        .expect("the store answers");
    assert_eq!(
        page.items[0].credentials.len(),
        session.credentials.len() + 1,
        "the first ones, which still live, and the last"
    );
    assert!(matches!(
        found(&store, &session.credentials[0].digest, after(20)).await,
        Lookup::Live(..)
    ));
}

/// It may outlive or be outlived by the others.
pub async fn an_attached_credential_has_an_expiry_of_its_own(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    let ticket = Credential {
        expires: after(5),
        ..fresh_credential()
    };
    assert_eq!(
        store.attach(session.id, ticket.clone(), None, NOW).await,
        Ok(true)
    );
    assert!(matches!(
        found(&store, &ticket.digest, after(4)).await,
        Lookup::Live(..)
    ));
    assert_eq!(
        found(&store, &ticket.digest, after(5)).await,
        Lookup::Unknown
    );
    assert!(matches!(
        found(&store, &session.credentials[0].digest, after(5)).await,
        Lookup::Live(..)
    ));
}

/// Ended is for ever, over is over.
pub async fn nothing_is_attached_to_an_ended_an_expired_or_an_unknown_session(store: Store) {
    let ended = open(&store, session("cms", "alice")).await;
    end(&store, EndTarget::Session(ended.id)).await;
    let idle = open(&store, session("cms", "bob")).await;
    for (id, now) in [
        (ended.id, NOW),
        (idle.id, after(60)),
        (SessionId::at(NOW), NOW),
    ] {
        let more = fresh_credential();
        assert_eq!(store.attach(id, more.clone(), None, now).await, Ok(false));
        assert_eq!(found(&store, &more.digest, NOW).await, Lookup::Unknown);
    }
    assert_ended(&store, &ended).await;
}

/// Use starts the idle timeout again; it never moves the absolute one, and never moves back.
pub async fn a_touch_prolongs_idle_but_not_absolute_expiry(store: Store) {
    let session = open(
        &store,
        Session {
            expires: after(100),
            ..session("cms", "alice")
        },
    )
    .await;
    let digest = &session.credentials[0].digest;
    store
        .touch(session.id, after(50))
        .await
        .expect("the store answers");
    store
        .touch(session.id, after(20))
        .await
        .expect("the store answers");
    settle(&store).await;
    assert!(matches!(
        found(&store, digest, after(99)).await,
        Lookup::Live(..)
    ));
    assert_eq!(found(&store, digest, after(100)).await, Lookup::Unknown);
    let listing = store
        .sessions(&SessionFilter::default(), None, 10, after(99))
        .await
        .expect("the store answers");
    assert_eq!(
        listing.items,
        [Session {
            seen: after(50),
            ..session
        }]
    );
}

/// The late touch of a request that was overtaken by the sign-out.
pub async fn a_touch_after_the_end_brings_nothing_back(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    end(&store, EndTarget::Session(session.id)).await;
    store
        .touch(session.id, after(30))
        .await
        .expect("the store answers");
    settle(&store).await;
    assert_ended(&store, &session).await;
    assert!(end(&store, EndTarget::Session(session.id)).await.is_empty());
}
