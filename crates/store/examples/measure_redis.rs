//! Measures the store on Redis: calls a second, and the server's CPU time for each. The first
//! argument is the store's URL (of a server that has nothing else to do), the second the number of
//! sessions (100,000 by default).
#![allow(clippy::print_stdout, reason = "printing is all it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails should stop")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::stream::{self, StreamExt as _};
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::sign_out::CsrfProof;
use logout_core::store::{
    ByCredential, EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionStore as _,
};
use logout_core::time::Timestamp;
use logout_store::RedisStore;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const AT_ONCE: usize = 64;
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| "redis://127.0.0.1/".to_owned());
    let count: usize = arguments
        .next()
        .map_or(100_000, |count| count.parse().unwrap());
    let mut server = Server::new(&url);
    let store = RedisStore::connect(&url).unwrap();
    let mut sessions: Vec<_> = (0..count)
        .map(|number| session(&format!("user{}", number / 2)))
        .collect();

    let opening = stream::iter(&sessions)
        .map(|session| store.open(session.clone(), Join::Always, NOW))
        .buffer_unordered(AT_ONCE);
    server.measure("open", count, || {
        block_on(opening.for_each(async |opened| assert_eq!(opened, Ok(OpenOutcome::Opened))));
    });
    // Sign-outs come in no order of ids.
    sessions.sort_unstable_by_key(|session| session.credentials[0].digest);

    let finding = stream::iter(&sessions)
        .map(|session| store.find(&session.credentials[0].digest, NOW))
        .buffer_unordered(AT_ONCE);
    server.measure("find", count, || {
        block_on(finding.for_each(async |found| assert!(matches!(found, Ok(Lookup::Live(..))))));
    });

    let (first, rest) = sessions.split_at(count / 2);
    let (second, rest) = rest.split_at(count / 4);
    let (alone, _) = rest.split_at((count / 10).min(5_000));
    let by_credential = |session: &Session| {
        EndTarget::Credential(ByCredential {
            digest: session.credentials[0].digest,
            client: None,
            csrf: CsrfProof::NotNeeded,
            reach: Reach::Session,
        })
    };
    end_all(
        &mut server,
        &store,
        "end by credential",
        first,
        by_credential,
    );
    end_all(&mut server, &store, "end by id", second, |session| {
        EndTarget::Session(session.id)
    });
    server.measure("end by credential, one by one", alone.len(), || {
        for session in alone {
            let ended = block_on(store.end(order(by_credential(session)))).unwrap();
            assert_eq!(ended.len(), 1);
        }
    });

    let started = Instant::now();
    let ended = block_on(store.end(order(EndTarget::Platform(PlatformName::new("cms"))))).unwrap();
    println!(
        "end of the platform with {} sessions: {:?}",
        ended.len(),
        started.elapsed()
    );
}

fn end_all(
    server: &mut Server,
    store: &RedisStore,
    name: &str,
    sessions: &[Session],
    target: impl Fn(&Session) -> EndTarget,
) {
    let mut took: Vec<Duration> = Vec::with_capacity(sessions.len());
    let ending = stream::iter(sessions).map(async |session| {
        let begun = Instant::now();
        let ended = store.end(order(target(session))).await.unwrap();
        assert_eq!(ended.len(), 1);
        begun.elapsed()
    });
    server.measure(name, sessions.len(), || {
        block_on(ending.buffer_unordered(AT_ONCE).for_each(|each| {
            took.push(each);
            std::future::ready(())
        }));
    });
    took.sort_unstable();
    println!(
        "    half within {:?}, 99 of 100 within {:?}",
        took[took.len() / 2],
        took[took.len() * 99 / 100]
    );
}

/// The server's own figures.
struct Server(redis::Connection);

impl Server {
    fn new(url: &str) -> Self {
        let url = url.split('?').next().unwrap();
        Self(redis::Client::open(url).unwrap().get_connection().unwrap())
    }

    /// The server's CPU time so far, in microseconds.
    fn cpu(&mut self) -> f64 {
        let info: String = redis::cmd("INFO").arg("cpu").query(&mut self.0).unwrap();
        info.lines()
            .filter(|line| line.starts_with("used_cpu_user:") || line.starts_with("used_cpu_sys:"))
            .map(|line| line.split_once(':').unwrap().1.parse::<f64>().unwrap())
            .sum::<f64>()
            * 1e6
    }

    fn measure(&mut self, name: &str, count: usize, work: impl FnOnce()) {
        redis::cmd("CONFIG")
            .arg("RESETSTAT")
            .exec(&mut self.0)
            .unwrap();
        let (cpu, started) = (self.cpu(), Instant::now());
        work();
        let took = started.elapsed();
        let cpu = (self.cpu() - cpu) / count as f64;
        let rate = count as f64 / took.as_secs_f64();
        println!("{name}: {rate:.0}/s, server {cpu:.1} us each");
        let stats: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut self.0)
            .unwrap();
        for line in stats.lines() {
            let Some((command, figures)) = line
                .strip_prefix("cmdstat_")
                .and_then(|line| line.split_once(":calls="))
            else {
                continue;
            };
            let mut figures = figures.split(',');
            let calls: f64 = figures.next().unwrap().parse().unwrap();
            let usec: f64 = figures
                .next()
                .unwrap()
                .trim_start_matches("usec=")
                .parse()
                .unwrap();
            if usec / count as f64 >= 0.05 {
                println!(
                    "    {command}: {:.2} calls, {:.1} us",
                    calls / count as f64,
                    usec / count as f64
                );
            }
        }
    }
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
        idp: None,
    }
}

fn order(target: EndTarget) -> EndOrder {
    EndOrder {
        // Ids of receipts follow the time, as those of a hub do.
        receipt: ReceiptId::at(NOW.plus(START.elapsed())),
        at: NOW,
        reason: Reason::User,
        platform: Some(PlatformName::new("cms")),
        reach: Reach::Session,
        targets: vec![target],
        token: None,
    }
}
