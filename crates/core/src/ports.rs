//! What the flow needs from outside: implemented elsewhere, handed in at the start.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::credential::{Sealed, Secret};
use crate::idp::IdpLogin;
use crate::login::{LoginAttempt, LoginError};
use crate::platform_name::PlatformName;
use crate::receipt::{EndedSession, ReceiptId};
use crate::redirect::ApprovedUrl;
use crate::session::{AccountVersion, Person, SessionId, Subject};
use crate::time::Timestamp;
use crate::upstream::UpstreamSession;

/// The time of day. Tests set it.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current instant. Guaranteed not to panic; it may step back when the operating system's
    /// clock does.
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
    /// Which version of it this is, where sessions are to end with it.
    pub version: Option<AccountVersion>,
}

impl Account {
    /// An account called `name` in realm `Default`, shown by that name, without mail address,
    /// person, groups and rights.
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
            version: None,
        }
    }
}

/// Names and passwords.
#[async_trait]
pub trait Accounts: Debug + Send + Sync + 'static {
    /// The account with this name and password, compared without regard to ASCII case in the name;
    /// `None` for a wrong password and for an unknown name alike, after the same work. Must not
    /// block the caller's thread. A mail address works in place of the name.
    ///
    /// # Errors
    /// The password was not looked at: too many logins were asked for, in the same way for known
    /// and unknown names, or the accounts could not be asked.
    async fn verify(&self, attempt: LoginAttempt<'_>) -> Result<Option<Account>, LoginError>;

    /// Whether an account of any realm has this name or mail address, compared as by
    /// [`Accounts::verify`]. Whoever is told knows who has an account: only where the operator
    /// wants that.
    fn is_known(&self, name: &str) -> bool;

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
pub enum TokenError {
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
    /// [`TokenError::Invalid`] when the claims cannot be signed.
    fn mint(&self, claims: &TokenClaims) -> Result<Secret, TokenError>;

    /// The claims of a token that is well signed, for this issuer and audience, and valid at `now`.
    ///
    /// # Errors
    /// [`TokenError::Expired`] or [`TokenError::Invalid`].
    fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<TokenClaims, TokenError>;
}

/// What is sealed cannot be opened: it was sealed with a key that is not there any more, for
/// another session, or changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("what is sealed cannot be opened")]
pub struct SealError;

/// Encrypts what upstreams must be given back.
pub trait Seal: Debug + Send + Sync + 'static {
    /// Seals `plain` so that it can be opened for `session` only, with the key that is current.
    fn seal(&self, session: SessionId, plain: &[u8]) -> Sealed;

    /// Opens what was sealed for `session`, with whichever of the known keys sealed it.
    ///
    /// # Errors
    /// [`SealError`].
    fn open(&self, session: SessionId, sealed: &Sealed) -> Result<Vec<u8>, SealError>;
}

/// What is known of somebody beyond one platform.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// The person.
    pub person: Option<Person>,
    /// The login at an identity provider that the session came from.
    pub idp: Option<IdpLogin>,
}

/// Links subjects to persons.
pub trait Persons: Debug + Send + Sync + 'static {
    /// Whom `subject` is beyond this platform, who opened `session` at an upstream, as far as that
    /// is known.
    fn identify(&self, subject: &Subject, session: &UpstreamSession, now: Timestamp) -> Identity;
}

/// Links by the subject's name: as it is, lower-cased, with a domain added where it has none.
#[derive(Clone, Debug, Default)]
pub struct PersonBySubject {
    /// Lower-cases the name.
    pub lowercase: bool,
    /// Stands behind an `@` after every name that has none.
    pub domain: Option<String>,
}

impl Persons for PersonBySubject {
    fn identify(&self, subject: &Subject, _: &UpstreamSession, _: Timestamp) -> Identity {
        let mut name = subject.name.trim().to_owned();
        if name.is_empty() {
            return Identity::default();
        }
        if self.lowercase {
            name = name.to_lowercase();
        }
        let person = match &self.domain {
            Some(domain) if !name.contains('@') => Person::new(format!("{name}@{domain}")),
            _ => Person::new(name),
        };
        Identity {
            person: Some(person),
            idp: None,
        }
    }
}

