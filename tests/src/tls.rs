//! A certificate for hubs that speak TLS on loopback.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::secret_file;

/// A self-signed certificate for `localhost` and `127.0.0.1`, made for one test.
#[derive(Debug)]
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// A fresh one.
    ///
    /// # Panics
    /// When none can be made.
    pub fn new() -> Self {
        let made =
            rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
                .unwrap();
        let this = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(this.file(), made.cert.pem()).unwrap();
        secret_file::write(&this.key_file(), made.signing_key.serialize_pem());
        this
    }

    /// The certificate as a PEM file, for a client to trust.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Its private key as a PEM file, which no other user can read.
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// The line of a `[server]` table that makes a hub use it.
    pub fn server_line(&self) -> String {
        format!(
            "tls = {{ certificate_file = {:?}, key_file = {:?} }}",
            self.file(),
            self.key_file()
        )
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}
