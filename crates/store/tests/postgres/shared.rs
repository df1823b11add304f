//! What several hubs on one database may rely on.

use std::sync::Barrier;
use std::time::Duration;

use futures_executor::block_on;
use logout_core::credential::{Credential, CredentialDigest, random_bytes};
use logout_core::session::{Person, Session, SessionId, Subject};
use logout_core::store::{
    EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionFilter, SessionStore as _,
};
use logout_engines::postgres::until;
use logout_store::{ConnectError, PostgresStore};

use crate::sessions::{NOW, is_alive, order, session, session_of};
use crate::{fresh, server};

pub(crate) fn tests() -> Vec<(&'static str, fn())> {
    vec![
        (
            "what_one_hub_opens_another_knows_and_what_one_ends_is_dead_at_the_other",
            what_one_hub_opens_another_knows,
        ),
        (
            "of_orders_of_two_hubs_for_one_session_exactly_one_is_credited",
            exactly_one_hub_is_credited,
        ),
        (
            "wide_and_narrow_orders_of_two_hubs_do_not_wait_for_each_other_in_a_circle",
            no_circles,
        ),
        (
            "joining_a_login_at_one_hub_while_another_ends_the_person_leaves_nothing_alive",
            joining_while_the_person_ends,
        ),
        (
            "hubs_that_start_at_once_make_the_tables_once",
            tables_are_made_once,
        ),
        (
            "tables_of_another_version_are_refused",
            other_versions_are_refused,
        ),
        (
            "a_url_that_is_not_understood_is_not_repeated",
            urls_are_not_repeated,
        ),
        ("names_may_hold_anything_and_be_long", any_name),
        (
            "an_order_that_is_refused_takes_no_other_down_with_it",
            bad_company,
        ),
        (
            "the_clock_of_a_hub_that_is_behind_brings_nothing_back",
            clocks_apart,
        ),
        (
            "who_was_seen_before_an_order_has_not_expired_by_it",
            seen_before_an_order,
        ),
        (
            "what_was_used_just_before_a_store_is_dropped_is_known_to_the_next_one",
            last_touches,
        ),
        (
            "commits_are_synchronous_unless_the_url_says_otherwise",
            commits_are_synchronous,
        ),
    ]
}

fn two_hubs() -> (PostgresStore, PostgresStore) {
    let url = server().database_like("prepared");
    (
        PostgresStore::connect(&url).expect("a store"),
        PostgresStore::connect_unchanged(&url).expect("another"),
    )
}

