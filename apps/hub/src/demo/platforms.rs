//! Each vendor's platform in the demo, and how a browser signs in to it and out of it.

use std::net::SocketAddr;

use crate::vendors::Vendor;
use logout_core::Method;
use logout_core::upstream::{UpstreamAnswer, UpstreamClient, UpstreamRequest};
use serde_json::Value;
use url::form_urlencoded::Serializer;

/// The Wix application of the demo.
pub(super) const CLIENT: &str = "12345678-1234-1234-1234-123456789012";
/// The content item of the demo's portal that takes a login.
pub(super) const CONTENT: &str = "3f1c2a9e-0000-4000-8000-000000000002";
/// A PKCE pair; the demo's commands have no way to make a fresh one.
pub(super) const VERIFIER: &str = "logout-hub-demo-verifier-0123456789abcdefghijklmnop";
pub(super) const CHALLENGE: &str = "o-E2QMREywndixK1vJMPmc1Aph9UBWpOb2PSwUwCQdA";

const FORM: &str = "application/x-www-form-urlencoded";

/// What the platform is called.
pub(super) const fn name(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Assets => "dam",
        Vendor::HclDx => "portal",
        Vendor::Sitefinity => "cms",
        Vendor::Wix => "shop",
    }
}

/// What people call the product.
pub(super) const fn product(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Assets => "WoodWing Assets",
        Vendor::HclDx => "HCL Digital Experience",
        Vendor::Sitefinity => "Sitefinity",
        Vendor::Wix => "Wix Headless",
    }
}

/// The vendor's own sign-out, as a browser can follow it.
pub(super) const fn sign_out(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Assets => "/logout",
        Vendor::HclDx => {
            "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/"
        }
        Vendor::Sitefinity => "/Sitefinity/SignOut?sts_signout=true",
        Vendor::Wix => "/_api/iam/authentication/v1/logout",
    }
}

/// Pages of the product that a sign-out leads to where nobody was signed in. The hub does not serve
/// them.
pub(super) const fn pages(vendor: Vendor) -> &'static [&'static str] {
    match vendor {
        Vendor::HclDx => &["/wps/portal", "/wps/myportal"],
        Vendor::Assets | Vendor::Sitefinity | Vendor::Wix => &[],
    }
}

/// The tables within the vendor's `[[platform]]`, at the stand-in as in front of it.
pub(super) fn sub_tables(vendor: Vendor, hub: SocketAddr) -> String {
    match vendor {
        Vendor::Assets | Vendor::Sitefinity => String::new(),
        Vendor::HclDx => format!(
            "[[platform.content]]\nid = \"3f1c2a9e-0000-4000-8000-000000000001\"\ntitle = \"Welcome\"\nanonymous = true\n\
             [[platform.content]]\nid = \"{CONTENT}\"\ntitle = \"For signed-in people\"\n"
        ),
        Vendor::Wix => {
            format!(
                "[[platform.app]]\nclient_id = \"{CLIENT}\"\nname = \"Demo shop\"\nredirect_uris = [\"http://{hub}/\"]\n"
            )
        }
    }
}

/// Signs `alice` in through the hub, as a browser does it, and gives back the `Set-Cookie` values;
/// none where it failed.
pub(super) async fn sign_in(
    vendor: Vendor,
    hub: &str,
    client: &dyn UpstreamClient,
    device: &str,
    password: &str,
) -> Vec<String> {
    let form =
        |fields: &[(&str, &str)]| Serializer::new(String::new()).extend_pairs(fields).finish();
    let send = async |request: UpstreamRequest| {
        client
            .send(request.with_header("user-agent", device))
            .await
            .unwrap_or_default()
    };
    let post = |path: &str| UpstreamRequest::new(Method::Post, path);
    let answer = match vendor {
        Vendor::Assets => {
            let login = form(&[("username", "alice"), ("password", password)]);
            send(post("/services/login").with_body(FORM, login)).await
        }
        Vendor::HclDx => {
            let login =
                serde_json::json!({ "username": "alice", "password": password }).to_string();
            send(post("/dx/api/core/v1/auth/login").with_body("application/json", login)).await
        }
        Vendor::Sitefinity => {
            let ask = UpstreamRequest::new(Method::Get, "/sitefinity/anticsrf")
                .with_header("x-sf-antiforgery-request", "true");
            let told: Value = serde_json::from_slice(&send(ask).await.body).unwrap_or_default();
            let token = told["Value"].as_str().unwrap_or_default();
            let login = form(&[
                ("username", "alice"),
                ("password", password),
                ("sf_antiforgery", token),
            ]);
            send(post("/sitefinity/login-handler").with_body(FORM, login)).await
        }
        Vendor::Wix => {
            let back = format!("{hub}/");
            let login = form(&[
                ("clientId", CLIENT),
                ("redirectUri", &back),
                ("responseType", "code"),
                ("responseMode", "query"),
                ("scope", "offline_access"),
                ("state", "demo"),
                ("codeChallenge", CHALLENGE),
                ("codeChallengeMethod", "S256"),
                ("email", "alice@example.com"),
                ("password", password),
            ]);
            send(post("/_api/oauth2/authorize").with_body(FORM, login)).await
        }
    };
    cookies(&answer)
}

fn cookies(answer: &UpstreamAnswer) -> Vec<String> {
    answer
        .headers_named("set-cookie")
        .map(str::to_owned)
        .collect()
}
