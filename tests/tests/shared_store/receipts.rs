//! What reading receipts costs the engine.

use std::time::Duration;

use futures_executor::block_on;
use logout_core::credential::{Credential, CredentialDigest, Sealed, random_bytes};
use logout_core::receipt::ReceiptId;
use logout_core::session::{Session, SessionId};
use logout_core::store::{EndOrder, EndTarget, Join, OpenOutcome};
use logout_identity::ReceiptSecrets;
use logout_tests::http::Request;
use logout_tests::hub::TestHub;
use serde_json::Value;

use crate::Engine;
use crate::sessions::{order, session_of};
use logout_tests::front::{admin, platform};

const SESSIONS: u32 = 1_000;
/// Receipts besides, of two sessions each.
const OTHERS: u32 = 20;
/// What the hub may ask by itself in the meantime: what is due, what has expired, whether the
/// engine is well.
const BESIDES: u64 = 30;

/// Opens `count` sessions of one person, to whose upstream nobody delivers, and ends them.
fn ended(hub: &TestHub, person: u32, count: u32) -> ReceiptId {
    let services = hub.services();
    let now = services.clock.now();
    let expires = now.plus(Duration::from_secs(3_600));
    let credential = || Credential {
        digest: CredentialDigest::from_bytes(random_bytes()),
        expires,
        csrf_due: false,
    };
    for _ in 0..count {
        let own = session_of(person, person);
        let (id, credentials) = (SessionId::at(now), vec![credential()]);
        let session = Session {
            id,
            credentials,
            sign_on: None,
            opened: now,
            seen: now,
            expires,
            sealed: Some(Sealed::new(*b"x")),
            ..own
        };
        assert_eq!(
            block_on(services.store.open(session, Join::Always, now)),
            Ok(OpenOutcome::Opened)
        );
    }
    let person = session_of(person, person).person.unwrap();
    let order = EndOrder {
        receipt: ReceiptId::at(now),
        at: now,
        ..order(0, EndTarget::Person(person))
    };
    let receipt = order.receipt;
    assert_eq!(
        block_on(services.store.end(order)).unwrap().len(),
        usize::try_from(count).unwrap()
    );
    receipt
}

/// Not one for each session: a thousand of them would show beside what the hub asks by itself.
pub(crate) fn a_receipt_of_a_thousand_sessions_is_one_query_and_so_is_a_page_of_receipts<
    E: Engine,
>() {
    let engine = E::start();
    let hub =
        TestHub::on_store(&engine.url(), &platform("hcl-dx", "http://127.0.0.1:9", "")).unwrap();
    let receipt = ended(&hub, 0, SESSIONS);
    for person in 1..=OTHERS {
        ended(&hub, person, 2);
    }
    engine.asked();
    let counted = |what: &str, ask: &dyn Fn() -> logout_tests::http::Answer| {
        let before = engine.asked();
        let answer = ask();
        let asked = engine.asked() - before;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        // One for the receipts, one for all their deliveries.
        assert!(
            (2..=2 + BESIDES).contains(&asked),
            "{what} took {asked} queries"
        );
        answer
    };
    let pending = |receipt: &Value| {
        let sessions = receipt["sessions"].as_array().unwrap();
        sessions
            .iter()
            .filter(|session| session["delivery"]["state"] == "pending")
            .count()
    };
    let shown = counted("a receipt", &|| {
        admin(&hub, Request::get(&format!("/api/receipts/{receipt}")))
    });
    assert_eq!(pending(&shown.json()), 1_000);
    let page = counted("a page of receipts", &|| {
        admin(&hub, Request::get("/api/receipts?limit=100"))
    })
    .json();
    let receipts = page["receipts"].as_array().unwrap();
    assert_eq!(
        (receipts.len(), receipts.iter().map(pending).sum::<usize>()),
        (21, 1_040)
    );
    let secrets = block_on(ReceiptSecrets::load(&*hub.services().store)).unwrap();
    let person = counted("the person's page", &|| {
        Request::get(&format!("/receipts/{}", secrets.secret(receipt))).send(hub.address())
    });
    assert_eq!(person.text().matches("told to the platform").count(), 1_000);
}
