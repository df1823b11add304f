//! The durable record of one sign-out that ended something.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::credential::SecretDigest;
use crate::idp::TokenId;
use crate::platform_name::PlatformName;
use crate::session::{Person, Session, SessionId, Subject};
use crate::time::Timestamp;

/// Names a receipt: a UUID of version 7, so ids sort by time. It is no secret.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ReceiptId(Uuid);

impl ReceiptId {
    /// A fresh id for a sign-out at `now`.
    pub fn at(now: Timestamp) -> Self {
        // Unique is all it has to be, so the operating system is not asked for randomness at every
        // sign-out.
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        Self(uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid())
    }

    /// The id for the sign-out that a token ordered: the same for the same token, so that it is
    /// carried out once. `issued` is the instant in the token.
    pub fn of_token(token: &TokenId, issued: Timestamp) -> Self {
        let digest = SecretDigest::of(&format!(
            "{}:{}{}",
            token.issuer.len(),
            token.issuer,
            token.jti
        ));
        let bytes = digest.as_bytes().first_chunk().unwrap_or(&[0; 10]);
        Self(uuid::Builder::from_unix_timestamp_millis(issued.as_millis(), bytes).into_uuid())
    }

    /// The smallest id that a sign-out at `now` could have; earlier receipts sort before it.
    pub fn first_at(now: Timestamp) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &[0; 10]).into_uuid())
    }

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

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why sessions ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The account is gone, or has another password.
    #[serde(rename = "account_removed")]
    AccountRemoved,
    /// An administrator signed somebody out.
    Administrator,
    /// A credential that is good once was presented twice (RFC 6749, section 4.1.2; RFC 9700,
    /// section 4.14.2).
    CredentialReuse,
    /// Idle or absolute expiry.
    Expiry,
    /// An identity provider said that the person signed out there.
    IdentityProvider,
    /// Another login in the same browser took its place.
    Replaced,
    /// The person signed out.
    User,
}

impl Reason {
    const ALL: &[Self] = &[
        Self::AccountRemoved,
        Self::Administrator,
        Self::CredentialReuse,
        Self::Expiry,
        Self::IdentityProvider,
        Self::Replaced,
        Self::User,
    ];

    /// Its word, as stores keep it and interfaces show it. Never changes for a given reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountRemoved => "account_removed",
            Self::Administrator => "administrator",
            Self::CredentialReuse => "credential-reuse",
            Self::Expiry => "expiry",
            Self::IdentityProvider => "identity-provider",
            Self::Replaced => "replaced",
            Self::User => "user",
        }
    }

    /// The reason of this word; `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == word)
    }
}

/// How far a sign-out goes. Each reach contains the ones before it.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The session that the credential names.
    #[default]
    Session,
    /// Every session that came from the same browser login.
    SignOn,
    /// Every session of the same subject at the same platform.
    Subject,
    /// Every session of the same person at every platform.
    Person,
}

impl Reach {
    const ALL: [Self; 4] = [Self::Session, Self::SignOn, Self::Subject, Self::Person];

    /// Its word, as stores keep it and interfaces show it. Never changes for a given reach.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::SignOn => "sign-on",
            Self::Subject => "subject",
            Self::Person => "person",
        }
    }

    /// The reach of this word; `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reach| reach.as_str() == word)
    }
}

/// A session that a sign-out ended, without anything that would open it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct EndedSession {
    /// Its public name.
    pub id: SessionId,
    /// Where it lived.
    pub platform: PlatformName,
    /// Whose it was.
    pub subject: Subject,
    /// The person behind the subject, where known.
    pub person: Option<Person>,
    /// Whether an upstream is told: then there is a [`crate::delivery::Delivery`] of this session.
    pub upstream: bool,
}

impl From<&Session> for EndedSession {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id,
            platform: session.platform.clone(),
            subject: session.subject.clone(),
            person: session.person.clone(),
            upstream: session.sealed.is_some(),
        }
    }
}

/// The durable record of one sign-out that ended something.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Receipt {
    /// Its name.
    pub id: ReceiptId,
    /// When the sessions ended.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The platform that was asked; absent where the hub itself decided.
    pub platform: Option<PlatformName>,
    /// How far it went.
    pub reach: Reach,
    /// The token of an identity provider that ordered it.
    pub token: Option<TokenId>,
    /// What it ended; never empty.
    pub sessions: Vec<EndedSession>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_ids_sort_by_time() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(1_001));
        assert!(ReceiptId::at(early) < ReceiptId::first_at(late));
        assert!(ReceiptId::first_at(late) <= ReceiptId::at(late));
    }

    #[test]
    fn the_words_of_reason_and_reach_are_those_that_serde_writes_and_are_read_back() {
        for reason in Reason::ALL.iter().copied() {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        for reach in Reach::ALL {
            assert_eq!(serde_json::to_value(reach).unwrap(), reach.as_str());
            assert_eq!(Reach::parse(reach.as_str()), Some(reach));
        }
        assert_eq!((Reason::parse(""), Reach::parse("all")), (None, None));
    }

    #[test]
    fn each_reach_contains_the_narrower_ones() {
        assert!(
            Reach::Session < Reach::SignOn
                && Reach::SignOn < Reach::Subject
                && Reach::Subject < Reach::Person
        );
    }
}
