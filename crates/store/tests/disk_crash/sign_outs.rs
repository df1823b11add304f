//! In the middle of many sign-outs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_executor::block_on;
use logout_core::session::Session;
use logout_core::store::{EndTarget, Join, OpenOutcome, SessionStore as _};
use logout_store::DiskStore;

use crate::sessions::{NOW, is_alive, order, session, session_of};
use crate::{kill_amid, say};

pub(crate) const WORK: &str = "sign-outs";
/// Ended one by one.
const SINGLE: u32 = 6_000;
/// Ended by person, this many at once.
const EACH: u32 = 5;
const PERSONS: u32 = 600;
/// Enough to be in the middle of it, too few to be near the end.
const ACKNOWLEDGED: usize = 1_000;

fn single(number: u32) -> Session {
    session(number)
}

fn of_person(person: u32) -> impl Iterator<Item = Session> {
    (0..EACH).map(move |nth| session_of(SINGLE + person * EACH + nth, SINGLE + person))
}

fn opened_late(number: u32) -> Session {
    session(1_000_000 + number)
}

pub(crate) fn victim(directory: &Path) {
    let store = DiskStore::open(directory).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let store = &store;
            scope.spawn(move || {
                let all = (0..SINGLE)
                    .map(single)
                    .chain((0..PERSONS).flat_map(of_person));
                for session in all.skip(thread).step_by(16) {
                    assert_eq!(
                        block_on(store.open(session, Join::Always, NOW)),
                        Ok(OpenOutcome::Opened)
                    );
                }
            });
        }
    });
    let (next_single, next_person, next_late) =
        (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 0..32 {
            let store = &store;
            let (next_single, next_person, next_late) = (&next_single, &next_person, &next_late);
            scope.spawn(move || {
                loop {
                    match thread % 8 {
                        0 => {
                            let person = next_person.fetch_add(1, Ordering::Relaxed);
                            if person >= PERSONS {
                                return;
                            }
                            let target = EndTarget::Person(
                                of_person(person).next().unwrap().person.unwrap(),
                            );
                            assert_eq!(
                                block_on(store.end(order(SINGLE + person, target)))
                                    .unwrap()
                                    .len(),
                                EACH as usize
                            );
                            say("person", person);
                        }
                        1 => {
                            let late = next_late.fetch_add(1, Ordering::Relaxed);
                            assert_eq!(
                                block_on(store.open(opened_late(late), Join::Always, NOW)),
                                Ok(OpenOutcome::Opened)
                            );
                            say("opened", late);
                        }
                        _ => {
                            let number = next_single.fetch_add(1, Ordering::Relaxed);
                            if number >= SINGLE {
                                return;
                            }
                            assert_eq!(
                                block_on(
                                    store.end(order(number, EndTarget::Session(single(number).id)))
                                )
                                .unwrap()
                                .len(),
                                1
                            );
                            say("single", number);
                        }
                    }
                }
            });
        }
    });
}

pub(crate) fn what_was_acknowledged_before_a_kill_stays_ended_and_nothing_is_half_ended() {
    for round in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let (mut singles, mut persons, mut opened) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        kill_amid(WORK, directory.path(), |word, number| {
            let Ok(number) = number.parse::<u32>() else {
                return false;
            };
            let _ = match word {
                "single" => singles.insert(number),
                "person" => persons.insert(number),
                "opened" => opened.insert(number),
                other => panic!("nobody says {other}"),
            };
            singles.len() + persons.len() + opened.len() >= ACKNOWLEDGED * (round + 1)
        });

        let store = DiskStore::open(directory.path()).unwrap();
        let has_receipt = |number| {
            block_on(store.receipt(order(number, EndTarget::Session(single(0).id)).receipt))
                .unwrap()
                .map(|receipt| receipt.sessions.len())
        };
        let mut alive = 0;
        for number in 0..SINGLE {
            let is_alive = is_alive(&store, &single(number));
            assert!(
                !(is_alive && singles.contains(&number)),
                "session {number} is back"
            );
            assert_eq!(
                has_receipt(number),
                (!is_alive).then_some(1),
                "receipt of session {number}"
            );
            alive += u32::from(is_alive);
        }
        assert!(alive > 0, "the victim was killed too late to show anything");
        for person in 0..PERSONS {
            let signs: BTreeSet<_> = of_person(person)
                .map(|session| is_alive(&store, &session))
                .collect();
            assert_eq!(signs.len(), 1, "person {person} is half ended");
            let is_alive = signs.contains(&true);
            assert!(
                !(is_alive && persons.contains(&person)),
                "person {person} is back"
            );
            assert_eq!(
                has_receipt(SINGLE + person),
                (!is_alive).then_some(EACH as usize),
                "receipt of person {person}"
            );
        }
        for number in opened {
            assert!(
                is_alive(&store, &opened_late(number)),
                "session {number}, opened just before, is lost"
            );
        }
        // And it goes on as if nothing had been.
        let left = (0..SINGLE)
            .find(|number| is_alive(&store, &single(*number)))
            .unwrap();
        assert_eq!(
            block_on(store.end(order(left, EndTarget::Session(single(left).id))))
                .unwrap()
                .len(),
            1
        );
        assert!(!is_alive(&store, &single(left)));
    }
}
