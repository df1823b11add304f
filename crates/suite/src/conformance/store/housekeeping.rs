//! What is found and forgotten when it is over.

use std::collections::BTreeSet;

use super::{
    NOW, Store, after, assert_alive, found, fresh_digest, ids, listed, open, order_at, session,
    settle,
};
use logout_core::session::{Session, SessionId};
use logout_core::store::{EndTarget, Lookup, SessionFilter};
use logout_core::time::Timestamp;

/// Goes through the whole store in steps of `limit`.
async fn sweep(
    store: &Store,
    limit: usize,
    now: Timestamp,
    receipts_until: Timestamp,
) -> Vec<SessionId> {
    let (mut expired, mut from) = (Vec::new(), None);
    for _ in 0..10_000 {
        let swept = store
            .sweep(from, limit, now, receipts_until)
            .await
            .expect("the store answers");
        expired.extend(swept.expired);
        from = swept.next;
        if from.is_none() {
            return expired;
        }
    }
    panic!("housekeeping does not come to an end");
}

/// In steps, each session once.
pub async fn housekeeping_names_every_expired_session_and_no_live_one(store: Store) {
    let mut expired = BTreeSet::new();
    for index in 0..60 {
        let session = open(&store, session("cms", "alice")).await;
        if index % 3 == 0 {
            store
                .touch(session.id, after(40))
                .await
                .expect("the store answers");
        } else {
            expired.insert(session.id);
        }
    }
    settle(&store).await;
    assert!(sweep(&store, 7, after(59), NOW).await.is_empty());
    let named = sweep(&store, 7, after(60), NOW).await;
    assert_eq!(named.len(), expired.len());
    assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), expired);
    let order = order_at(
        after(60),
        named.into_iter().map(EndTarget::Expired).collect(),
    );
    assert_eq!(
        ids(&store.end(order).await.expect("the store answers")),
        expired
    );
    assert!(sweep(&store, 7, after(60), NOW).await.is_empty());
    assert_eq!(
        listed(&store, &SessionFilter::default(), after(60))
            .await
            .len(),
        20
    );
}

/// Tombstones, one-time values, receipts.
pub async fn housekeeping_forgets_what_is_over_and_keeps_what_is_not(store: Store) {
    let live = open(
        &store,
        Session {
            idle_timeout: None,
            ..session("cms", "bob")
        },
    )
    .await;
    let mut ended = Vec::new();
    for second in [0, 2_000] {
        let session = open(&store, session("cms", "alice")).await;
        let order = order_at(after(second), vec![EndTarget::Session(session.id)]);
        store.end(order.clone()).await.expect("the store answers");
        ended.push((session, order.receipt));
    }
    let (brief, lasting) = (fresh_digest(), fresh_digest());
    for (key, expires) in [(brief, after(60)), (lasting, after(2_500))] {
        assert_eq!(
            store.put_once(key, b"code".to_vec(), expires).await,
            Ok(true)
        );
    }

    assert!(
        sweep(&store, 4, after(2_000), after(1_000))
            .await
            .is_empty()
    );
    // Asked as of an instant when they were still due, so that the answer tells whether they are
    // still known.
    let [(first, old_receipt), (second, new_receipt)] = &ended[..] else {
        panic!("two were opened")
    };
    assert_eq!(
        found(&store, &first.credentials[1].digest, NOW).await,
        Lookup::Unknown,
        "forgotten"
    );
    assert_eq!(
        found(&store, &first.credentials[0].digest, NOW).await,
        Lookup::Ended,
        "kept until 3,600"
    );
    assert_eq!(
        found(&store, &second.credentials[0].digest, NOW).await,
        Lookup::Ended,
        "kept until 3,600"
    );
    assert_eq!(store.receipt(*old_receipt).await, Ok(None));
    assert!(matches!(store.receipt(*new_receipt).await, Ok(Some(_))));
    assert_eq!(store.take_once(&brief, NOW).await, Ok(None), "forgotten");
    assert_eq!(
        store.take_once(&lasting, NOW).await,
        Ok(Some(b"code".to_vec())),
        "kept"
    );
    assert_alive(&store, &live).await;
}
