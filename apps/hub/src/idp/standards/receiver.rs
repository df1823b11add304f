//! The configured providers and applications, and the routes by which their messages come.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use logout_actix::{TrustedProxies, response};
use logout_core::Response;
use logout_core::authority::Services;
use logout_core::platform::PlatformName;
use logout_core::ports::Clock;
use logout_core::receipt::Reach;
use logout_identity::{AddressGroup, SystemClock};
use logout_standards::answer;
use metrics::describe_counter;
use url::Url;

use super::limits::Guesses;
use super::provider::Idp;
use super::{
    DISCOVERY, END_SESSION, EVENTS, JWKS, PATH, REVOKE, Sender, backchannel_logout, discovery,
    end_session, events, poll, revocation, token_revocation,
};
use crate::config::{Config, ConfigError, ConfigErrors, RelyingPartyConfig};
use crate::platforms::KnownPlatform;

/// How long a request's body may take to arrive.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);

/// The configured providers and applications, and what their messages end.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(super) idps: Vec<Idp>,
    pub(super) relying_parties: Vec<RelyingPartyConfig>,
    pub(super) platforms: Vec<KnownPlatform>,
    pub(super) services: Services,
    pub(super) public_url: Url,
    /// Whose word on a client's address is believed.
    pub(super) proxies: TrustedProxies,
    pub(super) guesses: Guesses,
    pub(super) sender: Sender,
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
        sender: Sender,
    ) -> Result<Self, ConfigErrors> {
        let (idps, errors) = idps(config, &services.clock);
        ConfigErrors::check(errors)?;
        describe_counter!(
            backchannel_logout::TOKENS,
            "Logout tokens of identity providers."
        );
        describe_counter!(events::EVENTS, "Security events of identity providers.");
        Ok(Self {
            idps,
            relying_parties: config.relying_parties.clone(),
            platforms: platforms.to_vec(),
            services: services.clone(),
            public_url: public_url.clone(),
            proxies: TrustedProxies::parse(&config.server.trusted_proxies).unwrap_or_default(),
            guesses: Guesses::default(),
            sender,
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
        let polled = format!("{EVENTS}{{receiver}}/poll");
        let revoke = format!("{REVOKE}{{platform}}");
        app.route(&path, web::route().to(backchannel_logout::receive))
            .route(&revocation, web::route().to(revocation::revoke))
            .route(&events, web::route().to(events::push))
            .route(&revoke, web::route().to(token_revocation::revoke))
            .route(END_SESSION, web::route().to(end_session::answer))
            .route(&polled, web::route().to(poll::poll))
            .route(DISCOVERY, web::route().to(discovery::configuration))
            .route(JWKS, web::route().to(discovery::keys));
    }

    /// Answers a `POST` to the provider whose name stands in the address.
    pub(super) async fn answered(
        &self,
        request: &HttpRequest,
        answer: impl AsyncFnOnce(&Idp) -> Response,
    ) -> HttpResponse {
        response(match self.posted_to(request) {
            Ok(idp) => answer(idp).await,
            Err(refusal) => refusal,
        })
    }

    /// The provider whose name stands in the address of a `POST`.
    ///
    /// # Errors
    /// The answer where there is none, or the method is another.
    fn posted_to(&self, request: &HttpRequest) -> Result<&Idp, Response> {
        let name = request.match_info().get("idp").unwrap_or_default();
        let idp = self.idps.iter().find(|idp| idp.name == name);
        let idp = idp.ok_or_else(answer::not_found)?;
        if request.method() == Method::POST {
            Ok(idp)
        } else {
            Err(answer::method_not_allowed())
        }
    }

    /// An address of this hub as others know it.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Where a request comes from.
    pub(super) fn sender_of(&self, request: &HttpRequest) -> AddressGroup {
        AddressGroup::of(self.proxies.client_address(request))
    }

    /// How far a sign-out goes at a platform.
    pub(super) fn reach(&self, platform: &PlatformName) -> Reach {
        let mut platforms = self.platforms.iter().map(|known| known.sessions.platform());
        platforms
            .find(|known| known.name == *platform)
            .map_or(Reach::Session, |known| known.reach)
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

/// The one bearer token of a request.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut given = request.headers().get_all(header::AUTHORIZATION);
    let (given, others) = (given.next(), given.next());
    let (scheme, token) = given?.to_str().ok()?.split_once(' ')?;
    let token = scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim())?;
    (!token.is_empty() && others.is_none()).then_some(token)
}

/// The media type of a request's body.
pub(super) fn content_type(request: &HttpRequest) -> Option<&str> {
    request.headers().get(header::CONTENT_TYPE)?.to_str().ok()
}
