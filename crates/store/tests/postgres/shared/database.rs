//! The tables, the address and the settings of the database.

use std::sync::Barrier;

use futures_executor::block_on;
use logout_core::store::{EndTarget, Join, OpenOutcome, SessionFilter, SessionStore as _};
use logout_store::{ConnectError, PostgresStore};

use super::session_id;
use crate::server;
use crate::sessions::{NOW, order, session};

pub(super) fn tables_are_made_once() {
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
        Ok("5|5"),
        "each step once"
    );
}

pub(super) fn other_versions_are_refused() {
    let server = server();
    let url = server.database();
    let name = url.rsplit('/').next().expect("a name");
    assert!(matches!(
        PostgresStore::connect_unchanged(&url),
        Err(ConnectError::Version { found: 0, known: 5 })
    ));
    drop(PostgresStore::connect(&url).expect("a store"));
    server
        .sql(name, "INSERT INTO logout_schema VALUES (99)")
        .expect("an administrator");
    assert!(matches!(
        PostgresStore::connect(&url),
        Err(ConnectError::Version {
            found: 99,
            known: 5
        })
    ));
}

pub(super) fn urls_are_not_repeated() {
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

pub(super) fn commits_are_synchronous() {
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
