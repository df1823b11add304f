//! What lies on disk of a delivery.

use logout_core::credential::Sealed;
use logout_core::delivery::{Delivery, DeliveryState, Verification};
use logout_core::platform::PlatformName;
use logout_core::receipt::ReceiptId;
use logout_core::session::{SessionId, Subject};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RecordError, StoredAttempt, decode, encode};

const DELIVERY: u8 = 1;
const WHAT: &str = "delivery";

/// A delivery without its session's id, which is the key. State, faults and verification are words,
/// so that new ones cannot renumber old ones.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct DeliveryRecord<'a> {
    platform: &'a str,
    realm: &'a str,
    name: &'a str,
    receipt: [u8; 16],
    #[serde(borrow)]
    sealed: Option<&'a [u8]>,
    expires: u64,
    created: u64,
    due: u64,
    state: &'a str,
    attempts: u32,
    #[serde(borrow)]
    history: Vec<StoredAttempt<'a>>,
    verified: Option<&'a str>,
}

impl<'a> DeliveryRecord<'a> {
    pub(crate) fn of(delivery: &'a Delivery) -> Self {
        Self {
            platform: delivery.platform.as_str(),
            realm: &delivery.subject.realm,
            name: &delivery.subject.name,
            receipt: *delivery.receipt.as_bytes(),
            sealed: delivery.sealed.as_ref().map(Sealed::as_bytes),
            expires: delivery.expires.as_millis(),
            created: delivery.created.as_millis(),
            due: delivery.due.as_millis(),
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            history: delivery.history.iter().map(StoredAttempt::of).collect(),
            verified: delivery.verified.map(Verification::as_str),
        }
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        decode(WHAT, DELIVERY, bytes)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        encode(WHAT, DELIVERY, self)
    }

    pub(crate) fn to_delivery(&self, session: SessionId) -> Result<Delivery, RecordError> {
        let damaged = RecordError::Damaged(WHAT);
        Ok(Delivery {
            session,
            platform: PlatformName::new(self.platform),
            subject: Subject::new(self.realm, self.name),
            receipt: ReceiptId::from_bytes(self.receipt),
            sealed: self.sealed.map(Sealed::new),
            expires: Timestamp::from_millis(self.expires),
            created: Timestamp::from_millis(self.created),
            due: Timestamp::from_millis(self.due),
            state: DeliveryState::parse(self.state).ok_or(damaged)?,
            attempts: self.attempts,
            history: self
                .history
                .iter()
                .map(StoredAttempt::to_attempt)
                .collect::<Option<_>>()
                .ok_or(damaged)?,
            verified: self
                .verified
                .map(|word| Verification::parse(word).ok_or(damaged))
                .transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use logout_core::delivery::{AttemptAnswer, AttemptRecord};
    use logout_core::upstream::UpstreamError;

    use super::*;
    use crate::record::tests::session;

    fn delivery() -> Delivery {
        Delivery::of(
            &session(),
            ReceiptId::from_bytes([9; 16]),
            Timestamp::from_millis(300),
        )
        .unwrap()
    }

    fn tried() -> Delivery {
        let attempt = |at, answer| AttemptRecord {
            at: Timestamp::from_millis(at),
            answer,
        };
        Delivery {
            due: Timestamp::from_millis(400),
            attempts: 3,
            history: vec![
                attempt(301, AttemptAnswer::Error(UpstreamError::NoConnection)),
                attempt(302, AttemptAnswer::Status(503)),
                attempt(303, AttemptAnswer::Unsealable),
            ],
            ..delivery()
        }
    }

    fn confirmed() -> Delivery {
        Delivery {
            state: DeliveryState::Confirmed,
            sealed: None,
            verified: Some(Verification::Outlived),
            ..tried()
        }
    }

    #[test]
    fn a_delivery_comes_back_as_it_was_written() {
        for delivery in [
            delivery(),
            tried(),
            confirmed(),
            Delivery {
                state: DeliveryState::GivenUp,
                ..tried()
            },
        ] {
            let bytes = DeliveryRecord::of(&delivery).to_bytes().unwrap();
            assert_eq!(
                DeliveryRecord::read(&bytes)
                    .unwrap()
                    .to_delivery(delivery.session),
                Ok(delivery)
            );
        }
    }

    /// A record that was written by the first version of this shape; it must be readable for ever.
    #[test]
    fn a_delivery_written_by_version_one_is_still_read() {
        let mut written = b"\x01\x03cms\x07Default\x05alice".to_vec();
        written.extend_from_slice(&[9; 16]);
        written.extend_from_slice(b"\x00\xf4\x03\xac\x02\x90\x03\x09confirmed\x03\x03");
        written.extend_from_slice(b"\xad\x02\x00\x01\x0dno-connection\xae\x02\x01\xf7\x03\x00\xaf\x02\x00\x00\x01\x08outlived");
        let confirmed = confirmed();
        assert_eq!(DeliveryRecord::of(&confirmed).to_bytes().unwrap(), written);
        assert_eq!(
            DeliveryRecord::read(&written)
                .unwrap()
                .to_delivery(confirmed.session),
            Ok(confirmed)
        );
    }

    #[test]
    fn an_unknown_version_is_told_apart_and_nothing_panics_on_damage() {
        for delivery in [tried(), confirmed()] {
            let mut bytes = DeliveryRecord::of(&delivery).to_bytes().unwrap();
            for length in 0..bytes.len() {
                assert_eq!(
                    DeliveryRecord::read(&bytes[..length]).err(),
                    Some(RecordError::Damaged(WHAT)),
                    "cut to {length}"
                );
            }
            bytes[0] = 77;
            assert_eq!(
                DeliveryRecord::read(&bytes).err(),
                Some(RecordError::UnknownVersion {
                    what: WHAT,
                    version: 77
                })
            );
        }
    }

    #[test]
    fn words_that_nobody_knows_are_damage() {
        let delivery = tried();
        let record = || DeliveryRecord::of(&delivery);
        let attempt = |status, fault| StoredAttempt {
            at: 1,
            status,
            fault,
        };
        let strange = [
            DeliveryRecord {
                state: "forgotten",
                ..record()
            },
            DeliveryRecord {
                verified: Some("perhaps"),
                ..record()
            },
            DeliveryRecord {
                history: vec![attempt(None, Some("bored"))],
                ..record()
            },
            DeliveryRecord {
                history: vec![attempt(Some(200), Some("broken"))],
                ..record()
            },
        ];
        for record in strange {
            assert_eq!(
                record.to_delivery(delivery.session),
                Err(RecordError::Damaged(WHAT)),
                "{record:?}"
            );
        }
    }
}
