//! Sign-outs by what was presented, as the statements for them take it.

use logout_core::credential::SecretDigest;
use logout_core::platform::PlatformName;
use logout_core::receipt::Reach;
use logout_core::session::ClientId;
use logout_core::sign_out::CsrfProof;
use logout_core::store::{ByCredential, EndOrder, EndTarget};
use uuid::Uuid;

use super::link::{Params, params};
use super::row;

/// How an order by credentials can be carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// One credential, and no more than the session that it opens: `statements::END_OPENED`.
    Narrow,
    /// By `logout_end_opened_1`.
    Wide,
}

/// The way of `order`; `None` where it names sessions otherwise.
pub(super) fn way(order: &EndOrder) -> Option<Way> {
    match order.targets.as_slice() {
        [EndTarget::Credential(by)] if by.reach == Reach::Session => Some(Way::Narrow),
        targets => targets
            .iter()
            .all(|target| matches!(target, EndTarget::Credential(_)))
            .then_some(Way::Wide),
    }
}

/// List by list: five of orders, and as many as there are credentials of these.
#[derive(Default)]
pub(super) struct PresentedOrders {
    receipts: Vec<Uuid>,
    ats: Vec<i64>,
    reasons: Vec<&'static str>,
    platforms: Vec<Option<String>>,
    reaches: Vec<&'static str>,
    orders: Vec<i32>,
    digests: Vec<[u8; 32]>,
    clients: Vec<Option<String>>,
    proofs: Vec<i32>,
    tokens: Vec<Option<[u8; 32]>>,
    widths: Vec<i32>,
}

impl PresentedOrders {
    pub(super) fn of<'a>(orders: impl IntoIterator<Item = &'a EndOrder>) -> Self {
        let mut lists = Self::default();
        for (number, order) in (1..).zip(orders) {
            lists.receipts.push(row::uuid(order.receipt.as_bytes()));
            lists.ats.push(row::millis(order.at));
            lists.reasons.push(order.reason.as_str());
            lists.platforms.push(
                order
                    .platform
                    .as_ref()
                    .map(PlatformName::as_str)
                    .map(row::text),
            );
            lists.reaches.push(order.reach.as_str());
            for target in &order.targets {
                if let EndTarget::Credential(by) = target {
                    lists.push(number, by);
                }
            }
        }
        lists
    }

    fn push(&mut self, number: i32, by: &ByCredential) {
        self.orders.push(number);
        self.digests.push(*by.digest.as_bytes());
        self.clients
            .push(by.client.as_ref().map(ClientId::as_str).map(row::text));
        let (proof, token) = match &by.csrf {
            CsrfProof::NotNeeded => (0, None),
            CsrfProof::Presented(token) => (
                1 + i32::from(token.is_some()),
                token.as_ref().map(SecretDigest::as_bytes).copied(),
            ),
        };
        self.proofs.push(proof);
        self.tokens.push(token);
        self.widths.push(match by.reach {
            Reach::Session => 0,
            Reach::SignOn => 1,
            Reach::Subject => 2,
            Reach::Person => 3,
        });
    }

    pub(super) fn into_params(self, way: Way) -> Params {
        let digests: Vec<Vec<u8>> = self.digests.iter().map(|digest| digest.to_vec()).collect();
        let tokens: Vec<Option<Vec<u8>>> = self
            .tokens
            .iter()
            .map(|token| token.map(|token| token.to_vec()))
            .collect();
        let mut params = params![
            self.receipts,
            self.ats,
            self.reasons,
            self.platforms,
            self.reaches
        ];
        match way {
            Way::Narrow => params.extend(params![digests, self.clients, self.proofs, tokens]),
            Way::Wide => params.extend(params![
                self.orders,
                digests,
                self.clients,
                self.proofs,
                tokens,
                self.widths
            ]),
        }
        params
    }
}

#[cfg(test)]
mod tests {
    use logout_core::credential::CredentialDigest;
    use logout_core::receipt::{Reason, ReceiptId};
    use logout_core::session::SessionId;
    use logout_core::time::Timestamp;

    use super::*;

    #[test]
    fn the_way_follows_from_what_an_order_names() {
        let by = |reach| {
            let digest = CredentialDigest::from_bytes([1; 32]);
            EndTarget::Credential(ByCredential {
                digest,
                client: None,
                csrf: CsrfProof::NotNeeded,
                reach,
            })
        };
        let named = || EndTarget::Session(SessionId::from_bytes([1; 16]));
        for (targets, expected) in [
            (vec![by(Reach::Session)], Some(Way::Narrow)),
            (vec![by(Reach::SignOn)], Some(Way::Wide)),
            (
                vec![by(Reach::Session), by(Reach::Session)],
                Some(Way::Wide),
            ),
            (vec![named()], None),
            (vec![by(Reach::Session), named()], None),
        ] {
            let at = Timestamp::from_millis(1);
            let order = EndOrder {
                receipt: ReceiptId::at(at),
                at,
                reason: Reason::User,
                platform: None,
                reach: Reach::Session,
                targets,
            };
            assert_eq!(way(&order), expected, "{:?}", order.targets);
        }
    }
}
