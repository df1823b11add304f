//! The vendors' documented sign-outs, as clients send them.

use crate::process::Fault;

/// The vendors, in the order in which they take turns.
pub(crate) const VENDORS: [&str; 4] = ["sitefinity", "assets", "wix", "hcl-dx"];
/// The Wix application that the sessions belong to.
pub(crate) const CLIENT: &str = "12345678-1234-1234-1234-123456789012";

/// What the adapter calls a credential that is this `secret`, and the request that signs out with it.
pub(crate) fn sign_out(vendor: &str, secret: &str) -> Result<(&'static str, String), Fault> {
    Ok(match vendor {
        "sitefinity" => (
            "site",
            format!("GET /Sitefinity/SignOut?sts_signout=true HTTP/1.1\r\nHost: bench\r\nCookie: .AspNet.Cookies={secret}\r\n\r\n"),
        ),
        "assets" => (
            "authToken",
            format!("POST /services/logout HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\nAuthorization: Bearer {secret}\r\n\r\n"),
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
            format!("POST /dx/api/core/v1/auth/logout HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\nCookie: LtpaToken2={secret}\r\n\r\n"),
        ),
        other => return Err(format!("no such vendor: {other}").into()),
    })
}
