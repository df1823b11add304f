//! The stand-in's endpoints besides sign-out, and what serves each.

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response};
use logout_core::provider::Endpoint;
use logout_core::sign_out::Refusal;

use crate::config::{Dialect, SIGN_IN_PATH};
use crate::{login, probe};

pub(crate) fn endpoints(dialect: &Dialect) -> Vec<Endpoint> {
    let users = format!("/api/{}/users/current", dialect.config.service_path);
    let mut endpoints = vec![
        Endpoint::new("anti-forgery", &[Method::Get], "/sitefinity/anticsrf", &[]),
        Endpoint::new("login-form", &[Method::Post], "/sitefinity/login-handler", &[]),
        Endpoint::new("authorize", &[Method::Get], "/Sitefinity/oauth/authorize", &[]),
        Endpoint::new("token", &[Method::Post], "/sitefinity/oauth/token", &[]),
        Endpoint::new("token-service", &[Method::Get], SIGN_IN_PATH, &[]),
        Endpoint::new("login-status", &[Method::Get], "/rest-api/login-status", &[]),
        Endpoint::new("current-user", &[Method::Get], users, &[]),
        Endpoint::new("current-user", &[Method::Get], "/sf/system/users/current", &[]),
    ];
    if !dialect.prefix.is_empty() {
        endpoints.push(Endpoint::new("home", &[Method::Get], "/", &[]));
    }
    endpoints.into_iter().map(|endpoint| endpoint.ignoring_case().with_optional_slash()).collect()
}

pub(crate) async fn serve(request: &Request, sessions: &SessionAuthority, dialect: &Dialect) -> Result<Response, Refusal> {
    match request.endpoint() {
        "anti-forgery" => login::anti_forgery(request, sessions),
        "login-form" => login::login_form(request, sessions, dialect).await,
        "token" => login::token(request, sessions, dialect).await,
        "token-service" => login::token_service(request, sessions, dialect).await,
        "login-status" => probe::login_status(request, sessions, dialect).await,
        "current-user" => probe::current_user(request, sessions, dialect).await,
        "home" => probe::home(request, sessions, dialect).await,
        // Observed: a client detects the OAuth2 server by this answer.
        _ => Ok(login::oauth_fault("invalid_request", "This stand-in offers the password grant only.")),
    }
}
