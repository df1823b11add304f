//! Copies that were killed, and what was written meanwhile.

use futures_executor::block_on;
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::platform::PlatformName;
use logout_core::ports::Clock as _;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, SessionStore as _};
use logout_core::time::Timestamp;
use logout_core::transfer::{Record, Transfer};
use logout_hub::SystemClock;
use logout_store::DiskStore;
use logout_tests::hub::TestHub;

use crate::command::{begin, completed, copy, said};
use crate::engine::{Disk, Engine};
use logout_tests::front::wait_until;

/// Enough for the copy to take a while.
const MANY: usize = 15_000;

fn session(number: usize, now: Timestamp) -> Session {
    let expires = now.plus(std::time::Duration::from_secs(3_600));
    Session {
        id: SessionId::at(now),
        platform: PlatformName::new("cms"),
        sign_on: None,
        subject: Subject::new("Default", format!("user{number}")),
        person: Some(Person::new(format!("user{number}@example.com"))),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![Credential {
            digest: CredentialDigest::from_bytes(random_bytes()),
            expires,
            csrf_due: false,
        }],
        csrf: None,
        opened: now,
        seen: now,
        idle_timeout: None,
        expires,
        device: Device::default(),
        sealed: None,
        idp: None,
    }
}

fn fill(store: &dyn Transfer) -> SessionId {
    let now = SystemClock.now();
    let sessions: Vec<Session> = (0..MANY).map(|number| session(number, now)).collect();
    let first = sessions.iter().map(|session| session.id).min().unwrap();
    for some in sessions.chunks(1_000) {
        block_on(store.import(some.iter().cloned().map(Record::Session).collect(), now)).unwrap();
    }
    first
}

/// Kills a copy that has come halfway.
fn interrupt<To: Engine>(from: &str, to: &To) {
    let mut running = begin(from, &to.url());
    wait_until("the copy has begun", || {
        assert_eq!(running.0.try_wait().unwrap(), None, "it has ended already");
        to.has_begun()
    });
    running.0.kill().unwrap();
    running.0.wait().unwrap();
}

/// Until it is, no hub starts on what there is, and nothing else is copied there.
pub(crate) fn a_copy_that_was_killed_is_finished_by_the_same_command<From: Engine, To: Engine>() {
    let (from, to) = (From::start(), To::start());
    fill(&*from.open());
    interrupt(&from.url(), &to);

    let table = "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n";
    let refused = TestHub::on_store(&to.url(), table).expect_err("what is there is not all");
    assert!(refused.contains("copy-store"), "{refused}");
    let other = Disk::start();
    block_on(other.open().import(
        vec![Record::Session(session(0, SystemClock.now()))],
        SystemClock.now(),
    ))
    .unwrap();
    for (from, to) in [(other.url(), to.url()), (to.url(), other.url())] {
        let refused = copy(&from, &to);
        assert_eq!(
            (refused.status.code(), refused.stdout.len()),
            (Some(1), 0),
            "{}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains("interrupted copy"),
            "{}",
            refused.stderr
        );
    }

    interrupt(&from.url(), &to);
    let finished = copy(&from.url(), &to.url());
    assert!(
        finished.stderr.contains("going on with a copy"),
        "{}",
        finished.stderr
    );
    let line = completed(&finished);
    assert_eq!(line["destination"]["sessions"], MANY, "{line}");
    assert!(TestHub::on_store(&to.url(), table).is_ok());
}

/// What has ended since it was copied lives at the other store, and nobody is told that all is
/// well.
pub(crate) fn a_change_is_found() {
    let (from, to) = (Disk::start(), Disk::start());
    let first = fill(&*from.open());
    interrupt(&from.url(), &to);
    let source = DiskStore::open(&from.path()).unwrap();
    let (now, targets) = (SystemClock.now(), vec![EndTarget::Session(first)]);
    let order = EndOrder {
        receipt: ReceiptId::at(now),
        at: now,
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets,
        token: None,
    };
    assert_eq!(block_on(source.end(order)).unwrap().len(), 1);
    drop(source);
    for _ in 0..2 {
        let ended = copy(&from.url(), &to.url());
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        let line = said(&ended);
        let count = |side: &str| line[side]["sessions"].as_u64().unwrap();
        assert_eq!(
            (&line["complete"], count("source") + 1),
            (&false.into(), count("destination")),
            "{line}"
        );
        assert!(
            ended.stderr.contains("sessions") && ended.stderr.contains("Stop every hub"),
            "{}",
            ended.stderr
        );
    }
    assert!(
        TestHub::on_store(
            &to.url(),
            "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n"
        )
        .is_err()
    );
}
