//! OAuth 2.0 Token Revocation (RFC 7009), received: the request, and why one is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logout_core::credential::Secret;
use logout_core::message::{Parameters, percent_decode};
use logout_core::provider::ClientCredentials;

use crate::media_type::is_form;

/// The largest body that is read, in bytes. Our choice.
pub const LARGEST_TOKEN_REVOCATION: usize = 16 * 1024;

/// Why a token is not revoked. The text is fixed: nothing of the request is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRevocationError {
    /// The body did not arrive to its end, or not in time.
    #[error("the body did not arrive completely")]
    Incomplete,
    /// More than [`LARGEST_TOKEN_REVOCATION`].
    #[error("the body is too large")]
    TooLarge,
    /// Another media type than RFC 7009, section 2.1, asks for.
    #[error("the body must be application/x-www-form-urlencoded")]
    MediaType,
    /// No `token`, or an empty one: a parameter without a value counts as left out (RFC 6749,
    /// section 3.2).
    #[error("token is missing")]
    Missing,
    /// A parameter is given twice (RFC 6749, section 3.2, forbids it).
    #[error("{0} is given twice")]
    Repeated(&'static str),
    /// A client's password without its id (RFC 6749, section 2.3.1, requires both).
    #[error("client_secret needs a client_id")]
    SecretAlone,
    /// The client identifies itself by the header and by the form, as another one or with a
    /// password in each (RFC 6749, section 2.3: one method a request).
    #[error("the client identifies itself twice")]
    SeveralMethods,
    /// The header is no `Basic`, or a broken one (RFC 6749, section 5.2: an unsupported method).
    #[error("only Basic is understood, with client_id and client_secret")]
    Header,
    /// There is no such client, or it has no such password, or it has to identify itself.
    #[error("the client is unknown, did not identify itself, or has no such password")]
    UnknownClient,
    /// The token is another client's (RFC 7009, section 2.1, has the client told).
    #[error("the token was not issued to this client")]
    OtherClient,
    /// The platform issues no tokens that can be revoked here (RFC 7009, section 2.2.1).
    #[error("this platform has no tokens that can be revoked here")]
    Unsupported,
}

impl TokenRevocationError {
    /// The word in `error` (RFC 6749, section 5.2; RFC 7009, section 2.2.1).
    pub fn code(self) -> &'static str {
        match self {
            Self::Incomplete
            | Self::TooLarge
            | Self::MediaType
            | Self::Missing
            | Self::Repeated(_)
            | Self::SecretAlone
            | Self::SeveralMethods => "invalid_request",
            Self::Header | Self::UnknownClient => "invalid_client",
            Self::OtherClient => "invalid_grant",
            Self::Unsupported => "unsupported_token_type",
        }
    }
}

/// A request to revoke a token. `token_type_hint` is left out, since the kind of a token shows by
/// itself (RFC 7009, section 2.1, lets a server ignore it).
#[derive(Clone, Debug)]
pub struct TokenRevocation {
    /// An access token or a refresh token.
    pub token: Secret,
    /// How the client identifies itself, if it does.
    pub client: Option<ClientCredentials>,
}

impl TokenRevocation {
    /// Reads a form and the values of `Authorization` (RFC 7009, section 2.1; RFC 6749, section
    /// 2.3.1). Other fields are ignored.
    ///
    /// # Errors
    /// The body is no form, too large, or does not have exactly one token; or the client
    /// identifies itself in a way that is not understood.
    pub fn read<'a>(
        content_type: Option<&str>,
        authorization: impl IntoIterator<Item = &'a [u8]>,
        body: &[u8],
    ) -> Result<Self, TokenRevocationError> {
        if !is_form(content_type) {
            return Err(TokenRevocationError::MediaType);
        }
        if body.len() > LARGEST_TOKEN_REVOCATION {
            return Err(TokenRevocationError::TooLarge);
        }
        let form = Parameters::read(body);
        let one = |name| {
            let mut values = form.all(name);
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(TokenRevocationError::Repeated(name)),
                (value, None) => Ok(value.filter(|value| !value.is_empty())),
            }
        };
        let (token, _hint) = (one("token")?, one("token_type_hint")?);
        let (id, secret) = (one("client_id")?, one("client_secret")?);
        let token = token.map(Secret::new);
        let mut headers = authorization.into_iter();
        let client = match (headers.next(), headers.next()) {
            (_, Some(_)) => return Err(TokenRevocationError::SeveralMethods),
            (Some(header), None) => {
                let client = basic(header).ok_or(TokenRevocationError::Header)?;
                if secret.is_some() || id.is_some_and(|id| id != client.id) {
                    return Err(TokenRevocationError::SeveralMethods);
                }
                Some(client)
            }
            (None, None) => match (id, secret) {
                (None, None) => None,
                (None, Some(_)) => return Err(TokenRevocationError::SecretAlone),
                (Some(id), secret) => Some(ClientCredentials {
                    id: id.to_owned(),
                    secret: secret.map(Secret::new),
                }),
            },
        };
        let token = token.ok_or(TokenRevocationError::Missing)?;
        Ok(Self { token, client })
    }
}

/// The client in a header, whose id and password are each encoded as in a form (RFC 6749, section
/// 2.3.1).
fn basic(header: &[u8]) -> Option<ClientCredentials> {
    let (scheme, encoded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().map(String::from_utf8);
    let decoded = Secret::new(decoded?.ok()?);
    let (id, secret) = decoded.reveal().split_once(':')?;
    let text = |encoded: &str| percent_decode(&encoded.replace('+', " ")).into_owned();
    let is_basic = scheme.eq_ignore_ascii_case("Basic") && !id.is_empty();
    is_basic.then(|| ClientCredentials {
        id: text(id),
        secret: (!secret.is_empty()).then(|| Secret::new(text(secret))),
    })
}
