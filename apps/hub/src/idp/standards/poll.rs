//! Receivers that fetch their security events (RFC 8936).

use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::{read_body, response};
use logout_core::Response;
use logout_core::credential::SecretDigest;
use logout_core::delivery::{DeliveryState, Leased, Outcome, Settlement};
use logout_core::outbox::{DeliveryFilter, Store};
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_standards::{LARGEST_POLL, PollError, PollRequest, answer, polled, read_poll};

use super::event_receivers::Poller;
use super::receiver::{BODY_TIME, Receiver, bearer, content_type};

/// How long a receiver has to acknowledge an event before it is sent again. Our choice.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(60);

/// How long a receiver that would wait waits for events at most. Our choice; shorter than the time
/// that a hub has to stop.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often events are looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// When to ask again where the store does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How many deliveries are looked at in one step.
const PAGE: usize = 1_000;

pub(super) async fn poll(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let name = request.match_info().get("receiver").unwrap_or_default();
    let mut pollers = receiver.sender.pollers.iter();
    let Some(poller) = pollers.find(|poller| poller.name.as_str() == name) else {
        return response(answer::not_found());
    };
    if request.method() != actix_web::http::Method::POST {
        return response(answer::method_not_allowed());
    }
    if let Err(refusal) = receiver.check_poller(poller, &request) {
        return response(refusal);
    }
    let body = read_body(payload.into_inner(), LARGEST_POLL, BODY_TIME).await;
    let asked = body
        .map_err(|_| PollError::Incomplete)
        .and_then(|body| read_poll(content_type(&request), &body));
    let outcome = match asked {
        Ok(asked) => receiver.serve(poller, &asked).await,
        Err(error) => Ok(answer::bad_poll(error)),
    };
    response(outcome.unwrap_or_else(|StoreUnavailable| answer::unavailable(RETRY_AFTER)))
}

impl Receiver {
    /// Whether the request brings the poller's token. An address that guesses at it has to wait.
    fn check_poller(&self, poller: &Poller, request: &HttpRequest) -> Result<(), Response> {
        let token = bearer(request).ok_or_else(|| answer::unauthorized(None))?;
        let (address, now) = (self.sender_of(request), self.services.clock.now());
        self.guesses
            .take(address, now)
            .map_err(answer::too_many_requests)?;
        if !poller.token.matches(&SecretDigest::of(token)) {
            log::warn!(
                receiver = poller.name.as_str();
                "a receiver of events was not authenticated"
            );
            return Err(answer::unauthorized(None));
        }
        self.guesses.put_back(address);
        Ok(())
    }

    async fn serve(
        &self,
        poller: &Poller,
        asked: &PollRequest,
    ) -> Result<Response, StoreUnavailable> {
        let outbox = &*self.sender.outbox;
        for jti in &asked.acknowledged {
            let confirmed = Outcome::Confirmed { verified: None };
            acknowledge(outbox, poller, *jti, confirmed).await?;
        }
        for (jti, error) in &asked.refused {
            log::error!(
                receiver = poller.name.as_str(), delivery:% = jti, error = error.as_str();
                "a receiver refused an event, which is given up"
            );
            acknowledge(outbox, poller, *jti, Outcome::GivenUp).await?;
        }
        let mut waited = Duration::ZERO;
        loop {
            let leased = self.lease(poller, asked.most).await?;
            let is_over = asked.most == 0 || asked.return_immediately || waited >= LONGEST_WAIT;
            if !leased.is_empty() || is_over {
                let now = self.services.clock.now();
                let next = outbox.next_due(&poller.name).await?;
                let events = leased.into_iter().map(|Leased { delivery, .. }| {
                    let event = poller
                        .events
                        .session_revoked(&delivery.subject, delivery.session);
                    (delivery.session, event)
                });
                let more = next.is_some_and(|due| due <= now);
                return Ok(answer::events(&polled(events, more)));
            }
            sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }

    async fn lease(&self, poller: &Poller, most: usize) -> Result<Vec<Leased>, StoreUnavailable> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let now = self.services.clock.now();
        let until = now.plus(ACKNOWLEDGED_WITHIN);
        self.sender
            .outbox
            .lease(&poller.name, most, now, until)
            .await
    }
}

/// Settles a delivery to the poller; one to somebody else is none of its.
async fn acknowledge(
    outbox: &dyn Store,
    poller: &Poller,
    delivery: SessionId,
    outcome: Outcome,
) -> Result<(), StoreUnavailable> {
    let found = outbox.delivery(delivery).await?;
    if found.is_some_and(|found| found.platform == poller.name) {
        let settlement = Settlement {
            attempt: None,
            outcome,
        };
        outbox.acknowledge(delivery, settlement).await?;
    }
    Ok(())
}

/// Gives up what a poller has not acknowledged since `oldest`.
pub(super) async fn give_up_overdue(
    outbox: &dyn Store,
    poller: &Poller,
    oldest: Timestamp,
) -> Result<(), StoreUnavailable> {
    let filter = DeliveryFilter {
        platform: Some(poller.name.clone()),
        state: Some(DeliveryState::Pending),
    };
    let mut after = None;
    loop {
        let page = outbox.deliveries(&filter, after, PAGE).await?;
        for delivery in page.items.iter().filter(|one| one.created <= oldest) {
            log::error!(
                receiver = poller.name.as_str(), receipt:% = delivery.receipt;
                "an event was given up: its receiver has not fetched it"
            );
            acknowledge(outbox, poller, delivery.session, Outcome::GivenUp).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
