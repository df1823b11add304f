//! What the embedded store promises when callers look sessions up and end them at the same time.
#![cfg(feature = "disk")]

mod sessions;

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_executor::block_on;
use logout_core::store::{EndTarget, Join, Lookup, OpenOutcome, SessionStore as _};
use logout_store::DiskStore;
use sessions::{NOW, is_alive, order, session};

const THREADS: u32 = 8;
const SESSIONS: u32 = 400;

/// Every caller has just read the session that it wants to end, so that what the readers leave for
/// the writer is as often out of date as it can be.
#[test]
fn of_many_who_look_a_session_up_and_end_it_exactly_one_is_credited() {
    let directory = tempfile::tempdir().unwrap();
    let store = DiskStore::open(directory.path()).unwrap();
    for number in 0..SESSIONS {
        assert_eq!(
            block_on(store.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    let credited: Vec<AtomicUsize> = (0..SESSIONS).map(|_| AtomicUsize::default()).collect();
    let start = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, credited, start) = (&store, &credited, &start);
            scope.spawn(move || {
                start.wait();
                for (number, credited) in (0..).zip(credited) {
                    let session = session(number);
                    let found = block_on(store.find(&session.credentials[0].digest, NOW)).unwrap();
                    assert!(
                        matches!(found, Lookup::Live(..) | Lookup::Ended),
                        "{found:?}"
                    );
                    let ended = block_on(store.end(order(
                        number * THREADS + thread,
                        EndTarget::Session(session.id),
                    )))
                    .unwrap();
                    credited.fetch_add(ended.len(), Ordering::Relaxed);
                    assert_eq!(
                        block_on(store.find(&session.credentials[0].digest, NOW)),
                        Ok(Lookup::Ended)
                    );
                }
            });
        }
    });
    assert!(
        credited
            .iter()
            .all(|credited| credited.load(Ordering::Relaxed) == 1),
        "{credited:?}"
    );
    assert_eq!(
        block_on(store.receipts(None, usize::MAX))
            .unwrap()
            .items
            .len(),
        credited.len()
    );
    assert!((0..SESSIONS).all(|number| !is_alive(&store, &session(number))));
}
