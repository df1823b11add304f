//! Deliveries: listed, tried again.

use actix_web::{HttpResponse, web};
use logout_core::delivery::DeliveryState;
use logout_core::outbox::DeliveryFilter;
use logout_core::platform::PlatformName;
use logout_core::session::SessionId;
use serde::Deserialize;

use super::problem::Problem;
use super::{AdminState, cursor, limit, views};
use crate::answer::Answer as _;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryQuery {
    platform: Option<PlatformName>,
    state: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

pub(super) async fn list(
    state: web::Data<AdminState>,
    query: web::Query<DeliveryQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let after = cursor("after", query.after.as_deref(), SessionId::parse)?;
    let wanted = query
        .state
        .as_deref()
        .map(|word| DeliveryState::parse(word).ok_or("must be pending, confirmed or given-up"));
    let wanted = wanted
        .transpose()
        .map_err(|rule| Problem::field("state", rule))?;
    let filter = DeliveryFilter {
        platform: query.platform,
        state: wanted,
    };
    let page = state
        .outbox
        .deliveries(&filter, after, limit(query.limit.as_deref())?)
        .await?;
    Ok(HttpResponse::Ok().json_line(&views::deliveries(&page)))
}

pub(super) async fn retry(
    state: web::Data<AdminState>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let Some(id) = SessionId::parse(&id) else {
        return Err(Problem::NOT_FOUND);
    };
    let possible = state.outbox.retry(id, state.services.clock.now()).await?;
    let delivery = state.outbox.delivery(id).await?.ok_or(Problem::NOT_FOUND)?;
    if !possible {
        return Err(Problem::NOT_TO_BE_RETRIED);
    }
    if let Some(relay) = &state.relay {
        relay.look_again();
    }
    Ok(HttpResponse::Accepted().json_line(&views::delivery(&delivery)))
}
