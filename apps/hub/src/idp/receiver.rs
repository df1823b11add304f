//! Receives logout tokens (OpenID Connect Back-Channel Logout 1.0).

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::{BodyError, read_body, response};
use logout_core::Response;
use logout_core::authority::{Services, TokenOutcome, TokenSignOut};
use logout_core::credential::SecretDigest;
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::ports::Clock;
use logout_core::receipt::Reach;
use logout_core::session::Person;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_identity::SystemClock;
use logout_standards::{
    IdTokenHint, KeySet, LARGEST_LOGOUT_REQUEST, LogoutRequestError, LogoutToken, LogoutTokenError,
    LogoutTokenVerifier, ProviderToken, SignatureAlgorithm, answer, read_logout_request,
};
use metrics::{counter, describe_counter};
use url::Url;

use super::keys::{Keys, NoKeys};
use super::{END_SESSION, PATH, end_session, events, revocation};
use crate::config::{
    Config, ConfigError, ConfigErrors, IdpConfig, IdpPerson, RelyingPartyConfig, read_token,
};
use crate::platforms::KnownPlatform;

/// Logout tokens, by `idp` and `outcome`: `ended`, `nothing`, `refused`, `unavailable`.
const TOKENS: &str = "logout_hub_logout_tokens_total";

/// How long a request's body may take to arrive.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);

/// When to send a token again that the store could not carry out.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The configured providers and applications, and what their messages end.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(super) idps: Vec<Idp>,
    pub(super) relying_parties: Vec<RelyingPartyConfig>,
    pub(super) platforms: Vec<KnownPlatform>,
    pub(super) services: Services,
    pub(super) public_url: Url,
}

/// One provider.
#[derive(Debug)]
pub(super) struct Idp {
    pub(super) name: String,
    pub(super) verifier: LogoutTokenVerifier,
    keys: Keys,
    pub(super) person: Option<IdpPerson>,
    /// Of the token that authenticates a revocation.
    pub(super) revocation_token: Option<SecretDigest>,
    /// Absent where its security events are not taken.
    pub(super) events: Option<Events>,
}

/// What is done with a provider's security events.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) audience: String,
    pub(super) end_on_credential_change: bool,
}

/// Why a token was not carried out.
pub(super) enum Fault {
    Refused(LogoutRequestError),
    Unavailable(Duration),
}

impl Receiver {
    /// Sets up every provider of `config`. No key is fetched yet.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at its place in the configuration.
    pub(crate) fn set_up(
        config: &Config,
        public_url: &Url,
        services: &Services,
        platforms: &[KnownPlatform],
    ) -> Result<Self, ConfigErrors> {
        let (idps, errors) = idps(config, &services.clock);
        ConfigErrors::check(errors)?;
        describe_counter!(TOKENS, "Logout tokens of identity providers.");
        describe_counter!(events::EVENTS, "Security events of identity providers.");
        Ok(Self {
            idps,
            relying_parties: config.relying_parties.clone(),
            platforms: platforms.to_vec(),
            services: services.clone(),
            public_url: public_url.clone(),
        })
    }

    /// Everything that is wrong with the providers of `config`.
    pub(crate) fn problems(config: &Config) -> Vec<ConfigError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        idps(config, &clock).1
    }

    /// The routes of the endpoints. The receiver is among the app's data.
    pub(crate) fn routes(app: &mut ServiceConfig) {
        let path = format!("{PATH}{{idp}}/backchannel-logout");
        let revocation = format!("{PATH}{{idp}}/global-token-revocation");
        let events = format!("{PATH}{{idp}}/events");
        app.route(&path, web::route().to(backchannel_logout))
            .route(&revocation, web::route().to(revocation::revoke))
            .route(&events, web::route().to(events::push))
            .route(END_SESSION, web::route().to(end_session::answer));
    }

    /// The provider whose name stands in the address.
    pub(super) fn named(&self, request: &HttpRequest) -> Option<&Idp> {
        let name = request.match_info().get("idp")?;
        self.idps.iter().find(|idp| idp.name == name)
    }

    /// An address of this hub as others know it.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// How far a sign-out goes at a platform.
    pub(super) fn reach(&self, platform: &PlatformName) -> Reach {
        let mut platforms = self.platforms.iter().map(|known| known.sessions.platform());
        platforms
            .find(|known| known.name == *platform)
            .map_or(Reach::Session, |known| known.reach)
    }

    async fn receive(
        &self,
        idp: &Idp,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<TokenOutcome, Fault> {
        let body = read_body(payload.into_inner(), LARGEST_LOGOUT_REQUEST, BODY_TIME).await;
        let body = body.map_err(|fault| match fault {
            BodyError::TooLarge => LogoutRequestError::TooLarge,
            _ => LogoutRequestError::Incomplete,
        })?;
        let media_type = request.headers().get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let token = read_logout_request(media_type, &body)?;
        let token = idp.verified(&token, &*self.services.clock).await?;
        let order = order(&token, idp.person);
        let reach = |platform: &PlatformName| self.reach(platform);
        Ok(self.services.sign_out_by_token(&order, reach).await?)
    }
}

