//! The rules of [`Outbox`](logout_core::outbox::Outbox) and of sessions that have an upstream, one
//! case each.
//!
//! A store's tests call [`outbox_conformance!`](crate::outbox_conformance) with something that
//! makes a fresh, empty store:
//!
//! ```
//! # mod of_memory {
//! use std::sync::Arc;
//! use logout_store::MemoryStore;
//!
//! fn fresh() -> (Arc<MemoryStore>, ()) {
//!     (Arc::new(MemoryStore::new()), ())
//! }
//!
//! logout_suite::outbox_conformance!(fresh);
//! # }
//! ```

mod leasing;
mod listing;
mod settling;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use futures_executor::block_on;
pub use leasing::*;
pub use listing::*;
pub use settling::*;

use logout_core::credential::{Credential, CredentialDigest, Sealed, random_bytes};
use logout_core::delivery::{
    AttemptAnswer, AttemptRecord, Delivery, DeliveryState, Leased, Outcome, Settlement,
    Verification,
};
use logout_core::outbox::Store;
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Join, Lookup, OpenOutcome};
use logout_core::time::Timestamp;

/// Makes every case a test named after its rule. `$fresh` is called once per test and returns
/// `(Arc<store>, guard)`. Behind `@named` it makes none, and brings a list of their names and
/// functions for a harness of one's own.
#[macro_export]
macro_rules! outbox_conformance {
    ($fresh:expr) => {
        $crate::outbox_conformance! { @list @cases outbox $fresh; }
    };
    (@named $fresh:expr) => {
        $crate::outbox_conformance! { @list @pairs outbox $fresh; }
    };
    (@list $($then:tt)*) => {
        $crate::conformance_tests! { $($then)*
            ending_a_session_with_an_upstream_leaves_one_delivery
            ending_a_session_without_one_leaves_none
            a_delivery_carries_what_was_sealed_last
            a_delivery_is_leased_to_one_at_a_time
            a_lease_that_has_run_out_is_given_out_again
            the_soonest_are_leased_first_and_no_more_than_asked_for
            platforms_have_queues_of_their_own
            a_settlement_counts_once_and_only_under_the_latest_lease
            an_acknowledgement_needs_no_lease_and_counts_once
            a_confirmed_delivery_is_done_and_keeps_nothing_sealed
            a_delivery_that_is_tried_again_waits_until_it_is_due
            a_given_up_delivery_is_left_alone_until_somebody_retries_it
            retrying_does_not_take_a_delivery_from_who_holds_it
            deliveries_are_listed_in_pages_by_platform_and_state
            the_deliveries_of_many_sessions_come_in_the_order_asked_for
            housekeeping_forgets_settled_deliveries_and_keeps_pending_ones
            what_is_sealed_for_a_given_up_delivery_is_erased_when_it_has_expired
            a_session_whose_credential_has_a_tombstone_is_not_opened_again
            a_person_s_thousand_sessions_become_a_thousand_deliveries_in_one_order
            of_many_who_lease_at_once_each_delivery_goes_to_one
        }
    };
}

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn credential() -> Credential {
    Credential {
        digest: CredentialDigest::from_bytes(random_bytes()),
        expires: after(3_600),
        csrf_due: false,
    }
}

/// A session at an upstream.
fn session(platform: &str, name: &str) -> Session {
    Session {
        id: SessionId::at(NOW),
        platform: PlatformName::new(platform),
        sign_on: None,
        subject: Subject::new("Default", name),
        person: Some(Person::new(format!("{name}@example.com"))),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![credential()],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: None,
        expires: after(3_600),
        device: Device::default(),
        sealed: Some(Sealed::new(format!("sealed for {name} at {platform}"))),
        idp: None,
    }
}

