//! Deliveries, as they are read and listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use logout_core::delivery::DeliveryState;
use logout_core::outbox::{DeliveryFilter, Store};
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::SessionId;
use logout_core::store::EndTarget;

use super::{NOW, confirmed, end, ended, lease, open, session};

/// Without gaps or repeats.
pub async fn deliveries_are_listed_in_pages_by_platform_and_state<S: Store>(store: Arc<S>) {
    let mut cms = BTreeSet::new();
    for number in 0..5 {
        cms.insert(
            ended(&*store, "cms", &format!("user{number}"), NOW)
                .await
                .id,
        );
        ended(&*store, "dam", &format!("user{number}"), NOW).await;
    }
    let filter = DeliveryFilter {
        platform: Some(PlatformName::new("cms")),
        state: None,
    };
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let page = store
            .deliveries(&filter, from, 2)
            .await
            .expect("the store answers");
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|delivery| delivery.session));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, cms.into_iter().collect::<Vec<_>>());
    let leased = lease(&*store, "cms", 1, NOW).await.remove(0);
    assert_eq!(
        store
            .settle(leased.delivery.session, leased.lease, confirmed(None))
            .await,
        Ok(true)
    );
    for (state, count) in [
        (DeliveryState::Confirmed, 1),
        (DeliveryState::Pending, 9),
        (DeliveryState::GivenUp, 0),
    ] {
        let filter = DeliveryFilter {
            platform: None,
            state: Some(state),
        };
        assert_eq!(
            store
                .deliveries(&filter, None, 100)
                .await
                .map(|page| page.items.len()),
            Ok(count),
            "{state:?}"
        );
    }
}

/// Pending and settled ones, of several platforms, with and without a person; nothing where there
/// is none.
pub async fn the_deliveries_of_many_sessions_come_in_the_order_asked_for<S: Store>(store: Arc<S>) {
    let mut asked = Vec::new();
    for number in 0..6 {
        let platform = if number % 2 == 0 { "cms" } else { "dam" };
        let mut session = session(platform, &format!("user{}", number / 2));
        if number > 3 {
            session.person = None;
        }
        if number == 2 {
            session.sealed = None;
        }
        let session = open(&*store, session).await;
        asked.extend(end(&*store, EndTarget::Session(session.id), NOW).await.1);
    }
    let leased = lease(&*store, "dam", 1, NOW).await.remove(0);
    assert_eq!(
        store
            .settle(leased.delivery.session, leased.lease, confirmed(None))
            .await,
        Ok(true)
    );
    // Never kept here.
    asked.insert(
        3,
        EndedSession {
            id: SessionId::at(NOW),
            ..asked[0].clone()
        },
    );
    asked.reverse();
    asked.push(asked[0].clone());
    let sessions: Vec<_> = asked.iter().collect();
    let found = store
        .deliveries_of(&sessions)
        .await
        .expect("the store answers");
    let mut expected = Vec::new();
    for session in &sessions {
        expected.push(store.delivery(session.id).await.expect("the store answers"));
    }
    assert_eq!(found, expected);
    let there: Vec<_> = found
        .iter()
        .map(|delivery| delivery.as_ref().map(|delivery| delivery.session))
        .collect();
    let upstream = |session: &EndedSession| {
        (session.upstream && session.id != asked[3].id).then_some(session.id)
    };
    assert_eq!(there, asked.iter().map(upstream).collect::<Vec<_>>());
    assert!(
        found
            .iter()
            .flatten()
            .any(|delivery| delivery.state == DeliveryState::Confirmed)
    );
    assert_eq!(store.deliveries_of(&[]).await, Ok(Vec::new()));
}
