//! Leases: which worker holds a delivery, and for how long.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};

use logout_core::delivery::Leased;
use logout_core::outbox::Store;
use logout_core::platform::PlatformName;
use logout_core::session::SessionId;

use super::{NOW, after, block_on, confirmed, ended, lease, only};

/// Whoever comes second gets nothing.
pub async fn a_delivery_is_leased_to_one_at_a_time<S: Store>(store: Arc<S>) {
    ended(&*store, "cms", "alice", NOW).await;
    only(&*store, "cms", NOW).await;
    assert_eq!(lease(&*store, "cms", 10, after(29)).await, []);
    assert_eq!(
        store.next_due(&PlatformName::new("cms")).await,
        Ok(Some(after(30)))
    );
}

/// Its holder may have died.
pub async fn a_lease_that_has_run_out_is_given_out_again<S: Store>(store: Arc<S>) {
    ended(&*store, "cms", "alice", NOW).await;
    let first = only(&*store, "cms", NOW).await;
    let second = only(&*store, "cms", after(30)).await;
    assert_eq!(first.delivery, second.delivery);
    assert_ne!(first.lease, second.lease);
}

/// By the instant at which they are due.
pub async fn the_soonest_are_leased_first_and_no_more_than_asked_for<S: Store>(store: Arc<S>) {
    for (name, at) in [("carol", 3), ("alice", 1), ("dave", 9), ("bob", 2)] {
        ended(&*store, "cms", name, after(at)).await;
    }
    let names = |leased: Vec<Leased>| -> Vec<String> {
        leased
            .iter()
            .map(|leased| leased.delivery.subject.name.to_string())
            .collect()
    };
    assert_eq!(lease(&*store, "cms", 10, NOW).await, []);
    assert_eq!(
        names(lease(&*store, "cms", 2, after(5)).await),
        ["alice", "bob"]
    );
    assert_eq!(names(lease(&*store, "cms", 2, after(5)).await), ["carol"]);
    assert_eq!(
        store.next_due(&PlatformName::new("cms")).await,
        Ok(Some(after(9)))
    );
}

/// One whose upstream is dead does not stand in the way of another.
pub async fn platforms_have_queues_of_their_own<S: Store>(store: Arc<S>) {
    ended(&*store, "cms", "alice", NOW).await;
    ended(&*store, "dam", "alice", after(5)).await;
    assert_eq!(
        store.next_due(&PlatformName::new("dam")).await,
        Ok(Some(after(5)))
    );
    assert_eq!(
        only(&*store, "dam", after(5)).await.delivery.platform,
        PlatformName::new("dam")
    );
    assert_eq!(lease(&*store, "shop", 10, after(99)).await, []);
    assert_eq!(
        only(&*store, "cms", after(5)).await.delivery.platform,
        PlatformName::new("cms")
    );
}

/// Two at once would be one too many.
pub async fn retrying_does_not_take_a_delivery_from_who_holds_it<S: Store>(store: Arc<S>) {
    let session = ended(&*store, "cms", "alice", NOW).await;
    let leased = only(&*store, "cms", NOW).await;
    assert_eq!(store.retry(session.id, after(1)).await, Ok(true));
    assert_eq!(lease(&*store, "cms", 10, after(1)).await, []);
    assert_eq!(
        store
            .settle(session.id, leased.lease, confirmed(None))
            .await,
        Ok(true)
    );
}

/// Eight of them, over and over.
pub async fn of_many_who_lease_at_once_each_delivery_goes_to_one<S: Store>(store: Arc<S>) {
    for number in 0..200 {
        ended(&*store, "cms", &format!("user{number}"), NOW).await;
    }
    let barrier = Barrier::new(8);
    let taken: Vec<SessionId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let mut taken = Vec::new();
                    loop {
                        let leased = block_on(lease(&*store, "cms", 7, NOW));
                        if leased.is_empty() {
                            return taken;
                        }
                        taken.extend(leased.into_iter().map(|leased| leased.delivery.session));
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        (taken.len(), taken.iter().collect::<BTreeSet<_>>().len()),
        (200, 200)
    );
}
