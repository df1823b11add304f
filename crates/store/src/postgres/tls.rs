//! TLS to the database, where the URL asks for it.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::ConnectError;

/// Checks the server's certificate and name against the authorities of the system (or of
/// `SSL_CERT_FILE`).
pub(super) fn connector() -> Result<MakeRustlsConnect, ConnectError> {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(ConnectError::NoAuthorities);
    }
    // Named here, because rustls refuses to guess where several providers are compiled in.
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|_| ConnectError::NoAuthorities)?;
    Ok(MakeRustlsConnect::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}
