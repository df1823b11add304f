//! While sessions are ended and their deliveries are settled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use logout_core::credential::Sealed;
use logout_core::delivery::{
    AttemptAnswer, AttemptRecord, Delivery, DeliveryState, Leased, Outcome, Settlement,
};
use logout_core::outbox::{DeliveryFilter, Outbox as _};
use logout_core::session::{Session, SessionId};
use logout_core::store::{EndTarget, Join, OpenOutcome, SessionStore as _};
use logout_store::DiskStore;

use crate::sessions::{NOW, is_alive, order, session};
use crate::{kill_amid, say};

pub(crate) const WORK: &str = "deliveries";
const COUNT: u32 = 8_000;
/// Settlements, that is: enough to be in the middle of it, too few to be near the end.
const ACKNOWLEDGED: usize = 600;
const MINUTE: Duration = Duration::from_secs(60);

fn at_upstream(number: u32) -> Session {
    Session {
        sealed: Some(Sealed::new(format!("sealed {number}"))),
        ..session(number)
    }
}

/// What becomes of it follows from its id, so that both processes know.
fn outcome_of(session: SessionId) -> Outcome {
    match session.as_bytes()[0] % 4 {
        0 => Outcome::Again {
            due: NOW.plus(10 * MINUTE),
        },
        1 => Outcome::GivenUp,
        _ => Outcome::Confirmed { verified: None },
    }
}

fn settlement_of(session: SessionId) -> Settlement {
    Settlement {
        attempt: Some(AttemptRecord {
            at: NOW,
            answer: AttemptAnswer::Status(200),
        }),
        outcome: outcome_of(session),
    }
}

pub(crate) fn victim(directory: &Path) {
    let store = DiskStore::open(directory).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for number in (0..COUNT).skip(thread).step_by(16) {
                    assert_eq!(
                        block_on(store.open(at_upstream(number), Join::Always, NOW)),
                        Ok(OpenOutcome::Opened)
                    );
                }
            });
        }
    });
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (store, next) = (&store, &next);
            scope.spawn(move || {
                if thread % 2 == 0 {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= COUNT {
                            return;
                        }
                        let id = at_upstream(number).id;
                        assert_eq!(
                            block_on(store.end(order(number, EndTarget::Session(id))))
                                .unwrap()
                                .len(),
                            1
                        );
                        say("ended", id);
                    }
                }
                let mut settled = 0;
                while settled < COUNT {
                    for Leased { delivery, lease } in
                        block_on(store.lease(&session(0).platform, 4, NOW, NOW.plus(MINUTE)))
                            .unwrap()
                    {
                        let id = delivery.session;
                        assert_eq!(
                            block_on(store.settle(id, lease, settlement_of(id))),
                            Ok(true)
                        );
                        settled += 1;
                        say("settled", id);
                    }
                }
            });
        }
    });
}

fn all(store: &DiskStore) -> BTreeMap<SessionId, Delivery> {
    let (mut all, mut from) = (BTreeMap::new(), None);
    loop {
        let page = block_on(store.deliveries(&DeliveryFilter::default(), from, 500))
            .expect("the store answers");
        for delivery in page.items {
            let before = all.insert(delivery.session, delivery);
            assert_eq!(before, None, "listed twice");
        }
        from = page.next;
        if from.is_none() {
            return all;
        }
    }
}

pub(crate) fn after_a_kill_no_delivery_is_lost_and_none_that_was_settled_comes_back() {
    for round in 1..=3 {
        let directory = tempfile::tempdir().unwrap();
        let (mut ended, mut settled) = (BTreeSet::new(), BTreeSet::new());
        kill_amid(WORK, directory.path(), |word, id| {
            let id = SessionId::parse(id).expect("an id");
            let _ = match word {
                "ended" => ended.insert(id),
                "settled" => settled.insert(id),
                other => panic!("nobody says {other}"),
            };
            settled.len() >= ACKNOWLEDGED * round
        });

        let store = DiskStore::open(directory.path()).unwrap();
        let found = all(&store);
        let mut alive = 0;
        for number in 0..COUNT {
            let session = at_upstream(number);
            let is_alive = is_alive(&store, &session);
            alive += u32::from(is_alive);
            assert!(
                !(is_alive && ended.contains(&session.id)),
                "session {number} is back"
            );
            let delivery = found.get(&session.id);
            assert_eq!(
                delivery.is_some(),
                !is_alive,
                "session {number} is ended exactly where there is a delivery"
            );
            assert_eq!(
                block_on(store.delivery(session.id)).unwrap().as_ref(),
                delivery
            );
            let Some(delivery) = delivery else { continue };
            let mut expected = Delivery::of(&session, delivery.receipt, NOW).unwrap();
            assert_eq!(
                block_on(store.receipt(delivery.receipt))
                    .unwrap()
                    .unwrap()
                    .sessions[0]
                    .id,
                session.id
            );
            // One that was settled and not acknowledged may be either, but only whole.
            if settled.contains(&session.id) || delivery.attempts > 0 {
                expected.settle(&settlement_of(session.id));
            }
            assert_eq!(*delivery, expected, "delivery {number}");
        }
        assert!(alive > 0, "the victim was killed too late to show anything");
        // Whatever is pending, leased when the victim died or not, is carried out now, and nothing
        // else is.
        let later = NOW.plus(10 * MINUTE);
        let leased =
            block_on(store.lease(&session(0).platform, usize::MAX, later, later.plus(MINUTE)))
                .unwrap();
        let leased: BTreeSet<_> = leased
            .into_iter()
            .map(|leased| leased.delivery.session)
            .collect();
        let pending = found
            .values()
            .filter(|delivery| delivery.state == DeliveryState::Pending);
        assert_eq!(leased, pending.map(|delivery| delivery.session).collect());
        assert!(
            leased.iter().any(|id| !settled.contains(id)),
            "nothing was waiting when the victim was killed"
        );
    }
}
