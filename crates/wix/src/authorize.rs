//! The authorization endpoint: a login becomes a code for an app, and a cookie for the site.
//!
//! Observed in the vendor's clients, unless something says otherwise (docs/vendors/wix.md,
//! "Logins").

use std::time::Duration;

use logout_core::SessionAuthority;
use logout_core::credential::{Secret, SecretDigest};
use logout_core::login::LoginError;
use logout_core::message::{Parameters, Request, Response};
use logout_core::page::{Field, Form, HtmlPage};
use logout_core::redirect::{ApprovedUrl, RedirectError};
use logout_core::session::{ClientId, Session};
use logout_core::sign_out::{Refusal, RequestedRedirect};
use logout_core::store::Join;

use crate::config::Dialect;
use crate::credentials::{
    MEMBER_COOKIE, SESSION_TOKEN, attach_secret, credential, live, live_by_cookie, once_key,
};
use crate::grant::{CODE, GRANT, Grant, PARAMETERS, challenge_digest};
use crate::login::{member_session, verify};
use crate::paths::AUTHORIZE;
use crate::reply::{ErrorResponse, redirect_refused};

/// How long a code waits for its exchange (our choice; the most that RFC 6749 recommends).
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// An authorization request whose way back is approved.
struct Flow {
    client: ClientId,
    redirect_uri: ApprovedUrl,
    in_fragment: bool,
    state: Option<String>,
    /// The S256 challenge, or the error that the app is told instead.
    challenge: Result<SecretDigest, &'static str>,
    /// The parameters as they came, to be passed on.
    sent: Vec<(&'static str, String)>,
}

impl Flow {
    fn read(parameters: &Parameters<'_>, dialect: &Dialect) -> Result<Self, ErrorResponse> {
        let first = |name| parameters.first(name).filter(|value| !value.is_empty());
        let client = dialect.client(first("clientId").ok_or(Refusal::Malformed {
            field: "clientId",
            rule: "REQUIRED",
        })?)?;
        let redirect_uri = match RequestedRedirect::from_values(parameters.all("redirectUri")) {
            RequestedRedirect::Address(address) => dialect.approve(&client, &address),
            RequestedRedirect::Bad(fault) => Err(fault),
            RequestedRedirect::Nothing => Err(RedirectError::Relative),
        };
        let challenge = match (
            first("responseType"),
            first("codeChallengeMethod"),
            first("codeChallenge").and_then(challenge_digest),
        ) {
            (Some("code"), Some("S256"), Some(challenge)) => Ok(challenge),
            (Some("code"), ..) => Err("invalid_request"),
            _ => Err("unsupported_response_type"),
        };
        let in_fragment = first("responseMode") == Some("fragment");
        Ok(Self {
            redirect_uri: redirect_uri.map_err(|fault| redirect_refused("redirectUri", fault))?,
            // `web_message` takes a script in a frame, which pages of ours may not run.
            challenge: if matches!(first("responseMode"), None | Some("query" | "fragment")) {
                challenge
            } else {
                Err("invalid_request")
            },
            in_fragment,
            state: first("state").map(str::to_owned),
            sent: PARAMETERS
                .iter()
                .filter_map(|name| Some((*name, first(name)?.to_owned())))
                .collect(),
            client,
        })
    }

    /// Back to the app with one parameter and the state.
    fn answer(&self, name: &str, value: &str) -> Response {
        let state = self.state.as_deref().map(|state| ("state", state));
        let url = std::iter::once((name, value)).chain(state).fold(
            self.redirect_uri.clone(),
            |url, (name, value)| {
                if self.in_fragment {
                    url.with_fragment_parameter(name, value)
                } else {
                    url.with_parameter(name, value)
                }
            },
        );
        Response::redirect(&url).uncached()
    }

