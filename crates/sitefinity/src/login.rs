//! The stand-in's logins: form, OAuth2 password grant, and the token service's silent sign-in.
//!
//! Observed in the vendor's clients, unless a function says otherwise (docs/vendors/sitefinity.md,
//! "Logins").

use std::borrow::Cow;
use std::time::Duration;

use logout_core::SessionAuthority;
use logout_core::cookie::CookieSpec;
use logout_core::credential::Secret;
use logout_core::login::{LoginAttempt, LoginError};
use logout_core::message::{Request, Response};
use logout_core::page::{Field, Form, HtmlPage};
use logout_core::ports::{Account, TokenClaims};
use logout_core::session::SsoSessionId;
use logout_core::sign_out::{Refusal, RequestedRedirect};
use logout_core::store::{Join, OpenOutcome};
use serde_json::json;

use crate::config::Dialect;
use crate::cookies;
use crate::probe::live_by_cookie;
use crate::reply::json_answer;
use crate::request::{ACCESS, SITE, TOKEN_SERVICE};

const ANTI_FORGERY: &str = "anti-forgery";
const ANTI_FORGERY_LIFETIME: u64 = 15 * 60;

pub(crate) fn anti_forgery(
    request: &Request<'_>,
    sessions: &SessionAuthority,
) -> Result<Response, Refusal> {
    if !request
        .header("x-sf-antiforgery-request")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(Refusal::Malformed {
            field: "X-SF-ANTIFORGERY-REQUEST",
            rule: "must be true",
        });
    }
    Ok(json_answer(
        200,
        &json!({ "Value": anti_forgery_token(sessions)?.reveal() }),
    ))
}

fn anti_forgery_token(sessions: &SessionAuthority) -> Result<Secret, Refusal> {
    mint(sessions, ANTI_FORGERY, "", ANTI_FORGERY_LIFETIME)
}

fn mint(
    sessions: &SessionAuthority,
    purpose: &str,
    subject: &str,
    lifetime: u64,
) -> Result<Secret, Refusal> {
    let now = sessions.now().as_secs();
    let claims = TokenClaims {
        iss: sessions.platform().name.as_str().to_owned(),
        aud: purpose.to_owned(),
        sub: subject.to_owned(),
        jti: Secret::random().reveal().to_owned(),
        iat: now,
        exp: now + lifetime,
        vendor: Default::default(),
    };
    sessions
        .tokens()
        .mint(&claims)
        .map_err(|_| Refusal::Unavailable)
}

