//! The way of a request through the mount: route, check, read, answer.

use std::sync::Arc;
use std::time::Duration;

use actix_web::guard::{self, GuardContext};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use logout_core::message::{Method, Response};
use logout_core::same_site::is_cross_site;
use logout_core::sign_out::Refusal;
use logout_core::upstream::UpstreamAnswer;

use crate::client::TrustedProxies;
use crate::convert::{self, BodyError};
use crate::platform::MountedPlatform;
use crate::router::{Match, MountError, Router, Target};

/// How much of a request is read.
#[derive(Clone, Debug)]
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
            let mounted = self.0.clone();
            let ours = guard::fn_guard(move |context| mounted.claim(context));
            // A scope of everything, because a pattern of everything would be a regular expression
            // on every request.
            let handler = web::to(move |request: HttpRequest, payload: web::Payload| {
                let mounted = self.0.clone();
                async move { mounted.answer(request, payload).await }
            });
            config.service(web::scope("").guard(ours).default_service(handler));
        }
    }
}

impl Mounted {
    /// Whether a request is a platform's; leaves the match with the request, so that it is made
    /// once.
    fn claim(&self, context: &GuardContext<'_>) -> bool {
        let head = context.head();
        // A target in absolute form is what counts, and the Host header is to be ignored then (RFC
        // 9112, 3.2.2).
        let target = head.uri.authority().map(|authority| authority.as_str());
        let host = target
            .or_else(|| head.headers.get(header::HOST)?.to_str().ok())
            .unwrap_or_default();
        let found = self
            .router
            .route(host, head.uri.path(), Method::of(head.method.as_str()));
        found
            .map(|found| context.req_data_mut().insert(found))
            .is_some()
    }

    async fn answer(&self, http: HttpRequest, payload: web::Payload) -> HttpResponse {
        let Some(found) = http.extensions_mut().remove::<Match>() else {
            return HttpResponse::NotFound().finish();
        };
        let mounted = &self.platforms[found.platform];
        let origin = http.headers().get(header::ORIGIN).cloned();
        // Who may read the answer to a login is for the product to say that gives it.
        let is_relayed = mounted.relay.is_some() && matches!(found.target, Target::Login { .. });
        if !is_relayed && let Some(preflight) = preflight(&http, mounted) {
            return preflight;
        }
        match self.answer_in_dialect(&http, payload, found, mounted).await {
            Answer::Ours(response) => with_cors(convert::response(response), origin, mounted),
            Answer::Relayed(answer) => convert::relayed(answer),
        }
    }

    async fn answer_in_dialect(
        &self,
        http: &HttpRequest,
        payload: web::Payload,
        found: Match,
        mounted: &MountedPlatform,
    ) -> Answer {
        let method = Method::of(http.method().as_str());
        let (client, secure) = self.proxies.client(http.head(), http.app_config().secure());
        let request = convert::request(http, method, found.path_from)
            .with_client(client)
            .with_secure(secure);
        let refused =
            |refusal: &Refusal| Answer::Ours(mounted.provider.refused(&request, refusal).into());
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
                return refused(&Refusal::MethodNotAllowed { allow });
            }
            Target::NotFound => return refused(&Refusal::NotFound),
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
            return refused(&refusal);
        }
        if signs_out
            && mounted.require_same_site
            && is_cross_site(&request, mounted.sessions.platform(), &mounted.cors_origins)
        {
            return refused(&Refusal::CrossSite);
        }
        let body = if convert::has_body(http) {
            convert::body(payload, self.limits.body, self.limits.body_time).await
        } else {
            Ok(Vec::new())
        };
        let body = match body {
            Ok(body) => body,
            Err(BodyError::TooLarge) => return refused(&Refusal::BodyTooLarge),
            Err(BodyError::TooSlow) => return refused(&Refusal::TooSlow),
            Err(BodyError::Broken) => {
                return refused(&Refusal::Malformed {
                    field: "body",
                    rule: "ended early",
                });
            }
        };
        let request = request.with_body(body).with_endpoint(endpoint, parameters);
        if signs_out {
            return Answer::Ours(
                mounted
                    .provider
                    .logout(&request, &mounted.sessions)
                    .await
                    .into(),
            );
        }
        match &mounted.relay {
            None => Answer::Ours(mounted.provider.serve(&request, &mounted.sessions).await),
            Some(relay) => match relay.login(&request).await {
                Ok(answer) => Answer::Relayed(answer),
                Err(fault) => {
                    log::warn!(platform = mounted.sessions.platform().name.as_str(), reason:% = fault; "a login was not relayed");
                    Answer::Ours(
                        mounted
                            .provider
                            .refused(&request, &Refusal::Unavailable)
                            .into(),
                    )
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
fn preflight(http: &HttpRequest, mounted: &MountedPlatform) -> Option<HttpResponse> {
    let asks = http.method().as_str() == "OPTIONS"
        && http
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let origin = http.headers().get(header::ORIGIN).filter(|_| asks)?;
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
    Some(with_cors(response, Some(origin.clone()), mounted))
}

fn with_cors(
    mut response: HttpResponse,
    origin: Option<HeaderValue>,
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
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    response
}
