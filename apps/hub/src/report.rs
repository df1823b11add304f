//! A receipt together with what has become of its deliveries.

use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::outbox::Outbox;
use logout_core::receipt::{EndedSession, Reason, Receipt, ReceiptId};
use logout_core::store::{SessionStore, StoreUnavailable};

/// A receipt and, for each session that has an upstream, its delivery.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The record of the sign-out.
    pub(crate) receipt: Receipt,
    /// In the order of `receipt.sessions`; absent where no upstream is told.
    pub(crate) deliveries: Vec<Option<Delivery>>,
}

impl Report {
    /// Reads it; `None` when there is no such receipt.
    ///
    /// # Errors
    /// The store did not answer.
    pub(crate) async fn read(
        store: &dyn SessionStore,
        outbox: &dyn Outbox,
        id: ReceiptId,
    ) -> Result<Option<Self>, StoreUnavailable> {
        match store.receipt(id).await? {
            Some(receipt) => Ok(Self::of_all(vec![receipt], outbox).await?.pop()),
            None => Ok(None),
        }
    }

    /// Reads the deliveries of all `receipts` in one query.
    ///
    /// # Errors
    /// The store did not answer.
    pub(crate) async fn of_all(
        receipts: Vec<Receipt>,
        outbox: &dyn Outbox,
    ) -> Result<Vec<Self>, StoreUnavailable> {
        let told: Vec<_> = receipts
            .iter()
            .flat_map(|receipt| &receipt.sessions)
            .filter(|session| session.upstream)
            .collect();
        let mut found = if told.is_empty() {
            Vec::new()
        } else {
            outbox.deliveries_of(&told).await?
        }
        .into_iter();
        let report = |receipt: Receipt| {
            let deliveries = receipt
                .sessions
                .iter()
                .map(|session| {
                    if session.upstream {
                        found.next().flatten()
                    } else {
                        None
                    }
                })
                .collect();
            Self {
                receipt,
                deliveries,
            }
        };
        Ok(receipts.into_iter().map(report).collect())
    }

    /// Each session that ended, with its delivery.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&EndedSession, Option<&Delivery>)> {
        self.receipt
            .sessions
            .iter()
            .zip(self.deliveries.iter().map(Option::as_ref))
    }

    /// How many upstreams are to be told, and how many of them confirmed or were given up.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let told = self
            .receipt
            .sessions
            .iter()
            .filter(|session| session.upstream)
            .count();
        let pending = self
            .deliveries
            .iter()
            .flatten()
            .filter(|delivery| delivery.state == DeliveryState::Pending)
            .count();
        (told, told - pending)
    }

    /// Whether nothing is still to be told.
    pub(crate) fn is_settled(&self) -> bool {
        let (told, settled) = self.progress();
        told == settled
    }
}

/// Why `session` ended, in the words of a receipt: what ended the whole, or that its person signed
/// out elsewhere.
pub(crate) fn reason_of(session: &EndedSession, receipt: &Receipt) -> &'static str {
    match &receipt.platform {
        Some(asked) if receipt.reason == Reason::User && *asked != session.platform => {
            "another-platform"
        }
        _ => receipt.reason.as_str(),
    }
}
