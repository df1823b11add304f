//! The certificate of the public listener.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rsa::KeyPair;
use logout_identity::read_secret_file;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsConfig;

/// The certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct TlsError {
    key: &'static str,
    file: String,
    problem: String,
}

impl TlsError {
    fn new(key: &'static str, file: &Path, problem: impl ToString) -> Self {
        Self {
            key,
            file: file.display().to_string(),
            problem: problem.to_string(),
        }
    }

    /// The key of `server.tls` that names the file.
    pub(crate) fn key(&self) -> &'static str {
        self.key
    }
}

/// TLS 1.2 and 1.3 with the configured certificate, no client certificates.
///
/// # Errors
/// A file cannot be read or used, every user of the machine can read the key, or it is a key of RSA
/// with less than 2048 bits. Of both files, where both are at fault.
pub(crate) fn server_config(files: &TlsConfig) -> Result<ServerConfig, Vec<TlsError>> {
    let (certificates, key) = match (
        certificates(&files.certificate_file),
        private_key(&files.key_file),
    ) {
        (Ok(certificates), Ok(key)) => (certificates, key),
        (certificates, key) => {
            let certificates = certificates
                .err()
                .map(|problem| TlsError::new("certificate_file", &files.certificate_file, problem));
            let key = key
                .err()
                .map(|problem| TlsError::new("key_file", &files.key_file, problem));
            return Err(certificates.into_iter().chain(key).collect());
        }
    };
    // Named here, because rustls refuses to guess where several providers are compiled in.
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        })
        .map_err(|problem| {
            let (key, file, problem) = match problem {
                rustls::Error::InconsistentKeys(_) => (
                    "key_file",
                    &files.key_file,
                    "is not the key of the certificate".to_owned(),
                ),
                other => (
                    "certificate_file",
                    &files.certificate_file,
                    other.to_string(),
                ),
            };
            vec![TlsError::new(key, file, problem)]
        })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|fault| format!("cannot be read: {fault}"))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|fault| fault.to_string())?;
    if certificates.is_empty() {
        Err("holds no certificate in PEM form (BEGIN CERTIFICATE)".to_owned())
    } else {
        Ok(certificates)
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read_secret_file(file).map_err(|fault| fault.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|fault| match fault {
        pem::Error::NoItemsFound => {
            "holds no private key in PEM form (BEGIN PRIVATE KEY)".to_owned()
        }
        fault => fault.to_string(),
    })?;
    if is_short_rsa(&key) {
        Err("the RSA key has less than 2048 bits; make one of 2048 bits or more".to_owned())
    } else {
        Ok(key)
    }
}

/// Whether the library refuses the key for its length. It takes RSA from 2048 bits on, and says no
/// more than this word.
fn is_short_rsa(key: &PrivateKeyDer<'_>) -> bool {
    let read = match key {
        PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return false,
    };
    read.is_err_and(|refused| refused.to_string() == "TooSmall")
}
