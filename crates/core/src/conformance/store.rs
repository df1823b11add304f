//! The rules of [`SessionStore`], one case each. Long because it is the list of the rules.
//!
//! A store's tests call [`store_conformance!`](crate::store_conformance) with something that makes a fresh, empty store:
//!
//! ```
//! # mod of_memory {
//! use std::sync::Arc;
//! use logout_core::store::{MemoryStore, SessionStore};
//!
//! fn fresh() -> (Arc<dyn SessionStore>, ()) {
//!     (Arc::new(MemoryStore::new()), ())
//! }
//!
//! logout_core::store_conformance!(fresh);
//! # }
//! ```
//!
//! The second value is kept until the case is over: a temporary directory, say. Cases use threads of their own where a rule
//! is about concurrency, and need no async runtime; a store that does brings it along.

mod by_credential;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Barrier};
use std::time::Duration;

pub use by_credential::*;
pub use futures_executor::block_on;

use crate::credential::{Credential, CredentialDigest, SecretDigest, random_bytes};
use crate::platform::PlatformName;
use crate::receipt::{EndedSession, Reach, Reason, ReceiptId};
use crate::session::{ClientId, Device, Person, Session, SessionId, SignOnId, Subject};
use crate::sign_out::CsrfProof;
use crate::store::{ByCredential, EndOrder, EndTarget, Found, MemoryStore, Opened, Page, SessionFilter, SessionStore};
use crate::time::Timestamp;

/// The store under test.
pub type Store = Arc<dyn SessionStore>;

/// Makes every case a test named after its rule. `$fresh` is called once per test and returns `(Arc<dyn SessionStore>, guard)`.
/// Behind `@named` it makes none, and brings a list of their names and functions for a harness of one's own.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:expr) => {
        $crate::store_conformance! { @list @cases $fresh; }
    };
    (@named $fresh:expr) => {
        $crate::store_conformance! { @list @pairs $fresh; }
    };
    (@list $($then:tt)*) => {
        $crate::store_conformance! { $($then)*
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
    (@pairs $fresh:expr; $($case:ident)+) => {
        vec![$(
            (stringify!($case), (|| {
                let (store, _guard) = $fresh();
                $crate::conformance::store::block_on($crate::conformance::store::$case(store));
            }) as fn()),
        )+]
    };
    (@cases $fresh:expr; $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                let (store, _guard) = $fresh();
                $crate::conformance::store::block_on($crate::conformance::store::$case(store));
            }
        )+
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
    Credential { digest: fresh_digest(), expires: NOW.plus(ABSOLUTE), csrf_due: false }
}

/// A session with two credentials, the second of which lives half as long.
fn session(platform: &str, name: &str) -> Session {
    Session {
        id: SessionId::at(NOW),
        platform: PlatformName::new(platform),
        sign_on: None,
        subject: Subject::new("Default", name),
        person: Some(Person::new(format!("{name}@example.com"))),
        client: None,
        administrator: false,
        credentials: vec![fresh_credential(), Credential { expires: NOW.plus(ABSOLUTE / 2), csrf_due: true, ..fresh_credential() }],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: Some(IDLE),
        expires: NOW.plus(ABSOLUTE),
        device: Device { address: Some([192, 0, 2, 1].into()), user_agent: Some("suite".to_owned()) },
        sealed: None,
    }
}

async fn open(store: &Store, session: Session) -> Session {
    assert_eq!(store.open(session.clone(), false, NOW).await, Ok(Opened::Opened));
    session
}

fn order(targets: Vec<EndTarget>) -> EndOrder {
    order_at(NOW, targets)
}

fn order_at(at: Timestamp, targets: Vec<EndTarget>) -> EndOrder {
    EndOrder { receipt: ReceiptId::at(at), at, reason: Reason::User, platform: None, reach: Reach::Session, targets }
}

async fn end(store: &Store, target: EndTarget) -> Vec<EndedSession> {
    store.end(order(vec![target])).await.expect("the store answers")
}

fn ids(ended: &[EndedSession]) -> BTreeSet<SessionId> {
    let ids: BTreeSet<_> = ended.iter().map(|session| session.id).collect();
    assert_eq!(ids.len(), ended.len(), "a session was credited twice in one order");
    ids
}

fn ids_of<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> BTreeSet<SessionId> {
    sessions.into_iter().map(|session| session.id).collect()
}

async fn found(store: &Store, digest: &CredentialDigest, now: Timestamp) -> Found {
    store.find(digest, now).await.expect("the store answers")
}

async fn assert_alive(store: &Store, session: &Session) {
    for credential in &session.credentials {
        match found(store, &credential.digest, NOW).await {
            Found::Live(live, by) => assert_eq!((&*live, &by), (session, credential)),
            other => panic!("{} should be alive, but is {other:?}", session.id),
        }
    }
    assert!(listed(store, &SessionFilter::default(), NOW).await.contains(&session.id), "{} is not listed", session.id);
}

