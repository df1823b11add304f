//! The vendors that were compiled in. The only place that asks for a vendor's cargo feature.

#[cfg(not(any(feature = "sitefinity", feature = "assets", feature = "wix", feature = "hcl-dx")))]
compile_error!("logout-hub speaks for no vendor: enable at least one vendor feature (sitefinity, assets, wix, hcl-dx)");

use std::sync::Arc;

use logout_core::platform::{Platform, SetUpFault};
use logout_core::{LoginProvider, UpstreamLogout, Vendor};

use crate::config::{ConfigError, PlatformConfig};

/// The vendors that this build speaks for.
pub(crate) const COMPILED: &[Vendor] = &[
    #[cfg(feature = "assets")]
    Vendor::Assets,
    #[cfg(feature = "hcl-dx")]
    Vendor::HclDx,
    #[cfg(feature = "sitefinity")]
    Vendor::Sitefinity,
    #[cfg(feature = "wix")]
    Vendor::Wix,
];

/// What speaks for a platform: as a stand-in, and to a real instance.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    pub(crate) provider: Arc<dyn LoginProvider>,
    pub(crate) upstream: Arc<dyn UpstreamLogout>,
}

impl Adapter {
    fn of<P: LoginProvider + UpstreamLogout>(provider: P) -> Self {
        let provider = Arc::new(provider);
        Self { upstream: provider.clone(), provider }
    }
}

/// The adapter of a platform, set up from the vendor's own keys.
///
/// # Errors
/// Where in the configuration the fault is.
pub(crate) fn adapter(config: &PlatformConfig, platform: &Platform) -> Result<Adapter, ConfigError> {
    let fault = |fault: SetUpFault| config.error(Some(fault.key()), fault.problem());
    match config.vendor {
        #[cfg(feature = "assets")]
        Vendor::Assets => Ok(Adapter::of(logout_assets::AssetsProvider::new(config.vendor_keys()?, platform).map_err(fault)?)),
        #[cfg(feature = "hcl-dx")]
        Vendor::HclDx => Ok(Adapter::of(logout_hcl_dx::HclDxProvider::new(config.vendor_keys()?, platform).map_err(fault)?)),
        #[cfg(feature = "sitefinity")]
        Vendor::Sitefinity => Ok(Adapter::of(logout_sitefinity::SitefinityProvider::new(config.vendor_keys()?, platform).map_err(fault)?)),
        #[cfg(feature = "wix")]
        Vendor::Wix => Ok(Adapter::of(logout_wix::WixProvider::new(config.vendor_keys()?, platform).map_err(fault)?)),
        #[allow(unreachable_patterns, reason = "reached where a vendor is not compiled in")]
        _ => Err(config.error(Some("vendor"), "not compiled in")),
    }
}
