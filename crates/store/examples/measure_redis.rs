//! What the store on Redis costs: calls a second. The first argument is the store's URL (of a
//! server that has nothing else to do), the second the number of sessions (100,000 by default).
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
use logout_store::RedisStore;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const AT_ONCE: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| "redis://127.0.0.1/".to_owned());
    let count: usize = arguments
        .next()
        .map_or(100_000, |count| count.parse().unwrap());
    let store = RedisStore::connect(&url).unwrap();
    let sessions: Vec<_> = (0..count)
        .map(|number| session(&format!("user{}", number / 2)))
        .collect();

    let started = Instant::now();
    let opening = stream::iter(&sessions)
        .map(|session| store.open(session.clone(), Join::Always, NOW))
        .buffer_unordered(AT_ONCE);
    block_on(opening.for_each(async |opened| assert_eq!(opened, Ok(OpenOutcome::Opened))));
    report("open", count, started.elapsed());

    let started = Instant::now();
    let finding = stream::iter(&sessions)
        .map(|session| store.find(&session.credentials[0].digest, NOW))
        .buffer_unordered(AT_ONCE);
    block_on(finding.for_each(async |found| assert!(matches!(found, Ok(Lookup::Live(..))))));
    report("find", count, started.elapsed());

    let started = Instant::now();
    let mut took: Vec<Duration> = Vec::with_capacity(count / 2);
    let ending = stream::iter(&sessions[..count / 2]).map(async |session| {
        let begun = Instant::now();
        assert_eq!(
            store
                .end(order(EndTarget::Session(session.id)))
                .await
                .unwrap()
                .len(),
            1
        );
        begun.elapsed()
    });
    block_on(ending.buffer_unordered(AT_ONCE).for_each(|each| {
        took.push(each);
        std::future::ready(())
    }));
    report("end", count / 2, started.elapsed());
    took.sort_unstable();
    println!(
        "    half within {:?}, 99 of 100 within {:?}",
        took[took.len() / 2],
        took[took.len() * 99 / 100]
    );

    let alone = (count / 10).min(5_000);
    let started = Instant::now();
    for session in &sessions[count / 2..count / 2 + alone] {
        assert_eq!(
            block_on(store.end(order(EndTarget::Session(session.id))))
                .unwrap()
                .len(),
            1
        );
    }
    report("end, one by one", alone, started.elapsed());

    let started = Instant::now();
    let ended = block_on(store.end(order(EndTarget::Platform(PlatformName::new("cms"))))).unwrap();
    println!(
        "end of the platform with {} sessions: {:?}",
        ended.len(),
        started.elapsed()
    );
}

fn session(name: &str) -> Session {
    Session {
        sealed: None,
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
            expires: NOW.plus(Duration::from_secs(43_200)),
            csrf_due: false,
        }],
        csrf: None,
        opened: NOW,
        seen: NOW,
        idle_timeout: Some(Duration::from_secs(1_800)),
        expires: NOW.plus(Duration::from_secs(43_200)),
        device: Device {
            address: Some([192, 0, 2, 1].into()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101".to_owned()),
        },
    }
}

fn order(target: EndTarget) -> EndOrder {
    EndOrder {
        receipt: ReceiptId::at(NOW),
        at: NOW,
        reason: Reason::User,
        platform: Some(PlatformName::new("cms")),
        reach: Reach::Session,
        targets: vec![target],
    }
}

fn report(what: &str, count: usize, took: Duration) {
    println!("{what}: {:.0}/s", count as f64 / took.as_secs_f64());
}
