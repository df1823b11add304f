//! The way of a request through the mount: route, check, read, answer.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{
    AppService, HttpServiceFactory, Payload, RequestHead, ResourceDef, ServiceRequest,
    ServiceResponse, fn_service,
};
use actix_web::guard;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method as ActixMethod, StatusCode};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use logout_core::message::{Method, Request, Response};
use logout_core::same_site::is_cross_site;
use logout_core::sign_out::Refusal;
use logout_core::upstream::UpstreamAnswer;

use crate::client::TrustedProxies;
use crate::convert::{self, BodyError};
use crate::platform::MountedPlatform;
use crate::router::{Match, MountError, Router, Target};

/// How much of a request is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body, in bytes.
    pub body: usize,
    /// How long a body may take to arrive.
    pub body_time: Duration,
}

impl Default for Limits {
    /// 16 KiB within 10 seconds.
    fn default() -> Self {
        Self {
            body: 16 * 1024,
            body_time: Duration::from_secs(10),
        }
    }
}

/// Providers, mounted. Cheap to clone: one for every worker.
#[derive(Clone, Debug)]
pub struct Mount(Arc<Mounted>);

#[derive(Debug)]
struct Mounted {
    platforms: Vec<MountedPlatform>,
    router: Router,
    proxies: TrustedProxies,
    limits: Limits,
}

impl Mount {
    /// Mounts these platforms, trusting no proxy.
    ///
    /// # Errors
    /// Two platforms that would answer the same address, both named.
    pub fn new(platforms: Vec<MountedPlatform>) -> Result<Self, MountError> {
        Self::with(platforms, &[], TrustedProxies::default(), Limits::default())
    }

    /// Mounts these platforms; none may claim one of the `reserved` paths on every host, nor
    /// anything below one that ends with a slash (other than `/` itself, which stands for the root
    /// alone).
    ///
    /// # Errors
    /// As [`Mount::new`], and a platform that claims a reserved path.
    pub fn with(
        platforms: Vec<MountedPlatform>,
        reserved: &[&str],
        proxies: TrustedProxies,
        limits: Limits,
    ) -> Result<Self, MountError> {
        let router = Router::new(&platforms, reserved)?;
        Ok(Self(Arc::new(Mounted {
            platforms,
            router,
            proxies,
            limits,
        })))
    }

    /// The platforms.
    pub fn platforms(&self) -> &[MountedPlatform] {
        &self.0.platforms
    }

    /// The routes, for [`actix_web::App::configure`]. What is no platform's falls through to the
    /// app's later routes.
    pub fn routes(self) -> impl FnOnce(&mut web::ServiceConfig) {
        move |config| {
            config.service(Routes(self.0));
        }
    }
}

/// All paths, as far as they are a platform's. Registered without a scope or a resource: those
/// would compare each path with a pattern of everything, and answer through two more services.
struct Routes(Arc<Mounted>);

impl HttpServiceFactory for Routes {
    fn register(self, config: &mut AppService) {
        let Self(mounted) = self;
        // The app calls the service in the same step in which its guard has let a request pass, so
        // that the guard can hand the match on.
        let found = Rc::new(Cell::new(None));
        let (router, passed) = (mounted.clone(), found.clone());
        let ours = guard::fn_guard(move |context| {
            let route = router.route(context.head());
            let is_ours = route.is_some();
            passed.set(route);
            is_ours
        });
        let answer = move |request: ServiceRequest| {
            let (mounted, found) = (mounted.clone(), found.take());
            async move {
                let (request, payload) = request.into_parts();
                let found = found.or_else(|| mounted.route(request.head()));
                let response = match found {
                    Some(found) => mounted.answer(&request, payload, found).await,
                    None => HttpResponse::NotFound().finish(),
                };
                Ok::<_, actix_web::Error>(ServiceResponse::new(request, response))
            }
        };
        let everything = if config.is_root() {
            ResourceDef::root_prefix("")
        } else {
            ResourceDef::prefix("")
        };
        config.register_service(
            everything,
            Some(vec![Box::new(ours)]),
            fn_service(answer),
            None,
        );
    }
}

impl Mounted {
    /// Where a request goes; `None` where it is no platform's.
    fn route(&self, head: &RequestHead) -> Option<Match> {
        // A target in absolute form is what counts, and the Host header is to be ignored then (RFC
        // 9112, 3.2.2).
        let target = head.uri.authority().map(|authority| authority.as_str());
        let host = target
            .or_else(|| head.headers.get(header::HOST)?.to_str().ok())
            .unwrap_or_default();
        self.router
            .route(host, head.uri.path(), Method::of(head.method.as_str()))
    }

