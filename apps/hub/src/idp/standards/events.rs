//! Receives security events by push (RFC 8935).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::read_body;
use logout_core::Response;
use logout_core::authority::{TokenOutcome, TokenSignOut};
use logout_core::idp::TokenId;
use logout_core::session::Person;
use logout_standards::{
    LARGEST_SECURITY_EVENT, SecurityEvent, SecurityEventError, SubjectId, answer,
    read_security_event,
};
use metrics::counter;

use super::provider::{Events, Idp, MessageError};
use super::receiver::{BODY_TIME, Receiver, content_type};
use crate::config::IdpPerson;

/// Security events, by `idp` and `outcome`: `ended`, `nothing`, `refused`, `unavailable`.
pub(super) const EVENTS: &str = "logout_hub_security_events_total";

pub(super) async fn push(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let answer = async |idp: &Idp| match &idp.events {
        Some(events) => said(idp, receiver.take(idp, events, &request, payload).await),
        None => answer::not_found(),
    };
    receiver.answered(&request, answer).await
}

impl Receiver {
    /// How many sessions an event ended.
    async fn take(
        &self,
        idp: &Idp,
        events: &Events,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<usize, MessageError<SecurityEventError>> {
        let body = read_body(payload.into_inner(), LARGEST_SECURITY_EVENT, BODY_TIME).await;
        let body = body.map_err(|_| SecurityEventError::Incomplete)?;
        let token = read_security_event(content_type(request), &body)?;
        let now = self.services.clock.now();
        let event = idp.security_event(token, &events.audience, now).await?;
        if event.is_verification {
            log::info!(
                idp = idp.name.as_str();
                "a transmitter of security events asked for a sign of life"
            );
        }
        let Some(order) = idp.ordered(events, event) else {
            return Ok(0);
        };
        let reach = |platform: &_| self.reach(platform);
        Ok(
            match self.services.sign_out_by_token(&order, reach).await? {
                TokenOutcome::Ended(_, ended) => ended.len(),
                // A token that comes again is accepted again (RFC 8935, section 2.2).
                TokenOutcome::Nothing | TokenOutcome::Repeated => 0,
            },
        )
    }
}

impl Idp {
    /// What an event orders, if anything.
    fn ordered(&self, events: &Events, event: SecurityEvent) -> Option<TokenSignOut> {
        let ends = event.is_session_revoked
            || (event.is_credential_change && events.end_on_credential_change);
        let subject = event.subject.filter(|_| ends)?;
        let login = subject.login(self.issuer());
        let person = match (self.person, &subject.user) {
            (Some(IdpPerson::Email), Some(SubjectId::Email(email))) => Some(Person::new(email)),
            (Some(IdpPerson::Sub), Some(SubjectId::Opaque(_) | SubjectId::IssSub { .. })) => login
                .as_ref()
                .and_then(|login| login.subject())
                .map(Person::new),
            _ => None,
        };
        Some(TokenSignOut {
            login,
            person,
            token: TokenId {
                issuer: self.issuer().into(),
                jti: event.jti,
            },
            issued: event.issued,
            remember_until: event.remember_until,
        })
    }
}

fn said(idp: &Idp, outcome: Result<usize, MessageError<SecurityEventError>>) -> Response {
    let name = idp.name.as_str();
    let (word, response) = match outcome {
        Ok(0) => ("nothing", answer::accepted()),
        Ok(ended) => {
            log::info!(idp = name, ended = ended; "a security event has ended sessions");
            ("ended", answer::accepted())
        }
        Err(MessageError::Refused(reason)) => {
            log::warn!(idp = name, reason:% = reason; "a security event was refused");
            ("refused", answer::bad_event(reason))
        }
        Err(MessageError::Unavailable(retry_after)) => {
            ("unavailable", answer::unavailable(retry_after))
        }
    };
    counter!(EVENTS, "idp" => idp.name.clone(), "outcome" => word).increment(1);
    response
}
