//! Rows and pages of receipts.

use logout_core::credential::Sealed;
use logout_core::delivery::{AttemptRecord, Outcome, Settlement};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{SessionId, Subject};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamError;

use super::*;

fn session(upstream: bool) -> EndedSession {
    let subject = Subject::new("Default", "alice");
    EndedSession {
        id: SessionId::at(Timestamp::default()),
        platform: PlatformName::new("cms"),
        subject,
        person: None,
        upstream,
    }
}

fn delivery(session: &EndedSession, answer: AttemptAnswer, outcome: Outcome) -> Delivery {
    let mut delivery = Delivery {
        session: session.id,
        platform: session.platform.clone(),
        subject: session.subject.clone(),
        receipt: ReceiptId::at(Timestamp::default()),
        sealed: Some(Sealed::new(*b"x")),
        expires: Timestamp::default(),
        created: Timestamp::default(),
        due: Timestamp::default(),
        state: DeliveryState::Pending,
        attempts: 0,
        history: Vec::new(),
        verified: None,
    };
    delivery.settle(&Settlement {
        attempt: Some(AttemptRecord {
            at: Timestamp::default(),
            answer,
        }),
        outcome,
    });
    delivery
}

#[test]
fn every_end_of_a_delivery_has_its_words() {
    let (told, own) = (session(true), session(false));
    let again = Outcome::Again {
        due: Timestamp::default(),
    };
    let confirmed = |verified| Outcome::Confirmed { verified };
    for (answer, outcome, words) in [
        (
            AttemptAnswer::Error(UpstreamError::Timeout),
            again,
            ("no answer in time", "pending", "–", "waits"),
        ),
        (
            AttemptAnswer::Unsealable,
            Outcome::GivenUp,
            ("nothing could be sent", "given up", "–", "bad"),
        ),
        (
            AttemptAnswer::Status(200),
            confirmed(None),
            ("HTTP 200", "confirmed", "–", "good"),
        ),
        (
            AttemptAnswer::Status(302),
            confirmed(Some(Verification::Dead)),
            ("HTTP 302", "confirmed", "verified dead", "good"),
        ),
        (
            AttemptAnswer::Status(200),
            confirmed(Some(Verification::Unknown)),
            ("HTTP 200", "confirmed", "cannot be verified", "good"),
        ),
        (
            AttemptAnswer::Status(200),
            confirmed(Some(Verification::Outlived)),
            (
                "HTTP 200",
                "confirmed",
                "outlived: still alive there",
                "bad",
            ),
        ),
    ] {
        let row = Row::of(&told, Some(&delivery(&told, answer, outcome)));
        assert_eq!(
            (row.answer.as_str(), row.state, row.verified, row.mood),
            words
        );
        assert_eq!(
            (row.channel, row.attempts.as_str()),
            ("told to the platform", "1")
        );
    }
    let row = Row::of(&own, None);
    assert_eq!(
        (row.channel, row.state, row.attempts.as_str()),
        ("ended in the hub", "confirmed", "–")
    );
    assert_eq!(Row::of(&told, None).state, "no longer known");
}

#[test]
fn a_page_loads_itself_again_only_while_something_is_pending() {
    let told = session(true);
    let receipt = Receipt {
        id: ReceiptId::at(Timestamp::default()),
        at: Timestamp::default(),
        reason: Reason::User,
        platform: None,
        reach: Reach::Person,
        sessions: vec![told.clone()],
        token: None,
    };
    for (outcome, reloads) in [
        (
            Outcome::Again {
                due: Timestamp::default(),
            },
            true,
        ),
        (Outcome::GivenUp, false),
    ] {
        let deliveries = vec![Some(delivery(&told, AttemptAnswer::Status(500), outcome))];
        let html = Shown::of(
            &Report {
                receipt: receipt.clone(),
                deliveries,
                relying_parties: Arc::default(),
            },
            &FrontChannels::default(),
            None,
            false,
        )
        .render()
        .unwrap();
        assert_eq!(html.contains("http-equiv=\"refresh\""), reloads, "{html}");
        assert!(
            !html.contains("alice")
                && !html.contains(&told.id.to_string())
                && !html.contains("<a "),
            "{html}"
        );
    }
}
