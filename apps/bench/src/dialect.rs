//! The vendors' documented sign-outs, as clients send them.

use std::sync::{Arc, LazyLock};

use logout_assets::{AssetsConfig, AssetsProvider};
use logout_core::LoginProvider;
use logout_core::credential::CredentialDigest;
use logout_core::platform::{Platform, PlatformName};
use logout_core::ports::{TokenClaims, Tokens};
use logout_core::time::Timestamp;
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

/// A credential as the vendor's stand-in itself gives it out: a token that `tokens` signs, or an
/// opaque value. The same arguments make the same credential.
pub(crate) fn stand_in_secret(
    tokens: &dyn Tokens,
    vendor: &str,
    platform: &PlatformName,
    number: u64,
    (opened, expires): (Timestamp, Timestamp),
) -> Result<String, BoxError> {
    let token = |audience: &str, (key, value): (&str, &str)| {
        let claims = TokenClaims {
            iss: platform.to_string(),
            aud: audience.to_owned(),
            sub: format!("user{number}"),
            jti: format!("{number:043}"),
            iat: opened.as_secs(),
            exp: expires.as_secs(),
            vendor: [(key.to_owned(), value.to_owned())].into_iter().collect(),
        };
        tokens.mint(&claims).map(|token| token.reveal().to_owned())
    };
    Ok(match vendor {
        "assets" => token("authToken", ("reqCsrf", "false"))?,
        "wix" => format!("OauthNG.JWS.{}", token("access", ("client_id", CLIENT))?),
        // As an encoder could have written it: a whole number of groups.
        _ => format!("{number:044}"),
    })
}

/// The adapter's name for a credential that is this `secret`, and the request that signs out with
/// it.
pub(crate) fn sign_out(vendor: &str, secret: &str) -> Result<(&'static str, String), BoxError> {
    let (purpose, line, client, header) = match vendor {
        "sitefinity" => (
            "site",
            "GET /Sitefinity/SignOut?sts_signout=true",
            "",
            "Cookie: .AspNet.Cookies=",
        ),
        "assets" => (
            "authToken",
            "POST /services/logout",
            "",
            "Content-Length: 0\r\nAuthorization: Bearer ",
        ),
        "wix" => (
            "access",
            "GET /_api/iam/authentication/v1/logout\
             ?postLogoutRedirectUri=https%3A%2F%2Fapp.example%2Fbye&clientId=",
            CLIENT,
            "Authorization: ",
        ),
        "hcl-dx" => (
            "ltpa",
            "POST /dx/api/core/v1/auth/logout",
            "",
            "Content-Length: 0\r\nCookie: LtpaToken2=",
        ),
        other => return Err(format!("no such vendor: {other}").into()),
    };
    let request = format!("{line}{client} HTTP/1.1\r\nHost: bench\r\n{header}{secret}\r\n\r\n");
    Ok((purpose, request))
}

/// The platform's part of a hub's configuration.
pub(crate) fn platform_toml(vendor: &str, name: &str) -> String {
    let app = if vendor == "wix" {
        format!(
            "[[platform.app]]\nclient_id = \"{CLIENT}\"\nredirect_domains = [\"app.example\"]\n"
        )
    } else {
        String::new()
    };
    format!("[[platform]]\nname = \"{name}\"\nvendor = \"{vendor}\"\n{app}")
}
