//! The admin listener: health, live sessions, receipts. JSON; errors are RFC 9457 problem documents.
//!
//! Everything under `/api` takes the admin token, on loopback too, and a `Host` that is the listener's own: a web page that
//! resolves a name of its own to this address must get nowhere.

mod guard;
mod problem;
mod views;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use logout_core::authority::Ports;
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Person, SessionId};
use logout_core::store::{EndTarget, SessionFilter};
use serde::Deserialize;

pub(crate) use guard::AdminGuard;
use problem::Problem;

/// What the admin listener works on.
#[derive(Clone, Debug)]
pub(crate) struct AdminState {
    /// What all platforms share.
    pub(crate) ports: Ports,
    /// What is to be told to upstreams.
    pub(crate) outbox: Arc<dyn Outbox>,
    /// The platforms.
    pub(crate) platforms: Vec<KnownPlatform>,
    /// Carries deliveries; absent where no platform has an upstream.
    pub(crate) relay: Option<Relay>,
    /// Signs receipts.
    pub(crate) signer: Arc<ReceiptSigner>,
}

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

/// The routes of the admin listener.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::QueryConfig::default().error_handler(|_, _| Problem::UNKNOWN_PARAMETER.into()))
        .route("/healthz", web::get().to(healthy))
        .route("/healthz", web::head().to(healthy))
        .route("/readyz", web::get().to(ready))
        .route("/readyz", web::head().to(ready))
        .service(
            web::scope("/api")
                .wrap(actix_web::middleware::from_fn(guard::check))
                .route("/sessions", web::get().to(sessions))
                .route("/sessions/{id}", web::delete().to(end_session))
                .route("/receipts", web::get().to(receipts))
                .route("/receipts/{id}", web::get().to(receipt))
                .default_service(web::to(|| async { Problem::NOT_FOUND.response() })),
        )
        .default_service(web::to(|| async { Problem::NOT_FOUND.response() }));
}

async fn healthy() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

async fn ready(ports: web::Data<Ports>) -> HttpResponse {
    match ports.store.health().await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({ "status": "ready" })),
        Err(_) => Problem::UNAVAILABLE.response(),
    }
}

/// How much is listed at once: what was asked for, within bounds.
fn limit(asked: Option<&str>) -> Result<usize, Problem> {
    let limit = asked.map_or(Ok(PAGE), |text| text.parse().map_err(|_| Problem::malformed("limit")))?;
    Ok(limit.clamp(1, LARGEST_PAGE))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionQuery {
    person: Option<Person>,
    platform: Option<PlatformName>,
    after: Option<String>,
    limit: Option<String>,
}

async fn sessions(ports: web::Data<Ports>, query: web::Query<SessionQuery>) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let after = query.after.as_deref().map(|text| SessionId::parse(text).ok_or(Problem::malformed("after"))).transpose()?;
    let filter = SessionFilter { person: query.person, platform: query.platform, subject: None };
    let limit = limit(query.limit.as_deref())?;
    let page = ports.store.sessions(&filter, after, limit, ports.clock.now()).await?;
    Ok(HttpResponse::Ok().json(views::sessions(&page)))
}

async fn end_session(ports: web::Data<Ports>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let Some(id) = SessionId::parse(&id) else { return Err(Problem::NOT_FOUND) };
    let (receipt, ended) = ports.end(Reason::Administrator, Reach::Session, vec![EndTarget::Session(id)]).await?;
    if ended.is_empty() {
        return Err(Problem::NOT_FOUND);
    }
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "receipt": receipt.to_string(), "ended": ended.len() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptQuery {
    before: Option<String>,
    limit: Option<String>,
}

async fn receipts(ports: web::Data<Ports>, query: web::Query<ReceiptQuery>) -> Result<HttpResponse, Problem> {
    let before = query.before.as_deref().map(|text| ReceiptId::parse(text).ok_or(Problem::malformed("before"))).transpose()?;
    let page = ports.store.receipts(before, limit(query.limit.as_deref())?).await?;
    Ok(HttpResponse::Ok().json(views::receipts(&page)))
}

async fn receipt(ports: web::Data<Ports>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let Some(id) = ReceiptId::parse(&id) else { return Err(Problem::NOT_FOUND) };
    let receipt = ports.store.receipt(id).await?.ok_or(Problem::NOT_FOUND)?;
    Ok(HttpResponse::Ok().json(views::receipt(&receipt)))
}