fn idps(config: &Config, clock: &Arc<dyn Clock>) -> (Vec<Idp>, Vec<ConfigError>) {
    let (mut idps, mut errors) = (Vec::new(), Vec::new());
    for idp in &config.idps {
        match Idp::set_up(idp, clock) {
            Ok(idp) => idps.push(idp),
            Err(error) => errors.push(error),
        }
    }
    (idps, errors)
}

async fn backchannel_logout(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let Some(idp) = receiver.named(&request) else {
        return response(answer::not_found());
    };
    if request.method() != Method::POST {
        return response(answer::method_not_allowed());
    }
    let outcome = receiver.receive(idp, &request, payload).await;
    response(idp.answer(outcome))
}

impl Idp {
    fn set_up(config: &IdpConfig, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let algorithms = config.algorithms.iter().map(|name| {
            SignatureAlgorithm::parse(name)
                .map_err(|fault| config.error("algorithms", format!("`{name}`: {fault}")))
        });
        let algorithms = algorithms.collect::<Result<Vec<_>, _>>()?;
        let verifier = LogoutTokenVerifier::new(
            config.issuer.as_str(),
            config.client_id.as_str(),
            &algorithms,
        );
        let revocation_token = config.revocation_token_file.as_ref().map(|file| {
            let token = read_token(file);
            let token = token.map_err(|fault| config.error("revocation_token_file", fault));
            token.map(|token| SecretDigest::of(token.reveal()))
        });
        Ok(Self {
            name: config.name.clone(),
            verifier: verifier.map_err(|fault| config.error("", fault))?,
            keys: Keys::set_up(config, &algorithms, Arc::clone(clock))?,
            person: config.person,
            revocation_token: revocation_token.transpose()?,
            events: config.events_audience.clone().map(|audience| Events {
                audience,
                end_on_credential_change: config.end_on_credential_change,
            }),
        })
    }

    /// What a logout token says that is valid.
    async fn verified(&self, token: &str, clock: &dyn Clock) -> Result<LogoutToken, Fault> {
        let verified = self.with_keys(|keys| self.verifier.verify(token, keys, clock.now()));
        Ok(verified.await??)
    }

    /// What an ID token says that is valid, and was issued to this provider's client or to one of
    /// `clients`.
    pub(super) async fn hint(&self, token: &str, clients: &[&str]) -> Result<IdTokenHint, Fault> {
        let clients = [&[self.verifier.client_id()], clients].concat();
        let (issuer, algorithms) = (self.issuer(), self.verifier.algorithms());
        let verify = |keys: &KeySet| IdTokenHint::verify(token, issuer, &clients, keys, algorithms);
        Ok(self.with_keys(verify).await??)
    }

    /// What a token says by which this provider authenticates a request to `endpoint`.
    pub(super) async fn provider_token(
        &self,
        token: &str,
        endpoint: &str,
        now: Timestamp,
    ) -> Result<ProviderToken, Fault> {
        let (of, algorithms) = ((self.issuer(), endpoint), self.verifier.algorithms());
        let verify = |keys: &KeySet| ProviderToken::verify(token, of, keys, algorithms, now);
        Ok(self.with_keys(verify).await??)
    }

    pub(super) fn issuer(&self) -> &str {
        self.verifier.issuer()
    }

    /// Verifies a token. For one whose key is not known, the keys are fetched anew; for one that no
    /// key can verify, none are fetched.
    pub(super) async fn with_keys<T, E: From<LogoutTokenError> + PartialEq>(
        &self,
        verify: impl Fn(&KeySet) -> Result<T, E>,
    ) -> Result<Result<T, E>, NoKeys> {
        let unknown = E::from(LogoutTokenError::UnknownKey);
        let without_keys = verify(&KeySet::default());
        if without_keys.as_ref().is_err_and(|fault| *fault != unknown) {
            return Ok(without_keys);
        }
        let keys = self.keys.get().await?;
        let verified = verify(&keys);
        if verified.as_ref().err() != Some(&unknown) {
            return Ok(verified);
        }
        let newer = self.keys.newer(&keys).await?;
        Ok(newer.map_or(verified, |keys| verify(&keys)))
    }

    fn answer(&self, outcome: Result<TokenOutcome, Fault>) -> Response {
        let idp = self.name.as_str();
        let (word, response) = match outcome {
            Ok(TokenOutcome::Ended(receipt, ended)) => {
                log::info!(idp = idp, receipt:% = receipt, ended = ended.len(); "a logout token has ended sessions");
                ("ended", answer::carried_out())
            }
            Ok(TokenOutcome::Nothing) => {
                log::info!(idp = idp; "a logout token had nothing to end");
                ("nothing", answer::carried_out())
            }
            Ok(TokenOutcome::Repeated) => self.refused(LogoutTokenError::Repeated.into()),
            Err(Fault::Refused(reason)) => self.refused(reason),
            Err(Fault::Unavailable(retry_after)) => {
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

impl From<LogoutRequestError> for Fault {
    fn from(reason: LogoutRequestError) -> Self {
        Self::Refused(reason)
    }
}

impl From<LogoutTokenError> for Fault {
    fn from(reason: LogoutTokenError) -> Self {
        Self::Refused(reason.into())
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
