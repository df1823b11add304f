//! What the admin listener works on.

use std::sync::Arc;

use logout_core::authority::Services;
use logout_core::outbox::Outbox;
use logout_identity::ReceiptSigner;
use logout_relay::Relay;
use tokio::sync::watch;

use super::problem::Problem;
use crate::platforms::KnownPlatform;

/// What the admin listener works on.
#[derive(Clone, Debug)]
pub(crate) struct AdminState {
    /// What all platforms share.
    pub(crate) services: Services,
    /// What is to be told to upstreams.
    pub(crate) outbox: Arc<dyn Outbox>,
    /// The platforms.
    pub(crate) platforms: Vec<KnownPlatform>,
    /// Carries deliveries; absent where no platform has an upstream.
    pub(crate) relay: Option<Relay>,
    /// Signs receipts.
    pub(crate) signer: Arc<ReceiptSigner>,
    /// Whose receipts they are: the hub's public URL.
    pub(crate) issuer: String,
    /// True once the hub is told to stop: then nobody is kept waiting.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl AdminState {
    /// The platform of this name.
    pub(super) fn platform(&self, name: &str) -> Option<&KnownPlatform> {
        self.platforms
            .iter()
            .find(|known| known.sessions.platform().name.as_str() == name)
    }

    /// The platform of this name, for a request that names it in `platform`.
    pub(super) fn named_platform(&self, name: &str) -> Result<&KnownPlatform, Problem> {
        self.platform(name)
            .ok_or_else(|| Problem::field("platform", "there is no such platform"))
    }
}
