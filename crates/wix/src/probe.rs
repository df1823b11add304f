//! The stand-in's session probes, and the page at its root: who is signed in?
//!
//! Observed in the vendor's clients, unless a function says otherwise (docs/vendors/wix.md, "Probes").

use logout_core::SessionAuthority;
use logout_core::message::{Request, Response};
use logout_core::page::Page;
use logout_core::ports::Account;
use logout_core::session::Session;
use logout_core::sign_out::Refusal;
use serde_json::json;

use crate::body::Fields;
use crate::config::Dialect;
use crate::credentials::{Caller, VISITOR, caller, live_by_cookie, live_by_token, verified};
use crate::guid;
use crate::reply::{Fault, json_answer};

/// The current member, by token or else by cookie. A visitor is known but no member, hence 403; whoever is nobody, or is not
/// any more, gets 401 (our choice, from the documented meaning of the statuses).
pub(crate) async fn member(request: &Request, sessions: &SessionAuthority, dialect: &Dialect) -> Result<Response, Fault> {
    let session = match caller(request, sessions).await? {
        Caller::Live(session) => Some(session),
        Caller::Dead => None,
        Caller::Nobody => live_by_cookie(request, sessions, dialect).await?,
    };
    let session = session.ok_or(Refusal::NotSignedIn)?;
    let Some(account) = account_of(sessions, &session) else {
        return Err(if &*session.subject.realm == VISITOR { Refusal::Forbidden } else { Refusal::NotSignedIn }.into());
    };
    Ok(json_answer(
        200,
        &json!({ "member": {
            "id": guid::of_subject(&dialect.platform, &session.subject),
            "loginEmail": account.email,
            "loginEmailVerified": true,
            "status": "APPROVED",
            "profile": { "nickname": account.display_name, "slug": account.name },
        }}),
    ))
}

/// What a token is and whether it is alive. Documented; the fields are those of RFC 7662 that Wix shares, and its own names for
/// the subject.
pub(crate) async fn token_info(request: &Request, sessions: &SessionAuthority, dialect: &Dialect) -> Result<Response, Fault> {
    let fields = Fields::read(request)?;
    let token = fields.text("token")?.ok_or(Refusal::Malformed { field: "token", rule: "REQUIRED" })?;
    let inactive = || Ok(json_answer(200, &json!({ "active": false })));
    let (Some(session), Some(claims)) = (live_by_token(token, sessions).await?, verified(token, sessions)) else { return inactive() };
    let kind = match account_of(sessions, &session) {
        Some(_) => "MEMBER",
        None if &*session.subject.realm == VISITOR => "VISITOR",
        None => return inactive(),
    };
    Ok(json_answer(
        200,
        &json!({
            "active": true,
            "subjectType": kind,
            "subjectId": guid::of_subject(&dialect.platform, &session.subject),
            "iat": claims.iat,
            "exp": claims.exp,
            "clientId": session.client,
        }),
    ))
}

pub(crate) async fn home(request: &Request, sessions: &SessionAuthority, dialect: &Dialect) -> Result<Response, Fault> {
    let session = live_by_cookie(request, sessions, dialect).await?;
    let account = session.and_then(|session| account_of(sessions, &session));
    Ok(Page::who_is_signed_in(dialect.platform.as_str(), account.as_ref().map(|account| account.display_name.as_str())).response(200))
}

fn account_of(sessions: &SessionAuthority, session: &Session) -> Option<Account> {
    sessions.accounts().find(&session.subject.realm, &session.subject.name)
}
