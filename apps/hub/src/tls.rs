//! The certificate of the public listener.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsConfig;

/// The certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct TlsFault {
    file: String,
    problem: String,
}

/// TLS 1.2 and 1.3 with the configured certificate, no client certificates.
pub(crate) fn server_config(files: &TlsConfig) -> Result<ServerConfig, TlsFault> {
    let certificates = CertificateDer::pem_file_iter(&files.certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|problem| fault(&files.certificate_file, problem))?;
    let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(|problem| fault(&files.key_file, problem))?;
    // Named here, because rustls refuses to guess where several providers are compiled in.
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|problem| fault(&files.certificate_file, problem))
}

fn fault(file: &Path, problem: impl ToString) -> TlsFault {
    TlsFault { file: file.display().to_string(), problem: problem.to_string() }
}