async fn open(store: &impl Store, session: Session) -> Session {
    assert_eq!(
        store.open(session.clone(), Join::Always, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    session
}

async fn end(
    store: &impl Store,
    target: EndTarget,
    at: Timestamp,
) -> (ReceiptId, Vec<EndedSession>) {
    let receipt = ReceiptId::at(at);
    let order = EndOrder {
        receipt,
        at,
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets: vec![target],
        token: None,
    };
    (receipt, store.end(order).await.expect("the store answers"))
}

/// Opens a session of `name` at `platform` and ends it at `at`.
async fn ended(store: &impl Store, platform: &str, name: &str, at: Timestamp) -> Session {
    let session = open(store, session(platform, name)).await;
    assert_eq!(
        end(store, EndTarget::Session(session.id), at).await.1.len(),
        1
    );
    session
}

async fn lease(store: &impl Store, platform: &str, limit: usize, now: Timestamp) -> Vec<Leased> {
    let until = now.plus(Duration::from_secs(30));
    store
        .lease(&PlatformName::new(platform), limit, now, until)
        .await
        .expect("the store answers")
}

fn tried(at: Timestamp, answer: AttemptAnswer, outcome: Outcome) -> Settlement {
    Settlement {
        attempt: Some(AttemptRecord { at, answer }),
        outcome,
    }
}

fn confirmed(verified: Option<Verification>) -> Settlement {
    tried(
        NOW,
        AttemptAnswer::Status(200),
        Outcome::Confirmed { verified },
    )
}

async fn only(store: &impl Store, platform: &str, now: Timestamp) -> Leased {
    let mut leased = lease(store, platform, 10, now).await;
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

/// Session, receipt, subject and what is sealed are the ended session's; it is due at once.
pub async fn ending_a_session_with_an_upstream_leaves_one_delivery<S: Store>(store: Arc<S>) {
    let session = open(&*store, session("cms", "alice")).await;
    let (receipt, ended) = end(&*store, EndTarget::Session(session.id), after(1)).await;
    assert!(ended[0].upstream);
    let delivery = store
        .delivery(session.id)
        .await
        .expect("the store answers")
        .expect("a delivery");
    assert_eq!(
        (delivery.session, delivery.receipt, &delivery.subject),
        (session.id, receipt, &session.subject)
    );
    assert_eq!(
        (delivery.created, delivery.due, delivery.expires),
        (after(1), after(1), session.expires)
    );
    assert_eq!(
        (delivery.state, delivery.attempts, &delivery.sealed),
        (DeliveryState::Pending, 0, &session.sealed)
    );
    assert_eq!(store.next_due(&session.platform).await, Ok(Some(after(1))));
    assert!(
        store
            .receipt(receipt)
            .await
            .expect("the store answers")
            .is_some_and(|receipt| receipt.sessions[0].upstream)
    );
    assert_eq!(
        end(&*store, EndTarget::Session(session.id), after(2))
            .await
            .1,
        []
    );
    assert_eq!(only(&*store, "cms", after(3)).await.delivery, delivery);
}

/// A stand-in's session ends here and nowhere else.
pub async fn ending_a_session_without_one_leaves_none<S: Store>(store: Arc<S>) {
    let session = open(
        &*store,
        Session {
            sealed: None,
            ..session("cms", "alice")
        },
    )
    .await;
    assert!(!end(&*store, EndTarget::Session(session.id), NOW).await.1[0].upstream);
    assert_eq!(
        (
            store.delivery(session.id).await,
            store.next_due(&session.platform).await
        ),
        (Ok(None), Ok(None))
    );
}

/// A renewed token takes the place of the old one.
pub async fn a_delivery_carries_what_was_sealed_last<S: Store>(store: Arc<S>) {
    let session = open(&*store, session("cms", "alice")).await;
    let sealed = Sealed::new(*b"renewed");
    assert_eq!(
        store
            .attach(session.id, credential(), Some(sealed.clone()), NOW)
            .await,
        Ok(true)
    );
    assert_eq!(
        store.attach(session.id, credential(), None, NOW).await,
        Ok(true)
    );
    end(&*store, EndTarget::Session(session.id), NOW).await;
    assert_eq!(
        only(&*store, "cms", NOW).await.delivery.sealed,
        Some(sealed)
    );
}

/// The upstream's credentials are not ours: whoever registers one again must not bring it back to
/// life.
pub async fn a_session_whose_credential_has_a_tombstone_is_not_opened_again<S: Store>(
    store: Arc<S>,
) {
    let first = ended(&*store, "cms", "alice", NOW).await;
    let again = Session {
        credentials: vec![credential(), first.credentials[0].clone()],
        ..session("cms", "alice")
    };
    assert_eq!(
        store.open(again.clone(), Join::Always, after(1)).await,
        Ok(OpenOutcome::CredentialEnded)
    );
    assert_eq!(
        store.find(&first.credentials[0].digest, after(1)).await,
        Ok(Lookup::Ended)
    );
    assert_eq!(
        store.find(&again.credentials[0].digest, after(1)).await,
        Ok(Lookup::Unknown)
    );
    assert_eq!(
        store.open(again, Join::Always, after(3_600)).await,
        Ok(OpenOutcome::Opened)
    );
}

/// All of them, in one step.
pub async fn a_person_s_thousand_sessions_become_a_thousand_deliveries_in_one_order<S: Store>(
    store: Arc<S>,
) {
    let mut ids = BTreeSet::new();
    for _ in 0..1_000 {
        ids.insert(open(&*store, session("cms", "alice")).await.id);
    }
    let bob = open(&*store, session("cms", "bob")).await;
    let (receipt, ended) = end(
        &*store,
        EndTarget::Person(Person::new("alice@example.com")),
        NOW,
    )
    .await;
    assert_eq!(ended.len(), 1_000);
    let found = store
        .deliveries_of(&ended.iter().collect::<Vec<_>>())
        .await
        .expect("the store answers");
    let told = |(session, delivery): (&EndedSession, Option<_>)| {
        delivery.is_some_and(|own: Delivery| own.session == session.id)
    };
    assert!(ended.iter().zip(found).all(told));
    let mut leased = BTreeSet::new();
    while leased.len() < 1_000 {
        let more = lease(&*store, "cms", 300, NOW).await;
        assert!(!more.is_empty() && more.iter().all(|leased| leased.delivery.receipt == receipt));
        leased.extend(more.into_iter().map(|leased| leased.delivery.session));
    }
    assert_eq!(leased, ids);
    assert!(matches!(
        store.find(&bob.credentials[0].digest, NOW).await,
        Ok(Lookup::Live(..))
    ));
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list_that_the_macro_runs() {
        let source = concat!(
            include_str!("outbox.rs"),
            include_str!("outbox/leasing.rs"),
            include_str!("outbox/listing.rs"),
            include_str!("outbox/settling.rs")
        );
        let (_, list) = source.split_once("$($then)*\n").unwrap();
        let (list, _) = list.split_once('}').unwrap();
        let mut listed: Vec<_> = list.split_whitespace().collect();
        let mut written: Vec<_> = source
            .lines()
            .filter_map(|line| {
                line.strip_prefix("pub async fn ")?
                    .split_once('<')
                    .map(|(name, _)| name)
            })
            .collect();
        listed.sort_unstable();
        written.sort_unstable();
        assert_eq!(listed, written);
    }
}
