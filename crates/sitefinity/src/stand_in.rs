//! The stand-in's endpoints besides sign-out, and what serves each.

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response};
use logout_core::provider::Endpoint;
use logout_core::sign_out::Refusal;

use crate::config::{Dialect, SIGN_IN_PATH};
use crate::{login, probe};

/// The form login.
pub(crate) const LOGIN_FORM: &str = "login-form";
/// OAuth2's grants.
pub(crate) const TOKEN: &str = "token";
/// The token service's sign-in.
pub(crate) const TOKEN_SERVICE: &str = "token-service";
/// Who is signed in, by cookie.
pub(crate) const LOGIN_STATUS_PATH: &str = "/rest-api/login-status";

pub(crate) fn endpoints(dialect: &Dialect) -> Vec<Endpoint> {
    let mut endpoints = logins(&[Method::Get]);
    endpoints.extend([
        lenient("login-status", &[Method::Get], LOGIN_STATUS_PATH),
        lenient("current-user", &[Method::Get], &current_user_path(dialect)),
        lenient("current-user", &[Method::Get], "/sf/system/users/current"),
    ]);
    if !dialect.prefix.is_empty() {
        endpoints.push(lenient("home", &[Method::Get], "/"));
    }
    endpoints
}

/// The logins, and what a login needs first. `asking` are the methods by which a client may ask for
/// authorization.
pub(crate) fn logins(asking: &[Method]) -> Vec<Endpoint> {
    vec![
        lenient("anti-forgery", &[Method::Get], "/sitefinity/anticsrf"),
        lenient(LOGIN_FORM, &[Method::Post], "/sitefinity/login-handler"),
        lenient("authorize", asking, "/Sitefinity/oauth/authorize"),
        lenient(TOKEN, &[Method::Post], "/sitefinity/oauth/token"),
        lenient(TOKEN_SERVICE, asking, SIGN_IN_PATH),
    ]
}

/// Who is signed in, by cookie or token.
pub(crate) fn current_user_path(dialect: &Dialect) -> String {
    format!("/api/{}/users/current", dialect.config.service_path)
}

fn lenient(name: &'static str, methods: &[Method], path: &str) -> Endpoint {
    Endpoint::new(name, methods, path, &[])
        .ignoring_case()
        .with_optional_slash()
}

pub(crate) async fn serve(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    match request.endpoint() {
        "anti-forgery" => login::anti_forgery(request, sessions),
        LOGIN_FORM => login::login_form(request, sessions, dialect).await,
        TOKEN => login::token(request, sessions, dialect).await,
        TOKEN_SERVICE => login::token_service(request, sessions, dialect).await,
        "login-status" => probe::login_status(request, sessions, dialect).await,
        "current-user" => probe::current_user(request, sessions, dialect).await,
        "home" => probe::home(request, sessions, dialect).await,
        // Observed: a client detects the OAuth2 server by this answer.
        _ => Ok(login::oauth_fault(
            "invalid_request",
            "This stand-in offers the password grant only.",
        )),
    }
}
