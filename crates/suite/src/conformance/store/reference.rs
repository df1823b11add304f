//! Whatever else stores may disagree on, found by chance.

use std::sync::Arc;
use std::time::Duration;

use super::{IDLE, NOW, Store, found, fresh_credential, fresh_digest, order_at, session, settle};
use logout_core::credential::{Credential, CredentialDigest, SecretDigest};
use logout_core::platform::PlatformName;
use logout_core::receipt::Reach;
use logout_core::session::{ClientId, Person, Session, SessionId, SsoSessionId, Subject};
use logout_core::sign_out::CsrfProof;
use logout_core::store::{ByCredential, EndTarget, Join, Lookup, Page, SessionFilter};
use logout_store::MemoryStore;

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
        client: [
            None,
            Some(ClientId::new("app")),
            Some(ClientId::new("other")),
        ][dice.roll(3)]
        .clone(),
        csrf: [
            CsrfProof::NotNeeded,
            CsrfProof::Presented(None),
            token(1),
            token(2),
        ][dice.roll(4)],
        reach: [Reach::Session, Reach::SignOn, Reach::Subject, Reach::Person][dice.roll(4)],
    })
}

/// [`MemoryStore`] is the reference: what it answers, every store answers.
pub async fn it_does_what_the_reference_does_over_thousands_of_random_steps(store: Store) {
    let model: Store = Arc::new(MemoryStore::new());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let sign_ons: Vec<_> = (0..4).map(|_| SsoSessionId::random()).collect();
    let mut sessions: Vec<Session> = Vec::new();
    let mut once: Vec<CredentialDigest> = Vec::new();
    let names = ["alice", "bob", "carol"];
    let platforms = ["cms", "dam"];
    let mut now = NOW;
    for step in 0..3_000 {
        // More than the touch grain, so that coalescing touches makes no difference.
        now = now.plus(Duration::from_secs(3));
        let some = |sessions: &[Session], dice: &mut Dice| {
            sessions
                .get(dice.roll(sessions.len().max(1)))
                .map_or(SessionId::at(NOW), |s| s.id)
        };
        match dice.roll(10) {
            0..3 => {
                let sign_on = sign_ons.get(dice.roll(6)).copied();
                let mut new = Session {
                    sign_on,
                    opened: now,
                    seen: now,
                    ..session(platforms[dice.roll(2)], names[dice.roll(3)])
                };
                new.client = [None, Some(ClientId::new("app"))][dice.roll(2)].clone();
                new.csrf = [None, Some(SecretDigest::from_bytes([1; 32]))][dice.roll(2)];
                new.idle_timeout = [None, Some(IDLE)][dice.roll(2)];
                new.expires = now.plus(Duration::from_secs(60 * (1 + dice.roll(10) as u64)));
                for credential in &mut new.credentials {
                    credential.expires =
                        now.plus(Duration::from_secs(60 * (1 + dice.roll(12) as u64)));
                }
                let join = if dice.roll(2) == 0 {
                    Join::IfLive
                } else {
                    Join::Always
                };
                let expected = model.open(new.clone(), join, now).await;
                assert_eq!(
                    store.open(new.clone(), join, now).await,
                    expected,
                    "step {step}"
                );
                sessions.push(new);
            }
            3 => {
                let (id, more) = (
                    some(&sessions, &mut dice),
                    Credential {
                        expires: now.plus(IDLE),
                        ..fresh_credential()
                    },
                );
                let expected = model.attach(id, more.clone(), None, now).await;
                assert_eq!(
                    store.attach(id, more.clone(), None, now).await,
                    expected,
                    "step {step}"
                );
                if let Some(session) = sessions.iter_mut().find(|session| session.id == id) {
                    session.credentials.push(more);
                }
            }
            4..6 => {
                let id = some(&sessions, &mut dice);
                assert_eq!(
                    (model.touch(id, now).await, store.touch(id, now).await),
                    (Ok(()), Ok(())),
                    "step {step}"
                );
                settle(&store).await;
            }
            6..8 => {
                let (platform, name) = (platforms[dice.roll(2)], names[dice.roll(3)]);
                let target = match dice.roll(18) {
                    12.. => by_some_credential(&sessions, &mut dice),
                    0..6 => EndTarget::Session(some(&sessions, &mut dice)),
                    6 => EndTarget::SignOn(sign_ons[dice.roll(4)]),
                    7 => EndTarget::Subject(
                        PlatformName::new(platform),
                        Subject::new("Default", name),
                    ),
                    8 => EndTarget::Person(Person::new(format!("{name}@example.com"))),
                    9 => EndTarget::Platform(PlatformName::new(platform)),
                    _ => EndTarget::Expired(some(&sessions, &mut dice)),
                };
                let order = order_at(
                    now,
                    vec![target, EndTarget::Expired(some(&sessions, &mut dice))],
                );
                let mut expected = model.end(order.clone()).await.expect("the model answers");
                let mut ended = store.end(order.clone()).await.expect("the store answers");
                expected.sort_by_key(|session| session.id);
                ended.sort_by_key(|session| session.id);
                assert_eq!(ended, expected, "step {step}");
                assert_eq!(
                    store
                        .receipt(order.receipt)
                        .await
                        .map(|receipt| receipt.is_some()),
                    Ok(!expected.is_empty()),
                    "step {step}"
                );
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
                    assert_eq!(
                        store.put_once(key, value, expires).await,
                        expected,
                        "step {step}"
                    );
                } else {
                    assert_eq!(
                        store.take_once(&key, now).await,
                        model.take_once(&key, now).await,
                        "step {step}"
                    );
                }
            }
            _ => {
                let filter = SessionFilter {
                    person: [
                        None,
                        Some(Person::new(format!("{}@example.com", names[dice.roll(3)]))),
                    ][dice.roll(2)]
                    .clone(),
                    platform: [None, Some(PlatformName::new(platforms[dice.roll(2)]))]
                        [dice.roll(2)]
                    .clone(),
                    subject: None,
                    idp: None,
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
                assert_eq!(
                    store.sessions(&filter, None, 5, now).await.map(page),
                    expected,
                    "step {step}"
                );
            }
        }
        for _ in 0..3 {
            let Some(asked) = sessions.get(dice.roll(sessions.len().max(1))) else {
                continue;
            };
            let digest = asked.credentials[dice.roll(asked.credentials.len())].digest;
            match (
                found(&store, &digest, now).await,
                found(&model, &digest, now).await,
            ) {
                (
                    Lookup::Live(session, credential),
                    Lookup::Live(expected, expected_credential),
                ) => {
                    assert_eq!(
                        (session.id, credential),
                        (expected.id, expected_credential),
                        "step {step}"
                    );
                }
                (found, expected) => assert_eq!(found, expected, "step {step}"),
            }
        }
    }
}