async fn assert_ended(store: &Store, session: &Session) {
    for credential in &session.credentials {
        assert_eq!(found(store, &credential.digest, NOW).await, Found::Ended, "{}", session.id);
    }
    assert!(!listed(store, &SessionFilter::default(), NOW).await.contains(&session.id), "{} is still listed", session.id);
}

async fn listed(store: &Store, filter: &SessionFilter, now: Timestamp) -> BTreeSet<SessionId> {
    ids_of(&store.sessions(filter, None, usize::MAX, now).await.expect("the store answers").items)
}

/// Waits until touches that were asked for before are written, if they ever will be: a store that writes them late writes them
/// before it says how it is.
async fn settle(store: &Store) {
    assert_eq!(store.health().await, Ok(()));
}

/// What each of `count` threads got, all started at once.
fn at_once<T: Send, F: Future<Output = T>>(count: usize, act: impl Fn(usize) -> F + Sync) -> Vec<T> {
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
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// Nothing is known of a digest that was never opened.
pub async fn a_credential_nobody_opened_is_unknown(store: Store) {
    open(&store, session("cms", "alice")).await;
    assert_eq!(found(&store, &fresh_digest(), NOW).await, Found::Unknown);
}

/// Each credential finds the session, and only until its own expiry.
pub async fn a_credential_opens_its_session_until_it_expires(store: Store) {
    let session = open(&store, Session { idle_timeout: None, ..session("cms", "alice") }).await;
    assert_alive(&store, &session).await;
    let [long, short] = [&session.credentials[0].digest, &session.credentials[1].digest];
    assert!(matches!(found(&store, short, after(1_799)).await, Found::Live(..)));
    assert_eq!(found(&store, short, after(1_800)).await, Found::Unknown);
    assert!(matches!(found(&store, long, after(1_800)).await, Found::Live(..)));
}

/// Neither idle nor absolute expiry needs anybody to end the session first.
pub async fn a_credential_opens_nothing_once_its_session_is_over(store: Store) {
    let idle = open(&store, session("cms", "alice")).await;
    let late = fresh_credential();
    let brief = Session { idle_timeout: None, expires: after(10), ..session("cms", "bob") };
    let brief = open(&store, Session { credentials: vec![late], ..brief }).await;
    assert!(matches!(found(&store, &idle.credentials[0].digest, after(59)).await, Found::Live(..)));
    assert_eq!(found(&store, &idle.credentials[0].digest, after(60)).await, Found::Unknown);
    assert!(matches!(found(&store, &brief.credentials[0].digest, after(9)).await, Found::Live(..)));
    assert_eq!(found(&store, &brief.credentials[0].digest, after(10)).await, Found::Unknown);
    assert!(listed(&store, &SessionFilter::default(), after(60)).await.is_empty());
}

/// Without an idle timeout only the absolute expiry counts.
pub async fn a_session_without_idle_timeout_lives_until_its_expiry(store: Store) {
    let session = open(&store, Session { idle_timeout: None, ..session("cms", "alice") }).await;
    assert!(matches!(found(&store, &session.credentials[0].digest, after(3_599)).await, Found::Live(..)));
    assert_eq!(found(&store, &session.credentials[0].digest, after(3_600)).await, Found::Unknown);
}

/// A later credential is as good as the first, and ends with it.
pub async fn an_attached_credential_opens_the_session_and_dies_with_it(store: Store) {
    let mut session = open(&store, session("cms", "alice")).await;
    for _ in 0..3 {
        let more = Credential { csrf_due: true, ..fresh_credential() };
        assert_eq!(store.attach(session.id, more.clone(), None, NOW).await, Ok(true));
        session.credentials.push(more);
    }
    assert_alive(&store, &session).await;
    assert_eq!(ids(&end(&store, EndTarget::Session(session.id)).await), [session.id].into());
    assert_ended(&store, &session).await;
}

/// A session that is refreshed for weeks stays small.
pub async fn what_has_expired_makes_room_for_what_is_attached(store: Store) {
    let session = open(&store, Session { idle_timeout: None, ..session("cms", "alice") }).await;
    for second in 0..20 {
        let brief = Credential { expires: after(second + 1), ..fresh_credential() };
        assert_eq!(store.attach(session.id, brief, None, after(second)).await, Ok(true));
    }
    let page = store.sessions(&SessionFilter::default(), None, 10, after(19)).await.expect("the store answers");
    assert_eq!(page.items[0].credentials.len(), session.credentials.len() + 1, "the first ones, which still live, and the last");
    assert!(matches!(found(&store, &session.credentials[0].digest, after(20)).await, Found::Live(..)));
}

/// It may outlive or be outlived by the others.
pub async fn an_attached_credential_has_an_expiry_of_its_own(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    let ticket = Credential { expires: after(5), ..fresh_credential() };
    assert_eq!(store.attach(session.id, ticket.clone(), None, NOW).await, Ok(true));
    assert!(matches!(found(&store, &ticket.digest, after(4)).await, Found::Live(..)));
    assert_eq!(found(&store, &ticket.digest, after(5)).await, Found::Unknown);
    assert!(matches!(found(&store, &session.credentials[0].digest, after(5)).await, Found::Live(..)));
}

/// Ended is for ever, over is over.
pub async fn nothing_is_attached_to_an_ended_an_expired_or_an_unknown_session(store: Store) {
    let ended = open(&store, session("cms", "alice")).await;
    end(&store, EndTarget::Session(ended.id)).await;
    let idle = open(&store, session("cms", "bob")).await;
    for (id, now) in [(ended.id, NOW), (idle.id, after(60)), (SessionId::at(NOW), NOW)] {
        let more = fresh_credential();
        assert_eq!(store.attach(id, more.clone(), None, now).await, Ok(false));
        assert_eq!(found(&store, &more.digest, NOW).await, Found::Unknown);
    }
    assert_ended(&store, &ended).await;
}

/// Use starts the idle timeout again; it never moves the absolute one, and never moves back.
pub async fn a_touch_prolongs_idle_but_not_absolute_expiry(store: Store) {
    let session = open(&store, Session { expires: after(100), ..session("cms", "alice") }).await;
    let digest = &session.credentials[0].digest;
    store.touch(session.id, after(50)).await.expect("the store answers");
    store.touch(session.id, after(20)).await.expect("the store answers");
    settle(&store).await;
    assert!(matches!(found(&store, digest, after(99)).await, Found::Live(..)));
    assert_eq!(found(&store, digest, after(100)).await, Found::Unknown);
    let listing = store.sessions(&SessionFilter::default(), None, 10, after(99)).await.expect("the store answers");
    assert_eq!(listing.items, [Session { seen: after(50), ..session }]);
}

/// The late touch of a request that was overtaken by the sign-out.
pub async fn a_touch_after_the_end_brings_nothing_back(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    end(&store, EndTarget::Session(session.id)).await;
    store.touch(session.id, after(30)).await.expect("the store answers");
    settle(&store).await;
    assert_ended(&store, &session).await;
    assert!(end(&store, EndTarget::Session(session.id)).await.is_empty());
}

/// Also not another session of the same subject.
pub async fn ending_a_session_kills_all_its_credentials_and_no_other_session(store: Store) {
    let (one, other, bob) = (session("cms", "alice"), session("cms", "alice"), session("cms", "bob"));
    for session in [&one, &other, &bob] {
        open(&store, session.clone()).await;
    }
    assert_eq!(end(&store, EndTarget::Session(one.id)).await, [EndedSession::from(&one)]);
    assert_ended(&store, &one).await;
    assert_alive(&store, &other).await;
    assert_alive(&store, &bob).await;
    assert_eq!(end(&store, EndTarget::Person(one.person.clone().expect("has one"))).await, [EndedSession::from(&other)]);
    assert_alive(&store, &bob).await;
}

/// The sessions of one browser login.
pub async fn ending_a_sign_on_ends_its_sessions_at_all_platforms_and_no_others(store: Store) {
    let (here, there) = (Some(SignOnId::random()), Some(SignOnId::random()));
    let cms = open(&store, Session { sign_on: here, ..session("cms", "alice") }).await;
    let dam = open(&store, Session { sign_on: here, ..session("dam", "alice") }).await;
    let elsewhere = open(&store, Session { sign_on: there, ..session("cms", "alice") }).await;
    let without = open(&store, session("cms", "alice")).await;
    assert_eq!(ids(&end(&store, EndTarget::SignOn(here.expect("just set"))).await), ids_of([&cms, &dam]));
    assert_ended(&store, &cms).await;
    assert_ended(&store, &dam).await;
    assert_alive(&store, &elsewhere).await;
    assert_alive(&store, &without).await;
}

/// A name alone is nobody: the platform and the realm belong to it.
pub async fn ending_a_subject_ends_it_at_this_platform_and_realm_only(store: Store) {
    let one = open(&store, session("cms", "alice")).await;
    let two = open(&store, session("cms", "alice")).await;
    let others = [
        session("dam", "alice"),
        session("cms", "alic"),
        session("cms", "alice2"),
        Session { subject: Subject::new("Other", "alice"), ..session("cms", "alice") },
        Session { subject: Subject::new("Defaulta", "lice"), ..session("cms", "alice") },
        Session { subject: Subject::new("sDefault", "alice"), ..session("cm", "alice") },
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
    let dam = open(&store, Session { person: Some(alice.clone()), ..session("dam", "a.smith") }).await;
    let namesake = open(&store, Session { person: Some(Person::new("alice@example.org")), ..session("cms", "alice") }).await;
    assert_eq!(ids(&end(&store, EndTarget::Person(alice)).await), ids_of([&cms, &dam]));
    assert_ended(&store, &cms).await;
    assert_ended(&store, &dam).await;
    assert_alive(&store, &namesake).await;
}

/// Everybody there, nobody elsewhere.
pub async fn ending_a_platform_leaves_other_platforms_alone(store: Store) {
    let (alice, bob) = (open(&store, session("cms", "alice")).await, open(&store, session("cms", "bob")).await);
    let dam = open(&store, session("dam", "alice")).await;
    assert_eq!(ids(&end(&store, EndTarget::Platform(alice.platform.clone())).await), ids_of([&alice, &bob]));
    assert_ended(&store, &alice).await;
    assert_ended(&store, &bob).await;
    assert_alive(&store, &dam).await;
}

/// Overlap within one order.
pub async fn several_targets_are_a_union_that_credits_nothing_twice(store: Store) {
    let sign_on = SignOnId::random();
    let one = open(&store, Session { sign_on: Some(sign_on), ..session("cms", "alice") }).await;
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
    assert_eq!(store.end(order_at(after(59), target())).await, Ok(Vec::new()));
    assert_alive(&store, &session).await;
    assert_eq!(ids(&store.end(order_at(after(60), target())).await.expect("the store answers")), [session.id].into());
    assert_ended(&store, &session).await;
}

/// The same, where only the touch keeps it alive.
pub async fn a_touched_session_is_not_ended_as_expired(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    store.touch(session.id, after(50)).await.expect("the store answers");
    let target = || vec![EndTarget::Expired(session.id)];
    settle(&store).await;
    assert_eq!(store.end(order_at(after(109), target())).await, Ok(Vec::new()));
    assert_eq!(store.end(order_at(after(110), target())).await.expect("the store answers").len(), 1);
}

/// Nothing in common is not something in common.
pub async fn a_session_without_person_or_sign_on_is_ended_by_neither(store: Store) {
    let lone = open(&store, Session { person: None, ..session("cms", "alice") }).await;
    open(&store, Session { sign_on: Some(SignOnId::random()), ..session("cms", "bob") }).await;
    assert!(end(&store, EndTarget::Person(Person::new(""))).await.is_empty());
    assert!(end(&store, EndTarget::SignOn(SignOnId::from_bytes([0; 16]))).await.is_empty());
    assert_alive(&store, &lone).await;
    assert_eq!(end(&store, EndTarget::Session(lone.id)).await, [EndedSession::from(&lone)]);
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
        assert_eq!(found(&store, &session.credentials[0].digest, NOW).await, Found::Ended);
        assert_eq!(found(&store, &session.credentials[1].digest, NOW).await, Found::Ended);
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

/// Sixty-four clicks on "sign out".
pub async fn sixty_four_orders_for_one_session_credit_exactly_one(store: Store) {
    for _ in 0..10 {
        let session = open(&store, session("cms", "alice")).await;
        let orders: Vec<_> = (0..64).map(|_| order(vec![EndTarget::Session(session.id)])).collect();
        let ended = at_once(64, |index| {
            let (store, order) = (store.clone(), orders[index].clone());
            async move { store.end(order).await.expect("the store answers") }
        });
        let winners: Vec<_> = (0..64).filter(|index| !ended[*index].is_empty()).collect();
        assert_eq!(winners.len(), 1, "credited: {winners:?}");
        for (index, order) in orders.iter().enumerate() {
            let receipt = store.receipt(order.receipt).await.expect("the store answers");
            assert_eq!(receipt.is_some(), winners == [index], "receipt of order {index}");
        }
        assert_ended(&store, &session).await;
    }
}

/// Wide and narrow orders at the same time.
pub async fn overlapping_orders_for_a_person_and_for_sessions_credit_each_session_once(store: Store) {
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

/// A copied token is recognised as ended for as long as anybody might still believe in it.
pub async fn a_tombstone_stays_until_the_credential_would_have_expired(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    let [long, short] = [&session.credentials[0].digest, &session.credentials[1].digest];
    end(&store, EndTarget::Session(session.id)).await;
    assert_eq!(found(&store, short, after(1_799)).await, Found::Ended);
    assert_eq!(found(&store, short, after(1_800)).await, Found::Unknown);
    assert_eq!(found(&store, long, after(3_599)).await, Found::Ended);
    assert_eq!(found(&store, long, after(3_600)).await, Found::Unknown);

    let late = open(&store, Session { idle_timeout: None, ..self::session("cms", "bob") }).await;
    store.end(order_at(after(1_800), vec![EndTarget::Session(late.id)])).await.expect("the store answers");
    assert_eq!(found(&store, &late.credentials[1].digest, NOW).await, Found::Unknown, "it had expired before the end");
    assert_eq!(found(&store, &late.credentials[0].digest, NOW).await, Found::Ended);
}

/// Word for word.
pub async fn a_receipt_says_what_was_asked_and_what_ended(store: Store) {
    for (reason, reach) in [
        (Reason::Administrator, Reach::Person),
        (Reason::Expiry, Reach::SignOn),
        (Reason::User, Reach::Subject),
        (Reason::User, Reach::Session),
    ] {
        let session = open(&store, session("cms", "alice")).await;
        let platform = Some(session.platform.clone());
        let order = EndOrder { reason, reach, platform, ..order(vec![EndTarget::Session(session.id)]) };
        store.end(order.clone()).await.expect("the store answers");
        let expected = order.receipt_for(vec![EndedSession::from(&session)]);
        assert_eq!(store.receipt(order.receipt).await, Ok(Some(expected)));
    }
}

/// A stranger who sends rubbish fills no disk.
pub async fn nothing_is_written_when_nothing_ended(store: Store) {
    let ended = open(&store, session("cms", "alice")).await;
    end(&store, EndTarget::Session(ended.id)).await;
    let before = store.receipts(None, 10).await.expect("the store answers");
    let targets = [
        EndTarget::Expired(SessionId::at(NOW)),
        EndTarget::Person(Person::new("nobody")),
        EndTarget::Platform(PlatformName::new("nowhere")),
        EndTarget::Session(ended.id),
        EndTarget::SignOn(SignOnId::random()),
        EndTarget::Subject(PlatformName::new("cms"), Subject::new("Default", "nobody")),
    ];
    for target in targets {
        let order = order(vec![target]);
        assert_eq!(store.end(order.clone()).await, Ok(Vec::new()));
        assert_eq!(store.receipt(order.receipt).await, Ok(None));
    }
    assert_eq!(store.end(order(Vec::new())).await, Ok(Vec::new()));
    assert_eq!(store.receipts(None, 10).await, Ok(before));
}

/// The console's list.
pub async fn receipts_come_newest_first_in_pages(store: Store) {
    let mut written = Vec::new();
    for second in 0..25 {
        let session = open(&store, session("cms", "alice")).await;
        let order = order_at(after(second), vec![EndTarget::Session(session.id)]);
        store.end(order.clone()).await.expect("the store answers");
        written.insert(0, order.receipt);
    }
    let (mut read, mut before) = (Vec::new(), None);
    for _ in 0..3 {
        let page = store.receipts(before, 10).await.expect("the store answers");
        assert!(page.items.len() <= 10);
        read.extend(page.items.iter().map(|receipt| receipt.id));
        before = page.next;
        assert_eq!(before.is_some(), read.len() < 25);
    }
    assert_eq!(read, written);
}

/// Each once, in the order of ids, the dead ones left out.
pub async fn sessions_are_listed_in_pages_without_gaps_or_repeats(store: Store) {
    let mut expected = BTreeSet::new();
    for index in 0..25 {
        let session = open(&store, session("cms", "alice")).await;
        match index % 5 {
            0 => drop(end(&store, EndTarget::Session(session.id)).await),
            _ => drop(expected.insert(session.id)),
        }
    }
    open(&store, Session { expires: NOW, ..session("cms", "alice") }).await;
    for filter in [SessionFilter::default(), SessionFilter { person: Some(Person::new("alice@example.com")), ..Default::default() }] {
        let (mut read, mut after) = (Vec::new(), None);
        for _ in 0..3 {
            let page = store.sessions(&filter, after, 8, NOW).await.expect("the store answers");
            read.extend(page.items.iter().map(|session| session.id));
            after = page.next;
            assert_eq!(after.is_some(), read.len() < 20);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(read, expected.iter().copied().collect::<Vec<_>>());
    }
}

/// All that is given must match.
pub async fn sessions_are_filtered_by_person_platform_and_subject(store: Store) {
    let alice_cms = open(&store, session("cms", "alice")).await;
    let alice_dam = open(&store, session("dam", "alice")).await;
    let bob_cms = open(&store, session("cms", "bob")).await;
    let person = Some(Person::new("alice@example.com"));
    let platform = Some(PlatformName::new("cms"));
    let subject = Some(Subject::new("Default", "bob"));
    let none = SessionFilter::default;
    for (filter, expected) in [
        (none(), vec![&alice_cms, &alice_dam, &bob_cms]),
        (SessionFilter { person: person.clone(), ..none() }, vec![&alice_cms, &alice_dam]),
        (SessionFilter { platform: platform.clone(), ..none() }, vec![&alice_cms, &bob_cms]),
        (SessionFilter { subject: subject.clone(), ..none() }, vec![&bob_cms]),
        (SessionFilter { person: person.clone(), platform: platform.clone(), ..none() }, vec![&alice_cms]),
        (SessionFilter { platform, subject: subject.clone(), ..none() }, vec![&bob_cms]),
        (SessionFilter { person, subject, ..none() }, vec![]),
        (SessionFilter { platform: Some(PlatformName::new("shop")), ..none() }, vec![]),
    ] {
        assert_eq!(listed(&store, &filter, NOW).await, ids_of(expected), "{filter:?}");
    }
}

/// Signed out means signed out: nothing opens under a login that is over.
pub async fn a_dead_sign_on_cannot_be_joined(store: Store) {
    let sign_on = SignOnId::random();
    let join = || Session { sign_on: Some(sign_on), ..session("dam", "alice") };
    let refused = join();
    assert_eq!(store.open(refused.clone(), true, NOW).await, Ok(Opened::SignOnEnded), "never opened");
    assert_eq!(found(&store, &refused.credentials[0].digest, NOW).await, Found::Unknown);

    let first = open(&store, Session { sign_on: Some(sign_on), ..session("cms", "alice") }).await;
    assert_eq!(store.open(join(), true, after(60)).await, Ok(Opened::SignOnEnded), "idle");
    let second = join();
    assert_eq!(store.open(second.clone(), true, NOW).await, Ok(Opened::Opened));
    end(&store, EndTarget::Session(first.id)).await;
    assert_eq!(store.open(join(), true, NOW).await, Ok(Opened::Opened), "another session of it lives");
    end(&store, EndTarget::SignOn(sign_on)).await;
    assert_eq!(store.open(join(), true, NOW).await, Ok(Opened::SignOnEnded), "ended");
    assert_ended(&store, &second).await;
    assert!(listed(&store, &SessionFilter::default(), NOW).await.is_empty());
    assert_eq!(store.open(Session { sign_on: None, ..join() }, true, NOW).await, Ok(Opened::Opened), "it names none");
}

/// Whichever comes first.
pub async fn joining_and_ending_a_sign_on_at_once_leaves_nothing_alive(store: Store) {
    for round in 0..40 {
        let sign_on = SignOnId::random();
        let first = open(&store, Session { sign_on: Some(sign_on), ..session("cms", "alice") }).await;
        let joining: Vec<_> = (0..6).map(|_| Session { sign_on: Some(sign_on), ..session("dam", "alice") }).collect();
        let results = at_once(7, |index| {
            let (store, joining) = (store.clone(), joining.get(index).cloned());
            async move {
                match joining {
                    Some(session) => Err(store.open(session, true, NOW).await.expect("the store answers")),
                    None => Ok(ids(&end(&store, EndTarget::SignOn(sign_on)).await)),
                }
            }
        });
        let ended = results.last().cloned().and_then(Result::ok).expect("the last one ends");
        assert!(ended.contains(&first.id));
        for (session, result) in joining.iter().zip(&results) {
            let opened = *result == Err(Opened::Opened);
            assert_eq!(ended.contains(&session.id), opened, "round {round}");
            let expected = if opened { Found::Ended } else { Found::Unknown };
            assert_eq!(found(&store, &session.credentials[0].digest, NOW).await, expected, "round {round}");
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
                    Some(token) => store.attach(session.id, token, None, NOW).await.expect("the store answers"),
                    None => end(&store, EndTarget::Session(session.id)).await.len() == 1,
                }
            }
        });
        assert!(attached[6], "the order was credited");
        for (token, attached) in tokens.iter().zip(attached) {
            let expected = if attached { Found::Ended } else { Found::Unknown };
            assert_eq!(found(&store, &token.digest, NOW).await, expected, "round {round}");
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
                    store.touch(session.id, after(30)).await.expect("the store answers");
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
                        Found::Ended => return,
                        found => assert!(matches!(found, Found::Live(..)), "round {round}: {found:?}"),
                    }
                }
            }
        });
        assert_ended(&store, &session).await;
    }
}

