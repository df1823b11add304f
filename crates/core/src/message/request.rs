//! The request as adapters see it.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Method, Parameters};
use crate::session::Device;

/// One HTTP request, addressed to one endpoint of one platform.
///
/// It borrows from the server's own request ([`Request::borrowed`]), or owns what it holds: then it
/// is a `Request<'static>`.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    method: Method,
    path: Cow<'a, str>,
    query: Cow<'a, str>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    body: Cow<'a, [u8]>,
    secure: bool,
    client: Option<IpAddr>,
    endpoint: &'static str,
    path_parameters: Vec<(&'static str, String)>,
}

impl<'a> Request<'a> {
    /// A request for `path` (as sent, without the platform's prefix and without the query).
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self::of(
            method,
            Cow::Owned(path.into()),
            Cow::Borrowed(""),
            Vec::new(),
        )
    }

    /// The same, with the query string (as sent, without the question mark) and the headers (names
    /// in lower case) of a server's own request, from which nothing is copied.
    pub fn borrowed(
        method: Method,
        path: &'a str,
        query: &'a str,
        headers: impl Iterator<Item = (&'a str, Cow<'a, str>)>,
    ) -> Self {
        let headers = headers.map(|(name, value)| (Cow::Borrowed(name), value));
        let headers = headers.collect();
        Self::of(method, Cow::Borrowed(path), Cow::Borrowed(query), headers)
    }

    fn of(
        method: Method,
        path: Cow<'a, str>,
        query: Cow<'a, str>,
        headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    ) -> Self {
        Self {
            method,
            path,
            query,
            headers,
            body: Cow::Borrowed(&[]),
            secure: false,
            client: None,
            endpoint: "",
            path_parameters: Vec::new(),
        }
    }

    /// With this query string, as sent, without the question mark.
    #[must_use]
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        self.query = Cow::Owned(query.into());
        self
    }

    /// With one more header; the name in lower case.
    #[must_use]
    pub fn with_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name.into(), Cow::Owned(value.into())));
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Cow::Owned(body.into());
        self
    }

    /// With this body, which is not copied.
    #[must_use]
    pub fn with_borrowed_body(mut self, body: &'a [u8]) -> Self {
        self.body = Cow::Borrowed(body);
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
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All headers of this name, given in lower case, in order.
    pub fn headers_named<'s, 'n>(
        &'s self,
        name: &'n str,
    ) -> impl Iterator<Item = &'s str> + use<'a, 's, 'n> {
        self.headers
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The values of all cookies of this name in the order they were sent, neither unquoted nor
    /// percent-decoded.
    pub fn cookies<'s, 'n>(
        &'s self,
        name: &'n str,
    ) -> impl Iterator<Item = &'s str> + use<'a, 's, 'n> {
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
    fn a_user_agent_is_cut_on_a_character_boundary() {
        let request = Request::new(Method::Get, "/")
            .with_header("user-agent", format!("{}é", "x".repeat(255)));
        assert_eq!(
            request.device().user_agent.map(|text| text.len()),
            Some(255)
        );
    }
}
