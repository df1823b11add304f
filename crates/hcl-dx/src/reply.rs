//! The vendor's words for what came out. Pure.

use logout_core::Reply;
use logout_core::SignedOut;
use logout_core::message::{Method, Request, Response};
use logout_core::page::HtmlPage;
use logout_core::sign_out::Refusal;
use serde::Serialize;

use crate::config::Dialect;
use crate::request::{Answer, PORTAL_LOGOUT};

#[derive(Serialize)]
struct LoggedOut<'a> {
    #[serde(rename = "statusCode")]
    status_code: u16,
    data: &'static str,
    #[serde(rename = "redirectUrl")]
    redirect_url: &'a str,
}

#[derive(Serialize)]
struct LogoutTarget<'a> {
    #[serde(rename = "redirectUrl")]
    redirect_url: &'a str,
}

#[derive(Serialize)]
struct ErrorWords {
    error: FaultBody,
}

#[derive(Serialize)]
struct FaultBody {
    code: &'static str,
    message: &'static str,
    reason: &'static str,
}

/// A sign-out that was done. Documented: the core API's object, and that the portal redirects
/// unless `autoRedirect=false` asks for the target. The form of the target is our choice.
pub(crate) fn signed_out(
    done: &SignedOut,
    answer: Answer,
    request: &Request<'_>,
    dialect: &Dialect,
) -> Reply {
    let redirect = done.redirect().unwrap_or(&dialect.portal.after_logout);
    let response = match answer {
        Answer::Object => json(
            200,
            &LoggedOut {
                status_code: 200,
                data: "You are successfully logged out",
                redirect_url: redirect.as_str(),
            },
        ),
        Answer::Page => HtmlPage::who_is_signed_in(dialect.platform.as_str(), None).response(200),
        Answer::Redirect => Response::redirect(redirect),
        Answer::Servlet => done
            .redirect()
            .map_or_else(logged_out_page, Response::redirect),
        Answer::Target => json(
            200,
            &LogoutTarget {
                redirect_url: redirect.as_str(),
            },
        ),
    };
    Reply::signed_out(done, clear_presented(response, request, dialect))
}

/// Observed: without an exit page the servlet says so on a page of its own.
fn logged_out_page() -> Response {
    HtmlPage {
        title: "Successful Logout".to_owned(),
        lines: vec!["You are signed out.".to_owned()],
        form: None,
    }
    .response(200)
}

/// A request that did not become a sign-out.
///
/// Documented: 401 is declared for the core API's logout, and the shape of the error object. The
/// portal's answer without a session is our choice, from what its protected area does with
/// everybody: they are sent to the public one.
pub(crate) fn refused(refusal: &Refusal, request: &Request<'_>, dialect: &Dialect) -> Reply {
    let (status, code, message, reason) = match refusal {
        Refusal::Malformed { field, rule } => {
            return Reply::refused(refusal, fault(400, "BadRequest", malformed(field), rule));
        }
        Refusal::NotSignedIn if request.endpoint() == PORTAL_LOGOUT => {
            return Reply::refused(
                refusal,
                clear_presented(
                    Response::redirect(&dialect.portal.public_page),
                    request,
                    dialect,
                ),
            );
        }
        Refusal::NotSignedIn => {
            let answer = fault(
                401,
                "Unauthorized",
                "Authentication is required.",
                "No live session belongs to this request.",
            );
            return Reply::refused(refusal, clear_presented(answer, request, dialect));
        }
        Refusal::MethodNotAllowed { .. } if request.method() == Method::Head => {
            return Reply::refused(refusal, Response::new(405));
        }
        Refusal::BodyTooLarge => (
            413,
            "PayloadTooLarge",
            "The request is too large.",
            "The body exceeds what is read.",
        ),
        Refusal::CrossSite => (
            403,
            "Forbidden",
            "The request is not allowed.",
            "It comes from another site.",
        ),
        Refusal::Forbidden => (
            403,
            "Forbidden",
            "Access is denied.",
            "The user may not read this item.",
        ),
        Refusal::MethodNotAllowed { .. } => (
            405,
            "MethodNotAllowed",
            "The method is not allowed.",
            "See the Allow header.",
        ),
        Refusal::Prefetch => (
            503,
            "ServiceUnavailable",
            "The request is not allowed.",
            "A sign-out is not fetched ahead of a click.",
        ),
        Refusal::TooManyCredentials => (
            431,
            "RequestHeaderFieldsTooLarge",
            "The request is too large.",
            "It brings too many cookies.",
        ),
        Refusal::NotFound => (
            404,
            "NotFound",
            "The resource does not exist.",
            "There is nothing at this address.",
        ),
        Refusal::TooManyLogins { .. } => (
            429,
            "TooManyRequests",
            "Too many logins.",
            "Try again later.",
        ),
        Refusal::TooSlow => (
            408,
            "RequestTimeout",
            "The request took too long.",
            "It did not arrive in time.",
        ),
        Refusal::Unavailable => (
            503,
            "ServiceUnavailable",
            "The service is temporarily unavailable.",
            "Whether anything was changed is not known. Try again.",
        ),
        _ => (
            400,
            "BadRequest",
            "The request cannot be understood.",
            "It is malformed.",
        ),
    };
    Reply::refused(refusal, fault(status, code, message, reason))
}

