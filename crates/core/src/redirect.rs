//! The redirect rule: a return address is parsed, compared and re-serialised, never believed.
//!
//! Deny-lists lose here. "Starts with `/` but not `//`" and "contains our host" both let attack
//! strings through, so the only question asked is whether the *parsed* address has an allowed
//! origin.

use url::{Host, Url};

use crate::message::HeaderValue;
use crate::public_suffix::is_public_suffix;

/// The longest return address that is looked at, in bytes.
pub const MAX_RETURN_ADDRESS: usize = 2_048;

/// Why a return address, or an entry of the allow-list, is not accepted. The names are the reason
/// codes in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// It is given more than once.
    #[error("given more than once")]
    Duplicated,
    /// Its path begins with an encoded slash or backslash.
    #[error("the path begins with an encoded slash")]
    EncodedSlash,
    /// It leads to an origin that is not on the list.
    #[error("the origin is not allowed")]
    ForeignOrigin,
    /// It holds a control character, a backslash or U+FFFD.
    #[error("a character that no URL may hold")]
    ForbiddenCharacter,
    /// Its wildcard covers a public suffix, below which anybody can register a name.
    #[error("anybody can register a name there")]
    PublicSuffix,
    /// It is no absolute URL, and an absolute one is demanded.
    #[error("not an absolute URL")]
    Relative,
    /// Its scheme is neither https nor an allowed http.
    #[error("the scheme is not allowed")]
    Scheme,
    /// It is longer than [`MAX_RETURN_ADDRESS`].
    #[error("too long")]
    TooLong,
    /// It cannot be parsed.
    #[error("not a URL")]
    Unparsable,
    /// It holds a user name or a password.
    #[error("user information in the URL")]
    UserInfo,
}

/// An address that a client may be sent to. It can be made in three ways only: approved by a
/// [`RedirectPolicy`] out of a request (absolute, or relative and then still relative), or given by
/// the operator.
///
/// ```compile_fail,E0423
/// use logout_core::redirect::ApprovedUrl;
///
/// fn believed(query: &str) -> ApprovedUrl {
///     ApprovedUrl(query.to_owned())
/// }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApprovedUrl(HeaderValue);

impl ApprovedUrl {
    /// An address out of the *configuration*: absolute with http or https, or a path that begins
    /// with one slash. Its bytes are kept. Never call this with anything that a request contains.
    ///
    /// # Errors
    /// The fault, for a start-up error that names the key.
    pub fn from_operator(text: &str) -> Result<Self, RedirectError> {
        if text.chars().any(is_forbidden) {
            return Err(RedirectError::ForbiddenCharacter);
        }
        if text.starts_with('/') {
            return if text.starts_with("//") {
                Err(RedirectError::ForeignOrigin)
            } else {
                Ok(Self(HeaderValue::prepared(text)))
            };
        }
        let url = Url::parse(text).map_err(|_| RedirectError::Unparsable)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RedirectError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectError::UserInfo);
        }
        Ok(Self(HeaderValue::prepared(text)))
    }

    /// The address as it goes into a `Location`.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same, as the value of that header.
    pub(crate) fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The same address with one more query parameter, the rest of its query and its fragment kept.
    #[must_use]
    pub fn with_parameter(&self, name: &str, value: &str) -> Self {
        let (rest, fragment) = self
            .0
            .split_once('#')
            .map_or((self.as_str(), None), |(rest, fragment)| {
                (rest, Some(fragment))
            });
        let pair = form_urlencoded::Serializer::new(String::new())
            .append_pair(name, value)
            .finish();
        let joint = if rest.contains('?') { '&' } else { '?' };
        let fragment = fragment.map(|text| format!("#{text}")).unwrap_or_default();
        Self(format!("{rest}{joint}{pair}{fragment}").into())
    }

    /// The same address with one more parameter in its fragment, which servers never see (OAuth's
    /// `response_mode=fragment`).
    #[must_use]
    pub fn with_fragment_parameter(&self, name: &str, value: &str) -> Self {
        let pair = form_urlencoded::Serializer::new(String::new())
            .append_pair(name, value)
            .finish();
        let joint = match self.0.split_once('#') {
            None => "#",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        Self(format!("{}{joint}{pair}", self.0).into())
    }
}

