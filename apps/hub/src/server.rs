//! Puts the parts together and serves them until told to stop.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use logout_core::authority::Services;
use logout_core::housekeeping::Housekeeping;
use logout_core::outbox::{Outbox, Store};
use logout_core::ports::{Clock, Deliveries, NoDeliveries, ReceiptPages, Seal};
use logout_core::store::SessionStore;
use logout_identity::{
    JwtTokens, PasswordAccounts, ReceiptLandings, ReceiptSecrets, ReceiptSigner, SealKeys,
    SystemClock,
};
use logout_relay::{Backoff, Relay, RelaySettings};
use logout_store::MemoryStore;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::account_changes::AccountChanges;
use crate::admin::{self, AdminGuard, AdminState};
use crate::config::{
    AccountConfig, Config, ConfigError, Draft, SingleLogoutConfig, admin_token, check_token,
};
use crate::front::Front;
use crate::index::Index;
use crate::platforms::Platforms;
use crate::receipt_page::ReceiptPage;
use crate::safe_headers::{nosniff, safe_headers};
use crate::start_error::StartError;
use crate::stores;
use crate::tls;
/// How many records one step of housekeeping looks at.
const SWEEP_STEP: usize = 10_000;

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
    pub ports: Services,
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
        Self::start_behind(Front::default(), config, options).await
    }

    /// The same, with a page of its own in place of the index.
    pub(crate) async fn start_behind(
        front: Front,
        config: Config,
        options: Options,
    ) -> Result<Self, StartError> {
        let public = options
            .listener
            .map_or_else(|| listen(config.server.listen), Ok)?;
        let admin = listen(config.admin.listen)?;
        let address = public.local_addr().map_err(StartError::Serve)?;
        let admin_address = admin.local_addr().map_err(StartError::Serve)?;
        let public_url = public_url(&config, address)?;
        let token = admin_token(&config.admin.token_file).map_err(StartError::AdminToken)?;
        let check_token =
            admin_token(&config.admin.check_token_file).map_err(StartError::AdminToken)?;

        let platforms = Platforms::set_up(&config, &public_url)?;
        let store = options
            .store
            .map_or_else(|| stores::open(&config.store), Ok)?;
        let tokens = Arc::new(JwtTokens::load(&*store, &*options.clock).await?);
        let listed = config
            .accounts
            .iter()
            .map(AccountConfig::to_account)
            .collect();
        let limits = config.login.limits();
        let accounts = Arc::new(PasswordAccounts::limited(
            listed,
            limits,
            store.clone(),
            options.clock.clone(),
        )?);
        let versions = accounts.versions().collect();
        let secrets = ReceiptSecrets::load(&*store).await?;
        let signer = Arc::new(
            ReceiptSigner::load(&*store, options.clock.now(), config.receipts.retention).await?,
        );
        let upstreams = platforms.upstreams();
        // Before anything happens that is counted.
        admin::install_metrics();
        let (seal, relay) = if upstreams.is_empty() {
            (None, None)
        } else {
            let seal: Arc<dyn Seal> =
                Arc::new(SealKeys::load_or_generate(&config.server.seal_key_file)?);
            let settings = relay_settings(&config.single_logout);
            let relay = Relay::start_on_own_threads(
                settings,
                store.clone(),
                options.clock.clone(),
                seal.clone(),
                upstreams,
            )
            .map_err(StartError::Serve)?;
            (Some(seal), Some(relay))
        };
        let landings = config
            .single_logout
            .show_receipt
            .then(|| ReceiptLandings::new(secrets.clone(), public_url.as_str()));
        let landings = landings
            .transpose()
            .map_err(|_| StartError::PublicUrl(address))?;
        let ports = Services {
            deliveries: relay.clone().map_or_else(
                || Arc::new(NoDeliveries) as Arc<dyn Deliveries>,
                |relay| Arc::new(relay),
            ),
            seal,
            receipt_pages: landings.map(|landings| Arc::new(landings) as Arc<dyn ReceiptPages>),
            ..Services::of_stand_ins(accounts, options.clock, store.clone(), tokens.clone())
        };
        let (mount, known) = platforms.mount(&config, &ports)?;
        // Before anybody is served: what is over must open nothing.
        let changes = AccountChanges::new(versions, &known, &ports);
        let changes = if changes.end_sessions_if_new().await? {
            None
        } else {
            Some(changes)
        };
        let index = web::Data::new(Index::new(
            mount.platforms(),
            ports.clone(),
            options.names_people,
        ));
        let outbox: Arc<dyn Outbox> = store;
        let receipt_page = web::Data::new(ReceiptPage {
            ports: ports.clone(),
            outbox: outbox.clone(),
            secrets,
        });

        let grace = config.server.shutdown_timeout;
        let safe = safe_headers(&config);
        let server = HttpServer::new(move || {
            App::new()
                .wrap(safe())
                .app_data(index.clone())
                // Before the mount, because its routes may lie where a platform would say that
                // there is nothing.
                .configure(|config| front.configure(config))
                .configure(mount.clone().routes())
                .route("/", web::get().to(Index::answer))
                .route("/", web::head().to(Index::answer))
                .app_data(receipt_page.clone())
                .route("/receipts/{secret}", web::get().to(ReceiptPage::answer))
                .route("/receipts/{secret}", web::head().to(ReceiptPage::answer))
                .default_service(web::to(|| async {
                    HttpResponse::NotFound()
                        .content_type("text/plain; charset=utf-8")
                        .body("not found")
                }))
        })
        .workers(
            config
                .server
                .workers
                .map_or_else(default_workers, NonZeroUsize::get),
        )
        .shutdown_timeout(grace.as_secs())
        .disable_signals();
        let server = match &config.server.tls {
            Some(files) => server.listen_rustls_0_23(
                public,
                tls::server_config(files).map_err(StartError::of_tls)?,
            ),
            None => server.listen(public),
        };
        let server = server.map_err(StartError::Serve)?.run();

        let guard = web::Data::new(AdminGuard::new(
            &token,
            &check_token,
            admin_address,
            &config.admin.hosts,
        ));
        let (stopping, stops) = watch::channel(false);
        let state = web::Data::new(AdminState {
            ports: ports.clone(),
            outbox,
            platforms: known,
            relay: relay.clone(),
            signer: signer.clone(),
            issuer: public_url.as_str().trim_end_matches('/').to_owned(),
            stopping: stops,
        });
        let admin_server = HttpServer::new(move || {
            App::new()
                .wrap(nosniff())
                .app_data(guard.clone())
                .app_data(state.clone())
                .configure(admin::routes)
        })
        // Reverse proxies ask here before every request that they let through.
        .workers(
            config
                .server
                .workers
                .map_or_else(default_workers, NonZeroUsize::get),
        )
        .shutdown_timeout(grace.as_secs())
        .disable_signals();
        let admin = admin_server.listen(admin).map_err(StartError::Serve)?.run();

        let servers = [server, admin]
            .into_iter()
            .map(|server| (server.handle(), tokio::task::spawn_local(server)))
            .collect();
        let housekeeping = keep_house(
            ports.clone(),
            changes,
            tokens,
            signer,
            config.receipts.retention,
            config.sessions.sweep_interval,
        );
        let housekeeping = tokio::task::spawn_local(housekeeping);
        Ok(Self {
            address,
            admin_address,
            public_url,
            ports,
            relay,
            stopping,
            scheme: scheme(&config),
            servers,
            housekeeping,
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

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|problem| StartError::Listen { address, problem })
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn scheme(config: &Config) -> &'static str {
    if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    }
}

