//! Forward authentication: a reverse proxy asks whether a request's credentials have been signed
//! out.
//!
//! `Cookie` and `Authorization` are the caller's own, so the proxy shows its token in a header of
//! its own. Whatever is not a clear yes makes a proxy deny: that holds for 401, 403 and 503 alike.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use logout_core::check::CheckResult;
use logout_core::message::{Method, Request};

use super::guard::{AdminGuard, CHECK_TOKEN};
use super::problem::Problem;
use super::{AdminState, metrics};
use crate::answer::Answer as _;

/// Headers in which proxies say what was asked for, where they cannot put it into the address:
/// nginx and ingresses; Traefik.
const ORIGINAL_URIS: [&str; 2] = ["x-original-uri", "x-forwarded-uri"];

pub(super) async fn check(
    request: HttpRequest,
    guard: web::Data<AdminGuard>,
    state: web::Data<AdminState>,
) -> Result<HttpResponse, Problem> {
    if !guard.admits_check(request.headers()) {
        return Err(Problem::CHECK_TOKEN);
    }
    let name = request.match_info().get("platform").unwrap_or_default();
    let known = state.platform(name).ok_or(Problem::NOT_FOUND)?;
    let platform = known.sessions.platform();
    let mut checked = Ok(CheckResult::Passes);
    for path in original_paths(&request) {
        checked = known
            .sessions
            .check(
                &*known.adapter,
                &presented(&request, path, &platform.prefix),
            )
            .await;
        if checked != Ok(CheckResult::Passes) {
            break;
        }
    }
    metrics::checked(&platform.name, checked);
    match checked? {
        CheckResult::Passes => Ok(passes(&request)),
        CheckResult::Ended => Err(Problem::SIGNED_OUT),
        CheckResult::Prefetch => Err(Problem::PREFETCH),
        CheckResult::Unknown => Err(Problem::NOT_KNOWN),
        CheckResult::TooMany => Err(Problem::TOO_MANY_CREDENTIALS),
        _ => Err(Problem::AMBIGUOUS),
    }
}

/// 204, or 200 where `Prefer: return=representation` (RFC 7240) asks for something to see: Envoy
/// takes nothing but 200 for a yes.
fn passes(request: &HttpRequest) -> HttpResponse {
    let preferences = request
        .headers()
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok());
    let mut preferences = preferences
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let mut answer = HttpResponse::NoContent();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    if preferences.any(|preference| preference.eq_ignore_ascii_case("return=representation")) {
        return answer
            .status(StatusCode::OK)
            .json_line(&serde_json::json!({ "status": "passes" }));
    }
    answer.finish()
}

/// The request that the proxy asks about, without its body.
fn presented(request: &HttpRequest, path: &str, prefix: &str) -> Request<'static> {
    let below = path
        .strip_prefix(prefix)
        .filter(|below| below.starts_with('/'))
        .unwrap_or(path);
    let headers = request
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str() != CHECK_TOKEN);
    headers.fold(
        Request::new(Method::of(request.method().as_str()), below),
        |request, (name, value)| {
            request.with_header(
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()),
            )
        },
    )
}

/// The path that was asked for at the proxy, as it was sent: behind the platform's name, or in a
/// header. Which of several headers is the proxy's and which came from the client is not known
/// here, so all count.
fn original_paths(request: &HttpRequest) -> Vec<&str> {
    if let Some(behind_name) = request
        .uri()
        .path()
        .strip_prefix("/check/")
        .and_then(|rest| rest.find('/').map(|at| &rest[at..]))
    {
        return vec![behind_name];
    }
    let told = ORIGINAL_URIS
        .iter()
        .flat_map(|name| request.headers().get_all(*name))
        .filter_map(|value| value.to_str().ok());
    let mut paths: Vec<&str> = told.filter_map(|uri| uri.split('?').next()).collect();
    if paths.is_empty() {
        paths.push("/");
    }
    paths
}