/// The error object. Documented: its shape; the texts are ours.
pub(crate) fn fault(
    status: u16,
    code: &'static str,
    message: &'static str,
    reason: &'static str,
) -> Response {
    json(
        status,
        &ErrorWords {
            error: FaultBody {
                code,
                message,
                reason,
            },
        },
    )
}

/// A JSON answer, members in the order of the documentation.
pub(crate) fn json<T: Serialize>(status: u16, body: &T) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => Response::with_text(status, "application/json", text).uncached(),
        Err(fault) => {
            log::error!(fault:%; "an answer could not be written");
            Response::new(503)
        }
    }
}

/// Observed: the server clears the cookies that a request presents, and no others. The language
/// cookie is no session's.
pub(crate) fn clear_presented(
    answer: Response,
    request: &Request<'_>,
    dialect: &Dialect,
) -> Response {
    dialect
        .presented_cookies(request)
        .into_iter()
        .fold(answer, |answer, cookie| {
            answer.cookies(cookie.clear(request.is_secure()))
        })
}

fn malformed(field: &str) -> &'static str {
    match field {
        "accessType" => "The access type is not one of dxrest and dxmyrest.",
        "password" => "The password is missing or no string.",
        "username" => "The username is missing or no string.",
        _ => "The body is not a JSON object.",
    }
}

#[cfg(test)]
mod tests {
    use logout_core::platform::Platform;
    use serde_json::Value;

    use super::*;
    use crate::HclDxConfig;

    fn answer(refusal: &Refusal, request: &Request<'_>) -> Response {
        let platform = Platform::new("dx", "http://dx.example/".parse().unwrap());
        refused(
            refusal,
            request,
            &Dialect::new(HclDxConfig::default(), &platform).unwrap(),
        )
        .into()
    }

    fn cleared(response: &Response) -> usize {
        response
            .headers()
            .iter()
            .filter(|(name, value)| *name == "set-cookie" && value.contains("Max-Age=0"))
            .count()
    }

    #[test]
    fn every_refusal_has_a_status_and_the_vendors_object() {
        let request = Request::new(Method::Post, "/").with_header("cookie", "LtpaToken2=x");
        for (refusal, status) in [
            (Refusal::NotSignedIn, 401),
            (Refusal::Forbidden, 403),
            (Refusal::CrossSite, 403),
            (
                Refusal::MethodNotAllowed {
                    allow: vec![Method::Post, Method::Options],
                },
                405,
            ),
            (Refusal::NotFound, 404),
            (Refusal::TooSlow, 408),
            (Refusal::BodyTooLarge, 413),
            (
                Refusal::Malformed {
                    field: "username",
                    rule: "must be a string",
                },
                400,
            ),
            (Refusal::ClientUnknown, 400),
            (Refusal::Unavailable, 503),
        ] {
            let response = answer(&refusal, &request);
            assert_eq!(response.status(), status, "{refusal}");
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            for member in ["code", "message", "reason"] {
                assert!(
                    body["error"][member]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{refusal} {member}"
                );
            }
            assert_eq!(
                cleared(&response),
                usize::from(refusal == Refusal::NotSignedIn),
                "{refusal}"
            );
        }
    }

    #[test]
    fn the_portal_sends_whoever_is_not_signed_in_to_the_public_home() {
        let request = Request::new(Method::Get, "/").with_endpoint(PORTAL_LOGOUT, vec![]);
        let response = answer(&Refusal::NotSignedIn, &request);
        assert_eq!(response.status(), 302);
        assert!(
            response
                .headers()
                .contains(&("location", "http://dx.example/wps/portal".into()))
        );
        assert_eq!(answer(&Refusal::Unavailable, &request).status(), 503);
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let response = answer(
            &Refusal::MethodNotAllowed {
                allow: vec![Method::Post],
            },
            &Request::new(Method::Head, "/"),
        );
        assert!(
            response.body().is_empty() && response.headers().contains(&("allow", "POST".into()))
        );
    }
}
