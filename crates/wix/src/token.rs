//! The token endpoint: visitors, codes and refresh tokens.
//!
//! Observed in the vendor's clients: JSON or form, names in either spelling, errors as RFC 6749
//! words them (docs/vendors/wix.md, "Tokens").

use logout_core::SessionAuthority;
use logout_core::credential::{CredentialDigest, Secret, SecretDigest};
use logout_core::message::{Request, Response};
use logout_core::receipt::Reason;
use logout_core::session::{ClientId, Session, Subject};
use logout_core::sign_out::Refusal;
use logout_core::store::Join;
use logout_core::time::Timestamp;
use serde_json::json;

use crate::authorize::CODE_LIFETIME;
use crate::config::Dialect;
use crate::credentials::{
    ACCESS, REFRESH, VISITOR, attach, attach_secret, credential, mint_access, new_session, once_key,
};
use crate::grant::{CODE, GRANT, Grant};
use crate::reply::{ErrorResponse, calls, envelope, json_answer, oauth_error};
use crate::{guid, raw_request};

/// The answer stands in an envelope where the request did. Documented: refusals stand in there too.
/// A failure of the hub's does not: no client may take its 200 for success.
pub(crate) async fn token(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let answer = granted(request, sessions, dialect)
        .await
        .unwrap_or_else(|ErrorResponse(words)| words);
    let enveloped = answer.status() < 500 && raw_request::is_raw(request);
    Ok(if enveloped {
        envelope(&answer, request)
    } else {
        answer
    })
}

/// The keys that tokens can be verified with by others (RFC 7517). There are none: access tokens
/// are for the stand-in alone, which signs them with a secret, and a secret is never published.
/// Documented: the live service's key is for tokens of OpenID Connect, and the stand-in issues
/// none.
pub(crate) fn key_set(request: &Request<'_>) -> Response {
    let keys = json_answer(200, &json!({ "keys": [] }));
    if calls(request, "Oauth2Ng.Jwks") {
        envelope(&keys, request)
    } else {
        keys
    }
}

async fn granted(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let asked = Asked::read(request)
        .map_err(|_| oauth_error("invalid_request", "The request cannot be understood."))?;
    let grant_type = asked
        .grant_type
        .as_deref()
        .ok_or_else(|| oauth_error("invalid_request", "grantType is missing."))?;
    let known = asked
        .client
        .as_deref()
        .and_then(|text| dialect.client(text).ok());
    let client =
        || known.ok_or_else(|| oauth_error("invalid_client", "There is no client with this id."));
    match grant_type {
        "anonymous" => visitor(&client()?, request, sessions, dialect).await,
        "authorization_code" => code(&client()?, &asked, sessions, dialect).await,
        "refresh_token" => refresh(&client()?, &asked, sessions, dialect).await,
        _ => Err(oauth_error(
            "unsupported_grant_type",
            "This stand-in grants anonymous, authorization_code and refresh_token.",
        )
        .into()),
    }
}

/// What a code or a refresh token that has been used is kept under.
const USED: &str = "used";

/// What is sent to the token endpoint.
struct Asked {
    client: Option<String>,
    grant_type: Option<String>,
    refresh_token: Option<Secret>,
    code: Option<Secret>,
    code_verifier: Option<Secret>,
    redirect_uri: Option<String>,
}

impl Asked {
    fn read(request: &Request<'_>) -> Result<Self, Refusal> {
        let fields = raw_request::fields(request)?;
        let text = |name, other| {
            fields
                .either(name, other)
                .map(|text| text.map(str::to_owned))
        };
        let secret = |name, other| fields.either(name, other).map(|text| text.map(Secret::new));
        Ok(Self {
            client: text("clientId", "client_id")?,
            grant_type: text("grantType", "grant_type")?,
            refresh_token: secret("refreshToken", "refresh_token")?,
            code: secret("code", "code")?,
            code_verifier: secret("codeVerifier", "code_verifier")?,
            redirect_uri: text("redirectUri", "redirect_uri")?,
        })
    }
}

/// A new visitor, whose session lives like a member's.
async fn visitor(
    client: &ClientId,
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let mut session = new_session(
        Subject::new(VISITOR, guid::random()),
        None,
        client,
        request,
        sessions,
        dialect,
    );
    let (access, expires) = mint_access(&session, sessions, dialect)?;
    let refresh = Secret::random();
    session.credentials = vec![
        credential(ACCESS, &access, expires, sessions),
        credential(REFRESH, &refresh, session.expires, sessions),
    ];
    sessions.open(session, Join::Always).await?;
    Ok(tokens(&access, &refresh, dialect))
}

