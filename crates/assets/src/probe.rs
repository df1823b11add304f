//! The stand-in's session probes, and its landing page: who is signed in?
//!
//! Documented, unless a function says otherwise (docs/vendors/assets.md, "Probes").

use std::sync::Arc;

use logout_core::SessionAuthority;
use logout_core::message::{Method, Request, Response};
use logout_core::page::HtmlPage;
use logout_core::ports::Account;
use logout_core::session::Session;
use logout_core::sign_out::Refusal;
use serde_json::{Value, json};

use crate::config::Dialect;
use crate::reply::json_answer;
use crate::request::{contradicts, credentials, csrf_token};

pub(crate) async fn profile(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let session = signed_in(request, sessions, dialect).await?;
    let account = account_of(sessions, &session).ok_or(Refusal::NotSignedIn)?;
    Ok(json_answer(200, &user_profile(&account)))
}

/// Names and meaning of the members are documented; the values of `userZone` and `authorities` are
/// ours.
pub(crate) fn user_profile(account: &Account) -> Value {
    let authorities: &[&str] = if account.administrator {
        &["ROLE_USER", "ROLE_ADMIN"]
    } else {
        &["ROLE_USER"]
    };
    json!({
        "username": account.name,
        "fullName": account.display_name,
        "email": account.email,
        "userZone": format!("/Users/{}", account.name),
        "groups": account.groups,
        "authorities": authorities,
    })
}

/// A search that finds nothing: what matters is whether it is allowed.
pub(crate) async fn search(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    signed_in(request, sessions, dialect).await?;
    Ok(json_answer(
        200,
        &json!({ "firstResult": 0, "maxResultHits": 50, "totalHits": 0, "hits": [], "facets": {} }),
    ))
}

/// Keeps a session alive. The path was observed; the empty object, and the error without a session,
/// are our choice.
pub(crate) async fn ping(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    signed_in(request, sessions, dialect).await?;
    Ok(json_answer(200, &json!({})))
}

/// Keeps a session alive, and answers whether there is one or not.
pub(crate) async fn alive(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    live(request, sessions, dialect).await?;
    Ok(Response::with_text(200, "text/plain;charset=utf-8", "alive").uncached())
}

pub(crate) async fn landing_page(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let account = live(request, sessions, dialect)
        .await?
        .and_then(|(session, _)| account_of(sessions, &session));
    Ok(HtmlPage::who_is_signed_in(
        dialect.platform.as_str(),
        account
            .as_ref()
            .map(|account| account.display_name.as_str()),
    )
    .response(200))
}

/// The caller's session; by POST, only with the CSRF token where one is due.
async fn signed_in(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Arc<Session>, Refusal> {
    let (session, csrf_due) = live(request, sessions, dialect)
        .await?
        .ok_or(Refusal::NotSignedIn)?;
    if csrf_due && request.method() == Method::Post {
        let token = csrf_token(request).ok_or(Refusal::CsrfMissing)?;
        if !session.csrf.is_some_and(|due| due.matches(&token)) {
            return Err(Refusal::CsrfWrong);
        }
    }
    Ok(session)
}

/// The session of the first credential that opens one, none where the path names two; and whether
/// that one is due for a CSRF token.
async fn live(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Option<(Arc<Session>, bool)>, Refusal> {
    if contradicts(request, dialect) {
        return Ok(None);
    }
    let presented = credentials(request, dialect, sessions.tokens(), sessions.now());
    let live = sessions.first_session(&presented).await?;
    Ok(live.map(|(session, credential)| (session, credential.csrf_due)))
}

fn account_of(sessions: &SessionAuthority, session: &Session) -> Option<Account> {
    sessions
        .accounts()
        .find(&session.subject.realm, &session.subject.name)
}
