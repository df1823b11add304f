//! Sessions, and what has ended of them.

use std::sync::Arc;

use logout_core::credential::{CredentialDigest, random_bytes};
use logout_core::delivery::DeliveryState;
use logout_core::outbox::Store;
use logout_core::session::Session;
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome, SessionFilter};
use logout_core::transfer::{Agreed, Once, Record, Transfer};
use logout_store::MemoryStore;

use super::world::{self, NOW, after, end, session};
use super::{assert_has_ended, assert_lives, contents, found, moved_here, take_in_one, tombstones};

/// With every field that it had, and every credential.
pub async fn a_session_that_was_taken_in_is_found_used_listed_and_ended_like_any_other<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let world = moved_here(&*store).await;
    for session in world.live() {
        assert_lives(&*store, session).await;
    }
    let listed = store
        .sessions(&SessionFilter::default(), None, usize::MAX, NOW)
        .await
        .expect("the store answers")
        .items;
    assert_eq!(listed.len(), world.live().count());
    // It is used, gets a credential, and ends with all of them.
    let full = &world.full;
    assert_eq!(store.touch(full.id, after(50)).await, Ok(()));
    let more = world::credential(3_600);
    assert_eq!(
        store.attach(full.id, more.clone(), None, after(50)).await,
        Ok(true)
    );
    world::settle(&*store).await;
    assert!(
        matches!(
            found(&*store, &more.digest, after(100)).await,
            Lookup::Live(..)
        ),
        "idle since its use, not since it was moved"
    );
    assert_eq!(
        end(&*store, EndTarget::Session(full.id), after(100))
            .await
            .len(),
        1
    );
    for digest in full
        .credentials
        .iter()
        .map(|credential| &credential.digest)
        .chain([&more.digest])
    {
        assert_eq!(found(&*store, digest, after(100)).await, Lookup::Ended);
    }
    let delivery = store
        .delivery(full.id)
        .await
        .expect("the store answers")
        .expect("it had an upstream");
    assert_eq!(
        (delivery.state, delivery.sealed),
        (DeliveryState::Pending, full.sealed.clone())
    );
    assert_eq!(
        end(&*store, EndTarget::Session(full.id), after(100)).await,
        []
    );
}

/// Each way to end several reaches all of them and nobody else.
pub async fn siblings_that_were_taken_in_share_their_sign_on_person_and_subject<
    S: Store + Transfer,
