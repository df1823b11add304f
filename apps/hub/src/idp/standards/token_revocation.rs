//! Ends the session of a token that a stand-in has issued, at its client's request (RFC 7009).

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::{BodyError, read_body, response};
use logout_core::{Refusal, Response};
use logout_standards::{LARGEST_TOKEN_REVOCATION, TokenRevocation, TokenRevocationError, answer};

use super::provider::RETRY_AFTER;
use super::receiver::{BODY_TIME, Receiver, content_type};
use crate::platforms::KnownPlatform;

/// Why a token was not revoked.
enum RevokeError {
    Refused(TokenRevocationError),
    Unavailable(Duration),
}

pub(super) async fn revoke(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let name = request.match_info().get("platform").unwrap_or_default();
    let mut platforms = receiver.platforms.iter();
    let named = platforms.find(|known| known.sessions.platform().name.as_str() == name);
    response(match named {
        None => answer::no_platform(),
        Some(_) if request.method() != Method::POST => answer::method_not_allowed(),
        Some(platform) => said(platform, platform.revoke(&request, payload).await),
    })
}

impl KnownPlatform {
    async fn revoke(&self, request: &HttpRequest, payload: Payload) -> Result<(), RevokeError> {
        let body = read_body(payload.into_inner(), LARGEST_TOKEN_REVOCATION, BODY_TIME).await;
        let body = body.map_err(|fault| match fault {
            BodyError::TooLarge => TokenRevocationError::TooLarge,
            _ => TokenRevocationError::Incomplete,
        })?;
        let headers = request.headers().get_all(AUTHORIZATION);
        let headers = headers.map(HeaderValue::as_bytes);
        let asked = TokenRevocation::read(content_type(request), headers, &body)?;
        // The tokens of an upstream are its own.
        let is_stand_in = !self.sessions.platform().has_upstream;
        let issuer = self.adapter.token_issuer().filter(|_| is_stand_in);
        let issuer = issuer.ok_or(TokenRevocationError::Unsupported)?;
        let (token, client) = (asked.token.reveal(), asked.client.as_ref());
        Ok(self.sessions.revoke_token(issuer, token, client).await?)
    }
}

fn said(platform: &KnownPlatform, outcome: Result<(), RevokeError>) -> Response {
    let name = platform.sessions.platform().name.as_str();
    match outcome {
        Ok(()) => answer::token_revoked(),
        Err(RevokeError::Refused(reason)) => {
            log::info!(platform = name, reason:% = reason; "a token was not revoked");
            answer::token_not_revoked(reason)
        }
        Err(RevokeError::Unavailable(retry_after)) => answer::unavailable(retry_after),
    }
}

impl From<TokenRevocationError> for RevokeError {
    fn from(reason: TokenRevocationError) -> Self {
        Self::Refused(reason)
    }
}

impl From<Refusal> for RevokeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ClientUnknown => Self::Refused(TokenRevocationError::UnknownClient),
            Refusal::ClientMismatch => Self::Refused(TokenRevocationError::OtherClient),
            // Any other cause leaves open whether the token still lives.
            _ => Self::Unavailable(RETRY_AFTER),
        }
    }
}