/// Form login. 302 in both cases; a failure carries `loginerror=True`.
pub(crate) async fn login_form(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let form = request.form();
    let token = form
        .first_ignoring_case("sf_antiforgery")
        .unwrap_or_default();
    let issuer = sessions.platform().name.as_str();
    // A page of another site can get a token of its own, but not hide from the browser where its
    // form came from.
    let foreign = request
        .header("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    if foreign
        || sessions
            .tokens()
            .verify(token, issuer, ANTI_FORGERY, sessions.now())
            .is_err()
    {
        return Ok(Response::with_text(
            403,
            "text/plain; charset=utf-8",
            "The anti-forgery token is missing or wrong.",
        ));
    }
    let redirect = |name| match RequestedRedirect::from_values(form.all_ignoring_case(name)) {
        RequestedRedirect::Address(address) => dialect
            .redirects
            .approve(&address)
            .unwrap_or_else(|_| dialect.root.clone()),
        RequestedRedirect::Bad(_) | RequestedRedirect::Nothing => dialect.root.clone(),
    };
    let provider = form.first_ignoring_case("MembershipProviderName");
    let username = form.first_ignoring_case("username").unwrap_or_default();
    let password = Secret::new(form.first_ignoring_case("password").unwrap_or_default());
    let Some(account) = verify(request, sessions, dialect, provider, username, &password).await?
    else {
        return Ok(Response::redirect(
            &redirect("ErrorRedirectUrl").with_parameter("loginerror", "True"),
        )
        .uncached());
    };
    let remembered = form.first_ignoring_case("RememberMe").is_some_and(|value| {
        ["true", "on", "1"]
            .iter()
            .any(|yes| value.eq_ignore_ascii_case(yes))
    });
    let sign_on = SsoSessionId::random();
    let token_service = open(
        request,
        sessions,
        dialect,
        &account,
        sign_on,
        TOKEN_SERVICE,
        &[],
    )
    .await?
    .ok_or(Refusal::Unavailable)?;
    // Both layers of a former login end, once both of this one are open.
    let former = [
        cookies_of(request, &dialect.session_cookie, SITE),
        cookies_of(request, &dialect.token_service_cookie, TOKEN_SERVICE),
    ];
    let site = open(
        request,
        sessions,
        dialect,
        &account,
        sign_on,
        SITE,
        &former.concat(),
    )
    .await?
    .ok_or(Refusal::Unavailable)?;
    let max_age = remembered.then_some(sessions.platform().absolute_timeout);
    let answer = Response::redirect(&redirect("RedirectUrl"));
    let answer = answer.header(
        "set-cookie",
        dialect
            .token_service_cookie
            .set(token_service.reveal(), request.is_secure(), max_age),
    );
    Ok(set_site_cookies(answer, &site, request, max_age, dialect).uncached())
}

fn set_site_cookies(
    answer: Response,
    site: &Secret,
    request: &Request<'_>,
    max_age: Option<Duration>,
    dialect: &Dialect,
) -> Response {
    let answer = answer.header(
        "set-cookie",
        dialect
            .session_cookie
            .set(site.reveal(), request.is_secure(), max_age),
    );
    dialect.extra_cookies.iter().fold(answer, |answer, cookie| {
        answer.header(
            "set-cookie",
            cookie.set(Secret::random().reveal(), request.is_secure(), max_age),
        )
    })
}

async fn verify(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
    provider: Option<&str>,
    username: &str,
    password: &Secret,
) -> Result<Option<Account>, LoginError> {
    let provider = provider
        .filter(|name| !name.is_empty())
        .unwrap_or(&dialect.config.default_provider);
    sessions
        .accounts()
        .verify(LoginAttempt::of(request, username, password).in_realm(provider))
        .await
}

/// The credentials in the cookies of this name.
fn cookies_of<'a>(
    request: &'a Request<'_>,
    cookie: &CookieSpec,
    purpose: &'static str,
) -> Vec<(&'static str, Cow<'a, str>)> {
    let sent: Vec<_> = request.all_cookies().collect();
    cookies::values(&sent, cookie.name())
        .map(|value| (purpose, value))
        .collect()
}

/// Opens a session whose credential is a fresh secret, in place of the `former` ones; `None` when
/// it was to join a sign-on that has ended.
async fn open(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
    account: &Account,
    sign_on: SsoSessionId,
    purpose: &str,
    former: &[(&'static str, Cow<'_, str>)],
) -> Result<Option<Secret>, Refusal> {
    let secret = Secret::random();
    let mut session = sessions.new_session(
        dialect.subject(Some(&account.realm), &account.name),
        Some(account),
        request.device(),
    );
    session.sign_on = Some(sign_on);
    session.credentials = vec![sessions.credential(purpose, &secret, session.expires, false)];
    let former: Vec<_> = former
        .iter()
        .map(|(purpose, value)| (*purpose, value.as_ref()))
        .collect();
    // The site's session belongs to the login that the token service's was opened by.
    let join = match purpose {
        SITE => Join::IfLive,
        _ => Join::Always,
    };
    let opened = sessions.open_in_place_of(session, join, &former).await?;
    Ok((opened == OpenOutcome::Opened).then_some(secret))
}

