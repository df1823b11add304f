//! Who may use the admin API.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web;
use logout_core::credential::{Secret, SecretDigest};

use super::problem::Problem;

/// The admin token's digest and the names that the listener answers to.
#[derive(Clone, Debug)]
pub(crate) struct AdminGuard {
    token: SecretDigest,
    hosts: Vec<String>,
}

impl AdminGuard {
    /// Takes `token`, and requests whose `Host` is this address or, on loopback, `localhost` with its port.
    pub(crate) fn new(token: &Secret, address: std::net::SocketAddr) -> Self {
        let hosts = vec![address.to_string(), format!("localhost:{}", address.port())];
        Self { token: SecretDigest::of(token.reveal()), hosts }
    }

    fn admits(&self, request: &ServiceRequest) -> bool {
        let text = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok()).unwrap_or_default();
        let (scheme, token) = text(header::AUTHORIZATION).split_once(' ').unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer") && SecretDigest::of(token.trim()).matches(&self.token)
    }

    fn knows_host(&self, request: &ServiceRequest) -> bool {
        let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
        host.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
    }
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
        Some(problem) => Ok(request.into_response(problem.response()).map_into_right_body()),
        None => next.call(request).await.map(ServiceResponse::map_into_left_body),
    }
}
