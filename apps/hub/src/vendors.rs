//! The vendors that were compiled in. The only place that asks for a vendor's cargo feature.

#[cfg(not(any(
    feature = "sitefinity",
    feature = "assets",
    feature = "wix",
    feature = "hcl-dx"
)))]
compile_error!(
    "logout-hub speaks for no vendor: enable at least one vendor feature (sitefinity, assets, wix, hcl-dx)"
);

use std::fmt;
use std::sync::Arc;

use logout_core::platform::{Platform, SetUpError};
use logout_core::{LoginProvider, UpstreamLogout};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, PlatformConfig};

/// A vendor whose adapter the hub may be built with.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vendor {
    /// WoodWing Assets, formerly Elvis.
    Assets,
    /// HCL Digital Experience.
    HclDx,
    /// Progress Sitefinity.
    Sitefinity,
    /// Wix Headless.
    Wix,
}

impl Vendor {
    /// The name in configuration files and feature names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assets => "assets",
            Self::HclDx => "hcl-dx",
            Self::Sitefinity => "sitefinity",
            Self::Wix => "wix",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
        Self {
            upstream: provider.clone(),
            provider,
        }
    }
}

/// The adapter of a platform, set up from the vendor's own keys.
///
/// # Errors
/// Everything that is wrong with these keys, at its place in the configuration.
pub(crate) fn adapter(
    config: &PlatformConfig,
    platform: &Platform,
) -> Result<Adapter, Vec<ConfigError>> {
    match config.vendor {
        #[cfg(feature = "assets")]
        Vendor::Assets => set_up(config, |keys| {
            logout_assets::AssetsProvider::new(keys, platform)
        }),
        #[cfg(feature = "hcl-dx")]
        Vendor::HclDx => set_up(config, |keys| {
            logout_hcl_dx::HclDxProvider::new(keys, platform)
        }),
        #[cfg(feature = "sitefinity")]
        Vendor::Sitefinity => set_up(config, |keys| {
            logout_sitefinity::SitefinityProvider::new(keys, platform)
        }),
        #[cfg(feature = "wix")]
        Vendor::Wix => set_up(config, |keys| logout_wix::WixProvider::new(keys, platform)),
        #[allow(
            unreachable_patterns,
            reason = "reached where a vendor is not compiled in"
        )]
        _ => Err(vec![config.error(Some("vendor"), "not compiled in")]),
    }
}

/// An adapter stops at the first key that it cannot use. So it is set up again without that key,
/// until nothing is wrong.
fn set_up<K, P>(
    config: &PlatformConfig,
    new: impl Fn(K) -> Result<P, SetUpError>,
) -> Result<Adapter, Vec<ConfigError>>
where
    K: DeserializeOwned,
    P: LoginProvider + UpstreamLogout,
{
    let (mut keys, mut errors) = config.vendor_keys_without::<K>(&[]);
    let mut wrong: Vec<&str> = Vec::new();
    // What an adapter finds may follow from a common key that is wrong.
    while let Some(usable) = keys.filter(|_| config.is_whole()) {
        let fault = match new(usable) {
            Ok(provider) if errors.is_empty() => return Ok(Adapter::of(provider)),
            Ok(_) => break,
            Err(fault) => fault,
        };
        errors.push(config.error(Some(fault.key()), fault.problem()));
        if wrong.contains(&fault.key()) || !config.has_vendor_key(fault.key()) {
            break;
        }
        wrong.push(fault.key());
        keys = config.vendor_keys_without(&wrong).0;
    }
    Err(errors)
}
