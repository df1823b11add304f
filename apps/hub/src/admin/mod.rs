//! The admin listener: health, metrics, the admin API and the check for reverse proxies. JSON;
//! errors are RFC 9457 problem documents.
//!
//! Everything under `/api` takes the admin token, on loopback too, and a `Host` that is the
//! listener's own: a web page that resolves a name of its own to this address must get nowhere.
//! `/check` has a token of its own ([`check`]).

mod address;
mod body;
mod check;
mod deliveries;
mod guard;
mod logouts;
mod metrics;
mod openapi;
mod problem;
mod receipts;
mod sessions;
mod state;
mod views;

use actix_web::{HttpResponse, web};

use crate::answer::Answer as _;
use address::Address;
pub(crate) use guard::AdminGuard;
pub(crate) use metrics::{install as install_metrics, upkeep as upkeep_metrics};
use problem::Problem;
pub(crate) use state::AdminState;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

/// The routes of the admin listener.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let scope = web::scope("/api").wrap(actix_web::middleware::from_fn(guard::check));
    let scope = guarded()
        .into_iter()
        .fold(scope, |scope, address| scope.service(address.service()));
    config
        .app_data(
            web::QueryConfig::default().error_handler(|_, _| Problem::UNKNOWN_PARAMETER.into()),
        )
        .app_data(web::PathConfig::default().error_handler(|_, _| Problem::NOT_FOUND.into()))
        .service(scope.default_service(web::to(nothing_here)));
    for address in open() {
        config.service(address.service());
    }
    for address in own_host() {
        config.service(
            address
                .service()
                .wrap(actix_web::middleware::from_fn(guard::check_host)),
        );
    }
    config.default_service(web::to(nothing_here));
}

/// What takes no admin token.
fn open() -> Vec<Address> {
    vec![
        Address::new("/healthz").get(healthy),
        Address::new("/readyz").get(ready),
        Address::new("/.well-known/jwks.json").get(receipts::keys),
        Address::new("/check/{platform}{tail:.*}").any(check::check),
    ]
}

/// What takes no token either, but a `Host` of the listener's own. Health stays open: probes come
/// by any address.
fn own_host() -> Vec<Address> {
    vec![
        Address::new("/metrics").get(metrics::show),
        Address::new("/openapi.json").get(openapi::show),
    ]
}

/// What takes it; below `/api`.
fn guarded() -> Vec<Address> {
    vec![
        Address::new("/sessions")
            .get(sessions::list)
            .post(sessions::register),
        Address::new("/sessions/{id}").delete(sessions::end),
        Address::new("/logouts").post(logouts::order),
        Address::new("/receipts").get(receipts::list),
        // Before the next one, which would take the ending for a part of the id.
        Address::new("/receipts/{id}.jwt").get(receipts::token),
        Address::new("/receipts/{id}").get(receipts::show),
        Address::new("/deliveries").get(deliveries::list),
        Address::new("/deliveries/{id}/retry").post(deliveries::retry),
    ]
}

async fn nothing_here() -> Problem {
    Problem::NOT_FOUND
}

async fn healthy() -> HttpResponse {
    HttpResponse::Ok().json_line(&serde_json::json!({ "status": "ok" }))
}

async fn ready(state: web::Data<AdminState>) -> Result<HttpResponse, Problem> {
    state.services.store.health().await?;
    Ok(HttpResponse::Ok().json_line(&serde_json::json!({ "status": "ready" })))
}

/// How much is listed at once: what was asked for, within bounds.
fn limit(asked: Option<&str>) -> Result<usize, Problem> {
    let limit = asked.map_or(Ok(PAGE), |text| {
        text.parse()
            .map_err(|_| Problem::field("limit", "must be a whole number"))
    })?;
    Ok(limit.clamp(1, LARGEST_PAGE))
}

/// What a listing begins behind.
fn cursor<T>(
    field: &'static str,
    asked: Option<&str>,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    asked
        .map(|text| parse(text).ok_or_else(|| Problem::field(field, "must be an id")))
        .transpose()
}

/// All addresses and their methods, as the document describes them.
#[cfg(test)]
fn addresses() -> std::collections::BTreeMap<String, Vec<String>> {
    let below = guarded()
        .into_iter()
        .map(|address| (format!("/api{}", address.path()), address.methods()));
    open()
        .into_iter()
        .chain(own_host())
        .map(|address| (address.path().replace(":.*}", "}"), address.methods()))
        .chain(below)
        .collect()
}
