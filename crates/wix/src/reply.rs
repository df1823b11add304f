//! The vendor's words for what came out. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logout_core::Reply;
use logout_core::SignedOut;
use logout_core::message::{Request, Response};
use logout_core::page::HtmlPage;
use logout_core::redirect::{ApprovedUrl, RedirectError};
use logout_core::sign_out::Refusal;
use logout_core::store::StoreUnavailable;
use serde_json::{Value, json};
use url::Url;

use crate::config::{Dialect, ResponseForm, is_malformed};
use crate::guid;

/// The parameter that tells a site that nobody is signed in any more. Documented.
const MEMBER_FLAG: &str = "wixMemberLoggedIn";

/// A sign-out that was done: 302 to the return address, or 200 with a page, and cookies removed; or
/// all of that in an envelope.
///
/// A return address that was not asked for comes from the flow, such as the receipt's page.
/// Browsers are sent there, as it is. The caller of the method gets 200, as documented for a call
/// without a return address.
pub(crate) fn signed_out(
    done: &SignedOut,
    by_ticket: bool,
    wants_redirect: bool,
    request: &Request<'_>,
    dialect: &Dialect,
) -> Reply {
    let enveloped = is_enveloped(request, dialect.config.response);
    let answer = match done.redirect().filter(|_| wants_redirect || !enveloped) {
        Some(redirect) if by_ticket && wants_redirect && dialect.config.member_flag => {
            Response::redirect(&flagged(redirect))
        }
        Some(redirect) => Response::redirect(redirect),
        None => HtmlPage {
            title: "Signed out".to_owned(),
            lines: vec!["You are signed out.".to_owned()],
            form: None,
        }
        .response(200),
    };
    let cookies = std::iter::once(&dialect.member_cookie).chain(&dialect.extra_cookies);
    let answer = cookies.fold(answer, |answer, cookie| {
        answer.cookies(cookie.clear(request.is_secure()))
    });
    let answer = if enveloped {
        envelope(&answer, request)
    } else {
        answer
    };
    Reply::signed_out(
        done,
        answer
            .header("vary", "Accept, x-wix-bi-gateway")
            .header("x-wix-request-id", guid::of_request()),
    )
}

/// The return address with the flag, unless it says something about it already.
fn flagged(url: &ApprovedUrl) -> ApprovedUrl {
    let says_so = Url::parse(url.as_str())
        .is_ok_and(|url| url.query_pairs().any(|(name, _)| name == MEMBER_FLAG));
    if says_so {
        url.clone()
    } else {
        url.with_parameter(MEMBER_FLAG, "false")
    }
}

/// Which form the request wants. Observed: the vendor's SDK accepts nothing but 200 with JSON, and
/// says in a header which method it calls; browsers need the redirect itself.
fn is_enveloped(request: &Request<'_>, form: ResponseForm) -> bool {
    match form {
        ResponseForm::Envelope => true,
        ResponseForm::Raw => false,
        ResponseForm::Auto => calls(request, "AuthenticationService.Logout") || wants_json(request),
    }
}

/// Whether the vendor's SDK says that it calls this method. Observed: it does at every call, in a
/// header, with the full name.
pub(crate) fn calls(request: &Request<'_>, requested: &str) -> bool {
    let entries = request
        .headers_named("x-wix-bi-gateway")
        .flat_map(|header| header.split(','));
    entries
        .filter_map(|entry| entry.split_once('='))
        .any(|(name, method)| name.trim() == "method-fqn" && method.trim().ends_with(requested))
}

fn wants_json(request: &Request<'_>) -> bool {
    let names = |requested: &str| {
        let types = request
            .headers_named("accept")
            .flat_map(|header| header.split(','));
        types
            .filter_map(|entry| entry.split(';').next())
            .any(|media_type| media_type.trim().eq_ignore_ascii_case(requested))
    };
    names("application/json") && !names("text/html")
}

/// The documented `RawHttpResponse` around `answer`. Cookies go on the outside too where the client
/// has any: a browser that asks by script would keep them otherwise (our choice).
pub(crate) fn envelope(answer: &Response, request: &Request<'_>) -> Response {
    let headers: Vec<Value> = answer
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            let key = match *name {
                "content-type" => "Content-Type",
                "location" => "Location",
                "set-cookie" => "Set-Cookie",
                _ => return None,
            };
            Some(json!({ "key": key, "value": value.as_str() }))
        })
        .collect();
    let body = json!({ "body": STANDARD.encode(answer.body()), "statusCode": answer.status(), "headers": headers });
    let outer = json_answer(200, &body);
    if request.header("cookie").is_none() {
        return outer;
    }
    outer.cookies(
        answer
            .headers()
            .iter()
            .filter(|(name, _)| *name == "set-cookie")
            .map(|(_, value)| value),
    )
}