/// A code is taken before anything about it is checked: whoever has it and gets the rest wrong has
/// used it up. One that has opened tokens and comes again ends what it opened (RFC 6749, section
/// 4.1.2).
async fn code(
    client: &ClientId,
    asked: &Asked,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let (Some(code), Some(verifier)) = (&asked.code, &asked.code_verifier) else {
        return Err(oauth_error("invalid_request", "code or codeVerifier is missing.").into());
    };
    let refused = || {
        ErrorResponse::from(oauth_error(
            "invalid_grant",
            "The code is unknown, used, expired, or not for this request.",
        ))
    };
    let (session, known) = sessions
        .session(CODE, code.reveal())
        .await?
        .ok_or_else(refused)?;
    let Some(kept) = sessions
        .take_once(&once_key(GRANT, &known.digest, sessions))
        .await?
    else {
        if sessions
            .take_once(&once_key(USED, &known.digest, sessions))
            .await?
            .is_some()
        {
            sessions.revoke(session.id, Reason::CredentialReuse).await?;
        }
        return Err(refused());
    };
    let grant: Grant = serde_json::from_slice(&kept).map_err(|_| refused())?;
    let same_address = match &asked.redirect_uri {
        Some(address) => dialect
            .approve(client, address)
            .is_ok_and(|approved| approved.as_str() == grant.redirect_uri),
        None => true,
    };
    if grant.client != *client
        || !same_address
        || !grant
            .challenge
            .matches(&SecretDigest::of(verifier.reveal()))
    {
        return Err(refused());
    }
    use_up(&known.digest, sessions.now().plus(CODE_LIFETIME), sessions).await?;
    let access = attach_access(&session, sessions, dialect)
        .await?
        .ok_or_else(refused)?;
    let refresh = attach_secret(&session, REFRESH, None, sessions)
        .await?
        .ok_or_else(refused)?;
    Ok(tokens(&access, &refresh, dialect))
}

/// Observed: the vendor's SDK goes on using the old refresh token, so it is not replaced by
/// default. Where it is, it is good once: one that comes again has been copied, and ends the
/// session (RFC 9700, section 4.14.2).
async fn refresh(
    client: &ClientId,
    asked: &Asked,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let refresh = asked
        .refresh_token
        .as_ref()
        .ok_or_else(|| oauth_error("invalid_request", "refreshToken is missing."))?;
    let refused = || {
        ErrorResponse::from(oauth_error(
            "invalid_grant",
            "The refresh token is unknown, expired or revoked.",
        ))
    };
    let found = sessions.session(REFRESH, refresh.reveal()).await?;
    let (session, known) = found
        .filter(|(session, _)| session.client.as_ref() == Some(client))
        .ok_or_else(refused)?;
    if !dialect.config.rotate_refresh_tokens {
        let access = attach_access(&session, sessions, dialect)
            .await?
            .ok_or_else(refused)?;
        return Ok(tokens(&access, refresh, dialect));
    }
    if !use_up(&known.digest, session.expires, sessions).await? {
        sessions.revoke(session.id, Reason::CredentialReuse).await?;
        return Err(refused());
    }
    let access = attach_access(&session, sessions, dialect)
        .await?
        .ok_or_else(refused)?;
    let next = attach_secret(&session, REFRESH, None, sessions)
        .await?
        .ok_or_else(refused)?;
    Ok(tokens(&access, &next, dialect))
}

/// Notes that a code or a refresh token has been used, before anything is given out for it.
/// `false`: it was used before.
async fn use_up(
    credential: &CredentialDigest,
    until: Timestamp,
    sessions: &SessionAuthority,
) -> Result<bool, ErrorResponse> {
    Ok(sessions
        .put_once(once_key(USED, credential, sessions), Vec::new(), until)
        .await?)
}

/// A fresh access token of `session`; `None` when the session has ended in the meantime.
async fn attach_access(
    session: &Session,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Option<Secret>, ErrorResponse> {
    let (access, expires) = mint_access(session, sessions, dialect)?;
    let live = attach(
        session,
        credential(ACCESS, &access, expires, sessions),
        sessions,
    )
    .await?;
    Ok(live.then_some(access))
}

fn tokens(access: &Secret, refresh: &Secret, dialect: &Dialect) -> Response {
    json_answer(
        200,
        &json!({
            "access_token": access.reveal(),
            "refresh_token": refresh.reveal(),
            "expires_in": dialect.config.access_token_lifetime,
            "token_type": "Bearer",
        }),
    )
}
