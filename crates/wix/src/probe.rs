//! The stand-in's session probes, and the page at its root: who is signed in?
//!
//! Observed in the vendor's clients, unless a function says otherwise (docs/vendors/wix.md,
//! "Probes").

use logout_core::SessionAuthority;
use logout_core::message::{Request, Response};
use logout_core::page::HtmlPage;
use logout_core::ports::Account;
use logout_core::session::Session;
use logout_core::sign_out::Refusal;
use serde_json::json;

use crate::config::Dialect;
use crate::credentials::{Caller, VISITOR, caller, live_by_cookie, live_by_token, verified};
use crate::reply::{ErrorResponse, json_answer};
use crate::{guid, raw_request};

/// The current member, by token or else by cookie. A visitor is known but no member, hence 403;
/// whoever is nobody, or is not any more, gets 401 (our choice, from the documented meaning of the
/// statuses).
pub(crate) async fn member(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let session = match caller(request, sessions).await? {
        Caller::Live(session) => Some(session),
        Caller::Dead => None,
        Caller::Nobody => live_by_cookie(request, sessions, dialect).await?,
    };
    let session = session.ok_or(Refusal::NotSignedIn)?;
    let account = member_account(&session, sessions)?;
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

/// What a token is and whether it is alive. Documented; the fields are those of RFC 7662 that Wix
/// shares, and its own names for the subject.
pub(crate) async fn token_info(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let fields = raw_request::fields(request)?;
    let token = fields.text("token")?.ok_or(Refusal::Malformed {
        field: "token",
        rule: "REQUIRED",
    })?;
    let inactive = || Ok(json_answer(200, &json!({ "active": false })));
    let (Some(session), Some(claims)) = (
        live_by_token(token, sessions).await?,
        verified(token, sessions),
    ) else {
        return inactive();
    };
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
            // Documented: text, as 64-bit numbers are in the vendor's JSON.
            "iat": claims.iat.to_string(),
            "exp": claims.exp.to_string(),
            "clientId": session.client,
        }),
    ))
}

/// Who a member is, as OpenID Connect asks for it. Documented: the member names, and that a token
/// says who asks; so a cookie does not.
pub(crate) async fn user_info(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let Caller::Live(session) = caller(request, sessions).await? else {
        return Err(Refusal::NotSignedIn.into());
    };
    let account = member_account(&session, sessions)?;
    Ok(json_answer(
        200,
        &json!({
            "sub": guid::of_subject(&dialect.platform, &session.subject),
            "name": account.display_name,
            "email": account.email,
            "emailVerified": account.email.is_some(),
        }),
    ))
}

pub(crate) async fn home(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let session = live_by_cookie(request, sessions, dialect).await?;
    let account = session.and_then(|session| account_of(sessions, &session));
    Ok(HtmlPage::who_is_signed_in(
        dialect.platform.as_str(),
        account
            .as_ref()
            .map(|account| account.display_name.as_str()),
    )
    .response(200))
}

fn member_account(session: &Session, sessions: &SessionAuthority) -> Result<Account, Refusal> {
    let is_visitor = &*session.subject.realm == VISITOR;
    account_of(sessions, session).ok_or(if is_visitor {
        Refusal::Forbidden
    } else {
        Refusal::NotSignedIn
    })
}

fn account_of(sessions: &SessionAuthority, session: &Session) -> Option<Account> {
    sessions
        .accounts()
        .find(&session.subject.realm, &session.subject.name)
}
