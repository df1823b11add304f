//! A platform and how it is mounted.

use std::sync::Arc;

use logout_core::cors::OriginList;
use logout_core::{LoginProvider, SessionAuthority};

/// One platform, as it is mounted.
#[derive(Clone, Debug)]
pub struct MountedPlatform {
    /// The vendor's dialect.
    pub provider: Arc<dyn LoginProvider>,
    /// The platform's sessions.
    pub sessions: SessionAuthority,
    /// Only requests with this host are the platform's; the port counts only where one is given.
    pub host: Option<String>,
    /// Pages of these origins may read the answers.
    pub cors_origins: OriginList,
    /// Whether a sign-out that another site caused is refused.
    pub require_same_site: bool,
}

impl MountedPlatform {
    /// A platform on every host, without cross-origin access, with the vendor's own openness to cross-site sign-outs.
    pub fn new(provider: impl LoginProvider, sessions: SessionAuthority) -> Self {
        Self { provider: Arc::new(provider), sessions, host: None, cors_origins: OriginList::default(), require_same_site: false }
    }
}
