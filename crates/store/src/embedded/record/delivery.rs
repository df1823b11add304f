//! What lies on disk of a delivery.

use logout_core::credential::Sealed;
use logout_core::delivery::{Delivery, DeliveryState, Verification};
use logout_core::platform::PlatformName;
use logout_core::receipt::ReceiptId;
use logout_core::session::{SessionId, Subject};
use logout_core::store::EndOrder;
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RecordError, SessionRecord, decode, encode};
use crate::attempt::AttemptRecord;

const DELIVERY: u8 = 1;
const WHAT: &str = "delivery";

/// A delivery without its session's id, which is the key. State, faults and verification are words,
/// so that new ones cannot renumber old ones.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::embedded) struct DeliveryRecord<'a> {
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
    history: Vec<AttemptRecord<'a>>,
    verified: Option<&'a str>,
}

impl<'a> DeliveryRecord<'a> {
    pub(in crate::embedded) fn of(delivery: &'a Delivery) -> Self {
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
            history: delivery.history.iter().map(AttemptRecord::of).collect(),
            verified: delivery.verified.map(Verification::as_str),
        }
    }

    /// As `Delivery::of`, from the session's record.
    pub(in crate::embedded) fn of_ended(
        session: &SessionRecord<'a>,
        order: &EndOrder,
    ) -> Option<Self> {
        Some(Self {
            platform: session.platform,
            realm: session.realm,
            name: session.name,
            receipt: *order.receipt.as_bytes(),
            sealed: Some(session.sealed?),
            expires: session.expires,
            created: order.at.as_millis(),
            due: order.at.as_millis(),
            state: DeliveryState::Pending.as_str(),
            attempts: 0,
            history: Vec::new(),
            verified: None,
        })
    }

    pub(in crate::embedded) fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        decode(WHAT, DELIVERY, bytes)
    }

    pub(in crate::embedded) fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        encode(WHAT, DELIVERY, self)
    }

    pub(in crate::embedded) fn platform(&self) -> &'a str {
        self.platform
    }

    pub(in crate::embedded) fn due(&self) -> Timestamp {
        Timestamp::from_millis(self.due)
    }

    /// What housekeeping is to do with it, if it is settled.
    pub(in crate::embedded) fn fate(&self, now: Timestamp, until: Timestamp) -> Fate {
        if self.created < until.as_millis() {
            Fate::Forget
        } else if self.state == DeliveryState::GivenUp.as_str()
            && self.sealed.is_some()
            && self.expires <= now.as_millis()
        {
            Fate::Unseal
        } else {
            Fate::Keep
        }
    }

    /// Without what was sealed.
    pub(in crate::embedded) fn unsealed(self) -> Self {
        Self {
            sealed: None,
            ..self
        }
    }

    pub(in crate::embedded) fn to_delivery(
        &self,
        session: SessionId,
    ) -> Result<Delivery, RecordError> {
        let damaged = RecordError::Damaged(WHAT);
        Ok(Delivery {
            session,
            platform: PlatformName::new(self.platform),
            subject: Subject::new(self.realm, self.name),
            receipt: ReceiptId::from_bytes(self.receipt),
            sealed: self.sealed.map(Sealed::new),
            expires: Timestamp::from_millis(self.expires),
            created: Timestamp::from_millis(self.created),
            due: self.due(),
            state: DeliveryState::parse(self.state).ok_or(damaged)?,
            attempts: self.attempts,
            history: self
                .history
                .iter()
                .map(AttemptRecord::to_attempt)
                .collect::<Option<_>>()
                .ok_or(damaged)?,
            verified: self
                .verified
                .map(|word| Verification::parse(word).ok_or(damaged))
                .transpose()?,
        })
    }
}

/// What becomes of a settled delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::embedded) enum Fate {
    Forget,
    Keep,
    Unseal,
}

#[cfg(test)]
mod tests {
    use logout_core::delivery::{Attempt, AttemptAnswer};
    use logout_core::upstream::UpstreamError;

    use super::*;
    use crate::embedded::record::tests::session;
    use logout_core::receipt::{Reach, Reason};
    use logout_core::session::Session;

    fn order() -> EndOrder {
        EndOrder {
            receipt: ReceiptId::from_bytes([9; 16]),
            at: Timestamp::from_millis(300),
            reason: Reason::User,
            platform: None,
            reach: Reach::Session,
            targets: Vec::new(),
        }
    }

    fn delivery() -> Delivery {
        Delivery::of(&session(), order().receipt, order().at).unwrap()
    }

    fn tried() -> Delivery {
        let attempt = |at, answer| Attempt {
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

    #[test]
    fn ending_a_session_s_record_calls_for_the_same_delivery_as_ending_the_session() {
        let without = Session {
            sealed: None,
            ..session()
        };
        for session in [session(), without] {
            let of_record = DeliveryRecord::of_ended(&SessionRecord::of(&session), &order());
            let of_record = of_record.map(|record| record.to_delivery(session.id).unwrap());
            assert_eq!(
                of_record,
                Delivery::of(&session, order().receipt, order().at)
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
        let attempt = |status, fault| AttemptRecord {
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

    #[test]
    fn housekeeping_forgets_what_is_old_and_unseals_what_was_given_up_and_has_expired() {
        let at = Timestamp::from_millis;
        let given_up = Delivery {
            state: DeliveryState::GivenUp,
            ..tried()
        };
        for (delivery, now, until, fate) in [
            (&given_up, 499, 300, Fate::Keep),
            (&given_up, 500, 300, Fate::Unseal),
            (&given_up, 500, 301, Fate::Forget),
            (&confirmed(), 500, 300, Fate::Keep),
            (&confirmed(), 500, 301, Fate::Forget),
        ] {
            let record = DeliveryRecord::of(delivery);
            assert_eq!(record.fate(at(now), at(until)), fate);
            assert_eq!(record.unsealed().fate(at(now), at(300)), Fate::Keep);
        }
    }
}
