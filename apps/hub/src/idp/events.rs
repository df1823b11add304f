//! Receives security events by push (RFC 8935).

use actix_web::http::{Method, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::{read_body, response};
use logout_core::Response;
use logout_core::authority::{TokenOutcome, TokenSignOut};
use logout_core::idp::TokenId;
use logout_core::session::Person;
use logout_core::store::StoreUnavailable;
use logout_standards::{
    LARGEST_SECURITY_EVENT, SecurityEvent, SecurityEventError, SubjectId, answer,
    read_security_event,
};
use metrics::counter;

use super::keys::NoKeys;
use super::receiver::{BODY_TIME, Idp, RETRY_AFTER, Receiver};
use crate::config::IdpPerson;

/// Security events, by `idp` and `outcome`: `ended`, `nothing`, `refused`, `unavailable`.
pub(super) const EVENTS: &str = "logout_hub_security_events_total";

/// Why an event was not carried out.
enum Fault {
    Refused(SecurityEventError),
    Unavailable(std::time::Duration),
}

pub(super) async fn push(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let idp = receiver.named(&request);
    let audience = |idp: &'_ Idp| idp.events.as_ref().map(|events| events.audience.clone());
    let Some((idp, audience)) = idp.and_then(|idp| Some((idp, audience(idp)?))) else {
        return response(answer::not_found());
    };
    if request.method() != Method::POST {
        return response(answer::method_not_allowed());
    }
    let outcome = receiver.take(idp, &audience, &request, payload).await;
    response(said(idp, outcome))
}

impl Receiver {
    /// How many sessions an event ended.
    async fn take(
        &self,
        idp: &Idp,
        audience: &str,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<usize, Fault> {
        let body = read_body(payload.into_inner(), LARGEST_SECURITY_EVENT, BODY_TIME).await;
        let body = body.map_err(|_| SecurityEventError::Incomplete)?;
        let media_type = request.headers().get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let token = read_security_event(media_type, &body)?;
        let (now, algorithms) = (self.services.clock.now(), idp.verifier.algorithms());
        let of = (idp.issuer(), audience);
        let event = idp.with_keys(|keys| SecurityEvent::verify(token, of, keys, algorithms, now));
        let event = event.await??;
        if event.is_verification {
            log::info!(idp = idp.name.as_str(); "a transmitter of security events asked for a sign of life");
        }
        let Some(order) = idp.ordered(event) else {
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
    fn ordered(&self, event: SecurityEvent) -> Option<TokenSignOut> {
        let events = self.events.as_ref()?;
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

fn said(idp: &Idp, outcome: Result<usize, Fault>) -> Response {
    let name = idp.name.as_str();
    let (word, response) = match outcome {
        Ok(0) => ("nothing", answer::accepted()),
        Ok(ended) => {
            log::info!(idp = name, ended = ended; "a security event has ended sessions");
            ("ended", answer::accepted())
        }
        Err(Fault::Refused(reason)) => {
            log::warn!(idp = name, reason:% = reason; "a security event was refused");
            ("refused", answer::bad_event(reason))
        }
        Err(Fault::Unavailable(retry_after)) => ("unavailable", answer::unavailable(retry_after)),
    };
    counter!(EVENTS, "idp" => idp.name.clone(), "outcome" => word).increment(1);
    response
}

impl From<SecurityEventError> for Fault {
    fn from(reason: SecurityEventError) -> Self {
        Self::Refused(reason)
    }
}

impl From<NoKeys> for Fault {
    fn from(fault: NoKeys) -> Self {
        Self::Unavailable(fault.retry_after)
    }
}

impl From<StoreUnavailable> for Fault {
    fn from(_: StoreUnavailable) -> Self {
        Self::Unavailable(RETRY_AFTER)
    }
}
