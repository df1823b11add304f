//! Who may use the admin API, and who may ask for checks.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web;
use logout_core::credential::{Secret, SecretDigest};

use super::problem::Problem;

/// The header that a reverse proxy shows its token in: `Authorization` is the caller's own.
pub(super) const CHECK_TOKEN: &str = "logout-check-token";

/// The digests of the tokens and the names that the listener answers to.
#[derive(Clone, Debug)]
pub(crate) struct AdminGuard {
    token: SecretDigest,
    check_token: SecretDigest,
    hosts: Vec<String>,
}

impl AdminGuard {
    /// Takes `token`, and requests whose `Host` is this address, `localhost` with its port, or one
    /// of `more`; for checks, which proxies send under names of their own, either token and any
    /// `Host`.
    pub(crate) fn new(
        token: &Secret,
        check_token: &Secret,
        address: std::net::SocketAddr,
        more: &[String],
    ) -> Self {
        let own = [address.to_string(), format!("localhost:{}", address.port())];
        let hosts = own.into_iter().chain(more.iter().cloned()).collect();
        Self {
            token: SecretDigest::of(token.reveal()),
            check_token: SecretDigest::of(check_token.reveal()),
            hosts,
        }
    }

    fn admits(&self, request: &ServiceRequest) -> bool {
        let (scheme, token) = text(request.headers(), header::AUTHORIZATION.as_str())
            .split_once(' ')
            .unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer") && SecretDigest::of(token.trim()).matches(&self.token)
    }

    /// Whether a request with these headers may ask for a check.
    pub(super) fn admits_check(&self, headers: &HeaderMap) -> bool {
        let presented = SecretDigest::of(text(headers, CHECK_TOKEN).trim());
        // Both are compared whatever the first says.
        presented.matches(&self.check_token) | presented.matches(&self.token)
    }

    fn knows_host(&self, request: &ServiceRequest) -> bool {
        let host = request
            .headers()
            .get(header::HOST)
            .and_then(|value| value.to_str().ok());
        host.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Refuses a foreign `Host`, by which a web page could read what takes no token.
pub(super) async fn check_host(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let guard = request.app_data::<web::Data<AdminGuard>>();
    if guard.is_some_and(|guard| guard.knows_host(&request)) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    Ok(request
        .into_response(Problem::MISDIRECTED.response())
        .map_into_right_body())
}

pub(super) async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let guard = request.app_data::<web::Data<AdminGuard>>().cloned();
    let refusal = match guard {
        Some(guard) if !guard.knows_host(&request) => Some(Problem::MISDIRECTED),
        Some(guard) if guard.admits(&request) => None,
        _ => Some(Problem::UNAUTHORIZED),
    };
    match refusal {
        Some(problem) => Ok(request
            .into_response(problem.response())
            .map_into_right_body()),
        None => {
            let mut answer = next.call(request).await?;
            answer
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(answer.map_into_left_body())
        }
    }
}
