//! What reading a receipt of many sessions costs on Redis, with a query for each session and with
//! one for all of them. The first argument is the store's URL, the second the number of sessions
//! (1,000 by default).
#![allow(clippy::print_stdout, reason = "printing is all it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails should stop")]

use std::time::{Duration, Instant};

use futures_executor::block_on;
use logout_core::credential::{Credential, CredentialDigest, Sealed, random_bytes};
use logout_core::outbox::Outbox as _;
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Join, OpenOutcome, SessionStore as _};
use logout_core::time::Timestamp;
use logout_store::RedisStore;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const TURNS: usize = 15;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| "redis://127.0.0.1/".to_owned());
    let count: usize = arguments
        .next()
        .map_or(1_000, |count| count.parse().unwrap());
    let store = RedisStore::connect(&url).unwrap();
    let person = Person::new(format!("{}@example.com", SessionId::at(NOW)));
    for _ in 0..count {
        assert_eq!(
            block_on(store.open(session(&person), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    let receipt = ReceiptId::at(NOW);
    let (reason, reach, targets) = (Reason::User, Reach::Person, vec![EndTarget::Person(person)]);
    block_on(store.end(EndOrder {
        receipt,
        at: NOW,
        reason,
        platform: None,
        reach,
        targets,
        token: None,
    }))
    .unwrap();
    median("a query for each session", || {
        let receipt = block_on(store.receipt(receipt)).unwrap().unwrap();
        receipt
            .sessions
            .iter()
            .filter_map(|session| block_on(store.delivery(session.id)).unwrap())
            .count()
    });
    median("one query for all", || {
        let receipt = block_on(store.receipt(receipt)).unwrap().unwrap();
        let deliveries =
            block_on(store.deliveries_of(&receipt.sessions.iter().collect::<Vec<_>>())).unwrap();
        deliveries.into_iter().flatten().count()
    });
}

fn session(person: &Person) -> Session {
    let expires = NOW.plus(Duration::from_secs(43_200));
    Session {
        id: SessionId::at(NOW),
        platform: PlatformName::new("cms"),
        sign_on: None,
        subject: Subject::new("Default", "alice"),
        person: Some(person.clone()),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![Credential {
            digest: CredentialDigest::from_bytes(random_bytes()),
            expires,
            csrf_due: false,
        }],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: None,
        expires,
        device: Device::default(),
        sealed: Some(Sealed::new(vec![7; 300])),
        idp: None,
    }
}

/// The middle one of several readings, and the slowest.
fn median(what: &str, read: impl Fn() -> usize) {
    let mut took = Vec::with_capacity(TURNS);
    let mut found = 0;
    for _ in 0..TURNS {
        let begun = Instant::now();
        found = read();
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!(
        "{what}: {found} deliveries, half within {:.1?}, all within {:.1?}",
        took[TURNS / 2],
        took[TURNS - 1]
    );
}
