//! Clients for what the hub asks and tells others.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use logout_relay::{HttpClient, HttpClientSettings};
use url::Url;

/// A client for what is at `base`, which trusts the authorities of `ca_file` besides the system's.
///
/// # Errors
/// Why there is none, with its cause.
pub(crate) fn client_of(
    base: &Url,
    timeout: Duration,
    ca_file: Option<&Path>,
) -> Result<HttpClient, String> {
    client_with(base, ca_file, |settings| settings.timeout = timeout)
}

/// The same, with `adjust` for all other settings.
///
/// # Errors
/// Why there is none, with its cause.
pub(crate) fn client_with(
    base: &Url,
    ca_file: Option<&Path>,
    adjust: impl FnOnce(&mut HttpClientSettings),
) -> Result<HttpClient, String> {
    let mut settings = HttpClientSettings::new(base.clone());
    settings.ca_file = ca_file.map(Path::to_owned);
    adjust(&mut settings);
    HttpClient::new(settings).map_err(|fault| {
        let cause = fault
            .source()
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        format!("{fault}{cause}")
    })
}
