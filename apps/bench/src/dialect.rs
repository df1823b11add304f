//! The vendors' documented sign-outs, as clients send them.

use std::sync::{Arc, LazyLock};

use logout_assets::{AssetsConfig, AssetsProvider};
use logout_core::LoginProvider;
use logout_core::credential::CredentialDigest;
use logout_core::platform::{Platform, PlatformName};
use logout_hcl_dx::{HclDxConfig, HclDxProvider};
use logout_sitefinity::{SitefinityConfig, SitefinityProvider};
use logout_wix::{WixConfig, WixProvider};

use crate::process::BoxError;

/// The vendors, in the order in which they take turns.
pub(crate) const VENDORS: [&str; 4] = ["sitefinity", "assets", "wix", "hcl-dx"];
/// The Wix application that the sessions belong to.
pub(crate) const CLIENT: &str = "12345678-1234-1234-1234-123456789012";

/// The adapters, for what they make of a credential and what they answer. Made once: ten million
/// sessions ask for it.
static PROVIDERS: LazyLock<Vec<(&str, Arc<dyn LoginProvider>)>> = LazyLock::new(|| {
    fn made<P: LoginProvider, E>(provider: Result<P, E>) -> Option<Arc<dyn LoginProvider>> {
        provider.ok().map(|provider| Arc::new(provider) as _)
    }
    let Ok(url) = "http://127.0.0.1/".parse() else {
        return Vec::new();
    };
    let bare = Platform::new("bench", url);
    let providers = [
        (
            "sitefinity",
            made(SitefinityProvider::new(SitefinityConfig::default(), &bare)),
        ),
        (
            "assets",
            made(AssetsProvider::new(AssetsConfig::default(), &bare)),
        ),
        ("wix", made(WixProvider::new(WixConfig::default(), &bare))),
        (
            "hcl-dx",
            made(HclDxProvider::new(HclDxConfig::default(), &bare)),
        ),
    ];
    providers
        .into_iter()
        .filter_map(|(vendor, provider)| Some((vendor, provider?)))
        .collect()
});

/// The adapter of this vendor with its default settings.
pub(crate) fn provider(vendor: &str) -> Result<Arc<dyn LoginProvider>, BoxError> {
    let known = PROVIDERS.iter().find(|(known, _)| *known == vendor);
    Ok(known.ok_or("no such vendor")?.1.clone())
}

/// The digest that the hub keeps a credential under.
pub(crate) fn digest(
    vendor: &str,
    platform: &PlatformName,
    purpose: &str,
    secret: &str,
) -> Result<CredentialDigest, BoxError> {
    let forms = provider(vendor)?.canonical_forms(purpose, secret);
    Ok(CredentialDigest::of(
        platform,
        purpose,
        forms.first().ok_or("a credential without a form")?,
    ))
}

/// What the adapter calls a credential that is this `secret`, and the request that signs out with
/// it.
pub(crate) fn sign_out(vendor: &str, secret: &str) -> Result<(&'static str, String), BoxError> {
    Ok(match vendor {
        "sitefinity" => (
            "site",
            format!(
                "GET /Sitefinity/SignOut?sts_signout=true HTTP/1.1\r\nHost: bench\r\nCookie: .AspNet.Cookies={secret}\r\n\r\n"
            ),
        ),
        "assets" => (
            "authToken",
            format!(
                "POST /services/logout HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\nAuthorization: Bearer {secret}\r\n\r\n"
            ),
        ),
        "wix" => (
            "access",
            format!(
                "GET /_api/iam/authentication/v1/logout?postLogoutRedirectUri=https%3A%2F%2Fapp.example%2Fbye&clientId={CLIENT} HTTP/1.1\r\n\
                 Host: bench\r\nAuthorization: {secret}\r\n\r\n"
            ),
        ),
        "hcl-dx" => (
            "ltpa",
            format!(
                "POST /dx/api/core/v1/auth/logout HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\nCookie: LtpaToken2={secret}\r\n\r\n"
            ),
        ),
        other => return Err(format!("no such vendor: {other}").into()),
    })
}
