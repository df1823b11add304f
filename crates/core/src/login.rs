//! A login that is asked for, and why it is not looked at.

use std::net::IpAddr;
use std::time::Duration;

use crate::credential::Secret;
use crate::message::Request;
use crate::sign_out::Refusal;
use crate::store::StoreUnavailable;

/// A name and a password, and where they come from.
#[derive(Clone, Copy, Debug)]
pub struct LoginAttempt<'a> {
    /// The realm of the account; where there is none, every realm is searched in the configured
    /// order.
    pub realm: Option<&'a str>,
    /// The name, or a mail address in its place.
    pub name: &'a str,
    /// Another spelling of the name, looked at where no account has the first one. Both together
    /// are one attempt.
    pub or_name: Option<&'a str>,
    /// The password.
    pub password: &'a Secret,
    /// The client's address, as the socket or a trusted proxy says it.
    pub address: Option<IpAddr>,
}

impl<'a> LoginAttempt<'a> {
    /// What `request` asks for, in any realm.
    pub fn of(request: &Request<'_>, name: &'a str, password: &'a Secret) -> Self {
        Self {
            realm: None,
            name,
            or_name: None,
            password,
            address: request.client(),
        }
    }

    /// The same, in this realm only.
    #[must_use]
    pub fn in_realm(self, realm: &'a str) -> Self {
        Self {
            realm: Some(realm),
            ..self
        }
    }
}

/// Why a login was not looked at. Says nothing about whether there is such an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Too many were asked for: by this address, for this account, or altogether.
    #[error("too many logins")]
    TooMany {
        /// After which time another one may be looked at.
        retry_after: Duration,
    },
    /// The accounts could not be asked just now.
    #[error("accounts are not available")]
    Unavailable,
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::TooMany { retry_after } => Self::TooManyLogins { retry_after },
            LoginError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<StoreUnavailable> for LoginError {
    fn from(_: StoreUnavailable) -> Self {
        Self::Unavailable
    }
}
