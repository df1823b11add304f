//! Signs a browser out at an application's wish (OpenID Connect RP-Initiated Logout 1.0).
//!
//! The hub has no session of its own. A browser's sessions are those that its cookies open at the
//! platforms. They end without a question where a valid ID token names the login that they all came
//! from. In every other case somebody has to press a button first, on a page whose form proves that
//! it came from here.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use logout_actix::read_body;
use logout_core::Request;
use logout_core::authority::Services;
use logout_core::credential::random_bytes;
use logout_core::idp::IdpLogin;
use logout_core::message::{Method as CoreMethod, PAGE_SECURITY_POLICY, Parameters};
use logout_core::prefetch::is_prefetch;
use logout_core::receipt::Reason;
use logout_core::redirect::ApprovedUrl;
use logout_core::session::Session;
use logout_core::sign_out::Refusal;
use logout_core::store::{EndTarget, StoreUnavailable};
use logout_standards::{EndSessionError, EndSessionRequest, IdTokenHint};
use subtle::ConstantTimeEq as _;

use super::END_SESSION;
use super::provider::MessageError;
use super::receiver::{BODY_TIME, Receiver};
use crate::answer;
use crate::config::RelyingPartyConfig;

/// The largest form that is read, in bytes: an ID token, and the rest.
const LARGEST_FORM: usize = 32 * 1024;

/// The cookie that proves that the form came from the page, over https and over http. The prefix
/// keeps other hosts of the domain from setting it.
const COOKIES: [&str; 2] = ["__Host-logout-hub-confirm", "logout-hub-confirm"];

/// The form's field of the same value.
const FIELD: &str = "confirm";

/// What the browser is shown.
enum Step {
    Confirm {
        fields: Vec<(&'static str, String)>,
        platforms: BTreeSet<String>,
    },
    Done {
        ended: usize,
    },
    Refused {
        reason: String,
    },
    Unavailable,
}

#[derive(Template)]
#[template(path = "end_session.html")]
struct Page<'a> {
    title: &'static str,
    step: &'a Step,
}

/// Why nothing can be said about a request.
enum Trouble {
    Refused(String),
    Unavailable,
}

pub(super) async fn answer(
    receiver: Data<Receiver>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let is_post = request.method() == Method::POST;
    if !is_post && request.method() != Method::GET {
        return HttpResponse::MethodNotAllowed()
            .insert_header(("allow", "GET, POST"))
            .finish();
    }
    let body = if is_post {
        match read_body(payload.into_inner(), LARGEST_FORM, BODY_TIME).await {
            Ok(body) => body,
            Err(_) => return page(&Step::refused("The form did not arrive completely")),
        }
    } else {
        Default::default()
    };
    let parameters = if is_post {
        &body[..]
    } else {
        request.query_string().as_bytes()
    };
    match receiver.end_session(&request, parameters, is_post).await {
        Ok(response) => response,
        Err(Trouble::Refused(reason)) => page(&Step::Refused { reason }),
        Err(Trouble::Unavailable) => page(&Step::Unavailable),
    }
}

impl Receiver {
    async fn end_session(
        &self,
        request: &HttpRequest,
        parameters: &[u8],
        is_post: bool,
    ) -> Result<HttpResponse, Trouble> {
        let asked = EndSessionRequest::read(parameters)?;
        let hint = match &asked.id_token_hint {
            Some(token) => self.hint(token).await?,
            None => None,
        };
        let redirect = redirect(&self.relying_parties, &asked, hint.as_ref())?;
        let own = seen_by_core(request);
        let browser = self.browser_sessions(&own).await?;
        let login = hint
            .as_ref()
            .and_then(|hint| IdpLogin::new(&hint.issuer, Some(&hint.subject), hint.sid.as_deref()));
        let is_confirmed = is_post && is_confirmed(&own, parameters, self.cookie());
        if is_prefetch(&own) || !(is_confirmed || is_named(&browser, login.as_ref())) {
            return Ok(self.confirm(&own, &asked, &browser));
        }
        let ended = self.end(&browser, login.as_ref()).await?;
        log::info!(ended = ended; "a browser was signed out at an application's wish");
        Ok(match redirect {
            Some(address) => HttpResponse::Found()
                .insert_header((LOCATION, address.as_str()))
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header((REFERRER_POLICY, "no-referrer"))
                .finish(),
            None => page(&Step::Done { ended }),
        })
    }

    /// What an ID token of one of the providers says; `None` where it is not valid.
    async fn hint(&self, token: &str) -> Result<Option<IdTokenHint>, Trouble> {
        let Some(issuer) = IdTokenHint::unverified_issuer(token) else {
            return Ok(None);
        };
        for idp in self.idps.iter().filter(|idp| idp.issuer() == issuer) {
            let parties = self.relying_parties.iter();
            let clients: Vec<&str> = parties.map(|party| party.client_id.as_str()).collect();
            match idp.hint(token, &clients).await {
                Ok(hint) => return Ok(Some(hint)),
                Err(MessageError::Refused(reason)) => {
                    log::info!(
                        idp = idp.name.as_str(), reason:% = reason;
                        "an id_token_hint was not valid"
                    );
                }
                Err(MessageError::Unavailable(_)) => return Err(Trouble::Unavailable),
            }
        }
        Ok(None)
    }

    /// The live sessions that the browser's cookies open, at all platforms.
    async fn browser_sessions(&self, request: &Request<'_>) -> Result<Vec<Arc<Session>>, Trouble> {
        let mut sessions = Vec::new();
        for known in &self.platforms {
            let found = known.sessions.browser_sessions(&*known.adapter, request);
            sessions.extend(found.await?);
        }
        Ok(sessions)
    }

