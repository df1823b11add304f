//! Between actix-web's messages and our own.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::{Payload, RequestHead};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use logout_core::message::{Method, Request, Response};
use logout_core::upstream::UpstreamAnswer;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection broke, or the body was cut up wrongly.
    Broken,
    /// It is longer than it may be.
    TooLarge,
    /// It took longer than it may.
    TooSlow,
}

/// Whether a body follows the head; most sign-outs have none, and need no timer to wait for it.
pub(crate) fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || headers.contains_key(header::TRANSFER_ENCODING)
}

/// Reads a body of at most `limit` bytes that arrives `within` that time.
///
/// # Errors
/// It was not read to its end.
pub async fn read_body(
    payload: Payload,
    limit: usize,
    within: Duration,
) -> Result<Bytes, BodyError> {
    actix_web::rt::time::timeout(within, collect(payload, limit))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

/// A body that arrives in one piece, as nearly all do, is not copied.
async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if first.len().max(all.len()) + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() {
            first = chunk;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// The request as adapters see it; `path_from` is where its path begins below the platform's
/// prefix. Nothing is copied but a value that is no UTF-8.
pub(crate) fn request(from: &RequestHead, method: Method, path_from: usize) -> Request<'_> {
    let path = from.uri.path().get(path_from..).unwrap_or("/");
    let query = from.uri.query().unwrap_or_default();
    let headers = from
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    Request::borrowed(method, path, query, headers)
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

/// The answer as actix-web sends it. A header that cannot be sent is left out, and logged.
pub fn response(from: Response) -> HttpResponse {
    let (status, headers, body) = from.into_parts();
    let body = match body {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    let sent = response.headers_mut();
    for (name, value) in headers {
        match value.into_sent(sendable) {
            Some(value) => sent.append(header_name(name), value),
            None => log::error!(header = name; "a header that cannot be sent was left out"),
        }
    }
    response
}

fn sendable(text: Cow<'static, str>) -> Option<HeaderValue> {
    let bytes = match text {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    };
    HeaderValue::from_maybe_shared(bytes).ok()
}

/// Spares the usual names the search through all names that there are.
fn header_name(name: &'static str) -> HeaderName {
    match name {
        "cache-control" => header::CACHE_CONTROL,
        "content-type" => header::CONTENT_TYPE,
        "location" => header::LOCATION,
        "pragma" => header::PRAGMA,
        "set-cookie" => header::SET_COOKIE,
        "vary" => header::VARY,
        other => HeaderName::from_static(other),
    }
}
