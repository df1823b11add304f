//! Ends everything of a person at a provider's request (Global Token Revocation, experimental).

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::read_body;
use logout_core::Response;
use logout_core::authority::{TokenOutcome, TokenSignOut};
use logout_core::credential::SecretDigest;
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::receipt::Reach;
use logout_core::session::Person;
use logout_core::store::StoreUnavailable;
use logout_standards::{
    LogoutTokenError, ProviderToken, RevocationError, SubjectId, answer, read_revocation_request,
};

use super::provider::{Idp, MessageError};
use super::receiver::{BODY_TIME, Receiver, bearer, content_type};
use crate::config::IdpPerson;

/// The largest body that is read, in bytes. Our choice.
const LARGEST_BODY: usize = 16 * 1024;

/// Why a request was not carried out.
enum Refusal {
    BadRequest(RevocationError),
    /// Without a token, or with one that is not valid.
    Unauthorized(Option<LogoutTokenError>),
    /// The subject of another issuer.
    Forbidden,
    /// More came than the provider's limit lets through.
    TooMany(Duration),
    /// More tokens that are not valid came from one address than are looked at.
    TooManyGuesses(Duration),
    Unavailable(Duration),
}

/// Who asks.
enum Caller {
    /// Whoever knows the token in the file.
    Known,
    /// The provider, by a token of its own.
    Provider(ProviderToken),
}

pub(super) async fn revoke(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let answer = async |idp: &Idp| said(idp, receiver.revoke(idp, &request, payload).await);
    receiver.answered(&request, answer).await
}

