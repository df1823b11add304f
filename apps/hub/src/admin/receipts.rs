//! Receipts: listed, shown, waited for, signed.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::receipt::ReceiptId;
use logout_core::store::StoreUnavailable;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::problem::Problem;
use super::{AdminState, cursor, limit, views};
use crate::answer::Answer as _;
use crate::report::Report;

const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often a receipt is looked at that somebody waits for: another hub on the same store may
/// settle it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How soon it is looked at again after a settlement, which need not be one of this receipt's.
const LOOK_SOON: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    before: Option<String>,
    limit: Option<String>,
}

pub(super) async fn list(
    state: web::Data<AdminState>,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let before = cursor("before", query.before.as_deref(), ReceiptId::parse)?;
    let page = state
        .services
        .store
        .receipts(before, limit(query.limit.as_deref())?)
        .await?;
    let reports = Report::of_all(page.items, &state.services, &*state.outbox).await?;
    Ok(HttpResponse::Ok().json_line(&views::receipts(&reports, page.next)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    wait: Option<String>,
}

pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<AdminState>,
    id: web::Path<String>,
    query: web::Query<ShowQuery>,
) -> Result<HttpResponse, Problem> {
    let report = awaited(&state, &id, &query).await?;
    if wants_token(&request) {
        signed(&state, &report)
    } else {
        Ok(HttpResponse::Ok()
            .insert_header((header::VARY, "Accept"))
            .json_line(&views::receipt(&report)))
    }
}

pub(super) async fn token(
    state: web::Data<AdminState>,
    id: web::Path<String>,
    query: web::Query<ShowQuery>,
) -> Result<HttpResponse, Problem> {
    let report = awaited(&state, &id, &query).await?;
    signed(&state, &report)
}

pub(super) async fn keys(state: web::Data<AdminState>) -> HttpResponse {
    HttpResponse::Ok().json_line(&state.signer.jwks(state.services.clock.now()))
}

fn signed(state: &AdminState, report: &Report) -> Result<HttpResponse, Problem> {
    let now = state.services.clock.now();
    let claims = json!({
        "iss": state.issuer,
        "jti": report.receipt.id.to_string(),
        "iat": now.as_secs(),
        "receipt": views::receipt(report),
    });
    let token = state.signer.sign(&claims, now).map_err(|fault| {
        log::error!(fault:%, receipt:% = report.receipt.id; "a receipt could not be signed");
        Problem::UNAVAILABLE
    })?;
    Ok(HttpResponse::Ok()
        .content_type("application/jwt")
        .insert_header((header::VARY, "Accept"))
        .body(token))
}

/// Whether `Accept` names the token's type. Who takes anything gets JSON.
fn wants_token(request: &HttpRequest) -> bool {
    let accepted = request
        .headers()
        .get_all(header::ACCEPT)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut types = accepted.filter_map(|range| range.split(';').next());
    types.any(|own| own.trim().eq_ignore_ascii_case("application/jwt"))
}

/// The receipt of this id, once it is settled or the time that the caller would wait is over.
async fn awaited(state: &AdminState, id: &str, query: &ShowQuery) -> Result<Report, Problem> {
    let Some(id) = ReceiptId::parse(id) else {
        return Err(Problem::NOT_FOUND);
    };
    let wait = query
        .wait
        .as_deref()
        .map(humantime::parse_duration)
        .transpose();
    let wait = wait
        .map_err(|_| Problem::field("wait", "must be a span of time such as 5s"))?
        .unwrap_or_default();
    settled(state, id, wait.min(LONGEST_WAIT))
        .await?
        .ok_or(Problem::NOT_FOUND)
}

async fn settled(
    state: &AdminState,
    id: ReceiptId,
    wait: Duration,
) -> Result<Option<Report>, StoreUnavailable> {
    let read = || Report::read(&state.services, &*state.outbox, id);
    let deadline = Instant::now() + wait;
    let mut stopping = state.stopping.clone();
    // Listens before it looks, so that nothing is missed in between.
    let mut changes = state.relay.as_ref().map(|relay| relay.changes());
    let Some(mut report) = read().await? else {
        return Ok(None);
    };
    while !report.is_settled() {
        if Instant::now() >= deadline || *stopping.borrow() {
            return if wait.is_zero() {
                Ok(Some(report))
            } else {
                read().await
            };
        }
        let look = Instant::now() + LOOK_EVERY;
        tokio::select! {
            () = change(&mut changes) => sleep_until(deadline.min(Instant::now() + LOOK_SOON)).await,
            () = sleep_until(deadline.min(look)) => {}
            _ = stopping.wait_for(|stops| *stops) => {}
        }
        catch_up(state, &mut report).await?;
    }
    Ok(Some(report))
}

/// Reads again what was pending. While the first of them still is, the whole is not settled, and
/// the rest of a receipt with thousands of them need not be looked at; otherwise all the others are
/// read in one query.
async fn catch_up(state: &AdminState, report: &mut Report) -> Result<(), StoreUnavailable> {
    let waits = |delivery: &Option<Delivery>| {
        delivery
            .as_ref()
            .is_some_and(|delivery| delivery.state == DeliveryState::Pending)
    };
    let Some(first) = report.deliveries.iter().position(waits) else {
        return Ok(());
    };
    match state
        .outbox
        .deliveries_of(&[&report.receipt.sessions[first]])
        .await?
        .pop()
        .flatten()
    {
        Some(fresh) if fresh.state != DeliveryState::Pending => {
            report.deliveries[first] = Some(fresh)
        }
        _ => return Ok(()),
    }
    let pending: Vec<_> = (0..report.deliveries.len())
        .filter(|index| waits(&report.deliveries[*index]))
        .collect();
    let sessions: Vec<_> = pending
        .iter()
        .map(|index| &report.receipt.sessions[*index])
        .collect();
    for (index, fresh) in pending
        .into_iter()
        .zip(state.outbox.deliveries_of(&sessions).await?)
    {
        if fresh.is_some() {
            report.deliveries[index] = fresh;
        }
    }
    Ok(())
}

/// Ends at the next settlement; never, where there is nobody who would tell.
async fn change(changes: &mut Option<watch::Receiver<u64>>) {
    if let Some(changes) = changes
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
