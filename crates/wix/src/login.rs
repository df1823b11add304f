//! The stand-in's login: name and password to a session of the member's.
//!
//! Observed in the vendor's clients, unless a function says otherwise (docs/vendors/wix.md,
//! "Logins").

use std::time::Duration;

use logout_core::SessionAuthority;
use logout_core::credential::Secret;
use logout_core::login::{LoginAttempt, LoginError};
use logout_core::message::{Request, Response};
use logout_core::ports::Account;
use logout_core::session::{ClientId, Session, Subject};
use logout_core::sign_out::Refusal;
use logout_core::store::Join;
use serde_json::json;

use crate::body::Fields;
use crate::config::Dialect;
use crate::credentials::{Caller, SESSION_TOKEN, caller, credential, new_session};
use crate::guid;
use crate::reply::{ErrorResponse, application_error, json_answer};

/// How long a session token waits to be turned into tokens (our choice).
const SESSION_TOKEN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// A login with a visitor's token, which says for which app. The visitor's own session goes on.
///
/// An unknown name and a wrong password get the same answer, the one for a wrong password: Wix
/// tells them apart, and so tells strangers who is a member (our choice; `tells_unknown_address` is
/// the switch).
pub(crate) async fn login(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let Caller::Live(visitor) = caller(request, sessions).await? else {
        return Err(Refusal::NotSignedIn.into());
    };
    let client = visitor.client.clone().ok_or(Refusal::NotSignedIn)?;
    let fields = Fields::read(request)?;
    let required = |field| Refusal::Malformed {
        field,
        rule: "REQUIRED",
    };
    let login_id = fields
        .object("loginId")?
        .ok_or_else(|| required("loginId"))?;
    let name = login_id
        .either("email", "username")?
        .ok_or_else(|| required("loginId"))?;
    let password = Secret::new(
        fields
            .text("password")?
            .ok_or_else(|| required("password"))?,
    );
    let Some(account) = verify(request, sessions, name, &password)
        .await
        .map_err(Refusal::from)?
    else {
        if dialect.config.tells_unknown_address && !sessions.accounts().is_known(name) {
            return Err(application_error(
                404,
                "-19999",
                "There is no member with this e-mail address.",
            )
            .into());
        }
        return Err(application_error(
            401,
            "-19976",
            "The e-mail address or the password is wrong.",
        )
        .into());
    };
    let token = Secret::random();
    let mut session = member_session(&account, &client, request, sessions, dialect);
    let expires = session
        .opened
        .plus(SESSION_TOKEN_LIFETIME)
        .min(session.expires);
    session.credentials = vec![credential(SESSION_TOKEN, &token, expires, sessions)];
    let id = guid::of_subject(&dialect.platform, &session.subject);
    sessions.open(session, Join::Always).await?;
    let identity = json!({
        "id": id,
        "email": { "address": account.email, "isVerified": true },
        "identityProfile": { "nickname": account.display_name },
        "status": { "name": "ACTIVE", "reasons": [] },
    });
    Ok(json_answer(
        200,
        &json!({ "state": "SUCCESS", "sessionToken": token.reveal(), "identity": identity }),
    ))
}

/// The account of that name and password, in whatever realm: Wix knows one list of members per
/// site.
pub(crate) async fn verify(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    name: &str,
    password: &Secret,
) -> Result<Option<Account>, LoginError> {
    sessions
        .accounts()
        .verify(LoginAttempt::of(request, name, password))
        .await
}

pub(crate) fn member_session(
    account: &Account,
    client: &ClientId,
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Session {
    let subject = Subject::new(account.realm.as_str(), account.name.as_str());
    new_session(subject, Some(account), client, request, sessions, dialect)
}
