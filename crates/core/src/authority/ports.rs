//! What all platforms of a hub share.

use std::sync::Arc;

use super::relying_parties::OfLogin;
use crate::idp::IdpLogin;
use crate::ports::{Accounts, Clock, Deliveries, NoDeliveries, ReceiptPages, Seal, Tokens};
use crate::receipt::{EndedSession, Reach, Reason, ReceiptId};
use crate::relying_party::RelyingParty;
use crate::session::Session;
use crate::store::{EndOrder, EndTarget, SessionStore, StoreUnavailable};

/// What all platforms of a hub share.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Services {
    /// Names and passwords of stand-ins.
    pub accounts: Arc<dyn Accounts>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where sessions live.
    pub store: Arc<dyn SessionStore>,
    /// The tokens of stand-ins.
    pub tokens: Arc<dyn Tokens>,
    /// Carries sign-outs to upstreams.
    pub deliveries: Arc<dyn Deliveries>,
    /// Encrypts what upstreams must be given back; absent where no platform has an upstream.
    pub seal: Option<Arc<dyn Seal>>,
    /// Where somebody sees their own sign-out, where that is offered.
    pub receipt_pages: Option<Arc<dyn ReceiptPages>>,
    /// The applications that are told when somebody is signed out everywhere.
    pub relying_parties: Arc<[RelyingParty]>,
}

impl Services {
    /// What stand-ins need: no platform has an upstream.
    pub fn of_stand_ins(
        accounts: Arc<dyn Accounts>,
        clock: Arc<dyn Clock>,
        store: Arc<dyn SessionStore>,
        tokens: Arc<dyn Tokens>,
    ) -> Self {
        Self {
            accounts,
            clock,
            store,
            tokens,
            deliveries: Arc::new(NoDeliveries),
            seal: None,
            receipt_pages: None,
            relying_parties: Arc::default(),
        }
    }

    /// Ends sessions without a request of their own: an administrator's order, or expiry. The same
    /// step as any sign-out.
    ///
    /// # Errors
    /// The store did not answer; nothing is claimed to have ended.
    pub async fn end(
        &self,
        reason: Reason,
        reach: Reach,
        targets: Vec<EndTarget>,
    ) -> Result<(ReceiptId, Vec<EndedSession>), StoreUnavailable> {
        self.end_of_login(reason, reach, targets, None).await
    }

    /// The same where `login` is over as a whole, of which these are the sessions: relying parties
    /// are told of it, however far the sign-out goes.
    ///
    /// # Errors
    /// As there.
    pub async fn end_login(
        &self,
        reason: Reason,
        reach: Reach,
        targets: Vec<EndTarget>,
        (login, sessions): (&IdpLogin, &[Session]),
    ) -> Result<(ReceiptId, Vec<EndedSession>), StoreUnavailable> {
        let login = OfLogin {
            sessions,
            sid: login.session(),
        };
        self.end_of_login(reason, reach, targets, Some(login)).await
    }

    async fn end_of_login(
        &self,
        reason: Reason,
        reach: Reach,
        targets: Vec<EndTarget>,
        login: Option<OfLogin<'_>>,
    ) -> Result<(ReceiptId, Vec<EndedSession>), StoreUnavailable> {
        let at = self.clock.now();
        let receipt = ReceiptId::at(at);
        let order = EndOrder {
            receipt,
            at,
            reason,
            platform: None,
            reach,
            targets,
            token: None,
        };
        let ended = self.carry_out_of_login(order, login).await?;
        Ok((receipt, ended))
    }

    /// The one step in which sessions end, whoever ordered it.
    pub(super) async fn carry_out(
        &self,
        order: EndOrder,
    ) -> Result<Vec<EndedSession>, StoreUnavailable> {
        self.carry_out_of_login(order, None).await
    }

    /// The same for an order of an identity provider, by the sessions of its login.
    pub(super) async fn carry_out_of_login(
        &self,
        order: EndOrder,
        login: Option<OfLogin<'_>>,
    ) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let order = self.with_relying_parties(order, login).await?;
        let ended = self.store.end(order).await?;
        if ended.iter().any(|session| session.upstream) {
            self.deliveries.wake(&ended);
        }
        Ok(ended)
    }
}
