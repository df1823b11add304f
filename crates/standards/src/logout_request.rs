//! The request that brings a logout token.

use logout_core::message::Parameters;

use crate::media_type::is_form;

use crate::logout_token::LogoutTokenError;

/// The largest body that is read, in bytes. Our choice; logout tokens have about 800.
pub const LARGEST_LOGOUT_REQUEST: usize = 16 * 1024;

/// Why a request is refused with 400. The text is fixed: nothing of the request is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutRequestError {
    /// The body did not arrive to its end, or not in time.
    #[error("the body did not arrive completely")]
    Incomplete,
    /// Another media type than Back-Channel Logout 1.0, section 2.5, asks for.
    #[error("the body must be application/x-www-form-urlencoded")]
    MediaType,
    /// No `logout_token`, or an empty one.
    #[error("logout_token is missing")]
    Missing,
    /// Several `logout_token`: which one counts would be a guess (OAuth 2.0, RFC 6749, section
    /// 3.2, forbids a parameter that is given twice).
    #[error("logout_token is given twice")]
    Repeated,
    /// More than [`LARGEST_LOGOUT_REQUEST`].
    #[error("the body is too large")]
    TooLarge,
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] LogoutTokenError),
}

/// The one `logout_token` of a form (OpenID Connect Back-Channel Logout 1.0, section 2.5). Other
/// fields are ignored, as that section asks.
///
/// # Errors
/// The body is no form, too large, or does not have exactly one token.
pub fn read_logout_request(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<String, LogoutRequestError> {
    if !is_form(content_type) {
        return Err(LogoutRequestError::MediaType);
    }
    if body.len() > LARGEST_LOGOUT_REQUEST {
        return Err(LogoutRequestError::TooLarge);
    }
    let form = Parameters::read(body);
    let mut tokens = form.all("logout_token");
    let token = tokens.next().filter(|token| !token.is_empty());
    if tokens.next().is_some() {
        return Err(LogoutRequestError::Repeated);
    }
    token.map(str::to_owned).ok_or(LogoutRequestError::Missing)
}
