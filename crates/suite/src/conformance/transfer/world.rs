//! Everything that a store can hold, brought about by the calls that a hub makes.

use std::time::Duration;

use super::{Contents, name};
use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest, random_bytes};
use logout_core::delivery::{AttemptAnswer, AttemptRecord, Outcome, Settlement, Verification};
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::outbox::Store;
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject,
};
use logout_core::store::{EndOrder, EndTarget, Join, OpenOutcome};
use logout_core::time::Timestamp;
use logout_core::transfer::{Once, Record};
use logout_core::upstream::UpstreamError;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
/// The life of most things, in seconds.
const LIFE: u64 = 3_600;

pub(super) fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

pub(super) fn credential(seconds: u64) -> Credential {
    Credential {
        digest: CredentialDigest::from_bytes(random_bytes()),
        expires: after(seconds),
        csrf_due: false,
    }
}

pub(super) fn sealed() -> Sealed {
    Sealed::new(b"sealed\0\xff".to_vec())
}

/// A session with nothing that it need not have, and two credentials, the second of which lives
/// half as long.
pub(super) fn session(platform: &str, name: &str) -> Session {
    Session {
        id: SessionId::at(NOW),
        platform: PlatformName::new(platform),
        sign_on: None,
        subject: Subject::new("Default", name),
        person: None,
        account: Some(AccountVersion::from_bytes([7; 8])),
        client: None,
        administrator: false,
        credentials: vec![credential(LIFE), credential(LIFE / 2)],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: None,
        expires: after(LIFE),
        device: Device::default(),
        sealed: None,
        idp: None,
    }
}

pub(super) async fn end(store: &impl Store, target: EndTarget, at: Timestamp) -> Vec<EndedSession> {
    let (receipt, reason, platform) = (
        ReceiptId::at(at),
        Reason::Administrator,
        Some(PlatformName::new("cms")),
    );
    let order = EndOrder {
        receipt,
        at,
        reason,
        platform,
        reach: Reach::Person,
        targets: vec![target],
        token: Some(TokenId {
            issuer: "https://idp.example".into(),
            jti: "1".into(),
        }),
    };
    store.end(order).await.expect("the store answers")
}

/// Waits until touches that were asked for before are written.
pub(super) async fn settle(store: &impl Store) {
    assert!(
        end(store, EndTarget::Session(SessionId::at(NOW)), NOW)
            .await
            .is_empty()
    );
}

/// What [`World::make`] has put into a store.
pub(super) struct World {
    pub(super) agreed: Vec<(String, Vec<u8>)>,
    pub(super) bare: Session,
    pub(super) confirmed: Session,
    /// Without an upstream, and with one.
    pub(super) ended: [Session; 2],
    pub(super) full: Session,
    pub(super) given_up: Session,
    pub(super) held: Session,
    pub(super) once: Once,
    pub(super) pending: Session,
    pub(super) put_off: Session,
    pub(super) receipts: Vec<Receipt>,
    pub(super) siblings: [Session; 2],
}