/// The configured base of all URLs, else the address that is listened on.
fn public_url(config: &Config, address: SocketAddr) -> Result<Url, StartError> {
    let scheme = scheme(config);
    let own = || {
        Url::parse(&format!("{scheme}://{address}/")).map_err(|_| StartError::PublicUrl(address))
    };
    config.server.public_url.clone().map_or_else(own, Ok)
}

/// Opens the configured store and closes it again, which makes its tables ready.
///
/// # Errors
/// The store cannot be opened.
pub fn open_store(config: &Config) -> Result<(), StartError> {
    Ok(stores::open(&config.store).map(drop)?)
}

/// Everything that would keep a hub from serving a configuration, besides what the configuration
/// itself was found to be wrong with: in the vendors' own keys, between platforms, and in the files
/// of keys and tokens. No store is opened and nothing is written.
pub fn check(draft: &Draft) -> Vec<ConfigError> {
    let config = draft.config();
    let mut errors = secret_files(config);
    if let Ok(url) = public_url(config, config.server.listen)
        && let Ok(ports) = ports_in_memory(config)
    {
        errors.extend(Platforms::problems(config, &url, &ports));
    }
    errors
}

/// What is wrong with the files of `[server]` and `[admin]` that hold keys and tokens. Those that
/// are not there yet are made.
fn secret_files(config: &Config) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if let Some(Err(faults)) = config.server.tls.as_ref().map(tls::server_config) {
        errors.extend(
            faults
                .iter()
                .map(|fault| config.error(&["server", "tls", fault.key()], fault)),
        );
    }
    for (key, file) in [
        ("token_file", &config.admin.token_file),
        ("check_token_file", &config.admin.check_token_file),
    ] {
        if let Err(fault) = check_token(file) {
            errors.push(config.error(&["admin", key], fault));
        }
    }
    let file = &config.server.seal_key_file;
    if file.exists()
        && config
            .platforms
            .iter()
            .any(|platform| platform.upstream.is_some())
        && let Err(fault) = SealKeys::load(file)
    {
        errors.push(config.error(&["server", "seal_key_file"], fault));
    }
    errors
}