/// An authorization code works for one.
pub async fn a_value_put_once_is_put_by_one_and_taken_by_one(store: Store) {
    for _ in 0..10 {
        let (key, other) = (fresh_digest(), fresh_digest());
        let put = at_once(16, |index| {
            let (store, value) = (store.clone(), vec![u8::try_from(index).expect("small"); 3]);
            async move { store.put_once(key, value, after(60)).await.expect("the store answers") }
        });
        let winners: Vec<_> = (0..16).filter(|index| put[*index]).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(store.take_once(&other, NOW).await, Ok(None));
        let taken = at_once(16, |_| {
            let store = store.clone();
            async move { store.take_once(&key, after(59)).await.expect("the store answers") }
        });
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(taken, [vec![u8::try_from(winners[0]).expect("small"); 3]]);
        assert_eq!(store.put_once(key, Vec::new(), after(60)).await, Ok(true), "the key is free again");
        assert_eq!(store.take_once(&key, NOW).await, Ok(Some(Vec::new())));
    }
}

/// Late is as good as never.
pub async fn a_one_time_value_cannot_be_taken_after_its_expiry(store: Store) {
    let (early, late) = (fresh_digest(), fresh_digest());
    for key in [early, late] {
        assert_eq!(store.put_once(key, b"code".to_vec(), after(60)).await, Ok(true));
    }
    assert_eq!(store.take_once(&early, after(59)).await, Ok(Some(b"code".to_vec())));
    assert_eq!(store.take_once(&late, after(60)).await, Ok(None));
    assert_eq!(store.take_once(&late, after(59)).await, Ok(None));
}

