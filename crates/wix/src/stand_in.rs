//! The stand-in's endpoints besides sign-out, and what serves each.

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response};
use logout_core::provider::Endpoint;

use crate::config::Dialect;
use crate::paths::AUTHORIZE;
use crate::reply::Fault;
use crate::{authorize, login, probe, redirect_session, token};

pub(crate) fn endpoints(dialect: &Dialect) -> Vec<Endpoint> {
    let endpoint = |name, method, path: &str| Endpoint::new(name, &[method], path, &[]);
    let mut endpoints = vec![
        endpoint("authorize", Method::Get, AUTHORIZE),
        endpoint("login-form", Method::Post, AUTHORIZE),
        endpoint("login", Method::Post, "/_api/iam/authentication/v2/login"),
        endpoint("token", Method::Post, "/oauth2/token"),
        endpoint("token", Method::Post, "/_api/oauth2/token"),
        endpoint("token-info", Method::Post, "/oauth2/token-info"),
        endpoint("member", Method::Get, "/members/v1/members/my"),
        endpoint("member", Method::Get, "/_api/members/v1/members/my"),
    ];
    // Observed: which of them is called depends on the host; the last one is documented.
    for path in ["/_api/redirects-api/v1/redirect-session", "/headless/v1/redirect-session", "/redirect-session/v1/redirect-session"] {
        endpoints.push(endpoint("redirect-session", Method::Post, path));
    }
    if !dialect.prefix.is_empty() {
        endpoints.push(endpoint("home", Method::Get, "/"));
    }
    endpoints
}

pub(crate) async fn serve(request: &Request, sessions: &SessionAuthority, dialect: &Dialect) -> Result<Response, Fault> {
    match request.endpoint() {
        "authorize" => authorize::authorize(request, sessions, dialect).await,
        "login-form" => authorize::login_form(request, sessions, dialect).await,
        "login" => login::login(request, sessions, dialect).await,
        "token" => token::token(request, sessions, dialect).await,
        "token-info" => probe::token_info(request, sessions, dialect).await,
        "member" => probe::member(request, sessions, dialect).await,
        "redirect-session" => redirect_session::create(request, sessions, dialect).await,
        _ => probe::home(request, sessions, dialect).await,
    }
}
