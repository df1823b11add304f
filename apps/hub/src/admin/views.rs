//! Sessions, receipts and deliveries as the admin API shows them: ids and times, never credentials
//! or their digests.

use logout_core::delivery::{AttemptAnswer, AttemptRecord, Delivery, Verification};
use logout_core::receipt::{EndedSession, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::Page;
use serde_json::{Value, json};

use crate::index::clock_time;
use crate::report::{Report, reason_of};

pub(super) fn sessions(page: &Page<Session, SessionId>) -> Value {
    json!({ "sessions": page.items.iter().map(session).collect::<Vec<_>>(), "next": page.next.map(|id| id.to_string()) })
}

pub(super) fn session(session: &Session) -> Value {
    json!({
        "id": session.id.to_string(),
        "platform": session.platform.as_str(),
        "realm": session.subject.realm,
        "subject": session.subject.name,
        "person": session.person.as_ref().map(|person| person.as_str()),
        "idp": session.idp,
        "client": session.client.as_ref().map(|client| client.as_str()),
        "upstream": session.sealed.is_some(),
        "opened": clock_time(session.opened),
        "seen": clock_time(session.seen),
        "expires": clock_time(session.ends_by(session.seen)),
        "address": session.device.address.map(|address| address.to_string()),
        "user_agent": session.device.user_agent,
    })
}

/// What an order ended, at that moment: no upstream has been told yet.
pub(super) fn ended(receipt: ReceiptId, ended: &[EndedSession]) -> Value {
    let deliveries = ended.iter().filter(|session| session.upstream).count();
    json!({ "receipt": receipt.to_string(), "ended": ended.len(), "deliveries": deliveries, "settled": 0 })
}

/// There was nothing to end, so nothing was written.
pub(super) fn nothing_ended() -> Value {
    json!({ "receipt": null, "ended": 0, "deliveries": 0, "settled": 0 })
}

pub(super) fn receipts(reports: &[Report], next: Option<ReceiptId>) -> Value {
    json!({ "receipts": reports.iter().map(receipt).collect::<Vec<_>>(), "next": next.map(|id| id.to_string()) })
}

pub(super) fn receipt(report: &Report) -> Value {
    let receipt = &report.receipt;
    let sessions: Vec<Value> = report
        .rows()
        .map(|(session, delivery)| ended_session(report, session, delivery))
        .collect();
    let (deliveries, settled) = report.progress();
    json!({
        "id": receipt.id.to_string(),
        "at": clock_time(receipt.at),
        "reason": receipt.reason,
        "platform": receipt.platform.as_ref().map(|platform| platform.as_str()),
        "reach": receipt.reach,
        "token": receipt.token,
        "progress": { "deliveries": deliveries, "settled": settled },
        "sessions": sessions,
    })
}

fn ended_session(report: &Report, session: &EndedSession, delivery: Option<&Delivery>) -> Value {
    json!({
        "id": session.id.to_string(),
        "platform": session.platform.as_str(),
        "realm": session.subject.realm,
        "subject": session.subject.name,
        "person": session.person.as_ref().map(|person| person.as_str()),
        "reason": reason_of(session, &report.receipt),
        "channel": report.channel(session).as_str(),
        "delivery": delivery.map(progress),
    })
}

pub(super) fn deliveries(page: &Page<Delivery, SessionId>) -> Value {
    json!({ "deliveries": page.items.iter().map(delivery).collect::<Vec<_>>(), "next": page.next.map(|id| id.to_string()) })
}

/// A delivery by itself: it has the id of its session.
pub(super) fn delivery(delivery: &Delivery) -> Value {
    let mut view = progress(delivery);
    view["id"] = delivery.session.to_string().into();
    view["platform"] = delivery.platform.as_str().into();
    view["realm"] = json!(delivery.subject.realm);
    view["subject"] = json!(delivery.subject.name);
    view["receipt"] = delivery.receipt.to_string().into();
    view
}

fn progress(delivery: &Delivery) -> Value {
    json!({
        "state": delivery.state.as_str(),
        "created": clock_time(delivery.created),
        "due": clock_time(delivery.due),
        "attempts": delivery.attempts,
        "verified": delivery.verified.map(Verification::as_str),
        "history": delivery.history.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(attempt: &AttemptRecord) -> Value {
    let (status, fault) = match attempt.answer {
        AttemptAnswer::Error(fault) => (None, Some(fault.as_str())),
        AttemptAnswer::Status(status) => (Some(status), None),
        AttemptAnswer::Unsealable => (None, Some("unsealable")),
    };
    json!({ "at": clock_time(attempt.at), "status": status, "fault": fault })
}
