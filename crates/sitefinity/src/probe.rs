//! The stand-in's session probes, and the page at its root: who is signed in?
//!
//! Observed in the vendor's clients, unless a function says otherwise (docs/vendors/sitefinity.md,
//! "Probes").

use std::sync::Arc;

use logout_core::SessionAuthority;
use logout_core::cookie::CookieSpec;
use logout_core::message::{Request, Response};
use logout_core::page::HtmlPage;
use logout_core::ports::Account;
use logout_core::session::Session;
use logout_core::sign_out::{PresentedCredential, Refusal};
use serde_json::{Value, json};

use crate::config::Dialect;
use crate::cookies;
use crate::reply::json_answer;
use crate::request::{ACCESS, SITE};

pub(crate) async fn login_status(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let who = caller(request, sessions, dialect).await?;
    let account = who.account();
    Ok(json_answer(
        200,
        &json!({
            "IsLoggedIn": account.is_some(),
            "Email": account.and_then(|account| account.email.as_deref()),
            "DisplayName": account.map(|account| account.display_name.as_str()),
            "AvatarImageUrl": Value::Null,
        }),
    ))
}

/// A cookie that opens nothing is an anonymous caller; a bearer token that opens nothing is an
/// error (our reading of the clients, which test `IsAuthenticated` in the first case and the status
/// in the second).
pub(crate) async fn current_user(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let who = caller(request, sessions, dialect).await?;
    if matches!(who, Who::BadBearer) {
        let fault = json!({ "error": { "code": "Unauthorized", "message": "The access token is expired or revoked." } });
        return Ok(
            json_answer(401, &fault).header("www-authenticate", "Bearer error=\"invalid_token\"")
        );
    }
    let account = who.account();
    Ok(json_answer(
        200,
        &json!({ "value": {
            "IsAuthenticated": account.is_some(),
            "Username": account.map(|account| account.name.as_str()),
            "DisplayName": account.map(|account| account.display_name.as_str()),
            "Email": account.and_then(|account| account.email.as_deref()),
            "Roles": account.map(roles).unwrap_or_default(),
        }}),
    ))
}

fn roles(account: &Account) -> Vec<&str> {
    let own = account.groups.iter().map(String::as_str);
    own.chain(account.administrator.then_some("Administrators"))
        .collect()
}

pub(crate) async fn home(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let who = caller(request, sessions, dialect).await?;
    Ok(HtmlPage::who_is_signed_in(
        dialect.platform.as_str(),
        who.account().map(|account| account.display_name.as_str()),
    )
    .response(200))
}

enum Who {
    Account(Account),
    Anonymous,
    BadBearer,
}

impl Who {
    fn account(&self) -> Option<&Account> {
        match self {
            Self::Account(account) => Some(account),
            Self::Anonymous | Self::BadBearer => None,
        }
    }
}

/// Who calls: by bearer token, else by cookie, else by access key, which the vendor's client sends
/// only without a cookie.
async fn caller(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Who, Refusal> {
    if let Some(token) = request.authorization("Bearer") {
        let session = live_bearer(token, sessions).await?;
        return Ok(session
            .and_then(|session| account_of(sessions, &session))
            .map_or(Who::BadBearer, Who::Account));
    }
    if let Some(session) = live_by_cookie(request, sessions, &dialect.session_cookie, SITE).await? {
        return Ok(account_of(sessions, &session).map_or(Who::Anonymous, Who::Account));
    }
    let owner = request
        .header("x-sf-access-key")
        .and_then(|key| dialect.owner_of_access_key(key));
    let account = owner.and_then(|owner| sessions.accounts().find(&owner.realm, &owner.name));
    Ok(account.map_or(Who::Anonymous, Who::Account))
}

async fn live_bearer(
    token: &str,
    sessions: &SessionAuthority,
) -> Result<Option<Arc<Session>>, Refusal> {
    if sessions
        .tokens()
        .verify(
            token,
            sessions.platform().name.as_str(),
            ACCESS,
            sessions.now(),
        )
        .is_err()
    {
        return Ok(None);
    }
    let found = sessions.session(ACCESS, token).await?;
    Ok(found.map(|(session, _)| session))
}

/// The live session that a cookie opens; none where nothing says which value of the cookie was
/// meant.
pub(crate) async fn live_by_cookie(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    cookie: &CookieSpec,
    purpose: &'static str,
) -> Result<Option<Arc<Session>>, Refusal> {
    let sent: Vec<_> = request.all_cookies().collect();
    if cookies::is_ambiguous(&sent, cookie.name()) {
        return Ok(None);
    }
    let presented = cookies::values(&sent, cookie.name())
        .map(|value| PresentedCredential::in_cookie(purpose, value));
    let live = sessions
        .first_session(&PresentedCredential::each_once(presented))
        .await?;
    Ok(live.map(|(session, _)| session))
}

fn account_of(sessions: &SessionAuthority, session: &Session) -> Option<Account> {
    sessions
        .accounts()
        .find(&session.subject.realm, &session.subject.name)
}
