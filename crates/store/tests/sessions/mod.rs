//! Sessions that two processes can name without talking about them: everything follows from a
//! number.

use std::time::Duration;

use futures_executor::block_on;
use logout_core::credential::{Credential, CredentialDigest};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, SsoSessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Lookup, SessionFilter, SessionStore};
use logout_core::time::Timestamp;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn wide<const N: usize>(kind: u8, number: u32) -> [u8; N] {
    let mut bytes = [kind; N];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Session `number`, of a person who has this one only.
pub(crate) fn session(number: u32) -> Session {
    session_of(number, number)
}

/// Session `number` of person `person`.
pub(crate) fn session_of(number: u32, person: u32) -> Session {
    let credential = |kind| Credential {
        digest: CredentialDigest::from_bytes(wide(kind, number)),
        expires: NOW.plus(DAY),
        csrf_due: false,
    };
    Session {
        id: SessionId::from_bytes(wide(1, number)),
        platform: PlatformName::new("cms"),
        sign_on: Some(SsoSessionId::from_bytes(wide(2, number))),
        subject: Subject::new("Default", format!("user {person}")),
        person: Some(Person::new(format!("person {person}"))),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![credential(3), credential(4)],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: None,
        expires: NOW.plus(DAY),
        device: Device::default(),
        sealed: None,
        idp: None,
    }
}

/// The order that ends `target`; its receipt follows from `number`.
pub(crate) fn order(number: u32, target: EndTarget) -> EndOrder {
    EndOrder {
        receipt: ReceiptId::from_bytes(wide(5, number)),
        at: NOW,
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets: vec![target],
        token: None,
    }
}

/// Whether a session is alive, after checking that everything that is kept about it says the same.
pub(crate) fn is_alive(store: &dyn SessionStore, session: &Session) -> bool {
    let mut signs = Vec::new();
    for credential in &session.credentials {
        signs.push(
            match block_on(store.find(&credential.digest, NOW)).expect("the store answers") {
                Lookup::Live(live, by) => {
                    assert_eq!((&*live, &by), (session, credential));
                    true
                }
                Lookup::Ended => false,
                Lookup::Unknown => {
                    panic!("session {} has vanished without a tombstone", session.id)
                }
            },
        );
    }
    for filter in [
        SessionFilter {
            person: session.person.clone(),
            ..SessionFilter::default()
        },
        SessionFilter {
            platform: Some(session.platform.clone()),
            subject: Some(session.subject.clone()),
            ..SessionFilter::default()
        },
    ] {
        let page =
            block_on(store.sessions(&filter, None, usize::MAX, NOW)).expect("the store answers");
        signs.push(page.items.contains(session));
    }
    assert!(
        signs.iter().all(|sign| *sign == signs[0]),
        "session {} is half ended: {signs:?}",
        session.id
    );
    signs[0]
}