/// Goes through the whole store in steps of `limit`.
async fn sweep(store: &Store, limit: usize, now: Timestamp, receipts_until: Timestamp) -> Vec<SessionId> {
    let (mut expired, mut from) = (Vec::new(), None);
    for _ in 0..10_000 {
        let swept = store.sweep(from, limit, now, receipts_until).await.expect("the store answers");
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
            store.touch(session.id, after(40)).await.expect("the store answers");
        } else {
            expired.insert(session.id);
        }
    }
    settle(&store).await;
    assert!(sweep(&store, 7, after(59), NOW).await.is_empty());
    let named = sweep(&store, 7, after(60), NOW).await;
    assert_eq!(named.len(), expired.len());
    assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), expired);
    let order = order_at(after(60), named.into_iter().map(EndTarget::Expired).collect());
    assert_eq!(ids(&store.end(order).await.expect("the store answers")), expired);
    assert!(sweep(&store, 7, after(60), NOW).await.is_empty());
    assert_eq!(listed(&store, &SessionFilter::default(), after(60)).await.len(), 20);
}

/// Tombstones, one-time values, receipts.
pub async fn housekeeping_forgets_what_is_over_and_keeps_what_is_not(store: Store) {
    let live = open(&store, Session { idle_timeout: None, ..session("cms", "bob") }).await;
    let mut ended = Vec::new();
    for second in [0, 2_000] {
        let session = open(&store, session("cms", "alice")).await;
        let order = order_at(after(second), vec![EndTarget::Session(session.id)]);
        store.end(order.clone()).await.expect("the store answers");
        ended.push((session, order.receipt));
    }
    let (brief, lasting) = (fresh_digest(), fresh_digest());
    for (key, expires) in [(brief, after(60)), (lasting, after(2_500))] {
        assert_eq!(store.put_once(key, b"code".to_vec(), expires).await, Ok(true));
    }

    assert!(sweep(&store, 4, after(2_000), after(1_000)).await.is_empty());
    // Asked as of an instant when they were still due, so that the answer tells whether they are still known.
    let [(first, old_receipt), (second, new_receipt)] = &ended[..] else { panic!("two were opened") };
    assert_eq!(found(&store, &first.credentials[1].digest, NOW).await, Found::Unknown, "forgotten");
    assert_eq!(found(&store, &first.credentials[0].digest, NOW).await, Found::Ended, "kept until 3,600");
    assert_eq!(found(&store, &second.credentials[0].digest, NOW).await, Found::Ended, "kept until 3,600");
    assert_eq!(store.receipt(*old_receipt).await, Ok(None));
    assert!(matches!(store.receipt(*new_receipt).await, Ok(Some(_))));
    assert_eq!(store.take_once(&brief, NOW).await, Ok(None), "forgotten");
    assert_eq!(store.take_once(&lasting, NOW).await, Ok(Some(b"code".to_vec())), "kept");
    assert_alive(&store, &live).await;
}

