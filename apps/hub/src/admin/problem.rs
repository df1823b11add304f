//! Errors of the admin listener, as RFC 9457 problem documents.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use logout_core::store::StoreUnavailable;

/// How much of a name that somebody made up is repeated.
const LONGEST_NAME: usize = 64;

/// What went wrong with a request. Repeats no value that came with it: that may be a credential.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: Option<&'static str>,
    field: Option<Cow<'static, str>>,
    header: Option<(header::HeaderName, Cow<'static, str>)>,
}

impl Problem {
    pub(super) const BODY_BROKEN: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "The body is not one JSON object, or names a member twice",
    );
    pub(super) const BODY_TOO_LARGE: Self = Self::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body is larger than is read",
    );
    pub(super) const BODY_TOO_SLOW: Self = Self::new(
        StatusCode::REQUEST_TIMEOUT,
        "The body did not arrive in time",
    );
    pub(super) const CHECK_TOKEN: Self =
        Self::new(StatusCode::FORBIDDEN, "The check token is missing or wrong");
    pub(super) const BUSY: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "The session is being registered by somebody else; ask again",
    );
    pub(super) const ENDED: Self = Self::new(
        StatusCode::CONFLICT,
        "The credential has been signed out, and what ended stays so",
    );
    pub(super) const MISDIRECTED: Self = Self::new(
        StatusCode::MISDIRECTED_REQUEST,
        "The Host is not this listener's",
    );
    pub(super) const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "There is nothing here");
    pub(super) const NOT_JSON: Self = Self::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body must be application/json",
    );
    pub(super) const NOT_TO_BE_RETRIED: Self = Self::new(
        StatusCode::CONFLICT,
        "The delivery is confirmed, or what it needs is erased",
    );
    pub(super) const AMBIGUOUS: Self = Self::unauthorized(
        "Bearer error=\"invalid_token\"",
        "Two different credentials are presented",
    );
    pub(super) const NOT_KNOWN: Self =
        Self::unauthorized("Bearer", "No credential that is known to be alive");
    pub(super) const TOO_MANY_CREDENTIALS: Self = Self::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The request brings more cookies or credentials than are looked at",
    );
    pub(super) const PREFETCH: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "A sign-out is not fetched ahead of a click",
    );
    pub(super) const SIGNED_OUT: Self = Self::unauthorized(
        "Bearer error=\"invalid_token\"",
        "The credential has been signed out",
    );
    pub(super) const UNAUTHORIZED: Self =
        Self::unauthorized("Bearer", "The admin token is missing or wrong");
    pub(super) const UNAVAILABLE: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "The session store does not answer",
    );
    pub(super) const UNKNOWN_PARAMETER: Self = Self::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "A parameter of the query is unknown or given twice",
    );

    const fn new(status: StatusCode, title: &'static str) -> Self {
        Self {
            status,
            title,
            detail: None,
            field: None,
            header: None,
        }
    }

    const fn unauthorized(challenge: &'static str, title: &'static str) -> Self {
        let header = Some((header::WWW_AUTHENTICATE, Cow::Borrowed(challenge)));
        Self {
            status: StatusCode::UNAUTHORIZED,
            title,
            detail: None,
            field: None,
            header,
        }
    }

    /// The value of `field` breaks this rule.
    pub(super) fn field(field: impl Into<Cow<'static, str>>, rule: &'static str) -> Self {
        let mut field = field.into();
        if field.len() > LONGEST_NAME {
            let end = (0..=LONGEST_NAME)
                .rev()
                .find(|at| field.is_char_boundary(*at))
                .unwrap_or(0);
            field.to_mut().truncate(end);
        }
        let problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "A value is missing or not allowed",
        );
        Self {
            detail: Some(rule),
            field: Some(field),
            ..problem
        }
    }

    /// The address takes these methods only.
    pub(super) fn method_not_allowed(allow: String) -> Self {
        let problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This address does not take that method",
        );
        Self {
            header: Some((header::ALLOW, allow.into())),
            ..problem
        }
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut document = serde_json::json!({ "type": "about:blank", "title": self.title, "status": self.status.as_u16() });
        if let Some(detail) = self.detail {
            document["detail"] = detail.into();
        }
        if let Some(field) = &self.field {
            document["field"] = field.as_ref().into();
        }
        let mut answer = HttpResponse::build(self.status);
        if let Some((name, value)) = &self.header {
            answer.insert_header((name.clone(), value.as_ref()));
        }
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        answer
            .content_type("application/problem+json")
            .body(format!("{document}\n"))
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

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.response()
    }
}

impl From<StoreUnavailable> for Problem {
    fn from(_: StoreUnavailable) -> Self {
        Self::UNAVAILABLE
    }
}
