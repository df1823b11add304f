//! What sessions are opened and found by.
//!
//! A member has one session per login, and everything that the login leads to is a credential of
//! that session: the session token, the cookie, each access token, the refresh token, each ticket.
//! Whatever of it signs out, all of it dies.

use std::sync::Arc;
use std::time::Duration;

use logout_core::SessionAuthority;
use logout_core::canonical::CanonicalForm;
use logout_core::credential::{Credential, CredentialDigest, Secret};
use logout_core::message::Request;
use logout_core::ports::{Account, TokenClaims};
use logout_core::session::{ClientId, Session, Subject};
use logout_core::sign_out::{PresentedCredential, Refusal};
use logout_core::time::Timestamp;

use crate::authorization::{Authorization, TOKEN_PREFIX, authorization};
use crate::config::Dialect;
use crate::guid;
use crate::reply::{ErrorResponse, application_error};

/// An access token.
pub(crate) const ACCESS: &str = "access";
/// A refresh token.
pub(crate) const REFRESH: &str = "refresh";
/// The member's session at the site, in its cookie.
pub(crate) const MEMBER_COOKIE: &str = "member-cookie";
/// What a login answers, to be turned into tokens by an authorization.
pub(crate) const SESSION_TOKEN: &str = "session-token";
/// What a redirect session's sign-out link carries.
pub(crate) const TICKET: &str = "ticket";

/// The realm of visitors, who have no account.
pub(crate) const VISITOR: &str = "visitor";

/// The claim that names the app a token was given to.
pub(crate) const CLIENT_CLAIM: &str = "client_id";

/// How many credentials of one session may be alive at a time, so that one visitor cannot fill the
/// store.
const MOST_CREDENTIALS: usize = 256;

/// What a well-signed, unexpired access token says, whether or not its session is alive.
pub(crate) fn verified(token: &str, sessions: &SessionAuthority) -> Option<TokenClaims> {
    let jwt = token.strip_prefix(TOKEN_PREFIX)?;
    sessions
        .tokens()
        .verify(
            jwt,
            sessions.platform().name.as_str(),
            ACCESS,
            sessions.now(),
        )
        .ok()
}

/// A fresh access token for `session`, with its expiry. It opens nothing until it is attached.
pub(crate) fn mint_access(
    session: &Session,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<(Secret, Timestamp), Refusal> {
    let now = sessions.now();
    let expires = now
        .plus(dialect.access_token_lifetime())
        .min(session.expires);
    let client = session
        .client
        .as_ref()
        .map(|client| (CLIENT_CLAIM.to_owned(), client.as_str().to_owned()));
    let claims = TokenClaims {
        iss: dialect.platform.as_str().to_owned(),
        aud: ACCESS.to_owned(),
        sub: guid::of_subject(&dialect.platform, &session.subject),
        jti: guid::random(),
        iat: now.as_secs(),
        exp: expires.as_secs(),
        vendor: client.into_iter().collect(),
    };
    let jwt = sessions
        .tokens()
        .mint(&claims)
        .map_err(|_| Refusal::Unavailable)?;
    Ok((
        Secret::new(format!("{TOKEN_PREFIX}{}", jwt.reveal())),
        expires,
    ))
}

/// A session of a visitor's or a member's for `client`, without credentials yet. It lives as long
/// as its refresh token: the vendor's lifetimes hold, not those of the platform, since nobody sees
/// a client that rests on its tokens.
pub(crate) fn new_session(
    subject: Subject,
    account: Option<&Account>,
    client: &ClientId,
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Session {
    let mut session = sessions.new_session(subject, account, request.device());
    session.client = Some(client.clone());
    session.idle_timeout = None;
    session.expires = session.opened.plus(dialect.session_lifetime());
    session
}

pub(crate) fn credential(
    purpose: &str,
    secret: &Secret,
    expires: Timestamp,
    sessions: &SessionAuthority,
) -> Credential {
    sessions.credential(purpose, secret, expires, false)
}

/// Gives `session` a fresh secret for `purpose`, for `lifetime` or as long as the session lives;
/// `None` when the session has ended in the meantime.
pub(crate) async fn attach_secret(
    session: &Session,
    purpose: &str,
    lifetime: Option<Duration>,
    sessions: &SessionAuthority,
) -> Result<Option<Secret>, ErrorResponse> {
    let secret = Secret::random();
    let expires = lifetime.map_or(session.expires, |span| {
        sessions.now().plus(span).min(session.expires)
    });
    let live = attach(
        session,
        credential(purpose, &secret, expires, sessions),
        sessions,
    )
    .await?;
    Ok(live.then_some(secret))
}

/// Gives `session` this credential; `false` when the session has ended in the meantime.
pub(crate) async fn attach(
    session: &Session,
    credential: Credential,
    sessions: &SessionAuthority,
) -> Result<bool, ErrorResponse> {
    let now = sessions.now();
    if session
        .credentials
        .iter()
        .filter(|known| known.expires > now)
        .count()
        >= MOST_CREDENTIALS
    {
        return Err(application_error(
            429,
            "RESOURCE_EXHAUSTED",
            "This session has too many tokens. Wait until some have expired.",
        )
        .into());
    }
    Ok(sessions.attach(session.id, credential).await?)
}

/// Who calls, by the `Authorization` header.
pub(crate) enum Caller {
    /// Somebody whose token is not accepted (any more).
    Dead,
    /// The owner of a live session.
    Live(Arc<Session>),
    /// Nobody who says so.
    Nobody,
}

pub(crate) async fn caller(
    request: &Request<'_>,
    sessions: &SessionAuthority,
) -> Result<Caller, ErrorResponse> {
    let Authorization::Token(token) = authorization(request) else {
        return Ok(Caller::Nobody);
    };
    Ok(live_by_token(token, sessions)
        .await?
        .map_or(Caller::Dead, Caller::Live))
}

pub(crate) async fn live_by_token(
    token: &str,
    sessions: &SessionAuthority,
) -> Result<Option<Arc<Session>>, ErrorResponse> {
    if verified(token, sessions).is_none() {
        return Ok(None);
    }
    live(ACCESS, token, sessions).await
}

pub(crate) async fn live_by_cookie(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Option<Arc<Session>>, ErrorResponse> {
    let presented = request
        .cookies(dialect.member_cookie.name())
        .map(|value| PresentedCredential::in_cookie(MEMBER_COOKIE, value));
    let live = sessions
        .first_session(&PresentedCredential::each_once(presented))
        .await?;
    Ok(live.map(|(session, _)| session))
}

/// What is kept once about a credential, under the credential that was found: its text may be
/// spelled in several ways.
pub(crate) fn once_key(
    purpose: &str,
    credential: &CredentialDigest,
    sessions: &SessionAuthority,
) -> CredentialDigest {
    CredentialDigest::of(
        &sessions.platform().name,
        purpose,
        &CanonicalForm::of_bytes(*credential.as_bytes()),
    )
}

/// The live session that `secret` opens when it is presented for `purpose`.
pub(crate) async fn live(
    purpose: &str,
    secret: &str,
    sessions: &SessionAuthority,
) -> Result<Option<Arc<Session>>, ErrorResponse> {
    let found = sessions.session(purpose, secret).await?;
    Ok(found.map(|(session, _)| session))
}