impl Receiver {
    async fn revoke(
        &self,
        idp: &Idp,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<usize, Refusal> {
        let caller = self.caller(idp, request).await?;
        let body = read_body(payload.into_inner(), LARGEST_BODY, BODY_TIME).await;
        let body = body.map_err(|_| RevocationError::Incomplete)?;
        let subject = read_revocation_request(content_type(request), &body)?;
        let (login, person) = idp.meant(subject)?;
        let now = self.services.clock.now();
        idp.revocations.take(now).map_err(Refusal::TooMany)?;
        let outcome = self.end_person(idp, caller, login, person).await;
        if outcome.is_err() {
            idp.revocations.put_back();
        }
        outcome.map_err(|refusal| match refusal {
            // Somebody else than the provider may have got hold of a token that was used.
            Refusal::Unauthorized(reason @ Some(LogoutTokenError::Repeated)) => {
                let guess = self.guesses.take(self.sender_of(request), now);
                guess.map_or_else(Refusal::TooManyGuesses, |()| Refusal::Unauthorized(reason))
            }
            other => other,
        })
    }

    async fn end_person(
        &self,
        idp: &Idp,
        caller: Caller,
        login: Option<IdpLogin>,
        person: Option<Person>,
    ) -> Result<usize, Refusal> {
        // Nothing less than everything of the person was asked for.
        let reach = |_: &_| Reach::Person;
        let token = match caller {
            Caller::Known => {
                let ended = self
                    .services
                    .sign_out_by_provider(login.as_ref(), person.as_ref(), reach)
                    .await?;
                return Ok(ended.len());
            }
            Caller::Provider(token) => token,
        };
        let order = TokenSignOut {
            login,
            person,
            token: TokenId {
                issuer: idp.issuer().into(),
                jti: token.jti,
            },
            issued: token.issued,
            remember_until: token.remember_until,
        };
        match self.services.sign_out_by_token(&order, reach).await? {
            TokenOutcome::Ended(_, ended) => Ok(ended.len()),
            TokenOutcome::Nothing => Ok(0),
            TokenOutcome::Repeated => Err(LogoutTokenError::Repeated.into()),
        }
    }

    async fn caller(&self, idp: &Idp, request: &HttpRequest) -> Result<Caller, Refusal> {
        let token = bearer(request).ok_or(Refusal::Unauthorized(None))?;
        let (sender, now) = (self.sender_of(request), self.services.clock.now());
        let guess = self.guesses.take(sender, now);
        let known = idp.revocation_token.as_ref();
        if guess.is_ok() && known.is_some_and(|known| known.matches(&SecretDigest::of(token))) {
            self.guesses.put_back(sender);
            return Ok(Caller::Known);
        }
        let endpoint = self.address(request.path());
        // A signature cannot be guessed, so nobody who shares an address with the provider can keep
        // its own tokens out.
        match (idp.provider_token(token, &endpoint, now).await, guess) {
            (Ok(token), guess) => {
                if guess.is_ok() {
                    self.guesses.put_back(sender);
                }
                Ok(Caller::Provider(token))
            }
            (Err(MessageError::Refused(_)), Err(wait)) => Err(Refusal::TooManyGuesses(wait)),
            (Err(error), _) => Err(error.into()),
        }
    }
}

impl Idp {
    /// The login and the person that a subject identifier means here.
    fn meant(&self, subject: SubjectId) -> Result<(Option<IdpLogin>, Option<Person>), Refusal> {
        let subject = match subject {
            SubjectId::Email(email) if self.person == Some(IdpPerson::Email) => {
                return Ok((None, Some(Person::new(email))));
            }
            SubjectId::IssSub { issuer, .. } if issuer != self.issuer() => {
                return Err(Refusal::Forbidden);
            }
            SubjectId::IssSub { subject, .. } | SubjectId::Opaque(subject) => subject,
            // An address that does not count means nobody.
            _ => return Ok((None, None)),
        };
        let person = (self.person == Some(IdpPerson::Sub)).then(|| Person::new(&subject));
        Ok((IdpLogin::new(self.issuer(), Some(&subject), None), person))
    }
}

fn said(idp: &Idp, outcome: Result<usize, Refusal>) -> Response {
    let name = idp.name.as_str();
    match outcome {
        // Whether the person exists is not told.
        Ok(ended) => {
            log::info!(
                idp = name, ended = ended;
                "an identity provider has revoked what a person had"
            );
            answer::revoked()
        }
        Err(Refusal::BadRequest(reason)) => {
            log::warn!(idp = name, reason:% = reason; "a revocation was refused");
            answer::bad_revocation(reason)
        }
        Err(Refusal::Unauthorized(reason)) => {
            match reason {
                Some(reason) => {
                    log::warn!(idp = name, reason:% = reason; "a revocation was not authenticated")
                }
                None => log::warn!(idp = name; "a revocation came without a token"),
            }
            answer::unauthorized(reason)
        }
        Err(Refusal::Forbidden) => {
            log::warn!(idp = name; "a revocation of another issuer's subject was refused");
            answer::forbidden()
        }
        Err(Refusal::TooMany(retry_after)) => {
            log::warn!(
                idp = name;
                "a revocation has to wait: more came than `revocations_per_minute` allows"
            );
            answer::too_many_requests(retry_after)
        }
        Err(Refusal::TooManyGuesses(retry_after)) => {
            log::warn!(
                idp = name;
                "a revocation was not authenticated, like too many others of its address"
            );
            answer::too_many_requests(retry_after)
        }
        Err(Refusal::Unavailable(retry_after)) => answer::unavailable(retry_after),
    }
}

impl From<RevocationError> for Refusal {
    fn from(reason: RevocationError) -> Self {
        Self::BadRequest(reason)
    }
}

impl From<LogoutTokenError> for Refusal {
    fn from(reason: LogoutTokenError) -> Self {
        Self::Unauthorized(Some(reason))
    }
}

impl From<MessageError<LogoutTokenError>> for Refusal {
    fn from(error: MessageError<LogoutTokenError>) -> Self {
        match error {
            MessageError::Refused(reason) => Self::Unauthorized(Some(reason)),
            MessageError::Unavailable(retry_after) => Self::Unavailable(retry_after),
        }
    }
}

impl From<StoreUnavailable> for Refusal {
    fn from(error: StoreUnavailable) -> Self {
        MessageError::<LogoutTokenError>::from(error).into()
    }
}