fn what_one_hub_opens_another_knows() {
    let (one, other) = two_hubs();
    for number in 0..20 {
        let session = session(number);
        assert_eq!(
            block_on(one.open(session.clone(), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
        assert!(is_alive(&other, &session));
        assert_eq!(
            block_on(one.end(order(number, EndTarget::Session(session.id))))
                .map(|ended| ended.len()),
            Ok(1)
        );
        for credential in &session.credentials {
            assert_eq!(
                block_on(other.find(&credential.digest, NOW)),
                Ok(Lookup::Ended)
            );
        }
        assert_eq!(
            block_on(other.end(order(100 + number, EndTarget::Session(session.id)))),
            Ok(Vec::new())
        );
        assert!(!is_alive(&other, &session));
    }
}

fn seen_before_an_order() {
    let (store, _server) = fresh();
    let minute = Duration::from_secs(60);
    let session = Session {
        idle_timeout: Some(30 * minute),
        ..session(0)
    };
    assert_eq!(
        block_on(store.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(
        block_on(store.touch(session.id, NOW.plus(20 * minute))),
        Ok(())
    );
    let order = EndOrder {
        at: NOW.plus(49 * minute),
        ..order(0, EndTarget::Expired(session.id))
    };
    assert_eq!(block_on(store.end(order)), Ok(Vec::new()));
}

fn last_touches() {
    let url = server().database_like("prepared");
    let minute = Duration::from_secs(60);
    let session = Session {
        idle_timeout: Some(30 * minute),
        ..session(0)
    };
    let store = PostgresStore::connect(&url).expect("a store");
    assert_eq!(
        block_on(store.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    assert_eq!(
        block_on(store.touch(session.id, NOW.plus(20 * minute))),
        Ok(())
    );
    drop(store);
    let next = PostgresStore::connect_unchanged(&url).expect("another");
    let found = block_on(next.find(&session.credentials[0].digest, NOW.plus(49 * minute)));
    assert!(matches!(found, Ok(Lookup::Live(..))), "{found:?}");
}

fn exactly_one_hub_is_credited() {
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

fn session_id(number: u32) -> SessionId {
    session(number).id
}

fn no_circles() {
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
fn joining_while_the_person_ends() {
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

fn tables_are_made_once() {
    let server = server();
    let url = server.database();
    let start = Barrier::new(6);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (url, start) = (&url, &start);
            scope.spawn(move || {
                start.wait();
                let store = PostgresStore::connect(url).expect("a store");
                assert_eq!(
                    block_on(store.open(session(number), Join::Always, NOW)),
                    Ok(OpenOutcome::Opened)
                );
            });
        }
    });
    let store = PostgresStore::connect_unchanged(&url).expect("a store");
    let page = block_on(store.sessions(&SessionFilter::default(), None, 10, NOW))
        .expect("the store answers");
    assert_eq!(page.items.len(), 6);
    let name = url.rsplit('/').next().expect("a name");
    assert_eq!(
        server
            .sql(name, "SELECT count(*), max(version) FROM logout_schema")
            .as_deref(),
        Ok("4|4"),
        "each step once"
    );
}

fn other_versions_are_refused() {
    let server = server();
    let url = server.database();
    let name = url.rsplit('/').next().expect("a name");
    assert!(matches!(
        PostgresStore::connect_unchanged(&url),
        Err(ConnectError::Version { found: 0, known: 4 })
    ));
    drop(PostgresStore::connect(&url).expect("a store"));
    server
        .sql(name, "INSERT INTO logout_schema VALUES (99)")
        .expect("an administrator");
    assert!(matches!(
        PostgresStore::connect(&url),
        Err(ConnectError::Version {
            found: 99,
            known: 4
        })
    ));
}

fn urls_are_not_repeated() {
    for url in [
        "postgres://hub:canary@127.0.0.1:port/db",
        "postgres://hub:canary@127.0.0.1/db?no_such_key=canary",
        "canary",
    ] {
        let fault = PostgresStore::connect(url).expect_err("no store");
        assert!(matches!(fault, ConnectError::Url), "{fault:?}");
        assert!(!format!("{fault} {fault:?}").contains("canary"));
    }
    let nobody =
        PostgresStore::connect("postgres://hub:canary@127.0.0.1:1/db").expect_err("no store");
    assert!(
        matches!(nobody, ConnectError::NoAnswer { .. })
            && !format!("{nobody} {nobody:?}").contains("canary"),
        "{nobody:?}"
    );
    let asks_for_tls = server().url("prepared") + "?sslmode=require";
    assert!(matches!(
        PostgresStore::connect(&asks_for_tls),
        Err(ConnectError::NoAnswer { .. } | ConnectError::NoAuthorities)
    ));
}

fn any_name() {
    let (store, _server) = fresh();
    for (number, name) in (0..).zip(
        ["a\0b", "a\x010b", "a\u{1}b", "o'hara\\", "\u{10ffff}"]
            .into_iter()
            .map(str::to_owned)
            .chain(["x".repeat(20_000)]),
    ) {
        let plain = session(number);
        let session = Session {
            subject: Subject::new("Default", &name),
            person: Some(Person::new(&name)),
            ..plain
        };
        assert_eq!(
            block_on(store.open(session.clone(), Join::Always, NOW)),
            Ok(OpenOutcome::Opened),
            "{number}"
        );
        assert!(is_alive(&*store, &session));
        let ended = block_on(store.end(order(number, EndTarget::Person(Person::new(&name)))))
            .expect("the store answers");
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].subject, session.subject);
        assert!(!is_alive(&*store, &session));
    }
}

fn bad_company() {
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

fn clocks_apart() {
    let (ahead, behind) = two_hubs();
    let five_minutes = Duration::from_secs(300);
    let brief = || Credential {
        digest: CredentialDigest::from_bytes(random_bytes()),
        expires: NOW.plus(Duration::from_secs(900)),
        csrf_due: false,
    };
    let session = Session {
        credentials: vec![brief()],
        ..session(1)
    };
    assert_eq!(
        block_on(behind.open(session.clone(), Join::Always, NOW)),
        Ok(OpenOutcome::Opened)
    );
    let order = EndOrder {
        at: NOW.plus(five_minutes),
        ..order(1, EndTarget::Session(session.id))
    };
    assert_eq!(block_on(ahead.end(order)).map(|ended| ended.len()), Ok(1));
    assert_eq!(
        block_on(behind.find(&session.credentials[0].digest, NOW)),
        Ok(Lookup::Ended)
    );
    assert_eq!(
        block_on(behind.attach(session.id, brief(), None, NOW)),
        Ok(false)
    );
    block_on(behind.touch(session.id, NOW)).expect("the store answers");
    // The one that is ahead forgets first; what it has forgotten opens nothing at the other.
    let later = NOW.plus(Duration::from_secs(900));
    block_on(ahead.sweep(None, 100, later, NOW)).expect("the store answers");
    assert_eq!(
        block_on(behind.find(
            &session.credentials[0].digest,
            NOW.plus(Duration::from_secs(600))
        )),
        Ok(Lookup::Unknown)
    );
}

fn commits_are_synchronous() {
    let server = server();
    for (database, options, expected) in [
        ("off", "", "on"),
        ("on", "?options=-c%20synchronous_commit%3Doff", "off"),
    ] {
        let url = server.database_like("prepared");
        let name = url.rsplit('/').next().expect("a name");
        // What the database says otherwise, and what every statement runs under, as a trigger sees
        // it.
        let alter = format!("ALTER DATABASE {name} SET synchronous_commit = {database}");
        server.sql("postgres", &alter).expect("an administrator");
        let trigger = "CREATE TABLE seen (setting text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
            $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$; \
            CREATE TRIGGER note AFTER DELETE ON logout_sessions FOR EACH ROW EXECUTE FUNCTION note()";
        server.sql(name, trigger).expect("an administrator");
        let store = PostgresStore::connect(&format!("{url}{options}")).expect("a store");
        assert_eq!(
            block_on(store.open(session(1), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
        assert_eq!(
            block_on(store.end(order(1, EndTarget::Session(session_id(1)))))
                .map(|ended| ended.len()),
            Ok(1)
        );
        assert_eq!(
            server.sql(name, "SELECT setting FROM seen").as_deref(),
            Ok(expected)
        );
    }
}
