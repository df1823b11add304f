//! A full disk: refusals instead of false successes, and recovery without a restart.
#![cfg(all(feature = "disk", target_os = "linux"))]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod sessions;

use std::cmp::Ordering;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use logout_core::credential::Sealed;
use logout_core::delivery::{DeliveryState, Outcome, Settlement};
use logout_core::outbox::Outbox as _;
use logout_core::session::Session;
use logout_core::store::{EndTarget, Join, OpenOutcome, SessionStore as _, StoreUnavailable};
use logout_store::DiskStore;
use sessions::{NOW, is_alive, order, session};

/// A disk of its own, taken away again when the test is over.
struct SmallDisk {
    place: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this process may not mount.
    fn new() -> Option<Self> {
        let place = tempfile::tempdir().expect("a temporary directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"])
            .arg(place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self { place })
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    /// Leaves no byte free.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.place.path())
            .status();
    }
}

fn healthy_within(store: &DiskStore, patience: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if block_on(store.health()).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn a_full_disk_refuses_and_recovers_by_itself_and_nothing_acknowledged_is_lost() {
    const COUNT: u32 = 3_000;
    let Some(disk) = SmallDisk::new() else {
        println!("SKIPPED: this process may not mount a small disk");
        return;
    };
    let store = DiskStore::open(&disk.path().join("data")).unwrap();
    for number in 0..COUNT {
        assert_eq!(
            block_on(store.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    let mut asked = 0;
    for round in 0..3 {
        let first_of_round = asked;
        let filler = disk.fill();
        let refused = loop {
            assert!(
                asked < COUNT - 100,
                "the disk is full, and all went on as before"
            );
            let ended = block_on(store.end(order(asked, EndTarget::Session(session(asked).id))));
            match ended {
                Ok(ended) => assert_eq!(ended.len(), 1),
                Err(StoreUnavailable) => break asked,
            }
            asked += 1;
        };
        // Neither a success nor an answer that might be wrong, whatever is asked.
        let another = session(COUNT - 1);
        assert_eq!(
            block_on(store.find(&another.credentials[0].digest, NOW)),
            Err(StoreUnavailable)
        );
        assert_eq!(
            block_on(store.end(order(refused, EndTarget::Session(session(refused).id)))),
            Err(StoreUnavailable)
        );
        assert_eq!(
            block_on(store.open(session(COUNT), Join::Always, NOW)),
            Err(StoreUnavailable)
        );
        assert_eq!(block_on(store.health()), Err(StoreUnavailable));

        std::fs::remove_file(filler).unwrap();
        assert!(
            healthy_within(&store, Duration::from_secs(30)),
            "round {round}: there is room again, and the store does not notice"
        );
        for number in first_of_round..refused {
            assert!(
                !is_alive(&store, &session(number)),
                "round {round}: session {number} is back"
            );
        }
        for number in refused + 1..COUNT {
            assert!(
                is_alive(&store, &session(number)),
                "round {round}: session {number} is lost"
            );
        }
        // Carried out or not: either is allowed for an order that was refused, but only whole.
        let was_alive = is_alive(&store, &session(refused));
        let again =
            block_on(store.end(order(refused, EndTarget::Session(session(refused).id)))).unwrap();
        assert_eq!(again.len(), usize::from(was_alive));
        assert!(!is_alive(&store, &session(refused)));
        asked = refused + 1;
    }
    drop(store);
    let store = DiskStore::open(&disk.path().join("data")).unwrap();
    for number in 0..COUNT {
        assert_eq!(
            is_alive(&store, &session(number)),
            number >= asked,
            "session {number} after a restart"
        );
    }
}

#[test]
fn leases_outlive_a_full_disk_and_what_was_settled_stays_so() {
    const COUNT: u32 = 50;
    let Some(disk) = SmallDisk::new() else {
        println!("SKIPPED: this process may not mount a small disk");
        return;
    };
    let (platform, minute) = (session(0).platform, Duration::from_secs(60));
    let settlement = |outcome| Settlement {
        attempt: None,
        outcome,
    };
    let store = DiskStore::open(&disk.path().join("data")).unwrap();
    let lease = || block_on(store.lease(&platform, COUNT as usize, NOW, NOW.plus(minute)));
    for number in 0..COUNT {
        let session = Session {
            sealed: Some(Sealed::new(*b"sealed")),
            ..session(number)
        };
        let id = session.id;
        assert_eq!(
            block_on(store.open(session, Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
        assert_eq!(
            block_on(store.end(order(number, EndTarget::Session(id))))
                .unwrap()
                .len(),
            1
        );
    }
    let before = lease().unwrap();
    assert_eq!(before.len(), COUNT as usize);
    let filler = disk.fill();
    let mut settled = 0;
    // Each is written anew until one no longer fits.
    let refused = loop {
        assert!(
            settled < before.len(),
            "the disk is full, and all went on as before"
        );
        let held = &before[settled];
        let confirmed = Outcome::Confirmed { verified: None };
        match block_on(store.settle(held.delivery.session, held.lease, settlement(confirmed))) {
            Ok(done) => assert!(done),
            Err(StoreUnavailable) => break settled,
        }
        settled += 1;
    };
    assert_eq!(lease(), Err(StoreUnavailable));
    assert_eq!(
        block_on(store.delivery(before[0].delivery.session)),
        Err(StoreUnavailable)
    );
    std::fs::remove_file(filler).unwrap();
    assert!(
        healthy_within(&store, Duration::from_secs(30)),
        "there is room again, and the store does not notice"
    );

    assert_eq!(lease().unwrap(), [], "all are leased");
    for (number, held) in before.iter().enumerate() {
        let (session, given_up) = (held.delivery.session, settlement(Outcome::GivenUp));
        let answer = block_on(store.settle(session, held.lease, given_up));
        // Settled or not: either is allowed for the one whose settlement was refused.
        if number != refused {
            assert_eq!(answer, Ok(number > refused), "delivery {number}");
        }
    }
    drop(store);
    let store = DiskStore::open(&disk.path().join("data")).unwrap();
    for (number, held) in before.iter().enumerate() {
        let delivery = block_on(store.delivery(held.delivery.session))
            .unwrap()
            .unwrap();
        let expected = match number.cmp(&refused) {
            Ordering::Less => DeliveryState::Confirmed,
            Ordering::Equal => continue,
            Ordering::Greater => DeliveryState::GivenUp,
        };
        assert_eq!(
            delivery.state, expected,
            "delivery {number} after a restart"
        );
    }
}
