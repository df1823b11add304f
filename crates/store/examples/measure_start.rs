//! How long the store on disk takes to open. The first argument is a folder: one that does not
//! exist is filled with as many sessions as the second says (1,000,000 by default), of which a
//! quarter ends, in no order, and as many are opened in their place. `--as-loaded` leaves that
//! quarter out. A folder that exists is opened, as often as `--times` says.
#![allow(clippy::print_stdout, reason = "printing is all it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails should stop")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::stream::{self, StreamExt as _};
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, SessionStore as _};
use logout_core::time::Timestamp;
use logout_core::transfer::{Record, Transfer as _};
use logout_store::DiskStore;

/// The hub's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn main() {
    let (mut is_churned, mut times, mut plain) = (true, 1, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.strip_prefix("--times=") {
            Some(number) => times = number.parse().unwrap(),
            None if argument == "--as-loaded" => is_churned = false,
            None => plain.push(argument),
        }
    }
    let folder = PathBuf::from(&plain[0]);
    if !folder.exists() {
        let count = plain
            .get(1)
            .map_or(1_000_000, |count| count.parse().unwrap());
        fill(&folder, count, is_churned);
        return;
    }
    for _ in 0..times {
        let before = resident("VmRSS");
        let started = Instant::now();
        let store = DiskStore::open(&folder).unwrap();
        let took = started.elapsed();
        println!(
            "open: {:.2} s; {} MiB resident, {} MiB at the peak; about {} records",
            took.as_secs_f64(),
            (resident("VmRSS") - before) >> 20,
            (resident("VmHWM") - before) >> 20,
            block_on(store.size_hint()).unwrap(),
        );
        drop(store);
    }
}

fn fill(folder: &Path, count: u64, is_churned: bool) {
    let store = DiskStore::open(folder).unwrap();
    let started = Instant::now();
    let import = async |from: u64, until: u64| {
        let records = (from..until).map(|number| Record::Session(session(number)));
        store.import(records.collect(), NOW).await.unwrap();
    };
    for from in (0..count).step_by(1_000) {
        block_on(import(from, count.min(from + 1_000)));
    }
    if is_churned {
        // Every number once, as nothing that counts divides the step.
        let scattered = (0..count / 4).map(|turn| turn * 7_368_787 % count);
        block_on(
            stream::iter(scattered)
                .map(|number| store.end(order(id(number))))
                .buffer_unordered(1_000)
                .for_each(async |ended| assert_eq!(ended.unwrap().len(), 1)),
        );
        for from in (count..count + count / 4).step_by(1_000) {
            block_on(import(from, (count + count / 4).min(from + 1_000)));
        }
    }
    let memory = resident("VmRSS");
    println!(
        "filled in {:?}; {} bytes resident a session",
        started.elapsed(),
        memory / count
    );
}

/// A UUID of version 7, whose last 48 bits look random.
fn id(number: u64) -> SessionId {
    let time = (NOW.as_millis() + number).to_be_bytes();
    let tail = number.wrapping_mul(2_654_435_761).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&time[2..]);
    (bytes[6], bytes[8]) = (0x70, 0x80);
    bytes[10..].copy_from_slice(&tail[2..]);
    SessionId::from_bytes(bytes)
}

fn session(number: u64) -> Session {
    let (name, opened) = (
        format!("user{number}"),
        NOW.plus(Duration::from_millis(number)),
    );
    let [.., high, middle, low] = number.to_be_bytes();
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    Session {
        id: id(number),
        platform: PlatformName::new("bench"),
        sign_on: None,
        subject: Subject::new("default", &name),
        person: Some(Person::new(format!("{name}@example.com"))),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![Credential {
            digest: CredentialDigest::from_bytes(random_bytes()),
            expires: opened.plus(LIFE),
            csrf_due: false,
        }],
        csrf: None,
        opened,
        seen: opened,
        idle_timeout: Some(LIFE),
        expires: opened.plus(LIFE),
        device: Device {
            address: Some([10, high, middle, low].into()),
            user_agent: Some(agent.to_owned()),
        },
        sealed: None,
        idp: None,
    }
}

fn order(session: SessionId) -> EndOrder {
    EndOrder {
        receipt: ReceiptId::at(NOW),
        at: NOW,
        reason: Reason::User,
        platform: Some(PlatformName::new("bench")),
        reach: Reach::Session,
        targets: vec![EndTarget::Session(session)],
        token: None,
    }
}

/// Bytes of this process that are in memory, as Linux says it.
fn resident(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes = line.unwrap().trim_matches([':', ' ', '\t']);
    kilobytes.trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
