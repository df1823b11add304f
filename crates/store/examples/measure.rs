//! What the embedded store costs on this machine: time, disk, memory. The first argument is a
//! directory on the disk to be measured, the second the number of sessions (200,000 by default).
#![allow(clippy::print_stdout, reason = "printing is all it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails should stop")]

use std::path::Path;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionStore as _};
use logout_core::time::Timestamp;
use logout_store::DiskStore;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let count: usize = arguments
        .next()
        .map_or(200_000, |count| count.parse().unwrap());
    let directory = tempfile::tempdir_in(parent).unwrap();
    let memory_before = resident();
    let store = DiskStore::open(directory.path()).unwrap();

    let mut known: Vec<(SessionId, CredentialDigest)> = vec![
        (
            SessionId::from_bytes([1; 16]),
            CredentialDigest::from_bytes([1; 32])
        );
        count
    ];
    let memory_of_our_own = resident() - memory_before;
    let started = Instant::now();
    let opening = stream::iter(known.iter_mut().enumerate()).map(|(index, known)| {
        let session = session(
            &format!("user{}", index / 2),
            NOW.plus(Duration::from_millis(index as u64)),
        );
        *known = (session.id, session.credentials[0].digest);
        store.open(session, Join::Always, NOW)
    });
    block_on(
        opening
            .buffer_unordered(64)
            .for_each(async |opened| assert_eq!(opened.unwrap(), OpenOutcome::Opened)),
    );
    report("open, 64 at a time", count, started.elapsed());
    let memory = (resident() - memory_before).saturating_sub(memory_of_our_own);
    println!(
        "resident memory: {} bytes a session, {} MiB in all",
        memory / count,
        memory >> 20
    );
    println!(
        "disk: {} bytes a session, {} MiB in all",
        on_disk(directory.path()) / count,
        on_disk(directory.path()) >> 20
    );

    let finds = count.min(100_000);
    let started = Instant::now();
    for at in 0..finds {
        let (_, digest) = known[at * 7_919 % count];
        assert!(matches!(
            block_on(store.find(&digest, NOW)).unwrap(),
            Lookup::Live(..)
        ));
    }
    report("find of a live session", finds, started.elapsed());
    let started = Instant::now();
    for _ in 0..finds {
        let stranger = CredentialDigest::from_bytes(random_bytes());
        assert_eq!(
            block_on(store.find(&stranger, NOW)).unwrap(),
            Lookup::Unknown
        );
    }
    report("find of an unknown credential", finds, started.elapsed());

    let third = count / 3;
    let mut longest = Duration::ZERO;
    let started = Instant::now();
    for batch in known[..third].chunks(64) {
        let start = Instant::now();
        let ended = block_on(join_all(
            batch
                .iter()
                .map(|(id, _)| store.end(order(EndTarget::Session(*id)))),
        ));
        longest = longest.max(start.elapsed());
        assert!(ended.iter().all(|ended| ended.as_ref().unwrap().len() == 1));
    }
    report("end, in batches of 64", third, started.elapsed());
    println!("    longest batch: {longest:?}");
    let started = Instant::now();
    block_on(
        stream::iter(&known[third..2 * third])
            .map(|(id, _)| store.end(order(EndTarget::Session(*id))))
            .buffer_unordered(64)
            .for_each(async |ended| assert_eq!(ended.unwrap().len(), 1)),
    );
    report("end, 64 always waiting", third, started.elapsed());
    let single = (count - 2 * third).min(10_000);
    let started = Instant::now();
    for (id, _) in &known[2 * third..2 * third + single] {
        assert_eq!(
            block_on(store.end(order(EndTarget::Session(*id))))
                .unwrap()
                .len(),
            1
        );
    }
    report("end, one by one", single, started.elapsed());

    block_on(
        stream::iter((0..10_000).map(|_| session("many", NOW)))
            .map(|session| store.open(session, Join::Always, NOW))
            .buffer_unordered(64)
            .count(),
    );
    let started = Instant::now();
    let ended =
        block_on(store.end(order(EndTarget::Person(Person::new("many@example.com"))))).unwrap();
    println!(
        "end of a person with {} sessions: {:?}",
        ended.len(),
        started.elapsed()
    );
    let started = Instant::now();
    for _ in 0..1_000 {
        block_on(store.open(session("many", NOW), Join::Always, NOW)).unwrap();
        assert_eq!(
            block_on(store.end(order(EndTarget::Person(Person::new("many@example.com")))))
                .unwrap()
                .len(),
            1
        );
    }
    report(
        "the same person signs in and out everywhere",
        1_000,
        started.elapsed(),
    );

    let started = Instant::now();
    drop(store);
    println!("close: {:?}", started.elapsed());
    let started = Instant::now();
    drop(DiskStore::open(directory.path()).unwrap());
    println!("open again and close: {:?}", started.elapsed());
    println!("disk: {} MiB in all", on_disk(directory.path()) >> 20);
}

fn session(name: &str, opened: Timestamp) -> Session {
    Session {
        sealed: None,
        id: SessionId::at(opened),
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
        opened,
        seen: NOW,
        idle_timeout: Some(Duration::from_secs(1_800)),
        expires: NOW.plus(Duration::from_secs(43_200)),
        device: Device {
            address: Some([192, 0, 2, 1].into()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101".to_owned()),
        },
        idp: None,
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
        token: None,
    }
}

fn report(what: &str, count: usize, took: Duration) {
    let each = took / u32::try_from(count).unwrap();
    println!(
        "{what}: {:.0}/s, {each:?} each",
        count as f64 / took.as_secs_f64()
    );
}

/// Bytes of this process that are in memory, as Linux says it.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap()
        << 10
}

/// Bytes that files take up on the disk, holes left out.
fn on_disk(directory: &Path) -> usize {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .filter_map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => Some(on_disk(&entry.path())),
            Ok(metadata) => Some(usize::try_from(metadata.blocks()).unwrap() * 512),
            // Merged away in the meantime.
            Err(_) => None,
        })
        .sum()
}
