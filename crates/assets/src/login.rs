//! The stand-in's logins: for people, and from 6 on for programs.
//!
//! Documented, unless a function says otherwise (docs/vendors/assets.md, "Logins"). No credential
//! that comes with a login counts for it: clients were observed to send placeholders and old
//! cookies. A session behind such a cookie ends once the login is done, unless that is switched off
//! (our choice).

use logout_core::SessionAuthority;
use logout_core::credential::{Secret, SecretDigest};
use logout_core::login::LoginAttempt;
use logout_core::message::{Request, Response};
use logout_core::ports::{Account, TokenClaims};
use logout_core::redirect::ApprovedUrl;
use logout_core::session::{ClientId, Session, Subject};
use logout_core::sign_out::{Refusal, RequestedRedirect};
use logout_core::store::Join;
use serde_json::{Map, Value, json};

use crate::config::{Dialect, SESSION_ID, TOKEN};
use crate::fields::Fields;
use crate::probe::user_profile;
use crate::reply::json_answer;
use crate::request::purpose;

/// The longest client id that is kept; a longer one is left out.
const MAX_CLIENT_ID: usize = 128;

/// A person's login. From 6 on its cookie is good for a sign-out only together with the CSRF token
/// in the answer.
pub(crate) async fn login(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let fields = Fields::read(request).await?;
    let redirects = !dialect.config.profile.has_tokens();
    let Some(account) = account(request, &fields, sessions).await? else {
        let target = if redirects {
            target(&fields, "failUrl", dialect)
        } else {
            None
        };
        return Ok(target.map_or_else(|| failed(dialect), |to| Response::redirect(&to).uncached()));
    };
    let mut body = succeeded(dialect);
    let secret = if dialect.config.profile.has_tokens() {
        let csrf_token = Secret::random();
        body.insert("csrfToken".into(), csrf_token.reveal().into());
        open_with_token(
            request,
            sessions,
            dialect,
            &account,
            None,
            Some(&csrf_token),
        )
        .await?
    } else {
        let secret = open_with_session_id(request, sessions, dialect, &account).await?;
        body.insert("sessionId".into(), secret.reveal().into());
        secret
    };
    if fields.is_true("returnProfile") {
        body.insert("userProfile".into(), user_profile(&account));
    }
    if fields.is_true("returnPreferences") {
        // A stand-in keeps no preferences.
        body.insert("userPreferences".into(), json!({}));
    }
    let target = if redirects {
        target(&fields, "nextUrl", dialect)
    } else {
        None
    };
    let answer = target.map_or_else(
        || json_answer(200, &Value::Object(body)),
        |to| Response::redirect(&to).uncached(),
    );
    Ok(answer.header(
        "set-cookie",
        dialect
            .cookie
            .set(secret.reveal(), request.is_secure(), None),
    ))
}

/// A program's login: a token in the answer, no cookie, and no CSRF token is ever due.
pub(crate) async fn api_login(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let fields = Fields::read(request).await?;
    let Some(account) = account(request, &fields, sessions).await? else {
        return Ok(failed(dialect));
    };
    let client = fields
        .first("clientId")
        .filter(|id| id.len() <= MAX_CLIENT_ID)
        .map(ClientId::new);
    let token = open_with_token(request, sessions, dialect, &account, client, None).await?;
    let mut body = succeeded(dialect);
    body.insert("loginFaultMessage".into(), Value::Null);
    body.insert("authToken".into(), token.reveal().into());
    Ok(json_answer(200, &Value::Object(body)))
}

fn succeeded(dialect: &Dialect) -> Map<String, Value> {
    let version = dialect.config.profile.server_version();
    Map::from_iter([
        ("loginSuccess".to_owned(), true.into()),
        ("serverVersion".to_owned(), version.into()),
    ])
}

/// HTTP 200 whatever `errors_as_status` says. Observed: clients that throw on 4xx still read
/// `loginSuccess`.
fn failed(dialect: &Dialect) -> Response {
    let body = json!({
        "loginSuccess": false,
        "loginFaultMessage": "The user name or password is wrong.",
        "serverVersion": dialect.config.profile.server_version(),
    });
    json_answer(200, &body)
}