/// A request that did not become a sign-out. The shapes are documented; which refusal gets which
/// status and code is our choice.
pub(crate) fn refused(refusal: &Refusal) -> Reply {
    Reply::refused(refusal, words_for(refusal))
}

fn words_for(refusal: &Refusal) -> Response {
    let (status, code, text) = match refusal {
        Refusal::ClientMismatch => (
            403,
            "PERMISSION_DENIED",
            "The session belongs to another client.",
        ),
        Refusal::ClientUnknown => (404, "NOT_FOUND", "There is no client with this id."),
        Refusal::CrossSite => (
            403,
            "PERMISSION_DENIED",
            "Sign-out from another site is not allowed here.",
        ),
        Refusal::CsrfMissing | Refusal::CsrfWrong => (
            403,
            "PERMISSION_DENIED",
            "A sign-out by cookie needs a redirect session.",
        ),
        Refusal::Forbidden => (
            403,
            "PERMISSION_DENIED",
            "A member or visitor token is needed.",
        ),
        Refusal::RedirectRefused(fault) => {
            return redirect_refused("postLogoutRedirectUri", *fault);
        }
        Refusal::Malformed { field, rule } => return violation(field, rule),
        Refusal::MethodNotAllowed { .. } => (405, "METHOD_NOT_ALLOWED", "Method not allowed."),
        Refusal::NotFound => (404, "NOT_FOUND", "There is no such method."),
        Refusal::NotSignedIn => (401, "UNAUTHENTICATED", "A valid access token is needed."),
        Refusal::Prefetch => (
            503,
            "UNAVAILABLE",
            "A sign-out is not fetched ahead of a click.",
        ),
        Refusal::TooManyCredentials => (
            431,
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
            "The request brings too many cookies.",
        ),
        Refusal::TooManyLogins { .. } => (
            429,
            "RESOURCE_EXHAUSTED",
            "Too many logins; try again later.",
        ),
        Refusal::TooSlow => (408, "REQUEST_TIMEOUT", "The request took too long."),
        Refusal::BodyTooLarge => (413, "PAYLOAD_TOO_LARGE", "The request is too large."),
        Refusal::Unavailable => return fault(503, &json!({ "message": "", "details": {} })),
        _ => (400, "INVALID_ARGUMENT", "The request cannot be understood."),
    };
    application_error(status, code, text)
}

/// Why the stand-in does not do what it is asked to, in the vendor's words.
#[derive(Debug)]
pub(crate) struct ErrorResponse(pub(crate) Response);

impl From<Refusal> for ErrorResponse {
    fn from(refusal: Refusal) -> Self {
        Self(refused(&refusal).into())
    }
}

impl From<Response> for ErrorResponse {
    fn from(words: Response) -> Self {
        Self(words)
    }
}

impl From<StoreUnavailable> for ErrorResponse {
    fn from(_: StoreUnavailable) -> Self {
        Refusal::Unavailable.into()
    }
}

/// The address in `field` is refused: 400 for its form, 403 for where it leads.
pub(crate) fn redirect_refused(field: &str, fault: RedirectError) -> Response {
    if !is_malformed(fault) {
        return application_error(
            403,
            "REDIRECT_URI_NOT_ALLOWED",
            "The app does not allow this redirect address.",
        );
    }
    violation(
        field,
        if fault == RedirectError::Duplicated {
            "DUPLICATED"
        } else {
            "INVALID_URL"
        },
    )
}

/// A documented `applicationError`.
pub(crate) fn application_error(status: u16, code: &str, text: &str) -> Response {
    fault(
        status,
        &json!({ "message": text, "details": { "applicationError": { "code": code, "description": text, "data": {} } } }),
    )
}

/// A documented `validationError` about one field.
fn violation(field: &str, rule: &str) -> Response {
    let violated = if rule == "REQUIRED" {
        "REQUIRED_FIELD"
    } else {
        "FORMAT"
    };
    let text = format!("{field} is not valid");
    let violation = json!({ "field": field, "description": text, "violatedRule": violated, "ruleName": rule, "data": {} });
    fault(
        400,
        &json!({ "message": text, "details": { "validationError": { "fieldViolations": [violation] } } }),
    )
}

/// An error of the token endpoint, as RFC 6749 words it. Observed: the vendor's clients read it so.
pub(crate) fn oauth_error(code: &str, description: &str) -> Response {
    fault(
        400,
        &json!({ "error": code, "error_description": description }),
    )
}

fn fault(status: u16, body: &Value) -> Response {
    json_answer(status, body).header("x-wix-request-id", guid::of_request())
}

pub(crate) fn json_answer(status: u16, body: &Value) -> Response {
    Response::with_text(status, "application/json", body.to_string()).uncached()
}

#[cfg(test)]
mod tests;
