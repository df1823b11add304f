//! What relying parties learn of the hub: its metadata, and the keys that verify its tokens.

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use logout_standards::metadata;
use serde_json::Value;

use super::{END_SESSION, JWKS, Receiver};
use crate::answer::Answer as _;

/// For how long others may keep either. A key is to be published for as long before it signs.
const CACHE: &str = "public, max-age=3600";

/// The metadata.
pub(super) async fn configuration(receiver: Data<Receiver>, request: HttpRequest) -> HttpResponse {
    let [keys, end_session] = [JWKS, END_SESSION].map(|path| receiver.address(path));
    let document = || metadata(&receiver.sender.issuer, &keys, &end_session);
    answer(&request, receiver.sender.keys.is_some().then(document))
}

/// The keys.
pub(super) async fn keys(receiver: Data<Receiver>, request: HttpRequest) -> HttpResponse {
    answer(
        &request,
        receiver.sender.keys.as_ref().map(|keys| keys.jwks()),
    )
}

fn answer(request: &HttpRequest, document: Option<Value>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return HttpResponse::MethodNotAllowed()
            .insert_header(("allow", "GET, HEAD"))
            .finish();
    }
    match document {
        Some(document) => HttpResponse::Ok()
            .insert_header(("cache-control", CACHE))
            .json_line(&document),
        None => HttpResponse::NotFound().text_line("not found"),
    }
}
