//! The stand-in's endpoints besides sign-out, and what serves each.

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response, percent_decode};
use logout_core::provider::Endpoint;
use logout_core::sign_out::Refusal;

use crate::config::{Dialect, Profile};
use crate::request::with_session_id;
use crate::{login, probe};

/// A person's login.
pub(crate) const LOGIN: &str = "login";
/// A program's login.
pub(crate) const API_LOGIN: &str = "api-login";

/// Documented: from 6 on logins take POST only, and there is a login for programs; `/alive.txt`
/// until Elvis 6. Observed: Assets has `/services/ping` in its place.
pub(crate) fn endpoints(profile: Profile) -> Vec<Endpoint> {
    let both = [Method::Get, Method::Post];
    let mut endpoints = vec![
        Endpoint::new("profile", &both, "/services/profile", &[]),
        Endpoint::new("search", &both, "/services/search", &[]),
    ];
    if profile.has_tokens() {
        endpoints.push(Endpoint::new(
            LOGIN,
            &[Method::Post],
            "/services/login",
            &[],
        ));
        endpoints.push(Endpoint::new(
            API_LOGIN,
            &[Method::Post],
            "/services/apilogin",
            &[],
        ));
    } else {
        endpoints.push(Endpoint::new(LOGIN, &both, "/services/login", &[]));
    }
    if profile == Profile::Assets6 {
        endpoints.push(Endpoint::new("ping", &[Method::Get], "/services/ping", &[]));
    } else {
        endpoints.push(Endpoint::new("alive", &both, "/alive.txt", &[]));
    }
    endpoints
        .into_iter()
        .map(|endpoint| with_session_id(endpoint, profile))
        .collect()
}

/// The landing page at `path`, which is written as in a URL.
pub(crate) fn landing_page(path: &str) -> Endpoint {
    Endpoint::new("landing", &[Method::Get], percent_decode(path), &[])
}

pub(crate) async fn serve(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    match request.endpoint() {
        LOGIN => login::login(request, sessions, dialect).await,
        API_LOGIN => login::api_login(request, sessions, dialect).await,
        "profile" => probe::profile(request, sessions, dialect).await,
        "search" => probe::search(request, sessions, dialect).await,
        "ping" => probe::ping(request, sessions, dialect).await,
        "alive" => probe::alive(request, sessions, dialect).await,
        _ => probe::landing_page(request, sessions, dialect).await,
    }
}
