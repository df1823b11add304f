//! What keeps a hub from starting.

use std::net::SocketAddr;

use logout_identity::AccountError;

use crate::config::{ConfigErrors, TokenFileError};
use crate::stores::StoreError;
use crate::tls;

/// The hub could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The accounts do not fit together.
    #[error("{0}")]
    Accounts(#[from] AccountError),
    /// The admin token cannot be read or made.
    #[error("admin token: {0}")]
    AdminToken(#[from] TokenFileError),
    /// The configuration does not fit together.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        problem: std::io::Error,
    },
    /// Two platforms claim one address, or one claims an address of the hub's.
    #[error("{0}")]
    Mount(#[from] logout_actix::MountError),
    /// An entry of `server.trusted_proxies` is neither an address nor a network.
    #[error("server.trusted_proxies: {0:?} is neither an address nor a network")]
    Proxy(String),
    /// No URL can be made of the address.
    #[error("server.public_url must be given: no URL can be made of {0}")]
    PublicUrl(SocketAddr),
    /// The keys that upstreams' credentials are sealed with cannot be read or made.
    #[error("server.seal_key_file: {0}")]
    SealKeys(#[from] logout_identity::SealKeyError),
    /// The server could not be started.
    #[error("cannot serve: {0}")]
    Serve(std::io::Error),
    /// The store does not open.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The store opened, but does not answer.
    #[error("the store does not answer")]
    StoreUnavailable(#[from] logout_core::store::StoreUnavailable),
    /// The certificate or its key cannot be used.
    #[error("tls: {0}")]
    Tls(tls::TlsError),
}

impl StartError {
    /// The first of several faults of the same files.
    pub(crate) fn of_tls(faults: Vec<tls::TlsError>) -> Self {
        let first = faults.into_iter().next();
        first.map_or_else(
            || Self::Serve(std::io::Error::other("no certificate")),
            Self::Tls,
        )
    }
}
