//! Our own request and reply, so that adapters work under any server.

mod header_value;
mod parameters;
mod request;
mod response;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

pub use header_value::HeaderValue;
pub use parameters::Parameters;
pub use request::Request;
pub use response::{Response, ResponseHeaders};

/// The `Content-Security-Policy` of every page of ours: nothing is loaded, nothing runs, nobody
/// frames it. It says nothing of `form-action`, because browsers hold that against the redirect
/// which follows a login form.
pub const PAGE_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// An HTTP method.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
    /// Any method that no endpoint accepts.
    Other,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Method {
    /// The method called `name`, which is case-sensitive.
    pub fn of(name: &str) -> Self {
        match name {
            "DELETE" => Self::Delete,
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            "PATCH" => Self::Patch,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            _ => Self::Other,
        }
    }

    /// Its name; `"*"` for [`Method::Other`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Other => "*",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// The value of an `Allow` header.
    pub fn allow(methods: &[Self]) -> String {
        methods
            .iter()
            .map(|method| method.name())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Percent-decodes once; invalid UTF-8 becomes U+FFFD, which no comparison accepts.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
