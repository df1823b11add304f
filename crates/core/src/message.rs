//! Our own request and reply, so that adapters work under any server.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::redirect::ApprovedUrl;
use crate::session::Device;

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

/// One HTTP request, addressed to one endpoint of one platform.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    query: String,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Vec<u8>,
    secure: bool,
    client: Option<IpAddr>,
    endpoint: &'static str,
    path_parameters: Vec<(&'static str, String)>,
}

impl Request {
    /// A request for `path` (as sent, without the platform's prefix and without the query).
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: String::new(),
            headers: Vec::with_capacity(8),
            body: Vec::new(),
            secure: false,
            client: None,
            endpoint: "",
            path_parameters: Vec::new(),
        }
    }

    /// With this query string, as sent, without the question mark.
    #[must_use]
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// With one more header; the name in lower case.
    #[must_use]
    pub fn with_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Came by https, as the socket or a trusted proxy says.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Came from this address, as the socket or a trusted proxy says.
    #[must_use]
    pub fn with_client(mut self, client: Option<IpAddr>) -> Self {
        self.client = client;
        self
    }

    /// Addressed to the endpoint of this name, with these parameters out of the path.
    #[must_use]
    pub fn with_endpoint(
        mut self,
        name: &'static str,
        path_parameters: Vec<(&'static str, String)>,
    ) -> Self {
        self.endpoint = name;
        self.path_parameters = path_parameters;
        self
    }

    /// Its method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Its path as sent, without the platform's prefix.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its query string as sent.
    pub fn raw_query(&self) -> &str {
        &self.query
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether it came by https.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The name of the endpoint it is addressed to.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// A parameter out of the path, decoded.
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.path_parameters
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The address it came from.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// All headers in order, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All headers of this name, given in lower case, in order.
    pub fn headers_named<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The values of all cookies of this name in the order they were sent, neither unquoted nor
    /// percent-decoded.
    pub fn cookies<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.all_cookies()
            .filter(move |(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// All cookies, name and value, in the order they were sent.
    pub fn all_cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers_named("cookie")
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
    }

    /// How many cookies it brings, as many as there are separators between them.
    pub fn cookie_count(&self) -> usize {
        self.headers_named("cookie")
            .map(|header| header.bytes().filter(|byte| *byte == b';').count() + 1)
            .sum()
    }

    /// What follows `scheme` in the `Authorization` header: any number of spaces, none included,
    /// may stand between, since clients exist that send none.
    pub fn authorization(&self, scheme: &str) -> Option<&str> {
        let value = self.header("authorization")?.trim();
        let start = value.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| value[scheme.len()..].trim_start())
    }

    /// The parameters of the query string.
    pub fn query(&self) -> Parameters<'_> {
        Parameters::read(self.query.as_bytes())
    }

    /// The parameters of a form body; none when the body is of another type.
    pub fn form(&self) -> Parameters<'_> {
        if self
            .media_type()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            Parameters::read(&self.body)
        } else {
            Parameters::default()
        }
    }

    /// The type of the body, without parameters; empty when there is none.
    pub fn media_type(&self) -> &str {
        self.header("content-type")
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim()
    }

    /// Where it came from, for the session's record.
    pub fn device(&self) -> Device {
        let user_agent = self.header("user-agent").map(|text| {
            let end = (0..=text.len().min(256))
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            text[..end].to_owned()
        });
        Device {
            address: self.client,
            user_agent,
        }
    }
}

/// Decoded parameters in the order they were sent. `+` and `%20` are spaces; nothing is decoded
/// twice.
#[derive(Clone, Debug, Default)]
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Reads a query string or a urlencoded form.
    pub fn read(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() {
            Self::default()
        } else {
            Self(form_urlencoded::parse(bytes).collect())
        }
    }

    /// The parameters in this order.
    pub fn from_pairs(pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Self(pairs)
    }

    /// The first value of `name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of `name`.
    pub fn all<'b, 'n>(&'b self, name: &'n str) -> impl Iterator<Item = &'b str> + use<'a, 'b, 'n> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The first value of `name`, whose case does not matter.
    pub fn first_ignoring_case(&self, name: &str) -> Option<&str> {
        self.all_ignoring_case(name).next()
    }

    /// All values of `name`, whose case does not matter.
    pub fn all_ignoring_case<'b, 'n>(
        &'b self,
        name: &'n str,
    ) -> impl Iterator<Item = &'b str> + use<'a, 'b, 'n> {
        self.0
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }
}