/// Where a platform's sign-outs may lead.
#[derive(Clone, Debug)]
pub struct RedirectPolicy {
    base: Url,
    /// The origin of `base`, unless only what is allowed by name counts.
    own: Option<OriginEntry>,
    origins: Vec<OriginEntry>,
    exact: Vec<Url>,
    domains: Vec<String>,
}

#[derive(Clone, Debug)]
struct OriginEntry {
    scheme: String,
    host: Host<String>,
    subdomains: bool,
    port: Option<u16>,
    path: String,
}

impl RedirectPolicy {
    /// A policy whose relative addresses resolve against `base` (a public URL from the
    /// configuration), and which allows the origin of `base` and nothing else.
    ///
    /// # Errors
    /// [`RedirectError::Scheme`] when `base` is not http or https.
    pub fn new(base: &Url) -> Result<Self, RedirectError> {
        let mut base = base.clone();
        if !matches!(base.scheme(), "http" | "https") {
            return Err(RedirectError::Scheme);
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        base.set_query(None);
        base.set_fragment(None);
        let own = OriginEntry::parse(&base.origin().ascii_serialization())?;
        Ok(Self {
            base,
            own: Some(own),
            origins: Vec::new(),
            exact: Vec::new(),
            domains: Vec::new(),
        })
    }

    /// Also allows an origin (`https://www.example.com`), its subdomains (`https://*.example.org`,
    /// which leaves out `example.org` itself), or either below a path
    /// (`https://www.example.com/app`).
    ///
    /// # Errors
    /// The fault of the entry, for a start-up error.
    pub fn allow(mut self, entry: &str) -> Result<Self, RedirectError> {
        self.origins.push(OriginEntry::parse(entry)?);
        Ok(self)
    }

    /// Also allows exactly this URL.
    ///
    /// # Errors
    /// The fault of the entry, for a start-up error.
    pub fn allow_exactly(mut self, entry: &str) -> Result<Self, RedirectError> {
        self.exact.push(checked_absolute(entry)?);
        Ok(self)
    }

    /// Also allows https at this host, or at its subdomains when the entry begins with a dot, which
    /// the caller must not let be a public suffix ([`is_public_suffix`]); `localhost` on every port
    /// and by http too.
    #[must_use]
    pub fn allow_domain(mut self, domain: &str) -> Self {
        self.domains.push(domain.to_ascii_lowercase());
        self
    }

    /// Without the origin of its base: only what was allowed by name is left.
    #[must_use]
    pub fn without_own_origin(mut self) -> Self {
        self.own = None;
        self
    }

    /// Approves `requested`, decoded once, spaces at both ends trimmed. The result is the parser's
    /// own serialisation; a relative address stays relative.
    ///
    /// # Errors
    /// The fault, which is also the reason code for the log.
    pub fn approve(&self, requested: &str) -> Result<ApprovedUrl, RedirectError> {
        let requested = trimmed(requested)?;
        match Url::parse(requested) {
            Ok(_) => self.approve_absolute(requested),
            Err(url::ParseError::RelativeUrlWithoutBase) => self.approve_relative(requested),
            Err(_) => Err(RedirectError::Unparsable),
        }
    }

    /// Like [`RedirectPolicy::approve`], for absolute addresses only.
    ///
    /// # Errors
    /// As there, and [`RedirectError::Relative`].
    pub fn approve_absolute(&self, requested: &str) -> Result<ApprovedUrl, RedirectError> {
        let url = checked_absolute(requested)?;
        if starts_with_encoded_slash(url.path()) {
            return Err(RedirectError::EncodedSlash);
        }
        let allowed = self.exact.contains(&url)
            || self
                .own
                .iter()
                .chain(&self.origins)
                .any(|entry| entry.allows(&url))
            || self
                .domains
                .iter()
                .any(|domain| domain_allows(domain, &url));
        if allowed {
            Ok(ApprovedUrl(String::from(url).into()))
        } else {
            Err(RedirectError::ForeignOrigin)
        }
    }

    fn approve_relative(&self, requested: &str) -> Result<ApprovedUrl, RedirectError> {
        if requested.starts_with("//") {
            return Err(RedirectError::ForeignOrigin);
        }
        if starts_with_encoded_slash(requested) {
            return Err(RedirectError::EncodedSlash);
        }
        let url = self
            .base
            .join(requested)
            .map_err(|_| RedirectError::Unparsable)?;
        // `/.//host` is normalised to the path `//host`, which a browser reads as another host.
        if url.origin() != self.base.origin() || url.path().starts_with("//") {
            return Err(RedirectError::ForeignOrigin);
        }
        if starts_with_encoded_slash(url.path()) {
            return Err(RedirectError::EncodedSlash);
        }
        Ok(ApprovedUrl(
            url[url::Position::BeforePath..].to_owned().into(),
        ))
    }
}

impl OriginEntry {
    fn parse(entry: &str) -> Result<Self, RedirectError> {
        let (subdomains, plain) = match entry.split_once("://*.") {
            Some((scheme, rest)) => (true, format!("{scheme}://{rest}")),
            None => (false, entry.to_owned()),
        };
        let url = checked_absolute(&plain)?;
        let host = url.host().ok_or(RedirectError::Unparsable)?.to_owned();
        if plain.contains('*')
            || url.query().is_some()
            || url.fragment().is_some()
            || (subdomains && !matches!(host, Host::Domain(_)))
        {
            return Err(RedirectError::Unparsable);
        }
        if subdomains && url.host_str().is_some_and(is_public_suffix) {
            return Err(RedirectError::PublicSuffix);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host,
            subdomains,
            port: url.port_or_known_default(),
            path,
        })
    }