/// What platforms share, with nobody in it.
fn ports_in_memory(config: &Config) -> Result<Services, StartError> {
    let (store, clock): (Arc<dyn SessionStore>, Arc<dyn Clock>) =
        (Arc::new(MemoryStore::new()), Arc::new(SystemClock));
    let tokens = actix_web::rt::System::new().block_on(JwtTokens::load(&*store, &*clock))?;
    let accounts = PasswordAccounts::limited(
        Vec::new(),
        config.login.limits(),
        store.clone(),
        clock.clone(),
    )?;
    Ok(Services::of_stand_ins(
        Arc::new(accounts),
        clock,
        store,
        Arc::new(tokens),
    ))
}

fn relay_settings(config: &SingleLogoutConfig) -> RelaySettings {
    let defaults = RelaySettings::default();
    let pauses = defaults.breaker_pause;
    RelaySettings {
        wait: config.wait,
        threads: config.threads.unwrap_or(defaults.threads),
        call_timeout: config.attempt_timeout,
        max_in_flight: config.max_in_flight.get(),
        verify: config.verify,
        retry: Backoff {
            first: config.first_retry,
            cap: config.last_retry,
        },
        give_up_after: config.give_up_after,
        first_sight_rate: config.first_sight_rate.get(),
        first_sight_kept: config.first_sight_kept,
        first_sight_give_up_after: config.first_sight_give_up_after,
        // Whoever wants few pauses between attempts wants an upstream that is back to be found
        // soon, too.
        breaker_pause: Backoff {
            first: pauses.first.min(config.last_retry),
            cap: pauses.cap.min(config.last_retry),
        },
        ..defaults
    }
}

async fn keep_house(
    ports: Services,
    mut changes: Option<AccountChanges>,
    tokens: Arc<JwtTokens>,
    signer: Arc<ReceiptSigner>,
    receipts_kept: Duration,
    interval: Duration,
) {
    let mut housekeeping = Housekeeping::new(ports.clone(), receipts_kept, SWEEP_STEP);
    let mut failing = false;
    loop {
        if let Some(due) = &changes
            && due.end_sessions().await.is_ok()
        {
            changes = None;
        }
        tokio::time::sleep(interval).await;
        admin::upkeep_metrics();
        let now = ports.clock.now();
        let rotated = tokens
            .rotate(&*ports.store, now)
            .await
            .and(signer.rotate(&*ports.store, now).await);
        let mut step = housekeeping.step().await;
        while matches!(step, Ok(done) if !done.finished) {
            tokio::task::yield_now().await;
            step = housekeeping.step().await;
        }
        let fails = step.is_err() || rotated.is_err();
        if fails && !failing {
            log::warn!("housekeeping: the store does not answer");
        }
        failing = fails;
    }
}