    /// Whether browsers come by https.
    fn is_secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    fn cookie(&self) -> &'static str {
        COOKIES[usize::from(!self.is_secure())]
    }

    /// Asks whether to sign out.
    fn confirm(
        &self,
        request: &Request<'_>,
        asked: &EndSessionRequest,
        browser: &[Arc<Session>],
    ) -> HttpResponse {
        let name = self.cookie();
        // Another page of the same browser goes on with the value that it has.
        let known = request.cookies(name).find(|value| is_ours(value));
        let value = known.map(str::to_owned).unwrap_or_else(|| {
            let bytes = random_bytes::<32>();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        });
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}");
        let given = [
            ("id_token_hint", &asked.id_token_hint),
            ("client_id", &asked.client_id),
            ("post_logout_redirect_uri", &asked.redirect),
            ("state", &asked.state),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)));
        let step = Step::Confirm {
            fields: given.chain([(FIELD, value)]).collect(),
            platforms: browser
                .iter()
                .map(|session| session.platform.to_string())
                .collect(),
        };
        let mut response = page(&step);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Ends the browser's sessions and those of the login, as far as their platforms say.
    async fn end(
        &self,
        browser: &[Arc<Session>],
        login: Option<&IdpLogin>,
    ) -> Result<usize, StoreUnavailable> {
        let services: &Services = &self.services;
        let of_login = match login {
            Some(login) => services.sessions_of_login(login).await?.unwrap_or_default(),
            None => Vec::new(),
        };
        let sessions = browser.iter().map(AsRef::as_ref).chain(&of_login);
        let (targets, widest) = EndTarget::of_all(sessions, |platform| self.reach(platform));
        if targets.is_empty() {
            return Ok(0);
        }
        let ended = match login {
            Some(login) => {
                services
                    .end_login(Reason::User, widest, targets, (login, &of_login))
                    .await?
            }
            None => services.end(Reason::User, widest, targets).await?,
        };
        Ok(ended.1.len())
    }
}

/// Whether the browser's sessions all came from the login that the ID token names. Then the
/// application has proven that it means them, and no question is needed.
fn is_named(browser: &[Arc<Session>], login: Option<&IdpLogin>) -> bool {
    let Some(subject) = login.and_then(IdpLogin::of_subject) else {
        return false;
    };
    let came_from_it = |session: &Arc<Session>| {
        let known = session.idp.as_ref();
        known.is_some_and(|known| subject.includes(known))
    };
    !browser.is_empty() && browser.iter().all(came_from_it)
}

/// Where the browser goes afterwards, if it is to go anywhere.
fn redirect(
    parties: &[RelyingPartyConfig],
    asked: &EndSessionRequest,
    hint: Option<&IdTokenHint>,
) -> Result<Option<ApprovedUrl>, EndSessionError> {
    if let (Some(client), Some(hint)) = (&asked.client_id, hint)
        && !hint.is_for(client)
    {
        return Err(EndSessionError::OtherClient);
    }
    let Some(address) = &asked.redirect else {
        return Ok(None);
    };
    let is_meant = |party: &&RelyingPartyConfig| match &asked.client_id {
        Some(client) => party.client_id == *client,
        None => hint.is_some_and(|hint| hint.is_for(&party.client_id)),
    };
    let mut meant = parties.iter().filter(is_meant).peekable();
    if meant.peek().is_none() {
        return Err(if asked.client_id.is_some() {
            EndSessionError::Unregistered
        } else {
            EndSessionError::NoClient
        });
    }
    let mut registered = meant.flat_map(|party| &party.post_logout_redirect_uris);
    let registered = registered.find(|registered| *registered == address);
    let url = registered.and_then(|registered| ApprovedUrl::from_operator(registered).ok());
    let url = url.ok_or(EndSessionError::Unregistered)?;
    Ok(Some(match &asked.state {
        Some(state) => url.with_parameter("state", state),
        None => url,
    }))
}

/// Whether the form came from the page that this hub has shown this browser.
fn is_confirmed(request: &Request<'_>, form: &[u8], name: &str) -> bool {
    let form = Parameters::read(form);
    let field = form.first(FIELD).filter(|field| is_ours(field));
    field.is_some_and(|field| {
        let same = |value: &str| bool::from(field.as_bytes().ct_eq(value.as_bytes()));
        request.cookies(name).any(same)
    })
}

fn is_ours(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The request as the adapters read it.
fn seen_by_core(request: &HttpRequest) -> Request<'_> {
    let method = if request.method() == Method::POST {
        CoreMethod::Post
    } else {
        CoreMethod::Get
    };
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    Request::borrowed(method, END_SESSION, "", headers)
}

impl Step {
    fn refused(reason: &str) -> Self {
        Self::Refused {
            reason: reason.to_owned(),
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Confirm { .. } => "Sign out?",
            Self::Done { .. } => "Signed out",
            Self::Refused { .. } => "This sign-out was not understood",
            Self::Unavailable => "Not signed out",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Confirm { .. } | Self::Done { .. } => StatusCode::OK,
            Self::Refused { .. } => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

fn page(step: &Step) -> HttpResponse {
    let page = Page {
        title: step.title(),
        step,
    };
    let mut response = HttpResponse::build(step.status());
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_SECURITY_POLICY))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    if matches!(step, Step::Unavailable) {
        response.insert_header(("retry-after", "5"));
    }
    match answer::html(&page) {
        Ok(html) => response.body(html),
        Err(fault) => {
            log::error!(fault:%; "the page of a sign-out could not be rendered");
            response.finish()
        }
    }
}

impl From<EndSessionError> for Trouble {
    fn from(error: EndSessionError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unavailable => Self::Unavailable,
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<StoreUnavailable> for Trouble {
    fn from(_: StoreUnavailable) -> Self {
        Self::Unavailable
    }
}
