//! The answer that goes back to a client.

use std::borrow::Cow;
use std::time::Duration;

use super::{HeaderValue, PAGE_SECURITY_POLICY};
use crate::redirect::ApprovedUrl;

/// Headers of an answer, in order: each with its name and value.
pub type ResponseHeaders = Vec<(&'static str, HeaderValue)>;

/// What goes back to a client. There is no way to put a `Location` into it but
/// [`Response::redirect`].
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(&'static str, HeaderValue)>,
    body: Cow<'static, [u8]>,
}

impl Response {
    /// An empty answer.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::with_capacity(8),
            body: Cow::Borrowed(&[]),
        }
    }

    /// An answer with a text body of this media type.
    pub fn with_text(
        status: u16,
        media_type: &'static str,
        body: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut response = Self::new(status).header("content-type", media_type);
        response.body = match body.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        response
    }

    /// An HTML page. It may run no script, load nothing and be framed by nobody.
    pub fn html(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::with_text(status, "text/html; charset=utf-8", body)
            .header("content-security-policy", PAGE_SECURITY_POLICY)
            .header("x-content-type-options", "nosniff")
            .header("cache-control", "no-store")
    }

    /// The same, leading elsewhere if it is a redirect and `by_way_of` says so.
    pub(crate) fn led(mut self, by_way_of: impl Fn(&str) -> Option<ApprovedUrl>) -> Self {
        for (name, value) in &mut self.headers {
            if *name == "location"
                && let Some(address) = by_way_of(value.as_str())
            {
                *value = address.header_value();
            }
        }
        self
    }

    /// A redirect by 302 to an address that was approved.
    pub fn redirect(to: &ApprovedUrl) -> Self {
        let mut response = Self::new(302);
        response.headers.push(("location", to.header_value()));
        response
    }

    /// With one more header, its name in lower case. A value with control characters is left out,
    /// and so is a `location`: that takes an [`ApprovedUrl`].
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<HeaderValue>) -> Self {
        let value = value.into();
        if name == "location" || !value.is_sendable() {
            log::error!(header = name; "a header that must not be sent was left out");
        } else {
            self.headers.push((name, value));
        }
        self
    }

    /// With these `Set-Cookie` headers.
    #[must_use]
    pub fn cookies<'a>(mut self, set_cookies: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        for value in set_cookies {
            self = self.header("set-cookie", value.clone());
        }
        self
    }

    /// With `Cache-Control: no-store`, where nothing is said about caching yet.
    #[must_use]
    pub fn uncached(self) -> Self {
        if self
            .headers
            .iter()
            .any(|(name, _)| *name == "cache-control")
        {
            self
        } else {
            self.header("cache-control", "no-store")
        }
    }

    /// With the time after which the caller may ask again, in whole seconds, rounded up (RFC 9110).
    #[must_use]
    pub fn retry_after(self, span: Duration) -> Self {
        let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        self.header("retry-after", seconds.to_string())
    }

    /// As 503 and without cookies, so that nobody takes it for success and the caller can try
    /// again.
    pub(crate) fn unavailable(mut self) -> Self {
        self.status = 503;
        self.headers.retain(|(name, _)| *name != "set-cookie");
        self
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Its headers in order, names in lower case.
    pub fn headers(&self) -> &[(&'static str, HeaderValue)] {
        &self.headers
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its parts: status, headers, body.
    pub fn into_parts(self) -> (u16, ResponseHeaders, Cow<'static, [u8]>) {
        (self.status, self.headers, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_location_nor_a_line_break_gets_in_by_the_side_door() {
        let response = Response::new(200)
            .header("location", "https://evil.example")
            .header("x", "a\r\nb: c");
        assert!(response.headers().is_empty());
    }
}
