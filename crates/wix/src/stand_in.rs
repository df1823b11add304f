//! The stand-in's endpoints besides sign-out, and what serves each.

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response};
use logout_core::provider::Endpoint;

use crate::config::Dialect;
use crate::paths::AUTHORIZE;
use crate::reply::ErrorResponse;
use crate::{authorize, login, probe, redirect_session, token};

/// An authorization request.
pub(crate) const AUTHORIZATION: &str = "authorize";
/// A login with a visitor's token.
pub(crate) const LOGIN: &str = "login";
/// The stand-in's own login page, filled in.
pub(crate) const LOGIN_FORM: &str = "login-form";
/// A link for a browser to follow.
pub(crate) const REDIRECT_SESSION: &str = "redirect-session";
/// A grant of tokens.
pub(crate) const TOKEN: &str = "token";

pub(crate) fn endpoints(dialect: &Dialect) -> Vec<Endpoint> {
    let endpoint = |name, method, path: &str| Endpoint::new(name, &[method], path, &[]);
    let mut endpoints = vec![
        endpoint(AUTHORIZATION, Method::Get, AUTHORIZE),
        endpoint(LOGIN_FORM, Method::Post, AUTHORIZE),
        endpoint(LOGIN, Method::Post, "/_api/iam/authentication/v2/login"),
        endpoint("member", Method::Get, "/members/v1/members/my"),
        endpoint("member", Method::Get, "/_api/members/v1/members/my"),
    ];
    // Observed: the vendor's SDK puts `/_api` in front where its host is none of its maker's.
    for below in ["/oauth2", "/_api/oauth2"] {
        endpoints.extend([
            endpoint(TOKEN, Method::Post, &format!("{below}/token")),
            endpoint("token-info", Method::Post, &format!("{below}/token-info")),
            endpoint("user-info", Method::Get, &format!("{below}/user-info")),
            endpoint("key-set", Method::Get, &format!("{below}/jwks")),
        ]);
    }
    // Observed: which of them is called depends on the host; the last one is documented.
    for path in [
        "/_api/redirects-api/v1/redirect-session",
        "/headless/v1/redirect-session",
        "/redirect-session/v1/redirect-session",
    ] {
        endpoints.push(endpoint(REDIRECT_SESSION, Method::Post, path));
    }
    if !dialect.prefix.is_empty() {
        endpoints.push(endpoint("home", Method::Get, "/"));
    }
    endpoints
}

pub(crate) async fn serve(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    match request.endpoint() {
        AUTHORIZATION => authorize::authorize(request, sessions, dialect).await,
        LOGIN_FORM => authorize::login_form(request, sessions, dialect).await,
        LOGIN => login::login(request, sessions, dialect).await,
        TOKEN => token::token(request, sessions, dialect).await,
        "token-info" => probe::token_info(request, sessions, dialect).await,
        "user-info" => probe::user_info(request, sessions, dialect).await,
        "key-set" => Ok(token::key_set(request)),
        "member" => probe::member(request, sessions, dialect).await,
        REDIRECT_SESSION => redirect_session::create(request, sessions, dialect).await,
        _ => probe::home(request, sessions, dialect).await,
    }
}
