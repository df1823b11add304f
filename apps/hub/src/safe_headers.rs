//! Headers that every answer of the hub carries, whoever makes it.

use actix_web::http::header::{STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::DefaultHeaders;

use crate::config::Config;

/// For how long a browser that came by https asks for nothing else: a year, in seconds.
const HSTS: &str = "max-age=31536000";

/// What is added to an answer that does not say otherwise: `X-Content-Type-Options`, and where
/// clients come by https `Strict-Transport-Security`. A relayed answer of a product keeps what it
/// says itself.
pub(crate) fn safe_headers(
    config: &Config,
) -> impl Fn() -> DefaultHeaders + Clone + Send + 'static {
    let by_https = config.server.tls.is_some()
        || config
            .server
            .public_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https");
    let hsts = by_https && config.server.hsts;
    move || {
        if hsts {
            nosniff().add((STRICT_TRANSPORT_SECURITY, HSTS))
        } else {
            nosniff()
        }
    }
}

/// The part that does not depend on the configuration: no browser is to guess what an answer holds.
pub(crate) fn nosniff() -> DefaultHeaders {
    DefaultHeaders::new().add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
}