/// Two hubs that start at once on one store use the same signing key.
pub async fn all_who_ask_agree_on_one_value(store: Store) {
    let values = at_once(16, |index| {
        let store = store.clone();
        async move { store.agree("key", vec![u8::try_from(index).expect("small"); 32]).await.expect("the store answers") }
    });
    assert!(values.iter().all(|value| *value == values[0] && value.len() == 32));
    assert_eq!(store.agree("key", b"late".to_vec()).await.as_ref(), Ok(&values[0]));
    assert_eq!(store.agree("other", b"mine".to_vec()).await, Ok(b"mine".to_vec()));
    assert_eq!(store.agree("", b"empty name".to_vec()).await, Ok(b"empty name".to_vec()));
}

/// A fixed sequence of pseudo-random steps, so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }
}

/// A credential of one of `sessions`, presented rightly or wrongly.
fn by_some_credential(sessions: &[Session], dice: &mut Dice) -> EndTarget {
    let digest = match sessions.get(dice.roll(sessions.len().max(1))) {
        Some(session) => session.credentials[dice.roll(session.credentials.len())].digest,
        None => fresh_digest(),
    };
    let token = |number| CsrfProof::Presented(Some(SecretDigest::from_bytes([number; 32])));
    EndTarget::Credential(ByCredential {
        digest,
        client: [None, Some(ClientId::new("app")), Some(ClientId::new("other"))][dice.roll(3)].clone(),
        csrf: [CsrfProof::NotNeeded, CsrfProof::Presented(None), token(1), token(2)][dice.roll(4)],
        reach: [Reach::Session, Reach::SignOn, Reach::Subject, Reach::Person][dice.roll(4)],
    })
}

