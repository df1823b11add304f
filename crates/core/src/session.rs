//! One live login at one platform.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::credential::{Credential, Sealed, Secret, SecretDigest, random_bytes};
use crate::idp::IdpLogin;
use crate::platform_name::PlatformName;
use crate::time::Timestamp;

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Its 16 bytes, as a store keeps them.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id that has these bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Reads the hyphenated form; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

public_id! {
    /// Names a session in logs, receipts and the admin API. It is no credential: knowing it opens
    /// nothing.
    SessionId
}

public_id! {
    /// Names the browser login that one or more sessions came from.
    SsoSessionId
}

impl SessionId {
    /// A fresh id for a session that is opened at `now`: a UUID of version 7, so that ids sort by
    /// time and sessions that are opened together lie together in a store.
    pub fn at(now: Timestamp) -> Self {
        Self(
            uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random_bytes()).into_uuid(),
        )
    }
}

impl SessionId {
    /// The id of a session that follows from others, the newest of which was opened at `opened`:
    /// the same for the same digest.
    pub(crate) fn derived(opened: Timestamp, digest: &SecretDigest) -> Self {
        let bytes = digest.as_bytes().first_chunk().unwrap_or(&[0; 10]);
        Self(uuid::Builder::from_unix_timestamp_millis(opened.as_millis(), bytes).into_uuid())
    }
}

impl SsoSessionId {
    /// A fresh random id.
    pub fn random() -> Self {
        Self(uuid::Builder::from_random_bytes(random_bytes()).into_uuid())
    }
}

/// Who, as the platform says it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Subject {
    /// Where the name is unique: a Sitefinity membership provider, say.
    pub realm: Arc<str>,
    /// The name, in the spelling that the adapter compares by.
    pub name: Arc<str>,
}

/// The longest name of a subject, realm or person that is kept as it is, in bytes.
pub const LONGEST_NAME: usize = 256;

impl Subject {
    /// The subject called `name` in `realm`. Of a name or realm longer than [`LONGEST_NAME`] the
    /// digest is kept, so that its sessions can still be ended by it, and a product cannot fill the
    /// store with names.
    pub fn new(realm: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self {
            realm: bounded_name(realm.as_ref()),
            name: bounded_name(name.as_ref()),
        }
    }

    /// The subject of a session whose login the hub never saw.
    pub fn unknown() -> Self {
        Self::new("", "")
    }

    /// Whether the hub never saw the login.
    pub fn is_unknown(&self) -> bool {
        self.name.is_empty()
    }
}

/// A name of at most [`LONGEST_NAME`] bytes: the text itself, or `sha256:` and its digest in hex.
pub fn bounded_name(text: &str) -> Arc<str> {
    if text.len() <= LONGEST_NAME {
        return text.into();
    }
    let digest = SecretDigest::of(text);
    digest
        .as_bytes()
        .iter()
        .fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
        .into()
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The one with this text.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(text.as_ref().into())
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// Who, across platforms: the key that links subjects.
    Person
}

text_id! {
    /// The application that a session was opened for, where a vendor has such a thing.
    ClientId
}

impl ClientId {
    /// Whether this client may end a session that was opened for `client`: one of its own, or one
    /// that was opened for nobody in particular.
    pub(crate) fn may_end(&self, client: Option<&str>) -> bool {
        client.is_none_or(|client| client == self.as_str())
    }
}

/// An account as it was at a login: it is another one once the account's name or password is. It
/// tells nothing of either.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AccountVersion(u64);

impl AccountVersion {
    /// The version of the account `name` in `realm`, ASCII case aside, with this hash of its
    /// password.
    pub fn of(realm: &str, name: &str, password_hash: &Secret) -> Self {
        let parts = [
            realm.to_ascii_lowercase(),
            name.to_ascii_lowercase(),
            password_hash.reveal().to_owned(),
        ];
        let text = Secret::new(parts.map(|part| format!("{}:{part}", part.len())).concat());
        let digest = SecretDigest::of(text.reveal());
        Self(
            digest
                .as_bytes()
                .first_chunk()
                .map_or(0, |first| u64::from_be_bytes(*first)),
        )
    }

    /// As a store keeps it.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The version that has these bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }
}

/// Where a session was opened from, for the person to recognise it by.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Device {
    /// The client's address, as a trusted proxy or the socket says it.
    pub address: Option<IpAddr>,
    /// Its `User-Agent`, cut to 256 bytes.
    pub user_agent: Option<String>,
}

