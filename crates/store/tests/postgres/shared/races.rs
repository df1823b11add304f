//! Orders of several hubs at the same time.

use std::sync::Barrier;
use std::time::Duration;

use futures_executor::block_on;
use logout_core::session::{Person, Session};
use logout_core::store::{
    EndOrder, EndTarget, Join, OpenOutcome, SessionFilter, SessionStore as _,
};
use logout_engines::postgres::until;
use logout_store::PostgresStore;

use super::{session_id, two_hubs};
use crate::sessions::{NOW, is_alive, order, session, session_of};
use crate::{fresh, server};

pub(super) fn exactly_one_hub_is_credited() {
    let (one, other) = two_hubs();
    for round in 0..20 {
        let session = session(round);
        assert_eq!(
            block_on(one.open(session.clone(), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
        let start = Barrier::new(16);
        let credited: usize = std::thread::scope(|scope| {
            let (start, hubs) = (&start, [&one, &other]);
            let orders = (0..16_u32).map(|index| {
                scope.spawn(move || {
                    start.wait();
                    let order = order(
                        1_000 + round * 16 + index,
                        EndTarget::Session(session_id(round)),
                    );
                    block_on(hubs[index as usize % 2].end(order))
                        .expect("the store answers")
                        .len()
                })
            });
            orders
                .collect::<Vec<_>>()
                .into_iter()
                .map(|order| order.join().expect("no panic"))
                .sum()
        });
        assert_eq!(credited, 1);
    }
    assert_eq!(
        block_on(other.receipts(None, 100)).map(|page| page.items.len()),
        Ok(20)
    );
}

pub(super) fn no_circles() {
    let (one, other) = two_hubs();
    for round in 0..10 {
        let numbers = round * 60..(round + 1) * 60;
        for number in numbers.clone() {
            assert_eq!(
                block_on(one.open(
                    session_of(number, round * 60 + number % 3),
                    Join::Always,
                    NOW
                )),
                Ok(OpenOutcome::Opened)
            );
        }
        let start = Barrier::new(24);
        let began = std::time::Instant::now();
        let ended: usize = std::thread::scope(|scope| {
            let (start, hubs, numbers) = (&start, [&one, &other], &numbers);
            let orders = (0..24_u32).map(|index| {
                scope.spawn(move || {
                    let person = Person::new(format!("person {}", round * 60 + index % 3));
                    let mut targets: Vec<_> = numbers
                        .clone()
                        .map(|number| EndTarget::Session(session_id(number)))
                        .collect();
                    match index % 4 {
                        0 => targets = vec![EndTarget::Person(person)],
                        1 => targets.reverse(),
                        2 => targets.rotate_left(index as usize),
                        _ => {}
                    }
                    start.wait();
                    let order = EndOrder {
                        targets,
                        ..order(
                            10_000 + round * 24 + index,
                            EndTarget::Session(session_id(0)),
                        )
                    };
                    block_on(hubs[index as usize % 2].end(order))
                        .expect("the store answers")
                        .len()
                })
            });
            orders
                .collect::<Vec<_>>()
                .into_iter()
                .map(|order| order.join().expect("no panic"))
                .sum()
        });
        assert_eq!(ended, 60);
        // The server notices a circle after a second, and not before.
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "round {round} took {:?}",
            began.elapsed()
        );
    }
}

/// Also where the login that is joined has the latest id, as one of a hub has whose clock is ahead.
pub(super) fn joining_while_the_person_ends() {
    let server = server();
    let url = server.database_like("prepared");
    let hubs = (
        PostgresStore::connect(&url).expect("a store"),
        PostgresStore::connect_unchanged(&url).expect("another"),
    );
    for round in 0..40 {
        let first = session_of(round * 10 + 7 * (round % 2), round * 10);
        let joining: Vec<_> = (1..7)
            .map(|number| Session {
                sign_on: first.sign_on,
                ..session_of(round * 10 + number, round * 10)
            })
            .collect();
        assert_eq!(
            block_on(hubs.0.open(first.clone(), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
        let start = Barrier::new(7);
        std::thread::scope(|scope| {
            let (start, (one, other)) = (&start, &hubs);
            for session in &joining {
                scope.spawn(move || {
                    start.wait();
                    block_on(one.open(session.clone(), Join::IfLive, NOW))
                        .expect("the store answers");
                });
            }
            start.wait();
            let person = first.person.clone().expect("has one");
            let ended = block_on(other.end(order(round, EndTarget::Person(person))))
                .expect("the store answers");
            assert!(!ended.is_empty());
        });
        let filter = SessionFilter {
            person: first.person.clone(),
            ..SessionFilter::default()
        };
        let page = block_on(hubs.0.sessions(&filter, None, 10, NOW)).expect("the store answers");
        assert!(
            page.items.is_empty(),
            "round {round}: {} are alive",
            page.items.len()
        );
    }
    drop(hubs);
    let name = url.rsplit('/').next().expect("a name");
    // Connections say what happened to them when they end.
    until("the hubs have gone", || {
        server
            .sql(
                "postgres",
                &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"),
            )
            .as_deref()
            == Ok("0")
    });
    let circles = server.sql(
        "postgres",
        &format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'"),
    );
    assert_eq!(circles.as_deref(), Ok("0"), "somebody waited in a circle");
}

pub(super) fn bad_company() {
    let (store, _server) = fresh();
    for number in 0..33 {
        assert_eq!(
            block_on(store.open(session(number), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
    }
    assert_eq!(
        block_on(store.end(order(0, EndTarget::Session(session_id(0))))).map(|ended| ended.len()),
        Ok(1)
    );
    let start = Barrier::new(32);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let (start, store) = (&start, &store);
        let orders = (1..33).map(|number| {
            scope.spawn(move || {
                start.wait();
                // Every eighth asks for a receipt that is there already.
                let receipt = if number % 8 == 0 { 0 } else { number };
                block_on(store.end(order(receipt, EndTarget::Session(session_id(number)))))
            })
        });
        orders
            .collect::<Vec<_>>()
            .into_iter()
            .map(|order| order.join().expect("no panic"))
            .collect()
    });
    for (number, outcome) in (1..33).zip(outcomes) {
        assert_eq!(outcome.is_err(), number % 8 == 0, "{number}: {outcome:?}");
        assert_eq!(
            is_alive(&*store, &session(number)),
            number % 8 == 0,
            "{number}"
        );
    }
}
