//! The rules of [`SessionStore`], one case each.
//!
//! A store's tests call [`store_conformance!`](crate::store_conformance) with something that makes
//! a fresh, empty store:
//!
//! ```
//! # mod of_memory {
//! use std::sync::Arc;
//! use logout_core::store::SessionStore;
//! use logout_store::MemoryStore;
//!
//! fn fresh() -> (Arc<dyn SessionStore>, ()) {
//!     (Arc::new(MemoryStore::new()), ())
//! }
//!
//! logout_suite::store_conformance!(fresh);
//! # }
//! ```
//!
//! The second value is kept until the case is over: a temporary directory, say. Cases use threads
//! of their own where a rule is about concurrency, and need no async runtime; a store that does
//! brings it along.

mod by_credential;
mod credentials;
mod ending;
mod housekeeping;
mod listing;
mod races;
mod reference;
mod sign_ons;
mod values;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Barrier};
use std::time::Duration;

pub use by_credential::*;
pub use credentials::*;
pub use ending::*;
pub use futures_executor::block_on;
pub use housekeeping::*;
pub use listing::*;
pub use races::*;
pub use reference::*;
pub use sign_ons::*;
pub use values::*;

use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, ReceiptId};
use logout_core::session::{AccountVersion, Device, Person, Session, SessionId, Subject};
use logout_core::store::{
    EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionFilter, SessionStore,
};
use logout_core::time::Timestamp;

/// The store under test.
pub type Store = Arc<dyn SessionStore>;

/// Makes every case a test named after its rule. `$fresh` is called once per test and returns
/// `(Arc<dyn SessionStore>, guard)`. Behind `@named` it makes none, and brings a list of their
/// names and functions for a harness of one's own.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:expr) => {
        $crate::store_conformance! { @list @cases store $fresh; }
    };
    (@named $fresh:expr) => {
        $crate::store_conformance! { @list @pairs store $fresh; }
    };
    (@list $($then:tt)*) => {
        $crate::conformance_tests! { $($then)*
            a_credential_nobody_opened_is_unknown
            a_credential_opens_its_session_until_it_expires
            a_credential_opens_nothing_once_its_session_is_over
            a_session_without_idle_timeout_lives_until_its_expiry
            an_attached_credential_opens_the_session_and_dies_with_it
            an_attached_credential_has_an_expiry_of_its_own
            what_has_expired_makes_room_for_what_is_attached
            nothing_is_attached_to_an_ended_an_expired_or_an_unknown_session
            a_touch_prolongs_idle_but_not_absolute_expiry
            a_touch_after_the_end_brings_nothing_back
            ending_a_session_kills_all_its_credentials_and_no_other_session
            ending_a_sign_on_ends_its_sessions_at_all_platforms_and_no_others
            ending_a_subject_ends_it_at_this_platform_and_realm_only
            ending_a_person_ends_all_platforms_and_no_other_person
            ending_a_platform_leaves_other_platforms_alone
            several_targets_are_a_union_that_credits_nothing_twice
            an_order_for_expired_sessions_leaves_live_ones_alone
            a_touched_session_is_not_ended_as_expired
            a_session_without_person_or_sign_on_is_ended_by_neither
            a_person_with_a_thousand_sessions_ends_in_one_order_with_one_receipt
            a_person_who_signs_in_again_and_again_is_ended_each_time
            sixty_four_orders_for_one_session_credit_exactly_one
            overlapping_orders_for_a_person_and_for_sessions_credit_each_session_once
            a_tombstone_stays_until_the_credential_would_have_expired
            a_receipt_says_what_was_asked_and_what_ended
            nothing_is_written_when_nothing_ended
            receipts_come_newest_first_in_pages
            sessions_are_listed_in_pages_without_gaps_or_repeats
            sessions_are_filtered_by_person_platform_and_subject
            sessions_are_listed_by_their_login_at_an_identity_provider
            a_receipt_names_the_token_that_ordered_it
            a_dead_sign_on_cannot_be_joined
            joining_and_ending_a_sign_on_at_once_leaves_nothing_alive
            attaching_and_ending_at_once_leaves_nothing_alive
            touching_and_ending_at_once_leaves_nothing_alive
            who_looks_during_an_ending_sees_it_alive_or_ended_but_never_unknown
            a_value_put_once_is_put_by_one_and_taken_by_one
            a_one_time_value_cannot_be_taken_after_its_expiry
            housekeeping_names_every_expired_session_and_no_live_one
            housekeeping_forgets_what_is_over_and_keeps_what_is_not
            all_who_ask_agree_on_one_value
            a_credential_ends_the_session_that_it_opens_and_no_other
            a_credential_that_opens_nothing_ends_nothing
            a_credential_ends_a_session_that_was_used_just_now
            a_credential_ends_nothing_for_another_client_or_without_the_proof_that_is_due
            a_credential_ends_as_far_as_asked
            several_credentials_in_one_order_are_a_union
            orders_by_credential_and_by_session_at_once_credit_exactly_one
            joining_a_sign_on_that_a_credential_ends_leaves_nothing_alive
            it_does_what_the_reference_does_over_thousands_of_random_steps
            it_is_healthy
        }
    };
}

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const IDLE: Duration = Duration::from_secs(60);
const ABSOLUTE: Duration = Duration::from_secs(3_600);

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn fresh_digest() -> CredentialDigest {
    CredentialDigest::from_bytes(random_bytes())
}