/// One live login at one platform.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Session {
    /// Its public name.
    pub id: SessionId,
    /// The platform it lives at.
    pub platform: PlatformName,
    /// The browser login it came from, where it shares that login with other sessions.
    pub sign_on: Option<SsoSessionId>,
    /// Who, as the platform says it.
    pub subject: Subject,
    /// Who, across platforms, where that is known.
    pub person: Option<Person>,
    /// The account that it was opened with, where a stand-in has one; it ends with that version of
    /// it.
    pub account: Option<AccountVersion>,
    /// The login at an identity provider that it came from, where that is known.
    pub idp: Option<IdpLogin>,
    /// The application it was opened for.
    pub client: Option<ClientId>,
    /// Whether its subject may sign out others.
    pub administrator: bool,
    /// What it is found by. Each has its own expiry; all die with the session.
    pub credentials: Vec<Credential>,
    /// Digest of the token that a sign-out must present where a credential says so.
    pub csrf: Option<SecretDigest>,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was last used, as far as that was written down (touches are coalesced).
    pub seen: Timestamp,
    /// How long it may lie unused; absent where the hub cannot see its use.
    pub idle_timeout: Option<Duration>,
    /// When it ends whatever happens.
    pub expires: Timestamp,
    /// Where it was opened from.
    pub device: Device,
    /// What its upstream knows it by; present exactly where an upstream is to be told of its end.
    pub sealed: Option<Sealed>,
}

impl Session {
    /// When it ends if it is not used again, given that it was last used at `seen`.
    pub fn ends_by(&self, seen: Timestamp) -> Timestamp {
        let idle = self
            .idle_timeout
            .map_or(self.expires, |span| seen.max(self.seen).plus(span));
        idle.min(self.expires)
    }

    /// Whether it is over at `now` without anybody ending it: idle or absolute expiry.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.ends_by(self.seen) <= now
    }

    /// How much `seen` may lag behind before a touch is worth recording.
    pub fn touch_grain(&self) -> Option<Duration> {
        self.idle_timeout.map(Self::grain_of)
    }

    /// The touch grain of a session with this idle timeout: a thirtieth of it.
    pub fn grain_of(idle_timeout: Duration) -> Duration {
        idle_timeout / 30
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::canonical::CanonicalForm;
    use crate::credential::CredentialDigest;

    /// A session with one credential whose secret is the session's subject name.
    pub(crate) fn session(platform: &str, name: &str) -> Session {
        let platform = PlatformName::new(platform);
        let expires = Timestamp::from_millis(3_600_000);
        Session {
            id: SessionId::at(Timestamp::default()),
            sign_on: None,
            subject: Subject::new("Default", name),
            person: Some(Person::new(name)),
            account: None,
            client: None,
            administrator: false,
            credentials: vec![Credential {
                digest: CredentialDigest::of(&platform, "session", &CanonicalForm::of_text(name)),
                expires,
                csrf_due: false,
            }],
            csrf: None,
            opened: Timestamp::from_millis(0),
            seen: Timestamp::from_millis(0),
            idle_timeout: Some(Duration::from_secs(60)),
            expires,
            device: Device::default(),
            sealed: None,
            platform,
            idp: None,
        }
    }

    #[test]
    fn of_a_name_that_is_too_long_the_digest_is_kept() {
        let (longest, longer) = ("a".repeat(LONGEST_NAME), "a".repeat(LONGEST_NAME + 1));
        let subject = Subject::new(&longest, &longer);
        assert_eq!(&*subject.realm, longest);
        assert_eq!((subject.name.len(), &subject.name[..7]), (71, "sha256:"));
        assert_eq!(subject, Subject::new(&longest, &longer));
        assert_ne!(
            subject,
            Subject::new(&longest, "b".repeat(LONGEST_NAME + 1))
        );
    }

    #[test]
    fn a_session_ends_at_its_idle_or_absolute_limit_whichever_is_first() {
        let session = session("cms", "alice");
        assert!(!session.is_expired(Timestamp::from_millis(59_999)));
        assert!(session.is_expired(Timestamp::from_millis(60_000)));
        assert_eq!(
            session.ends_by(Timestamp::from_millis(3_590_000)),
            session.expires
        );
    }
}
