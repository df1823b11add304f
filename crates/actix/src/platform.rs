//! A platform and how it is mounted.

use std::sync::Arc;

use logout_core::cors::OriginList;
use logout_core::login_relay::LoginRelay;
use logout_core::provider::Endpoint;
use logout_core::{LoginProvider, SessionAuthority};

/// One platform, as it is mounted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MountedPlatform {
    /// The vendor's dialect.
    pub provider: Arc<dyn LoginProvider>,
    /// Carries logins to the real instance behind the platform; absent where the hub is a stand-in.
    pub relay: Option<LoginRelay>,
    /// The platform's sessions.
    pub sessions: SessionAuthority,
    /// Only requests with this host are the platform's; the port counts only where one is given.
    pub host: Option<String>,
    /// Whether every path below the platform's own host or prefix is the platform's, so that an
    /// unknown one is refused in the vendor's words; without effect where the platform has neither,
    /// or shares it. Otherwise the vendor's namespaces and endpoints only.
    pub owns_rest: bool,
    /// Pages of these origins may read the answers.
    pub cors_origins: OriginList,
    /// Whether a sign-out that another site caused is refused.
    pub require_same_site: bool,
}

impl MountedPlatform {
    /// A platform on every host, without cross-origin access, with the vendor's own openness to
    /// cross-site sign-outs.
    pub fn new(provider: Arc<dyn LoginProvider>, sessions: SessionAuthority) -> Self {
        Self {
            provider,
            relay: None,
            sessions,
            host: None,
            owns_rest: true,
            cors_origins: OriginList::default(),
            require_same_site: false,
        }
    }

    /// The endpoints besides sign-out: those of the stand-in, or the logins that are carried to the
    /// real instance. Whatever else that has is reached without us.
    pub fn login_endpoints(&self) -> &[Endpoint] {
        match &self.relay {
            None => self.provider.login_endpoints(),
            Some(relay) => relay.upstream().provider.relayed_endpoints(),
        }
    }
}
