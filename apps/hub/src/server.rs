//! A hub: opened, assembled, and served until it is told to stop.

mod assemble;
mod check;
mod housekeeping;
mod open;
mod serve;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::web::{Data, ServiceConfig};
use logout_core::authority::Services;
use logout_core::outbox::Store;
use logout_core::ports::Clock;
use logout_relay::Relay;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use url::Url;

use crate::admin::{AdminGuard, AdminState};
use crate::config::Config;
use crate::index::Index;
use crate::platforms::Platforms;
use crate::receipt_page::ReceiptPage;
use crate::start_error::StartError;

use assemble::Assembly;
pub use check::{check, open_store};
use open::{Listeners, Opened, scheme};
use serve::Pages;

/// How a hub is run beyond its configuration.
#[derive(Debug)]
pub struct Options {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// A listener for the platforms that is already bound, instead of the configured address.
    pub listener: Option<TcpListener>,
    /// Whether the index page, which anybody may read, says who is signed in.
    pub names_people: bool,
    /// A store that is already open, instead of the configured one.
    pub store: Option<Arc<dyn Store>>,
}

/// A hub that listens.
#[derive(Debug)]
pub struct Hub {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its admin listener listens.
    pub admin_address: SocketAddr,
    /// The base of its URLs.
    pub public_url: Url,
    /// What its platforms share.
    pub services: Services,
    relay: Option<Relay>,
    stopping: watch::Sender<bool>,
    scheme: &'static str,
    servers: Vec<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
    housekeeping: JoinHandle<()>,
}

impl Hub {
    /// Binds both listeners, opens the store, sets up every platform and starts to serve. Call it
    /// inside an actix system.
    ///
    /// # Errors
    /// Anything that keeps the hub from serving all that is configured.
    pub async fn start(config: Config, options: Options) -> Result<Self, StartError> {
        Self::start_with_index(config, options, |_| {}).await
    }

    /// As [`Hub::start`], with the routes of `override_index` in front of the index page.
    pub(crate) async fn start_with_index(
        config: Config,
        options: Options,
        override_index: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Result<Self, StartError> {
        let listeners = Listeners::bind(&config, options.listener)?;
        let platforms = Platforms::set_up(&config, &listeners.public_url)?;
        let opened = Opened::open(&config, options.clock, options.store).await?;
        let assembly = Assembly::new(&config, &listeners, platforms, &opened).await?;
        let index = Index::new(
            assembly.mount.platforms(),
            assembly.services.clone(),
            options.names_people,
        );
        Self::serve(&config, listeners, opened, assembly, index, override_index)
    }

    fn serve(
        config: &Config,
        listeners: Listeners,
        opened: Opened,
        assembly: Assembly,
        index: Index,
        override_index: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Result<Self, StartError> {
        let services = assembly.services;
        let receipts = ReceiptPage {
            services: services.clone(),
            outbox: opened.store.clone(),
            secrets: opened.secrets,
            front_channels: assembly.front_channels,
        };
        let pages = Pages {
            index: Data::new(index),
            receipts: Data::new(receipts),
            receiver: Data::new(assembly.receiver),
            override_index,
        };
        let public = serve::public(listeners.public, config, assembly.mount, pages)?;
        let guard = AdminGuard::new(
            &opened.admin_token,
            &opened.check_token,
            listeners.admin_address,
            &config.admin.hosts,
        );
        let (stopping, stops) = watch::channel(false);
        let state = AdminState {
            services: services.clone(),
            outbox: opened.store,
            platforms: assembly.platforms,
            relay: assembly.relay.clone(),
            signer: opened.signer.clone(),
            issuer: listeners
                .public_url
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
            stopping: stops,
        };
        let admin = serve::admin(listeners.admin, config, guard, state)?;
        let servers = [public, admin]
            .into_iter()
            .map(|server| (server.handle(), spawn_local(server)))
            .collect();
        let housekeeping = housekeeping::run(
            services.clone(),
            assembly.sender,
            assembly.changes,
            opened.tokens,
            opened.signer,
            config.receipts.retention,
            config.sessions.sweep_interval,
        );
        Ok(Self {
            address: listeners.address,
            admin_address: listeners.admin_address,
            public_url: listeners.public_url,
            services,
            relay: assembly.relay,
            stopping,
            scheme: scheme(config),
            servers,
            housekeeping: spawn_local(housekeeping),
        })
    }

    /// The address of the platforms, as a URL without a slash at its end.
    pub fn listening(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Stops listening, lets requests in flight be answered (for `server.shutdown_timeout` at
    /// most), and returns.
    pub async fn stop(self) {
        self.housekeeping.abort();
        // Whoever waits for a receipt is answered at once.
        self.stopping.send_replace(true);
        let stopped = futures_util::future::join_all(
            self.servers.iter().map(|(handle, _)| handle.stop(true)),
        );
        // At the same time, so that an upstream that hangs adds nothing to a request that is slow.
        // What is not delivered by then stays in the outbox.
        let carried = async {
            if let Some(relay) = &self.relay {
                relay.stop().await;
            }
        };
        futures_util::future::join(stopped, carried).await;
        for (_, server) in self.servers {
            if let Ok(Err(fault)) = server.await {
                log::error!(fault:%; "a listener failed");
            }
        }
    }
}
