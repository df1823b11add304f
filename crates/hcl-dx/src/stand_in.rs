//! The stand-in's endpoints besides sign-out, and what serves each.

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response};
use logout_core::provider::Endpoint;
use logout_core::sign_out::Refusal;

use crate::config::Dialect;
use crate::request::{CORE_API, PUBLIC_HOME};
use crate::{login, probe};

const CONTENT: &[&str] = &["accessType", "contentId"];

pub(crate) fn endpoints(dialect: &Dialect) -> Vec<Endpoint> {
    let core = |name, method, path: &str, parameters| Endpoint::new(name, &[method], format!("{CORE_API}{path}"), parameters);
    let mut endpoints = vec![
        core("login", Method::Post, "/auth/login", &[]),
        core("validate", Method::Post, "/auth/validate", &[]),
        core("content", Method::Get, "/{accessType}/webcontent/contents/{contentId}", CONTENT),
        // Whoever asks what may be called gets an answer, also from an origin that is told nothing else.
        core("options", Method::Options, "/auth/login", &[]),
        core("options", Method::Options, "/auth/logout", &[]),
        core("options", Method::Options, "/auth/validate", &[]),
        core("options", Method::Options, "/{accessType}/webcontent/contents/{contentId}", CONTENT),
        Endpoint::new("protected-home", &[Method::Get], dialect.portal.protected_path.clone(), &[]).with_optional_slash(),
    ];
    if !dialect.portal.logs_out_on_public {
        endpoints.push(public_home(dialect));
    }
    endpoints
}

/// The public home, which is a sign-out endpoint where touching it signs out.
pub(crate) fn public_home(dialect: &Dialect) -> Endpoint {
    Endpoint::new(PUBLIC_HOME, &[Method::Get], dialect.portal.public_path.clone(), &[]).with_optional_slash()
}

pub(crate) async fn serve(request: &Request, sessions: &SessionAuthority, dialect: &Dialect) -> Result<Response, Refusal> {
    match request.endpoint() {
        "login" => login::login(request, sessions, dialect).await,
        "validate" => probe::validate(request, sessions, dialect).await,
        "content" => probe::content(request, sessions, dialect).await,
        "protected-home" => probe::protected_home(request, sessions, dialect).await,
        PUBLIC_HOME => probe::public_home(request, sessions, dialect).await,
        _ => Ok(Response::new(200).uncached()),
    }
}
