//! What housekeeping forgets, and when.

use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::receipt::ReceiptId;
use logout_core::time::Timestamp;

/// The instants of a round of housekeeping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    pub(crate) now: Timestamp,
    /// Receipts and settled deliveries from before are forgotten.
    pub(crate) receipts_until: Timestamp,
}

/// The next step for a delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Forget,
    Keep,
    /// What is sealed in it is erased.
    Unseal,
}

impl Horizon {
    /// Whether a tombstone or a one-time value that expires then is forgotten.
    pub(crate) fn is_over(self, expires: Timestamp) -> bool {
        expires <= self.now
    }

    /// Receipts whose ids are below are forgotten.
    pub(crate) fn first_receipt(self) -> ReceiptId {
        ReceiptId::first_at(self.receipts_until)
    }

    pub(crate) fn fate(self, delivery: &Delivery) -> Fate {
        match delivery.state {
            DeliveryState::Pending => Fate::Keep,
            _ if delivery.created < self.receipts_until => Fate::Forget,
            // Nobody retries what would only open what has expired by itself.
            DeliveryState::GivenUp
                if delivery.sealed.is_some() && self.is_over(delivery.expires) =>
            {
                Fate::Unseal
            }
            DeliveryState::Confirmed | DeliveryState::GivenUp => Fate::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use logout_core::credential::Sealed;
    use logout_core::session::Session;

    use super::*;
    use crate::record::tests::session;

    #[test]
    fn what_is_old_is_forgotten_and_what_was_given_up_and_has_expired_is_erased() {
        let at = Timestamp::from_millis;
        let session = Session {
            expires: at(500),
            sealed: Some(Sealed::new(*b"sealed")),
            ..session()
        };
        let receipt = ReceiptId::from_bytes([9; 16]);
        for (state, now, until, fate) in [
            (DeliveryState::GivenUp, 499, 300, Fate::Keep),
            (DeliveryState::GivenUp, 500, 300, Fate::Unseal),
            (DeliveryState::GivenUp, 500, 301, Fate::Forget),
            (DeliveryState::Confirmed, 500, 301, Fate::Forget),
            (DeliveryState::Pending, 500, 301, Fate::Keep),
        ] {
            let delivery = Delivery {
                state,
                ..Delivery::of(&session, receipt, at(300)).unwrap()
            };
            let horizon = Horizon {
                now: at(now),
                receipts_until: at(until),
            };
            assert_eq!(horizon.fate(&delivery), fate, "{state:?}");
        }
    }
}
