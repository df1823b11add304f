//! Where the browser goes: what was asked for and approved, what the upstream says and is approved,
//! the receipt's page, or the default.

use super::{Caller, SessionAuthority};
use crate::ports::Told;
use crate::receipt::{EndedSession, ReceiptId};
use crate::redirect::{ApprovedUrl, RedirectFault};
use crate::session::ClientId;
use crate::sign_out::{Asked, Landing, LandingPolicy, Refusal, Wanted};

impl SessionAuthority {
    /// Where the upstream of the platform that was asked would send the browser, when the request
    /// itself asks for nothing.
    pub(super) fn upstream_landing(&self, asked: &Asked, told: &[Told], ended: &[EndedSession]) -> Option<ApprovedUrl> {
        if !matches!(asked.landing.wanted, Wanted::Nothing) {
            return None;
        }
        let own = |told: &&Told| ended.iter().any(|session| session.id == told.session && session.platform == self.platform.name);
        let wanted = told.iter().filter(own).find_map(|told| told.landing.as_deref())?;
        match approved(&asked.landing.policy, wanted, None) {
            Ok(landing) => Some(landing),
            Err(fault) => {
                log::info!(platform = self.platform.name.as_str(), reason:? = fault; "the upstream's landing was refused");
                None
            }
        }
    }

    /// The receipt's own page, for who asks for no other landing.
    pub(super) fn receipt_page(&self, asked: &Asked, receipt: ReceiptId) -> Option<ApprovedUrl> {
        let pages = self.ports.receipt_pages.as_ref().filter(|_| matches!(asked.landing.wanted, Wanted::Nothing))?;
        pages.landing(receipt)
    }
}

pub(super) fn landing(landing: &Landing, claimed: Option<&ClientId>, callers: &[Caller]) -> Result<Option<ApprovedUrl>, Refusal> {
    let approved = match &landing.wanted {
        Wanted::Nothing => return Ok(landing.default.clone()),
        Wanted::Bad(fault) => Err(*fault),
        Wanted::Address(address) => {
            let client = claimed.or_else(|| callers.iter().find_map(|caller| caller.session.client.as_ref()));
            approved(&landing.policy, address, client)
        }
    };
    match approved {
        Ok(address) => Ok(Some(address)),
        Err(fault) if landing.refuse_bad => Err(Refusal::LandingRefused(fault)),
        Err(fault) => {
            log::info!(reason:? = fault; "a landing was refused, the default is taken");
            Ok(landing.default.clone())
        }
    }
}

pub(super) fn approved(policy: &LandingPolicy, address: &str, client: Option<&ClientId>) -> Result<ApprovedUrl, RedirectFault> {
    match policy {
        LandingPolicy::Platform(policy) => policy.approve(address),
        LandingPolicy::ByClient(policies) => client
            .and_then(|client| policies.get(client))
            .ok_or(RedirectFault::ForeignOrigin)
            .and_then(|policy| policy.approve_absolute(address)),
    }
}