impl World {
    pub(super) async fn make(store: &impl Store) -> Self {
        let bare = open(store, session("cms", "nobody")).await;
        let full = full_session(store).await;
        let sign_on = Some(SsoSessionId::random());
        let sibling = |platform| Session {
            sign_on,
            person: Some(Person::new("carol")),
            ..session(platform, "carol\0\x01")
        };
        let siblings = [
            open(store, sibling("cms")).await,
            open(store, sibling("portal")).await,
        ];
        open(
            store,
            Session {
                expires: NOW,
                ..session("cms", "over")
            },
        )
        .await;

        let stand_in = open(store, session("cms", "dave")).await;
        let spent = Session {
            credentials: vec![credential(0)],
            ..session("cms", "spent")
        };
        let spent = open(store, spent).await;
        let [confirmed, given_up, held, put_off, pending] =
            ["a", "b", "c", "d", "e"].map(|name| Session {
                sealed: Some(sealed()),
                person: Some(Person::new(name)),
                ..session("dam", name)
            });
        let mut receipts = Vec::new();
        for session in [
            &confirmed, &given_up, &put_off, &held, &pending, &stand_in, &spent,
        ] {
            if session.sealed.is_some() {
                open(store, session.clone()).await;
            }
            let ended = end(store, EndTarget::Session(session.id), NOW).await;
            assert_eq!(ended.len(), 1);
            if session.id == confirmed.id {
                tell(
                    store,
                    session,
                    Outcome::Confirmed {
                        verified: Some(Verification::Outlived),
                    },
                )
                .await;
            } else if session.id == given_up.id {
                tell(store, session, Outcome::GivenUp).await;
            } else if session.id == put_off.id {
                tell(store, session, Outcome::Again { due: after(300) }).await;
            } else if session.id == held.id {
                let leased = store
                    .lease(&held.platform, 10, NOW, after(200))
                    .await
                    .expect("the store answers");
                assert_eq!(leased.len(), 1);
            }
        }
        receipts.extend(
            store
                .receipts(None, 100)
                .await
                .expect("the store answers")
                .items,
        );
        assert_eq!(receipts.len(), 7);

        let agreed = vec![
            ("key/1".to_owned(), vec![0, 1, 255]),
            ("Schlüssel %*[\\".to_owned(), b"x".to_vec()),
            ("key/2".to_owned(), Vec::new()),
        ];
        for (name, value) in &agreed {
            assert_eq!(
                store.get_or_insert(name, value.clone()).await.as_ref(),
                Ok(value)
            );
        }
        let once = Once {
            key: CredentialDigest::from_bytes(random_bytes()),
            value: b"once\0".to_vec(),
            expires: after(LIFE),
        };
        let over = Once {
            key: CredentialDigest::from_bytes(random_bytes()),
            expires: NOW,
            ..once.clone()
        };
        for once in [&once, &over] {
            assert_eq!(
                store
                    .put_once(once.key, once.value.clone(), once.expires)
                    .await,
                Ok(true)
            );
        }
        Self {
            agreed,
            bare,
            confirmed,
            ended: [stand_in, pending.clone()],
            full,
            given_up,
            held,
            once,
            pending,
            put_off,
            receipts,
            siblings,
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Session> {
        [&self.bare, &self.full].into_iter().chain(&self.siblings)
    }

    fn deliveries(&self) -> [&Session; 5] {
        [
            &self.confirmed,
            &self.given_up,
            &self.held,
            &self.put_off,
            &self.pending,
        ]
    }

    pub(super) fn put_off_until(&self) -> Timestamp {
        after(300)
    }

    /// When nothing lives any more that ends by itself.
    pub(super) fn last_expiry(&self) -> Timestamp {
        after(LIFE)
    }

    /// How many of its records will be over then.
    pub(super) fn over_by_and_by(&self) -> usize {
        let tombstones: usize = self
            .deliveries()
            .into_iter()
            .chain([&self.ended[0]])
            .map(|session| session.credentials.len())
            .sum();
        self.live().count() + 1 + tombstones
    }

    /// Neither more nor less.
    pub(super) fn assert_is_all_of(&self, contents: &Contents) {
        for session in self.live() {
            let record = Record::Session(session.clone());
            assert_eq!(contents.get(&name(&record)), Some(&record));
        }
        let record = Record::Once(self.once.clone());
        assert_eq!(contents.get(&name(&record)), Some(&record));
        let deliveries = contents
            .values()
            .filter(|record| matches!(record, Record::Delivery(_)))
            .count();
        assert_eq!((deliveries, self.deliveries().len()), (5, 5));
        assert_eq!(
            contents.len(),
            self.over_by_and_by() + self.agreed.len() + self.receipts.len() + deliveries
        );
    }
}

async fn open(store: &impl Store, session: Session) -> Session {
    assert_eq!(
        store.open(session.clone(), Join::Always, NOW).await,
        Ok(OpenOutcome::Opened)
    );
    session
}

/// A session with everything that it can have, and that was used since it was opened.
async fn full_session(store: &impl Store) -> Session {
    let before = NOW.as_millis() - 30_000;
    let full = Session {
        sign_on: Some(SsoSessionId::random()),
        person: Some(Person::new("alice@example.com")),
        idp: IdpLogin::new("https://idp.example", Some("alice"), Some("1")),
        client: Some(ClientId::new("app")),
        administrator: true,
        csrf: Some(SecretDigest::from_bytes(random_bytes())),
        opened: Timestamp::from_millis(before),
        seen: Timestamp::from_millis(before),
        idle_timeout: Some(Duration::from_secs(60)),
        device: Device {
            address: Some([192, 0, 2, 1].into()),
            user_agent: Some("Mozilla/5.0 (ü)".to_owned()),
        },
        sealed: Some(sealed()),
        credentials: vec![
            credential(LIFE),
            Credential {
                csrf_due: true,
                ..credential(LIFE / 2)
            },
        ],
        ..session("dx", "alice")
    };
    let mut full = open(store, full).await;
    assert_eq!(store.touch(full.id, NOW).await, Ok(()));
    settle(store).await;
    full.seen = NOW;
    let attached = credential(LIFE / 3);
    assert_eq!(
        store
            .attach(
                full.id,
                attached.clone(),
                Some(Sealed::new(*b"renewed")),
                NOW
            )
            .await,
        Ok(true)
    );
    full.credentials.push(attached);
    full.sealed = Some(Sealed::new(*b"renewed"));
    full
}

/// One try of the delivery that `session` calls for, which is the only one due.
async fn tell(store: &impl Store, session: &Session, outcome: Outcome) {
    let leased = store
        .lease(&session.platform, 10, NOW, after(1))
        .await
        .expect("the store answers");
    let [leased] = <[_; 1]>::try_from(leased).expect("one is due");
    assert_eq!(leased.delivery.session, session.id);
    let attempt = Some(AttemptRecord {
        at: NOW,
        answer: AttemptAnswer::Error(UpstreamError::NoConnection),
    });
    assert_eq!(
        store
            .settle(session.id, leased.lease, Settlement { attempt, outcome })
            .await,
        Ok(true)
    );
}
