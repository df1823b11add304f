//! What the flow needs from outside: implemented elsewhere, handed in at the start.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::credential::Secret;
use crate::session::Person;
use crate::time::Timestamp;

/// The time of day. Tests set it.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current instant. Guaranteed not to panic; it may step back when the operating system's clock does.
    fn now(&self) -> Timestamp;
}

/// Somebody who can log in to stand-in platforms.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Where the name is unique.
    pub realm: String,
    /// The name to log in with, as configured.
    pub name: String,
    /// Who, across platforms.
    pub person: Option<Person>,
    /// A mail address, where there is one.
    pub email: Option<String>,
    /// The name to show.
    pub display_name: String,
    /// Groups or roles.
    pub groups: Vec<String>,
    /// Whether the account may sign out others.
    pub administrator: bool,
}

impl Account {
    /// An account called `name` in realm `Default`, shown by that name, without mail address, person, groups and rights.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            realm: "Default".to_owned(),
            display_name: name.clone(),
            name,
            person: None,
            email: None,
            groups: Vec::new(),
            administrator: false,
        }
    }
}

/// The accounts could not be asked just now.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("accounts are not available")]
pub struct AccountsUnavailable;

/// Names and passwords.
#[async_trait]
pub trait Accounts: Debug + Send + Sync + 'static {
    /// The account with this name and password, compared without regard to ASCII case in the name; `None` for a wrong
    /// password and for an unknown name alike, after the same work. Must not block the caller's thread. Without a realm,
    /// every realm is searched in the configured order. A mail address works in place of the name.
    async fn verify(&self, realm: Option<&str>, name: &str, password: &Secret) -> Result<Option<Account>, AccountsUnavailable>;

    /// The account with this name, without regard to ASCII case.
    fn find(&self, realm: &str, name: &str) -> Option<Account>;
}

/// What a token of a stand-in says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenClaims {
    /// The platform that minted it.
    pub iss: String,
    /// What it is for: the adapter's own word, as in [`crate::credential::CredentialDigest::of`].
    pub aud: String,
    /// The subject's name.
    pub sub: String,
    /// Makes every token unique, so that ending one never ends another.
    pub jti: String,
    /// Seconds since the Unix epoch.
    pub iat: u64,
    /// Seconds since the Unix epoch.
    pub exp: u64,
    /// The vendor's own claims.
    #[serde(flatten)]
    pub vendor: BTreeMap<String, String>,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Well signed, but over.
    #[error("the token has expired")]
    Expired,
    /// Not a token, not ours, or for another platform or purpose.
    #[error("the token is not one of ours")]
    Invalid,
}

/// Mints and verifies the JWTs of stand-ins.
pub trait Tokens: Debug + Send + Sync + 'static {
    /// A signed token with these claims.
    ///
    /// # Errors
    /// [`TokenFault::Invalid`] when the claims cannot be signed.
    fn mint(&self, claims: &TokenClaims) -> Result<Secret, TokenFault>;

    /// The claims of a token that is well signed, for this issuer and audience, and valid at `now`.
    ///
    /// # Errors
    /// [`TokenFault::Expired`] or [`TokenFault::Invalid`].
    fn verify(&self, token: &str, issuer: &str, audience: &str, now: Timestamp) -> Result<TokenClaims, TokenFault>;
}
