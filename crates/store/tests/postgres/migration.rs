//! Tables that an earlier version has left, with rows in them.

use std::sync::Barrier;

use futures_executor::block_on;
use logout_core::credential::{CredentialDigest, SecretDigest};
use logout_core::outbox::Outbox as _;
use logout_core::receipt::{Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{ClientId, SessionId, Subject};
use logout_core::sign_out::CsrfProof;
use logout_core::store::{ByCredential, EndTarget, Lookup, SessionStore as _};
use logout_core::time::Timestamp;
use logout_store::PostgresStore;

use crate::server;
use crate::sessions::{NOW, order};

pub(crate) fn tests() -> Vec<(&'static str, fn())> {
    vec![
        (
            "two_hubs_bring_tables_of_version_3_up_to_date_once_and_everything_is_still_there",
            version_3,
        ),
        (
            "a_sign_out_of_a_migrated_session_needs_its_client_and_its_proof",
            conditions,
        ),
        (
            "a_credential_that_its_session_does_not_list_any_more_ends_nothing",
            dangling,
        ),
    ]
}

/// The tables as version 3 made them, and rows as it wrote them.
const VERSION_3: &str = include_str!("version_3.sql");

fn migrated() -> PostgresStore {
    let server = server();
    let url = server.database();
    let name = url.rsplit('/').next().expect("a name");
    server.sql(name, VERSION_3).expect("an administrator");
    PostgresStore::connect(&url).expect("a store")
}

fn digest(number: u8) -> CredentialDigest {
    CredentialDigest::from_bytes([number; 32])
}

fn by(number: u8, client: Option<&str>, csrf: CsrfProof) -> EndTarget {
    EndTarget::Credential(ByCredential {
        digest: digest(number),
        client: client.map(ClientId::new),
        csrf,
        reach: Reach::Session,
    })
}

fn version_3() {
    let server = server();
    let url = server.database();
    let name = url.rsplit('/').next().expect("a name");
    server.sql(name, VERSION_3).expect("an administrator");
    let start = Barrier::new(2);
    let stores: Vec<PostgresStore> = std::thread::scope(|scope| {
        let (start, url) = (&start, &url);
        let starting: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    start.wait();
                    PostgresStore::connect(url).expect("a store")
                })
            })
            .collect();
        starting
            .into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect()
    });
    let versions = "SELECT count(*), max(version) FROM logout_schema";
    assert_eq!(server.sql(name, versions).as_deref(), Ok("5|5"));
    let functions = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'logout_%'";
    assert_eq!(server.sql(name, functions).as_deref(), Ok("0"));

    let earlier = "SELECT csrf_dues FROM logout_sessions";
    assert!(
        server.sql(name, earlier).is_err(),
        "earlier hubs are refused"
    );

    let store = &stores[1];
    let Ok(Lookup::Live(session, known)) = block_on(store.find(&digest(0x11), NOW)) else {
        panic!("the session is alive");
    };
    assert_eq!(session.id, SessionId::from_bytes([0x01; 16]));
    assert_eq!(session.subject, Subject::new("Default", "alice\0"));
    assert!(known.csrf_due);
    assert_eq!(block_on(store.find(&digest(0x14), NOW)), Ok(Lookup::Ended));

    let page = block_on(store.receipts(None, 1)).expect("the store answers");
    assert_eq!(page.next, Some(ReceiptId::from_bytes([0x0b; 16])));
    let [receipt] = &page.items[..] else {
        panic!("a page of one");
    };
    let ended = |number: u8| {
        let mut ended = logout_core::receipt::EndedSession {
            id: SessionId::from_bytes([number; 16]),
            platform: session.platform.clone(),
            subject: Subject::new("Default", "bob"),
            person: None,
            upstream: true,
        };
        if number == 0x05 {
            ended.subject = Subject::new("Default", "carol\0");
            ended.person = Some(logout_core::session::Person::new("carol@example.com"));
            ended.upstream = false;
        }
        ended
    };
    assert_eq!(
        *receipt,
        Receipt {
            id: ReceiptId::from_bytes([0x0b; 16]),
            at: NOW,
            reason: Reason::Administrator,
            platform: None,
            reach: Reach::Person,
            sessions: vec![ended(0x04), ended(0x05)],
            token: None,
        }
    );
    let older = block_on(store.receipts(page.next, 5)).expect("the store answers");
    assert_eq!((older.items.len(), older.next), (1, None));
    let delivery = block_on(store.delivery(SessionId::from_bytes([0x04; 16])));
    let delivery = delivery.expect("the store answers").expect("is there");
    assert_eq!(delivery.receipt, receipt.id);

    // The ids of these receipts do not say when they were given.
    let until = Timestamp::from_millis(0x0c << 40);
    let swept = block_on(store.sweep(None, 100, NOW, until)).expect("the store answers");
    assert_eq!(swept.next, None);
    let page = block_on(store.receipts(None, 5)).expect("the store answers");
    assert!(page.items.is_empty());
}

fn conditions() {
    let store = migrated();
    let token = |number| CsrfProof::Presented(Some(SecretDigest::from_bytes([number; 32])));
    let (none, right, wrong) = (CsrfProof::Presented(None), token(0x21), token(0x22));
    for (number, (credential, client, csrf, expected)) in (0..).zip([
        (0x11, Some("other"), right, 0),
        (0x11, Some("app"), none, 0),
        (0x11, Some("app"), wrong, 0),
        // This one needs a proof, and its session has no secret.
        (0x13, None, right, 0),
        (0x13, None, none, 0),
        (0x11, Some("app"), right, 1),
        // The other credential of that session.
        (0x12, Some("app"), none, 0),
        (0x13, Some("any"), CsrfProof::NotNeeded, 1),
    ]) {
        let ended = block_on(store.end(order(number, by(credential, client, csrf))));
        assert_eq!(ended.map(|ended| ended.len()), Ok(expected), "{number}");
    }
    assert_eq!(block_on(store.find(&digest(0x12), NOW)), Ok(Lookup::Ended));
}

fn dangling() {
    let store = migrated();
    assert_eq!(
        block_on(store.find(&digest(0x15), NOW)),
        Ok(Lookup::Unknown)
    );
    let ended = block_on(store.end(order(1, by(0x15, None, CsrfProof::NotNeeded))));
    assert_eq!(ended, Ok(Vec::new()));
}