/// What became of a delivery while its sign-out waited.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeliveryResult {
    /// The session.
    pub session: SessionId,
    /// Whether its upstream confirmed.
    pub confirmed: bool,
    /// Where its upstream would send the browser, as it says it: not approved by anybody yet.
    pub redirect: Option<String>,
    /// What its upstream removes of the platform's cookies:
    /// [`crate::relayed_cookie::removals_of_sign_out`].
    pub removals: Vec<String>,
}

impl DeliveryResult {
    /// Of this session nothing is known yet.
    pub fn nothing(session: SessionId) -> Self {
        Self {
            session,
            confirmed: false,
            redirect: None,
            removals: Vec::new(),
        }
    }
}

/// What an upstream said about a session that the hub never saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PassThrough {
    /// It was signed out.
    Confirmed {
        /// Where the upstream would send the browser, as it says it: not approved by anybody yet.
        redirect: Option<String>,
        /// What the upstream removes of the platform's cookies:
        /// [`crate::relayed_cookie::removals_of_sign_out`].
        removals: Vec<String>,
    },
    /// Nobody is signed in with that.
    NotSignedIn,
    /// The upstream answered, but not as to a sign-out.
    Refused,
    /// The upstream could not be reached, and there is room to try later.
    Unreachable,
    /// Too many strangers at once, or too many wait already.
    Busy,
}

/// Carries deliveries to upstreams, in the background and while a sign-out waits.
#[async_trait]
pub trait Deliveries: Debug + Send + Sync + 'static {
    /// Begins to listen for what becomes of the deliveries of `receipt`. To be called before the
    /// sessions end, so that nothing is missed; `None` where nobody is to wait.
    fn expect(&self, receipt: ReceiptId) -> Option<Box<dyn PendingResult>>;

    /// Sessions have ended: those that have an upstream have become deliveries that are due.
    fn wake(&self, ended: &[EndedSession]);

    /// Carries the sign-out of a session that the hub never saw to the upstream of `platform`,
    /// once, and waits for the answer.
    async fn pass_through(&self, platform: &PlatformName, session: &UpstreamSession)
    -> PassThrough;
}

/// A sign-out that waits for its deliveries.
#[async_trait]
pub trait PendingResult: Send {
    /// Waits until all of `ended` that have an upstream are confirmed, but no longer than is
    /// configured. Says what is known by then.
    async fn told(self: Box<Self>, ended: &[EndedSession]) -> Vec<DeliveryResult>;
}

/// For hubs without upstreams.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDeliveries;

#[async_trait]
impl Deliveries for NoDeliveries {
    fn expect(&self, _receipt: ReceiptId) -> Option<Box<dyn PendingResult>> {
        None
    }

    fn wake(&self, _ended: &[EndedSession]) {}

    async fn pass_through(
        &self,
        _platform: &PlatformName,
        _session: &UpstreamSession,
    ) -> PassThrough {
        PassThrough::Refused
    }
}

/// The page on which somebody sees their own sign-out.
pub trait ReceiptPages: Debug + Send + Sync + 'static {
    /// Where the page of this receipt is, where sign-outs that ask for no return address are to end
    /// there. Its address is a secret.
    fn address(&self, receipt: ReceiptId) -> Option<ApprovedUrl>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_the_subject_s_name_as_configured() {
        let person = |lowercase, domain: Option<&str>, name: &str| {
            let rule = PersonBySubject {
                lowercase,
                domain: domain.map(str::to_owned),
            };
            let identity = rule.identify(
                &Subject::new("r", name),
                &UpstreamSession::default(),
                Timestamp::default(),
            );
            identity.person.map(|person| person.as_str().to_owned())
        };
        assert_eq!(person(false, None, "Alice").as_deref(), Some("Alice"));
        assert_eq!(
            person(true, None, "Alice@X.Example").as_deref(),
            Some("alice@x.example")
        );
        assert_eq!(
            person(true, Some("example.com"), "Alice").as_deref(),
            Some("alice@example.com")
        );
        assert_eq!(
            person(true, Some("example.com"), "a@b.example").as_deref(),
            Some("a@b.example")
        );
        assert_eq!(person(true, Some("example.com"), " "), None);
    }
}
