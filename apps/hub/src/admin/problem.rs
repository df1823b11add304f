//! Errors of the admin API, as RFC 9457 problem documents.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use logout_core::store::StoreUnavailable;

/// What went wrong with a request to the admin API.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    title: &'static str,
    field: Option<&'static str>,
}

impl Problem {
    pub(super) const MISDIRECTED: Self = Self::new(StatusCode::MISDIRECTED_REQUEST, "The Host is not this listener's");
    pub(super) const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "There is nothing here");
    pub(super) const UNAUTHORIZED: Self = Self::new(StatusCode::UNAUTHORIZED, "The admin token is missing or wrong");
    pub(super) const UNAVAILABLE: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "The session store does not answer");

    pub(super) const UNKNOWN_PARAMETER: Self =
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "A parameter of the query is unknown or given twice");

    const fn new(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, field: None }
    }

    pub(super) const fn malformed(field: &'static str) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, title: "A value cannot be understood", field: Some(field) }
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut document = serde_json::json!({ "type": "about:blank", "title": self.title, "status": self.status.as_u16() });
        if let Some(field) = self.field {
            document["field"] = field.into();
        }
        let mut answer = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header(("www-authenticate", "Bearer"));
        }
        answer.content_type("application/problem+json").body(document.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

impl From<StoreUnavailable> for Problem {
    fn from(_: StoreUnavailable) -> Self {
        Self::UNAVAILABLE
    }
}