/// OAuth2 password grant. Documented: the form fields, `access_token` and `token_type`; the error
/// shape is that of RFC 6749. Any client is accepted (our choice).
pub(crate) async fn token(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let form = request.form();
    match form.first("grant_type") {
        Some("password") => {}
        Some(_) => {
            return Ok(oauth_fault(
                "unsupported_grant_type",
                "Only the password grant is offered.",
            ));
        }
        None => return Ok(oauth_fault("invalid_request", "grant_type is missing.")),
    }
    let (Some(username), Some(password)) = (form.first("username"), form.first("password")) else {
        return Ok(oauth_fault(
            "invalid_request",
            "username or password is missing.",
        ));
    };
    let provider = form.first("membership_provider");
    let account = match verify(
        request,
        sessions,
        dialect,
        provider,
        username,
        &Secret::new(password),
    )
    .await
    {
        Ok(Some(account)) => account,
        Ok(None) => {
            return Ok(oauth_fault(
                "invalid_grant",
                "The user name or password is wrong.",
            ));
        }
        // RFC 6749 has no error for it (our choice: the one that says that a later request may fare
        // better).
        Err(LoginError::TooMany { retry_after }) => {
            let answer = json!({ "error": "temporarily_unavailable", "error_description": "Too many logins; try again later." });
            return Ok(json_answer(429, &answer).retry_after(retry_after));
        }
        Err(error) => return Err(error.into()),
    };
    let lifetime = dialect.token_lifetime.as_secs();
    let subject = dialect.subject(Some(&account.realm), &account.name);
    let access_token = mint(sessions, ACCESS, &subject.name, lifetime)?;
    let mut session = sessions.new_session(subject, Some(&account), request.device());
    // The answer says how long the token lives, so it does not end earlier for lying unused.
    session.idle_timeout = None;
    session.expires = session.opened.plus(dialect.token_lifetime);
    session.credentials = vec![sessions.credential(ACCESS, &access_token, session.expires, false)];
    sessions.open(session, Join::Always).await?;
    let answer = json!({ "access_token": access_token.reveal(), "token_type": "bearer", "expires_in": lifetime });
    Ok(json_answer(200, &answer).header("pragma", "no-cache"))
}

pub(crate) fn oauth_fault(code: &str, description: &str) -> Response {
    json_answer(
        400,
        &json!({ "error": code, "error_description": description }),
    )
}

/// The token service's sign-in: silently opens a new site session while the token service's own
/// session is live, and asks for credentials otherwise. This is what brings people back who signed
/// out without `sts_signout=true` (our path; the behaviour was observed).
pub(crate) async fn token_service(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let query = request.query();
    let requested = match RequestedRedirect::from_values(query.all_ignoring_case("redirect_uri")) {
        RequestedRedirect::Address(address) => dialect
            .redirects
            .approve(&address)
            .unwrap_or_else(|_| dialect.root.clone()),
        RequestedRedirect::Bad(_) | RequestedRedirect::Nothing => dialect.root.clone(),
    };
    if let Some(parent) = live_by_cookie(
        request,
        sessions,
        &dialect.token_service_cookie,
        TOKEN_SERVICE,
    )
    .await?
    {
        let account = sessions
            .accounts()
            .find(&parent.subject.realm, &parent.subject.name);
        let former = cookies_of(request, &dialect.session_cookie, SITE);
        if let (Some(account), Some(sign_on)) = (account, parent.sign_on)
            && let Some(site) =
                open(request, sessions, dialect, &account, sign_on, SITE, &former).await?
        {
            return Ok(set_site_cookies(
                Response::redirect(&requested),
                &site,
                request,
                None,
                dialect,
            )
            .uncached());
        }
    }
    let form = Form {
        action: format!("{}/sitefinity/login-handler", dialect.prefix),
        fields: vec![
            Field::visible("User name", "username", "text"),
            Field::visible("Password", "password", "password"),
            Field::hidden("RedirectUrl", requested.as_str()),
            Field::hidden(
                "ErrorRedirectUrl",
                dialect
                    .sign_in
                    .with_parameter("redirect_uri", requested.as_str())
                    .as_str(),
            ),
            Field::hidden("sf_antiforgery", anti_forgery_token(sessions)?.reveal()),
        ],
        button: "Sign in".to_owned(),
    };
    let failed = query
        .first_ignoring_case("loginerror")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let lines = failed
        .then(|| "The user name or password is wrong.".to_owned())
        .into_iter()
        .collect();
    Ok(HtmlPage {
        title: "Sign in".to_owned(),
        lines,
        form: Some(form),
    }
    .response(200))
}