/// Where `nextUrl` or `failUrl` of Elvis 4 and 5 leads. Documented from 5.9 on: relative addresses
/// only; anything else leads to the landing page (our choice).
fn target(fields: &Fields<'_>, name: &str, dialect: &Dialect) -> Option<ApprovedUrl> {
    let approved = match RequestedRedirect::from_values(fields.all(name)) {
        RequestedRedirect::Nothing => return None,
        RequestedRedirect::Bad(_) => None,
        RequestedRedirect::Address(address) => dialect
            .redirects
            .approve(&address)
            .ok()
            .filter(|url| url.as_str().starts_with('/')),
    };
    Some(approved.unwrap_or_else(|| dialect.landing_page.clone()))
}

async fn account(
    request: &Request<'_>,
    fields: &Fields<'_>,
    sessions: &SessionAuthority,
) -> Result<Option<Account>, Refusal> {
    let Some((name, password)) = fields.name_and_password() else {
        return Ok(None);
    };
    Ok(sessions
        .accounts()
        .verify(LoginAttempt::of(request, &name, &password))
        .await?)
}

fn new_session(request: &Request<'_>, sessions: &SessionAuthority, account: &Account) -> Session {
    sessions.new_session(
        Subject::new(&account.realm, &account.name),
        Some(account),
        request.device(),
    )
}

/// The claims are those of the vendor's sample that a sign-out depends on: `authId` names the
/// session, and `reqCsrf` says whether a CSRF token is due. What counts afterwards is what the
/// session knows of its credential.
async fn open_with_token(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
    account: &Account,
    client: Option<ClientId>,
    csrf_token: Option<&Secret>,
) -> Result<Secret, Refusal> {
    let mut session = new_session(request, sessions, account);
    session.expires = session.opened.plus(dialect.token_lifetime);
    let issued = session.opened.as_secs();
    let mut claims = TokenClaims {
        iss: dialect.platform.as_str().to_owned(),
        aud: TOKEN.to_owned(),
        sub: account.name.clone(),
        jti: Secret::random().reveal().to_owned(),
        iat: issued,
        exp: issued + dialect.token_lifetime.as_secs(),
        vendor: [
            ("authId".to_owned(), session.id.to_string()),
            ("reqCsrf".to_owned(), csrf_token.is_some().to_string()),
        ]
        .into(),
    };
    claims.vendor.extend(
        client
            .as_ref()
            .map(|id| ("clientId".to_owned(), id.as_str().to_owned())),
    );
    let token = sessions
        .tokens()
        .mint(&claims)
        .map_err(|_| Refusal::Unavailable)?;
    session.client = client;
    session.csrf = csrf_token.map(|secret| SecretDigest::of(secret.reveal()));
    session.credentials =
        vec![sessions.credential(TOKEN, &token, session.expires, csrf_token.is_some())];
    // A program's login sets no cookie, so it takes no session's place.
    let former = if csrf_token.is_some() {
        cookies(request, dialect)
    } else {
        Vec::new()
    };
    sessions
        .open_in_place_of(session, Join::Always, &former)
        .await?;
    Ok(token)
}

async fn open_with_session_id(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
    account: &Account,
) -> Result<Secret, Refusal> {
    let secret = Secret::random();
    let mut session = new_session(request, sessions, account);
    session.credentials = vec![sessions.credential(SESSION_ID, &secret, session.expires, false)];
    sessions
        .open_in_place_of(session, Join::Always, &cookies(request, dialect))
        .await?;
    Ok(secret)
}

/// The cookies that the login's own cookie takes the place of.
fn cookies<'a>(request: &'a Request<'_>, dialect: &'a Dialect) -> Vec<(&'static str, &'a str)> {
    let purpose = purpose(dialect);
    request
        .cookies(dialect.cookie.name())
        .map(|value| (purpose, value))
        .collect()
}