/// [`MemoryStore`] is the reference: what it answers, every store answers.
pub async fn it_does_what_the_reference_does_over_thousands_of_random_steps(store: Store) {
    let model: Store = Arc::new(MemoryStore::new());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let sign_ons: Vec<_> = (0..4).map(|_| SignOnId::random()).collect();
    let mut sessions: Vec<Session> = Vec::new();
    let mut once: Vec<CredentialDigest> = Vec::new();
    let names = ["alice", "bob", "carol"];
    let platforms = ["cms", "dam"];
    let mut now = NOW;
    for step in 0..3_000 {
        // More than the touch grain, so that coalescing touches makes no difference.
        now = now.plus(Duration::from_secs(3));
        let some =
            |sessions: &[Session], dice: &mut Dice| sessions.get(dice.roll(sessions.len().max(1))).map_or(SessionId::at(NOW), |s| s.id);
        match dice.roll(10) {
            0..3 => {
                let sign_on = sign_ons.get(dice.roll(6)).copied();
                let mut new = Session { sign_on, opened: now, seen: now, ..session(platforms[dice.roll(2)], names[dice.roll(3)]) };
                new.client = [None, Some(ClientId::new("app"))][dice.roll(2)].clone();
                new.csrf = [None, Some(SecretDigest::from_bytes([1; 32]))][dice.roll(2)];
                new.idle_timeout = [None, Some(IDLE)][dice.roll(2)];
                new.expires = now.plus(Duration::from_secs(60 * (1 + dice.roll(10) as u64)));
                for credential in &mut new.credentials {
                    credential.expires = now.plus(Duration::from_secs(60 * (1 + dice.roll(12) as u64)));
                }
                let joins = dice.roll(2) == 0;
                let expected = model.open(new.clone(), joins, now).await;
                assert_eq!(store.open(new.clone(), joins, now).await, expected, "step {step}");
                sessions.push(new);
            }
            3 => {
                let (id, more) = (some(&sessions, &mut dice), Credential { expires: now.plus(IDLE), ..fresh_credential() });
                let expected = model.attach(id, more.clone(), None, now).await;
                assert_eq!(store.attach(id, more.clone(), None, now).await, expected, "step {step}");
                if let Some(session) = sessions.iter_mut().find(|session| session.id == id) {
                    session.credentials.push(more);
                }
            }
            4..6 => {
                let id = some(&sessions, &mut dice);
                assert_eq!((model.touch(id, now).await, store.touch(id, now).await), (Ok(()), Ok(())), "step {step}");
                settle(&store).await;
            }
            6..8 => {
                let (platform, name) = (platforms[dice.roll(2)], names[dice.roll(3)]);
                let target = match dice.roll(18) {
                    12.. => by_some_credential(&sessions, &mut dice),
                    0..6 => EndTarget::Session(some(&sessions, &mut dice)),
                    6 => EndTarget::SignOn(sign_ons[dice.roll(4)]),
                    7 => EndTarget::Subject(PlatformName::new(platform), Subject::new("Default", name)),
                    8 => EndTarget::Person(Person::new(format!("{name}@example.com"))),
                    9 => EndTarget::Platform(PlatformName::new(platform)),
                    _ => EndTarget::Expired(some(&sessions, &mut dice)),
                };
                let order = order_at(now, vec![target, EndTarget::Expired(some(&sessions, &mut dice))]);
                let mut expected = model.end(order.clone()).await.expect("the model answers");
                let mut ended = store.end(order.clone()).await.expect("the store answers");
                expected.sort_by_key(|session| session.id);
                ended.sort_by_key(|session| session.id);
                assert_eq!(ended, expected, "step {step}");
                assert_eq!(store.receipt(order.receipt).await.map(|receipt| receipt.is_some()), Ok(!expected.is_empty()), "step {step}");
            }
            8 => {
                let key = match once.get(dice.roll(once.len() + 1)) {
                    Some(key) => *key,
                    None => fresh_digest(),
                };
                once.push(key);
                if dice.roll(2) == 0 {
                    let (value, expires) = (vec![1, 2, 3], now.plus(IDLE));
                    let expected = model.put_once(key, value.clone(), expires).await;
                    assert_eq!(store.put_once(key, value, expires).await, expected, "step {step}");
                } else {
                    assert_eq!(store.take_once(&key, now).await, model.take_once(&key, now).await, "step {step}");
                }
            }
            _ => {
                let filter = SessionFilter {
                    person: [None, Some(Person::new(format!("{}@example.com", names[dice.roll(3)])))][dice.roll(2)].clone(),
                    platform: [None, Some(PlatformName::new(platforms[dice.roll(2)]))][dice.roll(2)].clone(),
                    subject: None,
                };
                // When a session was used matters, and is written down, only where it may lie idle.
                let page = |mut page: Page<Session, SessionId>| {
                    page.items
                        .iter_mut()
                        .filter(|session| session.idle_timeout.is_none())
                        .for_each(|session| session.seen = session.opened);
                    page
                };
                let expected = model.sessions(&filter, None, 5, now).await.map(page);
                assert_eq!(store.sessions(&filter, None, 5, now).await.map(page), expected, "step {step}");
            }
        }
        for _ in 0..3 {
            let Some(asked) = sessions.get(dice.roll(sessions.len().max(1))) else { continue };
            let digest = asked.credentials[dice.roll(asked.credentials.len())].digest;
            match (found(&store, &digest, now).await, found(&model, &digest, now).await) {
                (Found::Live(session, credential), Found::Live(expected, expected_credential)) => {
                    assert_eq!((session.id, credential), (expected.id, expected_credential), "step {step}");
                }
                (found, expected) => assert_eq!(found, expected, "step {step}"),
            }
        }
    }
}

/// At least right after it was opened.
pub async fn it_is_healthy(store: Store) {
    assert_eq!(store.health().await, Ok(()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list_that_the_macro_runs() {
        let source = concat!(include_str!("store.rs"), include_str!("store/by_credential.rs"));
        let (_, list) = source.split_once("$($then)*\n").unwrap();
        let (list, _) = list.split_once('}').unwrap();
        let listed: Vec<_> = list.split_whitespace().collect();
        let written: Vec<_> =
            source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('(').map(|(name, _)| name)).collect();
        assert!(!written.is_empty());
        for case in &written {
            assert!(listed.contains(case), "{case} is not run");
        }
        assert_eq!(listed.len(), written.len());
    }
}
