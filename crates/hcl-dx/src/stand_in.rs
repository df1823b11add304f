//! The stand-in's endpoints besides sign-out, and what serves each.

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response};
use logout_core::provider::Endpoint;
use logout_core::sign_out::Refusal;

use crate::config::Dialect;
use crate::request::{CORE_API, CORE_LOGOUT_PATH, PUBLIC_HOME};
use crate::{login, probe};

/// The login.
pub(crate) const LOGIN: &str = "login";
/// Its path below the core API.
pub(crate) const LOGIN_PATH: &str = "/auth/login";
/// The path of the probe below the core API.
pub(crate) const VALIDATE_PATH: &str = "/auth/validate";

const CONTENT: &[&str] = &["accessType", "contentId"];

pub(crate) fn endpoints(dialect: &Dialect) -> Vec<Endpoint> {
    let core = |name, method, path: &str, parameters| {
        Endpoint::new(name, &[method], format!("{CORE_API}{path}"), parameters)
    };
    let mut endpoints = vec![
        core(LOGIN, Method::Post, LOGIN_PATH, &[]),
        core("validate", Method::Post, VALIDATE_PATH, &[]),
        core(
            "content",
            Method::Get,
            "/{accessType}/webcontent/contents/{contentId}",
            CONTENT,
        ),
        // Whoever asks what may be called gets an answer, also from an origin that is told nothing
        // else.
        core("options", Method::Options, LOGIN_PATH, &[]),
        core("options", Method::Options, CORE_LOGOUT_PATH, &[]),
        core("options", Method::Options, VALIDATE_PATH, &[]),
        core(
            "options",
            Method::Options,
            "/{accessType}/webcontent/contents/{contentId}",
            CONTENT,
        ),
        Endpoint::new(
            "protected-home",
            &[Method::Get],
            dialect.portal.protected_path.clone(),
            &[],
        )
        .with_optional_slash(),
    ];
    if !dialect.portal.logs_out_on_public {
        endpoints.push(public_home(dialect));
    }
    endpoints
}

/// The public home, which is a sign-out endpoint where touching it signs out.
pub(crate) fn public_home(dialect: &Dialect) -> Endpoint {
    Endpoint::new(
        PUBLIC_HOME,
        &[Method::Get],
        dialect.portal.public_path.clone(),
        &[],
    )
    .with_optional_slash()
}

pub(crate) async fn serve(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    match request.endpoint() {
        LOGIN => login::login(request, sessions, dialect).await,
        "validate" => probe::validate(request, sessions, dialect).await,
        "content" => probe::content(request, sessions, dialect).await,
        "protected-home" => probe::protected_home(request, sessions, dialect).await,
        PUBLIC_HOME => probe::public_home(request, sessions, dialect).await,
        _ => Ok(Response::new(200).uncached()),
    }
}
