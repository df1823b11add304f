//! Receives logout tokens (OpenID Connect Back-Channel Logout 1.0).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::{BodyError, read_body};
use logout_core::Response;
use logout_core::authority::{TokenOutcome, TokenSignOut};
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::session::Person;
use logout_standards::{
    LARGEST_LOGOUT_REQUEST, LogoutRequestError, LogoutToken, LogoutTokenError, answer,
    read_logout_request,
};
use metrics::counter;

use super::provider::{Idp, MessageError};
use super::receiver::{BODY_TIME, Receiver, content_type};
use crate::config::IdpPerson;

/// Logout tokens, by `idp` and `outcome`: `ended`, `nothing`, `refused`, `unavailable`.
pub(super) const TOKENS: &str = "logout_hub_logout_tokens_total";

/// The endpoint.
pub(super) async fn receive(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let answer = async |idp: &Idp| idp.answer(receiver.carry_out(idp, &request, payload).await);
    receiver.answered(&request, answer).await
}

impl Receiver {
    async fn carry_out(
        &self,
        idp: &Idp,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<TokenOutcome, MessageError<LogoutRequestError>> {
        let body = read_body(payload.into_inner(), LARGEST_LOGOUT_REQUEST, BODY_TIME).await;
        let body = body.map_err(|fault| match fault {
            BodyError::TooLarge => LogoutRequestError::TooLarge,
            _ => LogoutRequestError::Incomplete,
        })?;
        let token = read_logout_request(content_type(request), &body)?;
        let token = idp.logout_token(&token, self.services.clock.now()).await?;
        let order = order(&token, idp.person);
        let reach = |platform: &PlatformName| self.reach(platform);
        Ok(self.services.sign_out_by_token(&order, reach).await?)
    }
}

impl Idp {
    fn answer(&self, outcome: Result<TokenOutcome, MessageError<LogoutRequestError>>) -> Response {
        let idp = self.name.as_str();
        let (word, response) = match outcome {
            Ok(TokenOutcome::Ended(receipt, ended)) => {
                log::info!(
                    idp = idp, receipt:% = receipt, ended = ended.len();
                    "a logout token has ended sessions"
                );
                ("ended", answer::carried_out())
            }
            Ok(TokenOutcome::Nothing) => {
                log::info!(idp = idp; "a logout token had nothing to end");
                ("nothing", answer::carried_out())
            }
            Ok(TokenOutcome::Repeated) => self.refused(LogoutTokenError::Repeated.into()),
            Err(MessageError::Refused(reason)) => self.refused(reason),
            Err(MessageError::Unavailable(retry_after)) => {
                ("unavailable", answer::unavailable(retry_after))
            }
        };
        counter!(TOKENS, "idp" => self.name.clone(), "outcome" => word).increment(1);
        response
    }

    fn refused(&self, reason: LogoutRequestError) -> (&'static str, Response) {
        log::warn!(idp = self.name.as_str(), reason:% = reason; "a logout token was refused");
        ("refused", answer::refused(reason))
    }
}

fn order(token: &LogoutToken, person: Option<IdpPerson>) -> TokenSignOut {
    let (subject, sid) = (token.subject.as_deref(), token.sid.as_deref());
    let name = match person {
        Some(IdpPerson::Sub) => subject,
        Some(IdpPerson::Email) => token.email.as_deref(),
        None => None,
    };
    TokenSignOut {
        login: IdpLogin::new(&token.issuer, subject, sid),
        person: name.map(Person::new),
        token: TokenId {
            issuer: token.issuer.clone(),
            jti: token.jti.clone(),
        },
        issued: token.issued,
        remember_until: token.remember_until,
    }
}
