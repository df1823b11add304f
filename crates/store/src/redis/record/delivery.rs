//! Delivery records. `lua/end.lua` puts a new one together from [`head`] and [`tail`].

use logout_core::credential::Sealed;
use logout_core::delivery::{Delivery, DeliveryState, Verification};
use logout_core::platform::PlatformName;
use logout_core::receipt::ReceiptId;
use logout_core::session::{SessionId, Subject};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::reader::Reader;
use super::{RecordError, put_instant, put_text, read_subject, subject_key};
use crate::record::StoredAttempt;
use crate::rules::OutboxRow;

const DELIVERY: u8 = 1;
/// Bytes of an instant.
const EXPIRY: usize = 8;
const DAMAGED: RecordError = RecordError::Damaged("delivery");

/// The attempts; absent until the first.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Story<'a> {
    attempts: u32,
    #[serde(borrow)]
    history: Vec<StoredAttempt<'a>>,
    verified: Option<&'a str>,
}

/// The part of a record before the receipt, without the expiry in [`tail`].
pub(super) fn head(
    lease: u64,
    state: DeliveryState,
    due: Timestamp,
    created: Timestamp,
) -> Vec<u8> {
    let mut bytes = vec![DELIVERY];
    bytes.extend_from_slice(&lease.to_be_bytes());
    bytes.push(match state {
        DeliveryState::Pending => 0,
        DeliveryState::Confirmed => 1,
        DeliveryState::GivenUp => 2,
    });
    put_instant(&mut bytes, due);
    put_instant(&mut bytes, created);
    bytes
}

/// The part that is known while the session lives. The receipt's id goes behind the first
/// [`EXPIRY`] bytes.
pub(super) fn tail(
    expires: Timestamp,
    platform: &PlatformName,
    subject: &Subject,
    sealed: Option<&Sealed>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_instant(&mut bytes, expires);
    put_text(&mut bytes, &subject_key(platform, subject));
    bytes.push(u8::from(sealed.is_some()));
    put_text(&mut bytes, sealed.map_or(&[], Sealed::as_bytes));
    bytes
}

/// What a session's tail has sealed.
pub(super) fn read_tail(bytes: &[u8]) -> Result<Option<Sealed>, RecordError> {
    let mut reader = Reader::bare("session", bytes);
    reader.instant()?;
    reader.text()?;
    read_sealed(&mut reader)
}

fn read_sealed(reader: &mut Reader<'_>) -> Result<Option<Sealed>, RecordError> {
    let has_sealed = reader.flag()?;
    let sealed = Sealed::new(reader.text()?);
    Ok(has_sealed.then_some(sealed))
}

/// A delivery without its session's id, which is in the key.
pub(in crate::redis) fn delivery(row: &OutboxRow) -> Result<Vec<u8>, RecordError> {
    let delivery = &row.delivery;
    let tail = tail(
        delivery.expires,
        &delivery.platform,
        &delivery.subject,
        delivery.sealed.as_ref(),
    );
    let mut bytes = head(row.lease, delivery.state, delivery.due, delivery.created);
    bytes.extend_from_slice(&tail[..EXPIRY]);
    bytes.extend_from_slice(delivery.receipt.as_bytes());
    bytes.extend_from_slice(&tail[EXPIRY..]);
    let story = Story {
        attempts: delivery.attempts,
        history: delivery.history.iter().map(StoredAttempt::of).collect(),
        verified: delivery.verified.map(Verification::as_str),
    };
    postcard::to_extend(&story, bytes).map_err(|_| DAMAGED)
}

/// The delivery of a record, as one that nobody holds: only the queue knows until when it is
/// leased.
pub(in crate::redis) fn read_delivery(
    session: SessionId,
    bytes: &[u8],
) -> Result<OutboxRow, RecordError> {
    let mut reader = Reader::of("delivery", DELIVERY, bytes)?;
    let lease = reader.number()?;
    let state = match reader.byte()? {
        0 => DeliveryState::Pending,
        1 => DeliveryState::Confirmed,
        2 => DeliveryState::GivenUp,
        _ => return Err(DAMAGED),
    };
    let (due, created, expires) = (reader.instant()?, reader.instant()?, reader.instant()?);
    let receipt = ReceiptId::from_bytes(reader.array()?);
    let (platform, subject) = read_subject(&mut reader.inner()?)?;
    let sealed = read_sealed(&mut reader)?;
    let story: Story<'_> = if reader.is_empty() {
        Story::default()
    } else {
        postcard::from_bytes(reader.rest()).map_err(|_| DAMAGED)?
    };
    let history = story.history.iter().map(StoredAttempt::to_attempt);
    let verified = story
        .verified
        .map(|word| Verification::parse(word).ok_or(DAMAGED));
    let delivery = Delivery {
        session,
        platform,
        subject,
        receipt,
        sealed,
        expires,
        created,
        due,
        state,
        attempts: story.attempts,
        history: history.collect::<Option<_>>().ok_or(DAMAGED)?,
        verified: verified.transpose()?,
    };
    Ok(OutboxRow {
        lease,
        ..OutboxRow::new(delivery)
    })
}

#[cfg(test)]
mod tests {
    use logout_core::delivery::{AttemptAnswer, AttemptRecord};
    use logout_core::upstream::UpstreamError;

    use super::*;
    use crate::redis::record::tests::full_session;

    fn row() -> OutboxRow {
        let delivery = Delivery::of(
            &full_session(),
            ReceiptId::from_bytes([9; 16]),
            Timestamp::from_millis(300),
        )
        .unwrap();
        let at = Timestamp::from_millis;
        let attempt = |number, answer| AttemptRecord {
            at: at(number),
            answer,
        };
        let history = vec![
            attempt(301, AttemptAnswer::Error(UpstreamError::NoConnection)),
            attempt(302, AttemptAnswer::Status(503)),
            attempt(303, AttemptAnswer::Unsealable),
        ];
        OutboxRow {
            lease: 4,
            ..OutboxRow::new(Delivery {
                expires: at(500),
                attempts: 3,
                history,
                ..delivery
            })
        }
    }

    #[test]
    fn a_delivery_comes_back_as_it_was_written() {
        let tried = row();
        let confirmed = Delivery {
            state: DeliveryState::Confirmed,
            sealed: None,
            verified: Some(Verification::Outlived),
            ..tried.delivery.clone()
        };
        for row in [
            tried.clone(),
            OutboxRow {
                lease: u64::MAX,
                ..OutboxRow::new(confirmed)
            },
        ] {
            let bytes = super::delivery(&row).unwrap();
            assert_eq!(read_delivery(row.delivery.session, &bytes), Ok(row.clone()));
        }
    }

    #[test]
    fn a_delivery_that_is_damaged_is_a_fault_and_never_a_panic() {
        let row = row();
        let mut bytes = super::delivery(&row).unwrap();
        for length in 0..bytes.len() {
            // Cut right before its story it is one that nobody tried yet.
            let cut = read_delivery(row.delivery.session, &bytes[..length]);
            assert!(
                cut == Err(DAMAGED) || cut.is_ok_and(|cut| cut.delivery.history.is_empty()),
                "cut to {length}"
            );
        }
        bytes[0] = 77;
        let newer = RecordError::Newer("delivery", 77);
        assert_eq!(read_delivery(row.delivery.session, &bytes), Err(newer));
    }
}
