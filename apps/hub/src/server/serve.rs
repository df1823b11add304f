//! The two listeners: the platforms with the hub's own pages, and the admin listener.

use std::net::TcpListener;
use std::num::NonZeroUsize;

use actix_web::dev::Server;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, web};
use logout_actix::Mount;

use crate::admin::{self, AdminGuard, AdminState};
use crate::answer::Answer as _;
use crate::config::Config;
use crate::idp::Receiver;
use crate::index::Index;
use crate::receipt_page::ReceiptPage;
use crate::safe_headers::{nosniff, safe_headers};
use crate::start_error::StartError;
use crate::tls;

/// What the hub serves itself: pages of receipts, endpoints for identity providers, and the index
/// unless `override_index` has routes that
/// take its place.
pub(super) struct Pages<F> {
    pub(super) index: Data<Index>,
    pub(super) receipts: Data<ReceiptPage>,
    pub(super) receiver: Data<Receiver>,
    pub(super) override_index: F,
}

/// Serves the platforms and the hub's own pages.
pub(super) fn public(
    listener: TcpListener,
    config: &Config,
    mount: Mount,
    pages: Pages<impl Fn(&mut ServiceConfig) + Clone + Send + 'static>,
) -> Result<Server, StartError> {
    let safe = safe_headers(config);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(safe())
            .app_data(pages.index.clone())
            .app_data(pages.receipts.clone())
            .app_data(pages.receiver.clone())
            // Before the mount, because its routes may lie where a platform would say that there
            // is nothing.
            .configure(pages.override_index.clone())
            .configure(Receiver::routes)
            .configure(mount.clone().routes())
            .route("/", web::get().to(Index::answer))
            .route("/", web::head().to(Index::answer))
            .route("/receipts/{secret}", web::get().to(ReceiptPage::answer))
            .route("/receipts/{secret}", web::head().to(ReceiptPage::answer))
            .default_service(web::to(|| async {
                HttpResponse::NotFound().text_line("not found")
            }))
    })
    .workers(workers(config))
    .shutdown_timeout(config.server.shutdown_timeout.as_secs())
    .disable_signals();
    let server = match &config.server.tls {
        Some(files) => {
            let tls = tls::server_config(files).map_err(StartError::of_tls)?;
            server.listen_rustls_0_23(listener, tls)
        }
        None => server.listen(listener),
    };
    Ok(server.map_err(StartError::Serve)?.run())
}

/// Serves the admin listener.
pub(super) fn admin(
    listener: TcpListener,
    config: &Config,
    guard: AdminGuard,
    state: AdminState,
) -> Result<Server, StartError> {
    let (guard, state) = (Data::new(guard), Data::new(state));
    let server = HttpServer::new(move || {
        App::new()
            .wrap(nosniff())
            .app_data(guard.clone())
            .app_data(state.clone())
            .configure(admin::routes)
    })
    // As many as for the platforms: reverse proxies ask here before every request that they let
    // through.
    .workers(workers(config))
    .shutdown_timeout(config.server.shutdown_timeout.as_secs())
    .disable_signals();
    Ok(server.listen(listener).map_err(StartError::Serve)?.run())
}

fn workers(config: &Config) -> usize {
    config.server.workers.map_or_else(
        || std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        NonZeroUsize::get,
    )
}
