//! What the store on PostgreSQL costs: time, and bytes per session. The first argument is the URL
//! of an empty database, the second the number of sessions (200,000 by default). Sizes are asked of
//! the server by hand: `SELECT relname, pg_total_relation_size(oid) FROM pg_class`.
#![allow(clippy::print_stdout, reason = "printing is all it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails should stop")]

use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::stream::{self, StreamExt as _};
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionStore as _};
use logout_core::time::Timestamp;
use logout_store::PostgresStore;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the URL of an empty database");
    let count: usize = arguments
        .next()
        .map_or(200_000, |count| count.parse().unwrap());
    let store = PostgresStore::connect(&url).unwrap();
    let sessions: Vec<Session> = (0..count)
        .map(|index| session(&format!("user{}", index / 2)))
        .collect();
    let known: Vec<(SessionId, CredentialDigest)> = sessions
        .iter()
        .map(|session| (session.id, session.credentials[0].digest))
        .collect();

    let started = Instant::now();
    let opening = stream::iter(sessions).map(|session| store.open(session, Join::Always, NOW));
    block_on(
        opening
            .buffer_unordered(64)
            .for_each(async |opened| assert_eq!(opened.unwrap(), OpenOutcome::Opened)),
    );
    report("open, 64 at a time", count, started.elapsed());

    let finds = count.min(100_000);
    let started = Instant::now();
    let finding = stream::iter(0..finds).map(|at| store.find(&known[at * 7_919 % count].1, NOW));
    block_on(
        finding
            .buffer_unordered(64)
            .for_each(async |found| assert!(matches!(found.unwrap(), Lookup::Live(..)))),
    );
    report("find, 64 at a time", finds, started.elapsed());

    let alone = count.min(2_000);
    let started = Instant::now();
    for (id, _) in &known[..alone] {
        assert_eq!(
            block_on(store.end(order(EndTarget::Session(*id))))
                .unwrap()
                .len(),
            1
        );
    }
    report("end, one at a time", alone, started.elapsed());

    let half = count / 2;
    for (name, range, width) in [
        ("end, 64 at a time", alone..half, 64),
        ("end, 256 at a time", half..count, 256),
    ] {
        let length = range.len();
        let started = Instant::now();
        let ending =
            stream::iter(&known[range]).map(|(id, _)| store.end(order(EndTarget::Session(*id))));
        block_on(
            ending
                .buffer_unordered(width)
                .for_each(async |ended| assert_eq!(ended.unwrap().len(), 1)),
        );
        report(name, length, started.elapsed());
    }
}

fn report(what: &str, count: usize, took: Duration) {
    let rate = count as f64 / took.as_secs_f64();
    println!("{what}: {count} in {took:.2?}, {rate:.0} a second");
}

fn order(target: EndTarget) -> EndOrder {
    EndOrder {
        receipt: ReceiptId::at(NOW),
        at: NOW,
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets: vec![target],
        token: None,
    }
}

fn session(name: &str) -> Session {
    let expires = NOW.plus(Duration::from_secs(86_400));
    Session {
        id: SessionId::at(NOW),
        platform: PlatformName::new("cms"),
        sign_on: None,
        subject: Subject::new("Default", name),
        person: Some(Person::new(format!("{name}@example.com"))),
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
        idle_timeout: Some(Duration::from_secs(3_600)),
        expires,
        device: Device {
            address: Some([192, 0, 2, 1].into()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0".to_owned()),
        },
        sealed: None,
        idp: None,
    }
}