fn fresh_credential() -> Credential {
    Credential {
        digest: fresh_digest(),
        expires: NOW.plus(ABSOLUTE),
        csrf_due: false,
    }
}

/// A session with two credentials, the second of which lives half as long.
fn session(platform: &str, name: &str) -> Session {
    Session {
        id: SessionId::at(NOW),
        platform: PlatformName::new(platform),
        sign_on: None,
        subject: Subject::new("Default", name),
        person: Some(Person::new(format!("{name}@example.com"))),
        account: Some(AccountVersion::from_bytes([7; 8])),
        client: None,
        administrator: false,
        credentials: vec![
            fresh_credential(),
            Credential {
                expires: NOW.plus(ABSOLUTE / 2),
                csrf_due: true,
                ..fresh_credential()
            },
        ],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: Some(IDLE),
        expires: NOW.plus(ABSOLUTE),
        device: Device {
            address: Some([192, 0, 2, 1].into()),
            user_agent: Some("suite".to_owned()),
        },
        sealed: None,
        idp: None,
    }
}

async fn open(store: &Store, session: Session) -> Session {
    assert_eq!(
        store.open(session.clone(), Join::Always, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    session
}

fn order(targets: Vec<EndTarget>) -> EndOrder {
    order_at(NOW, targets)
}

fn order_at(at: Timestamp, targets: Vec<EndTarget>) -> EndOrder {
    EndOrder {
        receipt: ReceiptId::at(at),
        at,
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets,
        token: None,
    }
}

async fn end(store: &Store, target: EndTarget) -> Vec<EndedSession> {
    store
        .end(order(vec![target]))
        .await
        .expect("the store answers")
}

fn ids(ended: &[EndedSession]) -> BTreeSet<SessionId> {
    let ids: BTreeSet<_> = ended.iter().map(|session| session.id).collect();
    assert_eq!(
        ids.len(),
        ended.len(),
        "a session was credited twice in one order"
    );
    ids
}

fn ids_of<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> BTreeSet<SessionId> {
    sessions.into_iter().map(|session| session.id).collect()
}

async fn found(store: &Store, digest: &CredentialDigest, now: Timestamp) -> Lookup {
    store.find(digest, now).await.expect("the store answers")
}

async fn assert_alive(store: &Store, session: &Session) {
    for credential in &session.credentials {
        match found(store, &credential.digest, NOW).await {
            Lookup::Live(live, by) => assert_eq!((&*live, &by), (session, credential)),
            other => panic!("{} should be alive, but is {other:?}", session.id),
        }
    }
    assert!(
        listed(store, &SessionFilter::default(), NOW)
            .await
            .contains(&session.id),
        "{} is not listed",
        session.id
    );
}

async fn assert_ended(store: &Store, session: &Session) {
    for credential in &session.credentials {
        assert_eq!(
            found(store, &credential.digest, NOW).await,
            Lookup::Ended,
            "{}",
            session.id
        );
    }
    assert!(
        !listed(store, &SessionFilter::default(), NOW)
            .await
            .contains(&session.id),
        "{} is still listed",
        session.id
    );
}

async fn listed(store: &Store, filter: &SessionFilter, now: Timestamp) -> BTreeSet<SessionId> {
    ids_of(
        &store
            .sessions(filter, None, usize::MAX, now)
            .await
            .expect("the store answers")
            .items,
    )
}

/// Waits until touches that were asked for before are written, if they ever will be: a store that
/// writes them late writes them before it says how it is.
async fn settle(store: &Store) {
    assert_eq!(store.health().await, Ok(()));
}

/// What each of `count` threads got, all started at once.
fn at_once<T: Send, F: Future<Output = T>>(
    count: usize,
    act: impl Fn(usize) -> F + Sync,
) -> Vec<T> {
    let start = Barrier::new(count);
    std::thread::scope(|scope| {
        let (start, act) = (&start, &act);
        let threads: Vec<_> = (0..count)
            .map(|index| {
                scope.spawn(move || {
                    start.wait();
                    block_on(act(index))
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect()
    })
}

/// At least right after it was opened.
pub async fn it_is_healthy(store: Store) {
    assert_eq!(store.health().await, Ok(()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list_that_the_macro_runs() {
        let source = concat!(
            include_str!("store.rs"),
            include_str!("store/by_credential.rs"),
            include_str!("store/credentials.rs"),
            include_str!("store/ending.rs"),
            include_str!("store/housekeeping.rs"),
            include_str!("store/listing.rs"),
            include_str!("store/races.rs"),
            include_str!("store/reference.rs"),
            include_str!("store/sign_ons.rs"),
            include_str!("store/values.rs"),
        );
        let (_, list) = source.split_once("$($then)*\n").unwrap();
        let (list, _) = list.split_once('}').unwrap();
        let listed: Vec<_> = list.split_whitespace().collect();
        let written: Vec<_> = source
            .lines()
            .filter_map(|line| {
                line.strip_prefix("pub async fn ")?
                    .split_once('(')
                    .map(|(name, _)| name)
            })
            .collect();
        assert!(!written.is_empty());
        for case in &written {
            assert!(listed.contains(case), "{case} is not run");
        }
        assert_eq!(listed.len(), written.len());
    }
}
