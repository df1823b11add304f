//! Sessions and receipts as the admin API shows them: ids and times, never credentials or their digests.

use logout_core::receipt::{Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::Page;
use serde_json::{Value, json};

use crate::index::clock_time;

pub(super) fn sessions(page: &Page<Session, SessionId>) -> Value {
    json!({ "sessions": page.items.iter().map(session).collect::<Vec<_>>(), "next": page.next.map(|id| id.to_string()) })
}

fn session(session: &Session) -> Value {
    json!({
        "id": session.id.to_string(),
        "platform": session.platform.as_str(),
        "realm": session.subject.realm,
        "subject": session.subject.name,
        "person": session.person.as_ref().map(|person| person.as_str()),
        "client": session.client.as_ref().map(|client| client.as_str()),
        "opened": clock_time(session.opened),
        "seen": clock_time(session.seen),
        "expires": clock_time(session.ends_by(session.seen)),
        "address": session.device.address.map(|address| address.to_string()),
        "user_agent": session.device.user_agent,
    })
}

pub(super) fn receipts(page: &Page<Receipt, ReceiptId>) -> Value {
    json!({ "receipts": page.items.iter().map(receipt).collect::<Vec<_>>(), "next": page.next.map(|id| id.to_string()) })
}

pub(super) fn receipt(receipt: &Receipt) -> Value {
    let sessions = receipt.sessions.iter().map(|ended| {
        json!({
            "id": ended.id.to_string(),
            "platform": ended.platform.as_str(),
            "realm": ended.subject.realm,
            "subject": ended.subject.name,
            "person": ended.person.as_ref().map(|person| person.as_str()),
        })
    });
    json!({
        "id": receipt.id.to_string(),
        "at": clock_time(receipt.at),
        "reason": receipt.reason,
        "platform": receipt.platform.as_ref().map(|platform| platform.as_str()),
        "reach": receipt.reach,
        "sessions": sessions.collect::<Vec<_>>(),
    })
}
