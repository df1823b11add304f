//! Between actix-web's messages and our own.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt as _;
use logout_core::message::{Method, Request, Response};
use logout_core::upstream::UpstreamAnswer;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyError {
    Broken,
    TooLarge,
    TooSlow,
}

/// Whether a body follows the head; most sign-outs have none, and need no timer to wait for it.
pub(crate) fn has_body(request: &HttpRequest) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0")
        || request.headers().contains_key(header::TRANSFER_ENCODING)
}

pub(crate) async fn body(
    payload: web::Payload,
    limit: usize,
    within: Duration,
) -> Result<Vec<u8>, BodyError> {
    actix_web::rt::time::timeout(within, collect(payload, limit))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(mut payload: web::Payload, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(crate) fn request(from: &HttpRequest, method: Method, path_from: usize) -> Request {
    let request = Request::new(method, from.uri().path().get(path_from..).unwrap_or("/"));
    let request = request.with_query(from.query_string());
    from.headers()
        .iter()
        .fold(request, |request, (name, value)| {
            request.with_header(
                header_name(name.as_str()),
                String::from_utf8_lossy(value.as_bytes()),
            )
        })
}

/// The names that nearly every request has need no memory of their own.
fn header_name(name: &str) -> Cow<'static, str> {
    const USUAL: [&str; 14] = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "origin",
        "referer",
        "sec-fetch-site",
        "user-agent",
        "x-csrf-token",
    ];
    USUAL.binary_search(&name).map_or_else(
        |_| Cow::Owned(name.to_owned()),
        |index| Cow::Borrowed(USUAL[index]),
    )
}

/// An upstream's answer, byte for byte.
pub(crate) fn relayed(from: UpstreamAnswer) -> HttpResponse {
    let mut response =
        HttpResponse::build(StatusCode::from_u16(from.status).unwrap_or(StatusCode::BAD_GATEWAY))
            .body(from.body);
    // Nothing but what the upstream says: no type of ours where it names none.
    response.headers_mut().clear();
    for (name, value) in from.headers {
        match (HeaderName::try_from(name), HeaderValue::from_bytes(&value)) {
            (Ok(name), Ok(value)) => response.headers_mut().append(name, value),
            _ => log::warn!("a header of an upstream that cannot be sent was left out"),
        }
    }
    response
}

pub(crate) fn response(from: Response) -> HttpResponse {
    let (status, headers, body) = from.into_parts();
    let mut response = HttpResponse::build(
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    )
    .body(body);
    for (name, value) in headers {
        match HeaderValue::try_from(value) {
            Ok(value) => response
                .headers_mut()
                .append(HeaderName::from_static(name), value),
            Err(_) => log::error!(header = name; "a header that cannot be sent was left out"),
        }
    }
    response
}
