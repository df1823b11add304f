//! Carries requests to one upstream by HTTP.

use std::error::Error as StdError;
use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use logout_core::Method;
use logout_core::upstream::{UpstreamAnswer, UpstreamClient, UpstreamError, UpstreamRequest};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue,
};
use reqwest::{Certificate, Client, redirect};
use url::Url;

/// Less than the five seconds after which common servers close an idle connection, so that it is us
/// who close it and no sign-out is written into a connection that is just going away.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// Headers that speak of one connection or of how the body is cut up: the client's own business.
const OWN: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where an upstream is, and how it is spoken to. All defaults are our choice.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpClientSettings {
    /// Its base address, with the path that stands in front of the vendor's paths.
    pub base: Url,
    /// How long connecting may take, TLS included. Default: 3 seconds.
    pub connect_timeout: Duration,
    /// How long everything may take, to the last byte of the body. Default: 10 seconds.
    pub timeout: Duration,
    /// How much of a body is read, decoded or not. Default: 256 KiB.
    pub body_limit: usize,
    /// A PEM file with certificate authorities that are trusted besides the system's. Default:
    /// none.
    pub ca_file: Option<PathBuf>,
}

impl HttpClientSettings {
    /// An upstream at `base`, with the documented defaults.
    pub fn new(base: Url) -> Self {
        Self {
            base,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            body_limit: 256 * 1024,
            ca_file: None,
        }
    }
}

/// A client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpClientError {
    /// The base address is not `http` or `https`, or has a user, a query or a fragment.
    #[error(
        "the upstream's address must be an http or https address without user, query and fragment"
    )]
    Base,
    /// The file with certificate authorities cannot be read.
    #[error("{} cannot be read", .0.display())]
    CaUnreadable(PathBuf, #[source] std::io::Error),
    /// The file holds no certificate in PEM form.
    #[error("{} holds no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    /// The HTTP client cannot be built: on a machine that has no certificate authorities, say.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Carries requests to one upstream by HTTP/1.1.
///
/// Guarantees: no request leaves for another origin than the configured one; no redirect is
/// followed, no cookie is kept and no proxy of the environment is used; `Host` is the upstream's
/// own; a body is read up to the limit and no further; the whole takes no longer than the timeout.
/// An answer that comes compressed with gzip, though none was asked for, is decoded; any other
/// encoding is left as it came, header and all.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    base: Url,
    /// The base address's path, without a slash at its end.
    base_path: String,
    timeout: Duration,
    body_limit: usize,
}

impl HttpClient {
    /// A client to one upstream. Opens no connection. Reads the file with certificate authorities.
    ///
    /// # Errors
    /// [`HttpClientError`].
    pub fn new(settings: HttpClientSettings) -> Result<Self, HttpClientError> {
        let base = &settings.base;
        let plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if !matches!(base.scheme(), "http" | "https") || !plain {
            return Err(HttpClientError::Base);
        }
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .user_agent(concat!("logout-hub/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE_CONNECTION);
        let builder = match &settings.ca_file {
            Some(file) => {
                let pem = std::fs::read(file)
                    .map_err(|fault| HttpClientError::CaUnreadable(file.clone(), fault))?;
                let authorities = Certificate::from_pem_bundle(&pem).unwrap_or_default();
                if authorities.is_empty() {
                    return Err(HttpClientError::NoCertificate(file.clone()));
                }
                builder.tls_certs_merge(authorities)
            }
            // Without TLS the machine need not have any authorities.
            None if base.scheme() == "http" => builder.tls_certs_only([]),
            None => builder,
        };
        Ok(Self {
            client: builder.build().map_err(HttpClientError::Client)?,
            base_path: base.path().trim_end_matches('/').to_owned(),
            base: settings.base,
            timeout: settings.timeout,
            body_limit: settings.body_limit,
        })
    }

    async fn exchange(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, UpstreamError> {
        let outgoing = self.outgoing(request).ok_or(UpstreamError::Broken)?;
        let mut answer = self
            .client
            .execute(outgoing)
            .await
            .map_err(|error| fault(&error))?;
        if answer
            .content_length()
            .is_some_and(|length| length > self.body_limit as u64)
        {
            return Err(UpstreamError::TooLarge);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| fault(&error))? {
            if body.len() + chunk.len() > self.body_limit {
                return Err(UpstreamError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut headers = std::mem::take(answer.headers_mut());
        if !body.is_empty() && is_gzip(&headers) {
            body = self.unzipped(&body)?;
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
        }
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        Ok(UpstreamAnswer::new(answer.status().as_u16())
            .with_headers(headers)
            .with_body(body))
    }

    /// `None`: it cannot be sent as it is. Leaving out what does not fit might leave out the
    /// credential, and "nobody is signed in" would then be taken for a confirmation.
    fn outgoing(&self, request: UpstreamRequest) -> Option<reqwest::Request> {
        if !request.target.starts_with('/') || request.method == Method::Other {
            return None;
        }
        let url = self.url(&request.target);
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 1);
        for (name, value) in request
            .headers
            .iter()
            .filter(|(name, _)| !OWN.contains(&name.as_str()))
        {
            let mut bytes = HeaderValue::from_bytes(value.reveal().as_bytes()).ok()?;
            bytes.set_sensitive(true);
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, bytes);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let method = reqwest::Method::from_bytes(request.method.name().as_bytes()).ok()?;
        let mut outgoing = reqwest::Request::new(method, url);
        *outgoing.headers_mut() = headers;
        if !request.body.is_empty() {
            *outgoing.body_mut() = Some(request.body.into());
        } else if matches!(request.method, Method::Post | Method::Put | Method::Patch) {
            // Some servers refuse a POST that does not say how long it is (411), and the client
            // leaves that out where it is empty.
            outgoing
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Some(outgoing)
    }

    /// The address of `target`. Only path and query come from it, so that the origin is the base
    /// address's, which need not be parsed again.
    fn url(&self, target: &str) -> Url {
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&[&self.base_path, path].concat());
        url.set_query(query);
        url
    }

    fn unzipped(&self, body: &[u8]) -> Result<Vec<u8>, UpstreamError> {
        let mut plain = Vec::new();
        let limit = self.body_limit as u64 + 1;
        flate2::read::MultiGzDecoder::new(body)
            .take(limit)
            .read_to_end(&mut plain)
            .map_err(|_| UpstreamError::Broken)?;
        if plain.len() > self.body_limit {
            Err(UpstreamError::TooLarge)
        } else {
            Ok(plain)
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl UpstreamClient for HttpClient {
    async fn send(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, UpstreamError> {
        tokio::time::timeout(self.timeout, self.exchange(request))
            .await
            .unwrap_or(Err(UpstreamError::Timeout))
    }
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let gzip = |value: &HeaderValue| {
        ["gzip", "x-gzip"].iter().any(|name| {
            value
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(name.as_bytes())
        })
    };
    encodings.next().is_some_and(gzip) && encodings.next().is_none()
}

fn fault(error: &reqwest::Error) -> UpstreamError {
    if error.is_timeout() {
        return UpstreamError::Timeout;
    }
    match tls_fault(error) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            UpstreamError::Certificate
        }
        Some(_) => UpstreamError::Broken,
        None if error.is_connect() => UpstreamError::NoConnection,
        None => UpstreamError::Broken,
    }
}

/// The TLS library's word on it. An [`std::io::Error`] names not what it wraps as its source, but
/// that one's source.
fn tls_fault(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(current) = cause {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        cause = match current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests;