    async fn answer(&self, http: &HttpRequest, payload: Payload, found: Match) -> HttpResponse {
        let mounted = &self.platforms[found.platform];
        // Who may read the answer to a login is for the product to say that gives it.
        let is_relayed = mounted.relay.is_some() && matches!(found.target, Target::Login { .. });
        if !is_relayed && let Some(preflight) = preflight(http.head(), mounted) {
            return preflight;
        }
        match self.answer_in_dialect(http, payload, found, mounted).await {
            Answer::Ours(response) => {
                let origin = http.headers().get(header::ORIGIN);
                with_cors(convert::response(response), origin, mounted)
            }
            Answer::Relayed(answer) => convert::relayed(answer),
        }
    }

    async fn answer_in_dialect(
        &self,
        http: &HttpRequest,
        payload: Payload,
        found: Match,
        mounted: &MountedPlatform,
    ) -> Answer {
        let head = http.head();
        let method = Method::of(head.method.as_str());
        let (client, secure) = self.proxies.client(head, http.app_config().secure());
        let request = convert::request(head, method, found.path_from)
            .with_client(client)
            .with_secure(secure);
        let refused = |request: &Request<'_>, refusal: &Refusal| {
            Answer::Ours(mounted.provider.refused(request, refusal).into())
        };
        let signs_out = matches!(found.target, Target::SignOut { .. });
        let (endpoint, parameters) = match found.target {
            Target::MethodNotAllowed { mut allow } => {
                let mut seen = Vec::new();
                allow.retain(|method| {
                    !seen.contains(method) && {
                        seen.push(*method);
                        true
                    }
                });
                return refused(&request, &Refusal::MethodNotAllowed { allow });
            }
            Target::NotFound => return refused(&request, &Refusal::NotFound),
            Target::Login {
                endpoint,
                parameters,
            }
            | Target::SignOut {
                endpoint,
                parameters,
            } => (endpoint, parameters),
        };
        let admitted = if signs_out {
            mounted.sessions.admit_sign_out(&request)
        } else {
            mounted.sessions.admit(&request)
        };
        if let Err(refusal) = admitted {
            return refused(&request, &refusal);
        }
        if signs_out
            && mounted.require_same_site
            && is_cross_site(&request, mounted.sessions.platform(), &mounted.cors_origins)
        {
            return refused(&request, &Refusal::CrossSite);
        }
        let body = if convert::has_body(&head.headers) {
            convert::read_body(payload, self.limits.body, self.limits.body_time).await
        } else {
            Ok(Bytes::new())
        };
        let body = match body {
            Ok(body) => body,
            Err(BodyError::TooLarge) => return refused(&request, &Refusal::BodyTooLarge),
            Err(BodyError::TooSlow) => return refused(&request, &Refusal::TooSlow),
            Err(BodyError::Broken) => {
                let refusal = Refusal::Malformed {
                    field: "body",
                    rule: "ended early",
                };
                return refused(&request, &refusal);
            }
        };
        let request = request
            .with_borrowed_body(&body)
            .with_endpoint(endpoint, parameters);
        if signs_out {
            let reply = mounted.provider.logout(&request, &mounted.sessions).await;
            return Answer::Ours(reply.into());
        }
        match &mounted.relay {
            None => Answer::Ours(mounted.provider.serve(&request, &mounted.sessions).await),
            Some(relay) => match relay.login(&request).await {
                Ok(answer) => Answer::Relayed(answer),
                Err(fault) => {
                    log::warn!(platform = mounted.sessions.platform().name.as_str(), reason:% = fault; "a login was not relayed");
                    refused(&request, &Refusal::Unavailable)
                }
            },
        }
    }
}

/// Who speaks: an adapter of ours, or the real instance behind the platform.
enum Answer {
    Ours(Response),
    Relayed(UpstreamAnswer),
}

/// The answer to a preflight. An origin that is not allowed is told nothing.
fn preflight(head: &RequestHead, mounted: &MountedPlatform) -> Option<HttpResponse> {
    let asks = head.method == ActixMethod::OPTIONS
        && head
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let origin = asks.then(|| head.headers.get(header::ORIGIN)).flatten()?;
    let words = mounted.provider.preflight();
    let mut response =
        HttpResponse::new(StatusCode::from_u16(words.status).unwrap_or(StatusCode::NO_CONTENT));
    if origin
        .to_str()
        .is_ok_and(|origin| mounted.cors_origins.allows(origin))
    {
        let headers = response.headers_mut();
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static(words.methods),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(words.headers),
        );
        headers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from(words.max_age),
        );
    }
    Some(with_cors(response, Some(origin), mounted))
}

fn with_cors(
    mut response: HttpResponse,
    origin: Option<&HeaderValue>,
    mounted: &MountedPlatform,
) -> HttpResponse {
    if mounted.cors_origins.is_empty() {
        return response;
    }
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|origin| {
        origin
            .to_str()
            .is_ok_and(|origin| mounted.cors_origins.allows(origin))
    }) {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    response
}