/// Percent-decodes once; invalid UTF-8 becomes U+FFFD, which no comparison accepts.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// What goes back to a client. There is no way to put a `Location` into it but
/// [`Response::redirect`].
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Response {
    /// An empty answer.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::with_capacity(8),
            body: Vec::new(),
        }
    }

    /// An answer with a text body of this media type.
    pub fn with_text(status: u16, media_type: &str, body: impl Into<String>) -> Self {
        let mut response = Self::new(status).header("content-type", media_type);
        response.body = body.into().into_bytes();
        response
    }

    /// An HTML page. It may run no script, load nothing and be framed by nobody.
    pub fn html(status: u16, body: impl Into<String>) -> Self {
        Self::with_text(status, "text/html; charset=utf-8", body)
            .header("content-security-policy", PAGE_SECURITY_POLICY)
            .header("x-content-type-options", "nosniff")
            .header("cache-control", "no-store")
    }

    /// A redirect by 302 to an address that was approved.
    pub fn redirect(to: &ApprovedUrl) -> Self {
        let mut response = Self::new(302);
        response.headers.push(("location", to.as_str().to_owned()));
        response
    }

    /// With one more header, its name in lower case. A value with control characters is left out,
    /// and so is a `location`: that takes an [`ApprovedUrl`].
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if name == "location" || value.bytes().any(|byte| byte.is_ascii_control()) {
            log::error!(header = name; "a header that must not be sent was left out");
        } else {
            self.headers.push((name, value));
        }
        self
    }

    /// With these `Set-Cookie` headers.
    #[must_use]
    pub fn cookies<'a>(mut self, set_cookies: impl IntoIterator<Item = &'a String>) -> Self {
        for value in set_cookies {
            self = self.header("set-cookie", value.as_str());
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
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its parts: status, headers, body.
    pub fn into_parts(self) -> (u16, Vec<(&'static str, String)>, Vec<u8>) {
        (self.status, self.headers, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_in_order_and_left_as_they_are() {
        let request = Request::new(Method::Get, "/")
            .with_header("cookie", "a=1; b=x+y/z==;a=%20")
            .with_header("cookie", "a=3");
        assert_eq!(request.cookies("a").collect::<Vec<_>>(), ["1", "%20", "3"]);
        assert_eq!(request.cookies("b").collect::<Vec<_>>(), ["x+y/z=="]);
        assert_eq!(request.cookies("A").count(), 0);
    }

    #[test]
    fn an_authorization_scheme_needs_no_space_and_no_case() {
        for value in ["Bearer t", "bearer  t", "BEARERt"] {
            let request = Request::new(Method::Get, "/").with_header("authorization", value);
            assert_eq!(request.authorization("Bearer"), Some("t"), "{value}");
        }
        assert_eq!(
            Request::new(Method::Get, "/")
                .with_header("authorization", "Bé")
                .authorization("Bearer"),
            None
        );
    }

    #[test]
    fn a_plus_is_a_space_and_nothing_is_decoded_twice() {
        let parameters = Parameters::read(b"a=x+y%2520z&a=2&B=3");
        assert_eq!(parameters.first("a"), Some("x y%20z"));
        assert_eq!(parameters.all("a").count(), 2);
        assert_eq!(
            (parameters.first("b"), parameters.first_ignoring_case("b")),
            (None, Some("3"))
        );
    }

    #[test]
    fn neither_a_location_nor_a_line_break_gets_in_by_the_side_door() {
        let response = Response::new(200)
            .header("location", "https://evil.example")
            .header("x", "a\r\nb: c");
        assert!(response.headers().is_empty());
    }

    #[test]
    fn a_user_agent_is_cut_on_a_character_boundary() {
        let request = Request::new(Method::Get, "/")
            .with_header("user-agent", format!("{}é", "x".repeat(255)));
        assert_eq!(
            request.device().user_agent.map(|text| text.len()),
            Some(255)
        );
    }
}