>(
    store: Arc<S>,
) {
    let world = moved_here(&*store).await;
    let [one, other] = &world.siblings;
    let joining = Session {
        sign_on: one.sign_on,
        ..session("dam", "carol")
    };
    assert_eq!(
        store.open(joining.clone(), Join::IfLive, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    let sign_on = one.sign_on.expect("they share one");
    let mut ended: Vec<_> = end(&*store, EndTarget::SignOn(sign_on), NOW)
        .await
        .into_iter()
        .map(|ended| ended.id)
        .collect();
    let mut meant = vec![one.id, other.id, joining.id];
    ended.sort();
    meant.sort();
    assert_eq!(ended, meant);
    assert_eq!(
        store
            .open(
                Session {
                    sign_on: Some(sign_on),
                    ..session("dam", "carol")
                },
                Join::IfLive,
                NOW
            )
            .await,
        Ok(OpenOutcome::SignOnEnded)
    );
    let person = world.full.person.clone().expect("it has one");
    assert_eq!(end(&*store, EndTarget::Person(person), NOW).await.len(), 1);
    let bare = &world.bare;
    let of_bare = EndTarget::Subject(bare.platform.clone(), bare.subject.clone());
    assert_eq!(end(&*store, of_bare, NOW).await.len(), 1);
}

/// Until the credential would have expired by itself; and no upstream's session is opened by it
/// again.
pub async fn what_has_ended_elsewhere_has_ended_here<S: Store + Transfer>(store: Arc<S>) {
    let world = moved_here(&*store).await;
    for session in &world.ended {
        assert_has_ended(&*store, session).await;
        let [long, short] = [&session.credentials[0], &session.credentials[1]];
        assert_eq!(
            found(&*store, &short.digest, short.expires).await,
            Lookup::Unknown
        );
        assert_eq!(
            found(&*store, &long.digest, short.expires).await,
            Lookup::Ended
        );
        let again = Session {
            credentials: vec![long.clone()],
            sealed: Some(world::sealed()),
            ..world::session("cms", "alice")
        };
        assert_eq!(
            store.open(again, Join::Always, NOW).await,
            Ok(OpenOutcome::CredentialEnded)
        );
    }
    for receipt in &world.receipts {
        let mut here = store
            .receipt(receipt.id)
            .await
            .expect("the store answers")
            .expect("it was moved");
        here.sessions.sort_by_key(|session| session.id);
        let mut there = receipt.clone();
        there.sessions.sort_by_key(|session| session.id);
        assert_eq!(here, there);
        let sessions: Vec<_> = here.sessions.iter().collect();
        for (session, delivery) in sessions.iter().zip(
            store
                .deliveries_of(&sessions)
                .await
                .expect("the store answers"),
        ) {
            assert_eq!(Ok(delivery), store.delivery(session.id).await);
        }
    }
}

/// Whether or not anybody is to be told of its end, and in whichever order its records come.
pub async fn a_session_that_has_ended_here_is_not_brought_back<S: Store + Transfer>(store: Arc<S>) {
    let with_upstream = Session {
        sealed: Some(world::sealed()),
        ..session("cms", "alice")
    };
    for session in [session("cms", "alice"), with_upstream] {
        take_in_one(&*store, Record::Session(session.clone())).await;
        assert_lives(&*store, &session).await;
        assert_eq!(
            end(&*store, EndTarget::Session(session.id), NOW)
                .await
                .len(),
            1
        );
        take_in_one(&*store, Record::Session(session.clone())).await;
        assert_has_ended(&*store, &session).await;
        assert_eq!(end(&*store, EndTarget::Session(session.id), NOW).await, []);
    }
    let elsewhere = session("cms", "bob");
    let records = tombstones(&elsewhere).chain([Record::Session(elsewhere.clone())]);
    assert_eq!(store.import(records.collect(), NOW).await, Ok(()));
    assert_has_ended(&*store, &elsewhere).await;
}

/// Nothing that is taken in takes the place of anything.
pub async fn what_lives_here_goes_on_whatever_comes_from_elsewhere<S: Store + Transfer>(
    store: Arc<S>,
) {
    let lives = Session {
        sealed: Some(world::sealed()),
        ..session("cms", "alice")
    };
    assert_eq!(
        store.open(lives.clone(), Join::Always, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(
        store.get_or_insert("key", b"ours".to_vec()).await,
        Ok(b"ours".to_vec())
    );
    let once = Once {
        key: CredentialDigest::from_bytes(random_bytes()),
        value: b"theirs".to_vec(),
        expires: after(60),
    };
    assert_eq!(
        store
            .put_once(once.key, b"ours".to_vec(), once.expires)
            .await,
        Ok(true)
    );

    let elsewhere = MemoryStore::new();
    let older = Session {
        administrator: true,
        credentials: lives.credentials[..1].to_vec(),
        ..lives.clone()
    };
    take_in_one(&elsewhere, Record::Session(older.clone())).await;
    assert_eq!(
        end(&elsewhere, EndTarget::Session(older.id), NOW)
            .await
            .len(),
        1
    );
    let mut records: Vec<Record> = contents(&elsewhere).await.into_values().collect();
    records.extend(tombstones(&lives));
    records.push(Record::Session(older));
    records.push(Record::Agreed(Agreed {
        name: "key".to_owned(),
        value: b"theirs".to_vec(),
    }));
    records.push(Record::Once(once.clone()));
    assert_eq!(store.import(records, NOW).await, Ok(()));

    assert_lives(&*store, &lives).await;
    assert_eq!(store.delivery(lives.id).await, Ok(None));
    assert_eq!(
        store.get_or_insert("key", b"ours".to_vec()).await,
        Ok(b"ours".to_vec())
    );
    assert_eq!(
        store.take_once(&once.key, NOW).await,
        Ok(Some(b"ours".to_vec()))
    );
    // And ends like any other.
    assert_eq!(
        end(&*store, EndTarget::Session(lives.id), NOW).await.len(),
        1
    );
    assert_has_ended(&*store, &lives).await;
    assert!(
        store
            .delivery(lives.id)
            .await
            .is_ok_and(|delivery| delivery.is_some())
    );
}