    fn allows(&self, url: &Url) -> bool {
        let host = match (url.host(), &self.host) {
            (Some(Host::Domain(host)), Host::Domain(own)) if self.subdomains => host
                .strip_suffix(own.as_str())
                .is_some_and(|label| label.len() > 1 && label.ends_with('.')),
            (Some(host), own) => host.to_owned() == *own,
            (None, _) => false,
        };
        host && url.scheme() == self.scheme
            && url.port_or_known_default() == self.port
            && self.allows_path(url.path())
    }

    fn allows_path(&self, path: &str) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let lower = path.to_ascii_lowercase();
        let hides_a_slash = lower.contains("%2f") || lower.contains("%5c");
        !hides_a_slash
            && path
                .strip_prefix(&self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn trimmed(requested: &str) -> Result<&str, RedirectError> {
    if requested.len() > MAX_RETURN_ADDRESS {
        return Err(RedirectError::TooLong);
    }
    let requested = requested.trim_matches(' ');
    if requested.chars().any(is_forbidden) {
        Err(RedirectError::ForbiddenCharacter)
    } else {
        Ok(requested)
    }
}

fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\\' | '\u{FFFD}')
}

fn checked_absolute(text: &str) -> Result<Url, RedirectError> {
    let text = trimmed(text)?;
    let url = Url::parse(text).map_err(|fault| match fault {
        url::ParseError::RelativeUrlWithoutBase => RedirectError::Relative,
        _ => RedirectError::Unparsable,
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RedirectError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectError::UserInfo);
    }
    Ok(url)
}

fn starts_with_encoded_slash(path: &str) -> bool {
    let start = path.trim_start_matches('/').as_bytes();
    matches!(
        start,
        [b'%', b'2', b'f' | b'F', ..] | [b'%', b'5', b'c' | b'C', ..]
    )
}

fn domain_allows(domain: &str, url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else {
        return false;
    };
    if domain == "localhost" {
        return host == "localhost";
    }
    let host_matches = if domain.starts_with('.') {
        host.len() > domain.len() && host.ends_with(domain)
    } else {
        host == domain
    };
    host_matches && url.scheme() == "https" && url.port().is_none()
}

#[cfg(test)]
#[path = "redirect_tests.rs"]
mod tests;
