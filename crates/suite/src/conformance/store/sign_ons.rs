//! Sign-ons: what ends with one browser login, and what may still join it.

use logout_core::session::{Session, SsoSessionId};
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome, SessionFilter};

use super::{
    NOW, Store, after, assert_alive, assert_ended, end, found, ids, ids_of, listed, open, session,
};

/// The sessions of one browser login.
pub async fn ending_a_sign_on_ends_its_sessions_at_all_platforms_and_no_others(store: Store) {
    let (here, there) = (Some(SsoSessionId::random()), Some(SsoSessionId::random()));
    let cms = open(
        &store,
        Session {
            sign_on: here,
            ..session("cms", "alice")
        },
    )
    .await;
    let dam = open(
        &store,
        Session {
            sign_on: here,
            ..session("dam", "alice")
        },
    )
    .await;
    let elsewhere = open(
        &store,
        Session {
            sign_on: there,
            ..session("cms", "alice")
        },
    )
    .await;
    let without = open(&store, session("cms", "alice")).await;
    assert_eq!(
        ids(&end(&store, EndTarget::SignOn(here.expect("just set"))).await),
        ids_of([&cms, &dam])
    );
    assert_ended(&store, &cms).await;
    assert_ended(&store, &dam).await;
    assert_alive(&store, &elsewhere).await;
    assert_alive(&store, &without).await;
}

/// Signed out means signed out: nothing opens under a login that is over.
pub async fn a_dead_sign_on_cannot_be_joined(store: Store) {
    let sign_on = SsoSessionId::random();
    let join = || Session {
        sign_on: Some(sign_on),
        ..session("dam", "alice")
    };
    let refused = join();
    assert_eq!(
        store.open(refused.clone(), Join::IfLive, NOW).await,
        Ok(OpenOutcome::SignOnEnded),
        "never opened"
    );
    assert_eq!(
        found(&store, &refused.credentials[0].digest, NOW).await,
        Lookup::Unknown
    );

    let first = open(
        &store,
        Session {
            sign_on: Some(sign_on),
            ..session("cms", "alice")
        },
    )
    .await;
    assert_eq!(
        store.open(join(), Join::IfLive, after(60)).await,
        Ok(OpenOutcome::SignOnEnded),
        "idle"
    );
    let second = join();
    assert_eq!(
        store.open(second.clone(), Join::IfLive, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    end(&store, EndTarget::Session(first.id)).await;
    assert_eq!(
        store.open(join(), Join::IfLive, NOW).await,
        Ok(OpenOutcome::Opened),
        "another session of it lives"
    );
    end(&store, EndTarget::SignOn(sign_on)).await;
    assert_eq!(
        store.open(join(), Join::IfLive, NOW).await,
        Ok(OpenOutcome::SignOnEnded),
        "ended"
    );
    assert_ended(&store, &second).await;
    assert!(
        listed(&store, &SessionFilter::default(), NOW)
            .await
            .is_empty()
    );
    assert_eq!(
        store
            .open(
                Session {
                    sign_on: None,
                    ..join()
                },
                Join::IfLive,
                NOW
            )
            .await,
        Ok(OpenOutcome::Opened),
        "it names none"
    );
}
