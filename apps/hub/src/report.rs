//! A receipt together with what has become of its deliveries.

use std::sync::Arc;

use logout_core::authority::Services;
use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::outbox::Outbox;
use logout_core::receipt::{EndedSession, Reason, Receipt, ReceiptId};
use logout_core::relying_party::RelyingParty;
use logout_core::store::StoreUnavailable;

/// A receipt and, for each session that has an upstream, its delivery.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The record of the sign-out.
    pub(crate) receipt: Receipt,
    /// In the order of `receipt.sessions`; absent where no upstream is told.
    pub(crate) deliveries: Vec<Option<Delivery>>,
    /// The relying parties of today.
    pub(crate) relying_parties: Arc<[RelyingParty]>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Channel {
    /// A browser is asked to load an address there. Nothing confirms that.
    Browser,
    /// In the hub.
    Hub,
    /// A relying party is told.
    RelyingParty,
    /// A product is told.
    Upstream,
}

impl Channel {
    /// Its word in the admin API. Never changes for a given channel.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Hub => "hub",
            Self::RelyingParty => "relying-party",
            Self::Upstream => "upstream",
        }
    }
}

impl Report {
    /// Reads it; `None` when there is no such receipt.
    ///
    /// # Errors
    /// The store did not answer.
    pub(crate) async fn read(
        services: &Services,
        outbox: &dyn Outbox,
        id: ReceiptId,
    ) -> Result<Option<Self>, StoreUnavailable> {
        match services.store.receipt(id).await? {
            Some(receipt) => Ok(Self::of_all(vec![receipt], services, outbox).await?.pop()),
            None => Ok(None),
        }
    }

    /// Reads the deliveries of all `receipts` in one query.
    ///
    /// # Errors
    /// The store did not answer.
    pub(crate) async fn of_all(
        receipts: Vec<Receipt>,
        services: &Services,
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
                relying_parties: Arc::clone(&services.relying_parties),
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

    /// How `session` ended.
    pub(crate) fn channel(&self, session: &EndedSession) -> Channel {
        let mut parties = self.relying_parties.iter();
        match (
            parties.find(|party| party.name == session.platform),
            session.upstream,
        ) {
            (Some(_), true) => Channel::RelyingParty,
            (Some(_), false) => Channel::Browser,
            (None, true) => Channel::Upstream,
            (None, false) => Channel::Hub,
        }
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
