//! What a hub opens before its parts are put together: listeners, files, the store.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use logout_core::credential::Secret;
use logout_core::outbox::Store;
use logout_core::ports::{Clock, Seal};
use logout_identity::{JwtTokens, PasswordAccounts, ReceiptSecrets, ReceiptSigner, SealKeys};
use url::Url;

use crate::config::{AccountConfig, Config, admin_token};
use crate::start_error::StartError;
use crate::stores;

/// Both listeners, bound, with the addresses that they got.
pub(super) struct Listeners {
    pub(super) public: TcpListener,
    pub(super) admin: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) admin_address: SocketAddr,
    /// The base of the hub's URLs.
    pub(super) public_url: Url,
}

impl Listeners {
    /// Binds both. `public` takes the place of the configured address.
    ///
    /// # Errors
    /// An address is taken or not this machine's, or no URL can be made of it.
    pub(super) fn bind(config: &Config, public: Option<TcpListener>) -> Result<Self, StartError> {
        let public = public.map_or_else(|| listen(config.server.listen), Ok)?;
        let admin = listen(config.admin.listen)?;
        let address = public.local_addr().map_err(StartError::Serve)?;
        Ok(Self {
            address,
            admin_address: admin.local_addr().map_err(StartError::Serve)?,
            public_url: public_url(config, address)?,
            public,
            admin,
        })
    }
}

/// The store, and all that is kept in it or in files.
pub(super) struct Opened {
    pub(super) admin_token: Secret,
    pub(super) check_token: Secret,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn Store>,
    pub(super) tokens: Arc<JwtTokens>,
    pub(super) accounts: Arc<PasswordAccounts>,
    pub(super) secrets: ReceiptSecrets,
    pub(super) signer: Arc<ReceiptSigner>,
    /// Absent where nobody is told of sign-outs.
    pub(super) seal: Option<Arc<dyn Seal>>,
}

impl Opened {
    /// Opens the configured store, unless `store` takes its place, and reads or makes all keys and
    /// tokens.
    ///
    /// # Errors
    /// The store does not open or does not answer, accounts do not fit together, or a file of keys
    /// or tokens cannot be read or made.
    pub(super) async fn open(
        config: &Config,
        clock: Arc<dyn Clock>,
        store: Option<Arc<dyn Store>>,
    ) -> Result<Self, StartError> {
        let token = |file| admin_token(file).map_err(StartError::AdminToken);
        let admin_token = token(&config.admin.token_file)?;
        let check_token = token(&config.admin.check_token_file)?;
        let store = store.map_or_else(|| stores::open(&config.store), Ok)?;
        let tokens = JwtTokens::load(&*store, &*clock).await?;
        let accounts = PasswordAccounts::limited(
            config
                .accounts
                .iter()
                .map(AccountConfig::to_account)
                .collect(),
            config.login.limits(),
            store.clone(),
            clock.clone(),
        )?;
        let secrets = ReceiptSecrets::load(&*store).await?;
        let signer = ReceiptSigner::load(&*store, clock.now(), config.receipts.retention).await?;
        let mut seal: Option<Arc<dyn Seal>> = None;
        if config.tells_others() {
            let keys = SealKeys::load_or_generate(&config.server.seal_key_file)?;
            seal = Some(Arc::new(keys));
        }
        Ok(Self {
            admin_token,
            check_token,
            clock,
            store,
            tokens: Arc::new(tokens),
            accounts: Arc::new(accounts),
            secrets,
            signer: Arc::new(signer),
            seal,
        })
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|problem| StartError::Listen { address, problem })
}

pub(super) fn scheme(config: &Config) -> &'static str {
    if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    }
}

/// The configured base of all URLs, else the address that is listened on.
pub(super) fn public_url(config: &Config, address: SocketAddr) -> Result<Url, StartError> {
    let scheme = scheme(config);
    let own = || {
        Url::parse(&format!("{scheme}://{address}/")).map_err(|_| StartError::PublicUrl(address))
    };
    config.server.public_url.clone().map_or_else(own, Ok)
}
