//! Where the browser goes: what was asked for and approved, what the upstream says and is approved,
//! the receipt's page, or the default.

use super::SessionAuthority;
use super::callers::Caller;
use crate::ports::DeliveryResult;
use crate::receipt::{EndedSession, ReceiptId};
use crate::redirect::{ApprovedUrl, RedirectError};
use crate::session::ClientId;
use crate::sign_out::{
    Asked, PostLogoutRedirect, PostLogoutRedirectPolicy, Refusal, RequestedRedirect,
};

impl SessionAuthority {
    /// Where the upstream of the platform that was asked would send the browser, when the request
    /// itself asks for nothing.
    pub(super) fn upstream_redirect(
        &self,
        asked: &Asked,
        told: &[DeliveryResult],
        ended: &[EndedSession],
    ) -> Option<ApprovedUrl> {
        if !matches!(asked.redirect.requested, RequestedRedirect::Nothing) {
            return None;
        }
        let own = |told: &&DeliveryResult| {
            ended
                .iter()
                .any(|session| session.id == told.session && session.platform == self.platform.name)
        };
        let requested = told
            .iter()
            .filter(own)
            .find_map(|told| told.redirect.as_deref())?;
        match approved(&asked.redirect.policy, requested, None) {
            Ok(redirect) => Some(redirect),
            Err(fault) => {
                log::info!(
                    platform = self.platform.name.as_str(), reason:? = fault;
                    "the upstream's return address was refused"
                );
                None
            }
        }
    }

    /// The receipt's own page, for a request that asks for no other return address.
    pub(super) fn receipt_page(&self, asked: &Asked, receipt: ReceiptId) -> Option<ApprovedUrl> {
        let pages = self
            .services
            .receipt_pages
            .as_ref()
            .filter(|_| matches!(asked.redirect.requested, RequestedRedirect::Nothing))?;
        pages.address(receipt)
    }
}

/// The approved return address, or the default.
///
/// # Errors
/// It is not allowed, and the vendor refuses for that.
pub(super) fn decide(
    redirect: &PostLogoutRedirect,
    claimed: Option<&ClientId>,
    callers: &[Caller],
) -> Result<Option<ApprovedUrl>, Refusal> {
    let approved = match &redirect.requested {
        RequestedRedirect::Nothing => return Ok(redirect.default.clone()),
        RequestedRedirect::Bad(fault) => Err(*fault),
        RequestedRedirect::Address(address) => {
            let client = claimed.or_else(|| {
                callers
                    .iter()
                    .find_map(|caller| caller.session.client.as_ref())
            });
            approved(&redirect.policy, address, client)
        }
    };
    match approved {
        Ok(address) => Ok(Some(address)),
        Err(fault) if redirect.reject_invalid => Err(Refusal::RedirectRefused(fault)),
        Err(fault) => {
            log::info!(reason:? = fault; "a return address was refused, the default is taken");
            Ok(redirect.default.clone())
        }
    }
}

pub(super) fn approved(
    policy: &PostLogoutRedirectPolicy,
    address: &str,
    client: Option<&ClientId>,
) -> Result<ApprovedUrl, RedirectError> {
    match policy {
        PostLogoutRedirectPolicy::Platform(policy) => policy.approve(address),
        PostLogoutRedirectPolicy::ByClient(policies) => client
            .and_then(|client| policies.get(client))
            .ok_or(RedirectError::ForeignOrigin)
            .and_then(|policy| policy.approve_absolute(address)),
    }
}