    fn login_page(&self, status: u16, line: &str, dialect: &Dialect) -> Response {
        let hidden = self
            .sent
            .iter()
            .map(|(name, value)| Field::hidden(name, value.as_str()));
        let asked = [
            Field::visible("E-mail", "email", "text"),
            Field::visible("Password", "password", "password"),
        ];
        let form = Form {
            action: format!("{}{AUTHORIZE}", dialect.prefix),
            fields: asked.into_iter().chain(hidden).collect(),
            button: "Log in".to_owned(),
        };
        HtmlPage {
            title: format!("Log in to {}", dialect.app_name(&self.client)),
            lines: vec![line.to_owned()],
            form: Some(form),
        }
        .response(status)
    }
}

/// Signs on by session token, else by cookie unless the request asks for a login, else by asking
/// for a password: on the app's own page where it has one, or on ours. With `prompt=none` nobody is
/// asked.
///
/// A session serves the app that it was opened for; another app of the site asks again (our
/// choice).
pub(crate) async fn authorize(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let query = request.query();
    let flow = Flow::read(&query, dialect)?;
    let challenge = match &flow.challenge {
        Ok(challenge) => *challenge,
        Err(error) => return Ok(flow.answer("error", error)),
    };
    let own = |session: &Session| session.client.as_ref() == Some(&flow.client);
    let by_cookie = live_by_cookie(request, sessions, dialect)
        .await?
        .filter(|session| own(session));
    let prompt = query.first("prompt");
    if let Some(token) = query
        .first("sessionToken")
        .filter(|token| !token.is_empty())
    {
        if let Some(session) = live(SESSION_TOKEN, token, sessions)
            .await?
            .filter(|session| own(session))
        {
            let has_cookie = by_cookie.is_some_and(|known| known.id == session.id);
            let cookie = if has_cookie {
                None
            } else {
                attach_secret(&session, MEMBER_COOKIE, None, sessions).await?
            };
            let answer = code(&flow, challenge, &session, sessions).await?;
            return Ok(cookie.iter().fold(answer, |answer, value| {
                set_cookie(answer, value, request, dialect)
            }));
        }
    } else if let Some(session) = by_cookie.filter(|_| prompt != Some("login")) {
        return code(&flow, challenge, &session, sessions).await;
    }
    if prompt == Some("none") {
        return Ok(flow.answer("error", "login_required"));
    }
    if let Some(page) = dialect.login_url(&flow.client) {
        let page = flow.sent.iter().fold(page.clone(), |page, (name, value)| {
            page.with_parameter(name, value)
        });
        return Ok(Response::redirect(&page).uncached());
    }
    Ok(flow.login_page(
        200,
        "Log in with your e-mail address and password.",
        dialect,
    ))
}

/// The stand-in's own login page, filled in.
pub(crate) async fn login_form(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    // Another site could otherwise log its own member in here, unnoticed by the person at the
    // browser.
    if request.header("sec-fetch-site") == Some("cross-site") {
        return Err(Refusal::CrossSite.into());
    }
    let form = request.form();
    let flow = Flow::read(&form, dialect)?;
    let challenge = match &flow.challenge {
        Ok(challenge) => *challenge,
        Err(error) => return Ok(flow.answer("error", error)),
    };
    let password = Secret::new(form.first("password").unwrap_or_default());
    let account = match verify(
        request,
        sessions,
        form.first("email").unwrap_or_default(),
        &password,
    )
    .await
    {
        Ok(Some(account)) => account,
        Ok(None) => {
            return Ok(flow.login_page(
                401,
                "The e-mail address or the password is wrong.",
                dialect,
            ));
        }
        Err(LoginError::TooMany { retry_after }) => {
            return Ok(flow
                .login_page(429, "Too many logins. Try again later.", dialect)
                .retry_after(retry_after));
        }
        Err(error) => return Err(Refusal::from(error).into()),
    };
    let cookie = Secret::random();
    let mut session = member_session(&account, &flow.client, request, sessions, dialect);
    session.credentials = vec![credential(
        MEMBER_COOKIE,
        &cookie,
        session.expires,
        sessions,
    )];
    let former: Vec<_> = request
        .cookies(dialect.member_cookie.name())
        .map(|value| (MEMBER_COOKIE, value))
        .collect();
    sessions
        .open_in_place_of(session.clone(), Join::Always, &former)
        .await?;
    let answer = code(&flow, challenge, &session, sessions).await?;
    Ok(set_cookie(answer, &cookie, request, dialect))
}

async fn code(
    flow: &Flow,
    challenge: SecretDigest,
    session: &Session,
    sessions: &SessionAuthority,
) -> Result<Response, ErrorResponse> {
    let Some(code) = attach_secret(session, CODE, Some(CODE_LIFETIME), sessions).await? else {
        return Ok(flow.answer("error", "login_required"));
    };
    let grant = Grant {
        client: flow.client.clone(),
        redirect_uri: flow.redirect_uri.as_str().to_owned(),
        challenge,
    };
    let kept = serde_json::to_vec(&grant).map_err(|_| Refusal::Unavailable)?;
    sessions
        .put_once(
            once_key(GRANT, &sessions.digest(CODE, code.reveal()), sessions),
            kept,
            sessions.now().plus(CODE_LIFETIME),
        )
        .await?;
    Ok(flow.answer("code", code.reveal()))
}

fn set_cookie(
    answer: Response,
    value: &Secret,
    request: &Request<'_>,
    dialect: &Dialect,
) -> Response {
    let max_age = Some(dialect.session_lifetime());
    answer.header(
        "set-cookie",
        dialect
            .member_cookie
            .set(value.reveal(), request.is_secure(), max_age),
    )
}
