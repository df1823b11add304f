//! The proof that a sign-out was carried out.

use url::Url;

use crate::credential::Secret;
use crate::idp::IdpEndSession;
use crate::receipt::{EndedSession, Reach, ReceiptId};
use crate::redirect::ApprovedUrl;

/// Proof that a sign-out was carried out as the flow demands. Only
/// [`super::SessionAuthority::sign_out`] makes one.
///
/// ```compile_fail,E0451
/// use logout_core::authority::SignedOut;
/// use logout_core::receipt::{Reach, ReceiptId};
///
/// fn forged(receipt: ReceiptId) -> SignedOut {
///     SignedOut {
///         receipt,
///         ended: Vec::new(),
///         redirect: None,
///         caller_included: true,
///         reach: Reach::Session,
///         removals: Vec::new(),
///         by_cookie: true,
///         way_on: None,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SignedOut {
    pub(super) receipt: ReceiptId,
    pub(super) ended: Vec<EndedSession>,
    pub(super) redirect: Option<ApprovedUrl>,
    pub(super) caller_included: bool,
    pub(super) reach: Reach,
    /// What takes from the caller's browser what was seen of its cookies.
    pub(super) removals: Vec<String>,
    /// Whether the request brought a cookie that may name a session.
    pub(super) by_cookie: bool,
    /// Where a redirect of the browser leads first.
    pub(super) way_on: Option<Box<WayOn>>,
}

/// The way by an identity provider, and back.
#[derive(Clone, Debug)]
pub(crate) struct WayOn {
    pub(super) idp: IdpEndSession,
    /// What relative addresses are relative to.
    pub(super) from: Url,
    /// An ID token of the session that was signed out.
    pub(super) id_token: Option<Secret>,
}

impl WayOn {
    /// The address at the provider that leads back to `back`; `None` where that is no address.
    pub(crate) fn to(&self, back: &str) -> Option<ApprovedUrl> {
        let back = self.from.join(back).ok()?;
        Some(self.idp.address(back.as_str(), self.id_token.as_ref()))
    }
}

impl SignedOut {
    /// The id of the receipt. Nothing is kept under it when nothing ended, so that known and
    /// unknown callers look alike.
    pub fn receipt(&self) -> ReceiptId {
        self.receipt
    }

    /// The sessions that *this* sign-out ended; of concurrent ones for the same session only one
    /// lists it.
    pub fn ended(&self) -> &[EndedSession] {
        &self.ended
    }

    /// Where the browser goes: what was asked for and approved, or the default.
    pub fn redirect(&self) -> Option<&ApprovedUrl> {
        self.redirect.as_ref()
    }

    /// How far it went: what was asked for, or what the platform is configured to, whichever is
    /// wider.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// `Set-Cookie` values that take from the caller's browser what its login put there and what
    /// its upstream removed.
    pub(crate) fn removals(&self) -> &[String] {
        &self.removals
    }

    /// Whether the request brought a cookie that may name a session.
    pub(crate) fn by_cookie(&self) -> bool {
        self.by_cookie
    }

    /// Where a redirect of the browser leads first.
    pub(crate) fn way_on(&self) -> Option<&WayOn> {
        self.way_on.as_deref()
    }

    /// Whether the caller's own sign-out was asked for, so that the caller's cookies are to be
    /// cleared.
    pub fn caller_included(&self) -> bool {
        self.caller_included
    }
}
