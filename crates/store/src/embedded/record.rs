//! What lies on disk, byte by byte.
//!
//! The shapes in here are kept apart from the types of `logout-core`, so that a change over there
//! cannot silently change what is read from a disk that was written last year. Every record begins
//! with a byte that says which shape follows.

mod delivery;
#[cfg(test)]
pub(super) mod tests;

use std::net::IpAddr;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject,
};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) use delivery::{DeliveryRecord, Fate};

// Numbers below these were shapes of the first format.
const CREDENTIAL: u8 = 3;
const ONCE: u8 = 1;
const RECEIPT: u8 = 2;
const SEEN: u8 = 1;
const SESSION: u8 = 2;
/// The same behind the eight bytes of an account's version.
const ACCOUNT_SESSION: u8 = 3;

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("a {0} record is damaged")]
    Damaged(&'static str),
    #[error("a {what} record is of version {version}, which this program does not know")]
    UnknownVersion { what: &'static str, version: u8 },
}

/// What a credential's digest leads to. Until it expires it stays when the session has gone: then
/// it is the tombstone, and an ending has nothing to write for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CredentialRecord {
    pub(super) session: SessionId,
    pub(super) expires: Timestamp,
}

impl CredentialRecord {
    pub(super) fn to_bytes(self) -> [u8; 25] {
        let mut bytes = [CREDENTIAL; 25];
        bytes[1..17].copy_from_slice(self.session.as_bytes());
        bytes[17..].copy_from_slice(&self.expires.as_millis().to_be_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        const WHAT: &str = "credential";
        let fields = body(WHAT, CREDENTIAL, bytes)?.split_first_chunk();
        let (session, expires) = fields.ok_or(RecordError::Damaged(WHAT))?;
        Ok(Self {
            session: SessionId::from_bytes(*session),
            expires: instant(expires).ok_or(RecordError::Damaged(WHAT))?,
        })
    }
}

/// When a session was last used.
pub(super) fn seen(at: Timestamp) -> [u8; 9] {
    tagged(SEEN, &at.as_millis().to_be_bytes())
}

pub(super) fn read_seen(bytes: &[u8]) -> Result<Timestamp, RecordError> {
    instant(body("seen", SEEN, bytes)?).ok_or(RecordError::Damaged("seen"))
}

/// A one-time value with its expiry.
pub(super) fn once(value: &[u8], expires: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + value.len());
    bytes.push(ONCE);
    bytes.extend_from_slice(&expires.as_millis().to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

pub(super) fn read_once(bytes: &[u8]) -> Result<(Timestamp, &[u8]), RecordError> {
    let (expires, value) = body("one-time", ONCE, bytes)?
        .split_at_checked(8)
        .ok_or(RecordError::Damaged("one-time"))?;
    Ok((
        instant(expires).ok_or(RecordError::Damaged("one-time"))?,
        value,
    ))
}

/// A session without its id, which is the key. Borrowed, so that ending one copies no more than its
/// receipt needs.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct SessionRecord<'a> {
    platform: &'a str,
    sign_on: Option<[u8; 16]>,
    realm: &'a str,
    name: &'a str,
    person: Option<&'a str>,
    /// Stands in front, where there is one.
    #[serde(skip)]
    account: Option<AccountVersion>,
    client: Option<&'a str>,
    administrator: bool,
    credentials: Vec<StoredCredential>,
    csrf: Option<[u8; 32]>,
    opened: u64,
    seen: u64,
    idle_timeout: Option<Duration>,
    expires: u64,
    address: Option<IpAddr>,
    user_agent: Option<&'a str>,
    #[serde(borrow)]
    sealed: Option<&'a [u8]>,
}

#[derive(Debug, Deserialize, Serialize)]
struct StoredCredential {
    digest: [u8; 32],
    expires: u64,
    csrf_due: bool,
}

impl<'a> SessionRecord<'a> {
    pub(super) fn of(session: &'a Session) -> Self {
        Self {
            platform: session.platform.as_str(),
            sign_on: session.sign_on.map(|id| *id.as_bytes()),
            realm: &session.subject.realm,
            name: &session.subject.name,
            person: session.person.as_ref().map(Person::as_str),
            account: session.account,
            client: session.client.as_ref().map(ClientId::as_str),
            administrator: session.administrator,
            credentials: session
                .credentials
                .iter()
                .map(StoredCredential::of)
                .collect(),
            csrf: session.csrf.map(|digest| *digest.as_bytes()),
            opened: session.opened.as_millis(),
            seen: session.seen.as_millis(),
            idle_timeout: session.idle_timeout,
            expires: session.expires.as_millis(),
            address: session.device.address,
            user_agent: session.device.user_agent.as_deref(),
            sealed: session.sealed.as_ref().map(Sealed::as_bytes),
        }
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.first() != Some(&ACCOUNT_SESSION) {
            return decode("session", SESSION, bytes);
        }
        let (account, rest) = bytes[1..]
            .split_first_chunk()
            .ok_or(RecordError::Damaged("session"))?;
        let record: Self =
            postcard::from_bytes(rest).map_err(|_| RecordError::Damaged("session"))?;
        Ok(Self {
            account: Some(AccountVersion::from_bytes(*account)),
            ..record
        })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        match self.account {
            None => encode("session", SESSION, self),
            Some(account) => encode_behind(
                "session",
                &[[ACCOUNT_SESSION].as_slice(), &account.to_bytes()].concat(),
                self,
            ),
        }
    }

    pub(super) fn platform(&self) -> &'a str {
        self.platform
    }

    pub(super) fn sign_on(&self) -> Option<SsoSessionId> {
        self.sign_on.map(SsoSessionId::from_bytes)
    }

    pub(super) fn realm(&self) -> &'a str {
        self.realm
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn person(&self) -> Option<&'a str> {
        self.person
    }

    pub(super) fn client(&self) -> Option<&'a str> {
        self.client
    }

    pub(super) fn csrf(&self) -> Option<SecretDigest> {
        self.csrf.map(SecretDigest::from_bytes)
    }

    pub(super) fn seen(&self) -> Timestamp {
        Timestamp::from_millis(self.seen)
    }

    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// As `Session::ends_by`.
    pub(super) fn ends_by(&self, seen: Timestamp) -> Timestamp {
        let expires = Timestamp::from_millis(self.expires);
        self.idle_timeout
            .map_or(expires, |span| seen.max(self.seen()).plus(span))
            .min(expires)
    }

    pub(super) fn credentials(&self) -> impl Iterator<Item = Credential> + '_ {
        self.credentials.iter().map(|stored| Credential {
            digest: CredentialDigest::from_bytes(stored.digest),
            expires: Timestamp::from_millis(stored.expires),
            csrf_due: stored.csrf_due,
        })
    }

    /// Takes out the credentials that have expired by themselves and names them.
    pub(super) fn without_expired(&mut self, now: Timestamp) -> Vec<CredentialDigest> {
        let lives = |stored: &mut StoredCredential| stored.expires > now.as_millis();
        self.credentials
            .extract_if(.., |stored| !lives(stored))
            .map(|stored| CredentialDigest::from_bytes(stored.digest))
            .collect()
    }

    pub(super) fn push(&mut self, credential: &Credential) {
        self.credentials.push(StoredCredential::of(credential));
    }

    pub(super) fn seal(&mut self, sealed: &'a Sealed) {
        self.sealed = Some(sealed.as_bytes());
    }

    pub(super) fn to_ended(&self, id: SessionId) -> EndedSession {
        EndedSession {
            id,
            platform: PlatformName::new(self.platform),
            subject: Subject::new(self.realm, self.name),
            person: self.person.map(Person::new),
            upstream: self.sealed.is_some(),
        }
    }

    pub(super) fn to_session(&self, id: SessionId, seen: Timestamp) -> Session {
        Session {
            id,
            platform: PlatformName::new(self.platform),
            sign_on: self.sign_on(),
            subject: Subject::new(self.realm, self.name),
            person: self.person.map(Person::new),
            account: self.account,
            client: self.client.map(ClientId::new),
            administrator: self.administrator,
            credentials: self.credentials().collect(),
            csrf: self.csrf.map(SecretDigest::from_bytes),
            opened: Timestamp::from_millis(self.opened),
            seen: seen.max(self.seen()),
            idle_timeout: self.idle_timeout,
            expires: Timestamp::from_millis(self.expires),
            device: Device {
                address: self.address,
                user_agent: self.user_agent.map(str::to_owned),
            },
            sealed: self.sealed.map(Sealed::new),
        }
    }
}

impl StoredCredential {
    fn of(credential: &Credential) -> Self {
        Self {
            digest: *credential.digest.as_bytes(),
            expires: credential.expires.as_millis(),
            csrf_due: credential.csrf_due,
        }
    }
}

/// A receipt without its id, which is the key. Reason and reach are words, so that new ones cannot
/// renumber old ones.
#[derive(Debug, Deserialize, Serialize)]
struct ReceiptRecord<'a> {
    at: u64,
    reason: &'a str,
    platform: Option<&'a str>,
    reach: &'a str,
    #[serde(borrow)]
    sessions: Vec<EndedRecord<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct EndedRecord<'a> {
    id: [u8; 16],
    platform: &'a str,
    realm: &'a str,
    name: &'a str,
    person: Option<&'a str>,
    upstream: bool,
}

pub(super) fn receipt(receipt: &Receipt) -> Result<Vec<u8>, RecordError> {
    let record = ReceiptRecord {
        at: receipt.at.as_millis(),
        reason: receipt.reason.as_str(),
        platform: receipt.platform.as_ref().map(PlatformName::as_str),
        reach: receipt.reach.as_str(),
        sessions: receipt
            .sessions
            .iter()
            .map(|session| EndedRecord {
                id: *session.id.as_bytes(),
                platform: session.platform.as_str(),
                realm: &session.subject.realm,
                name: &session.subject.name,
                person: session.person.as_ref().map(Person::as_str),
                upstream: session.upstream,
            })
            .collect(),
    };
    encode("receipt", RECEIPT, &record)
}

pub(super) fn read_receipt(id: ReceiptId, bytes: &[u8]) -> Result<Receipt, RecordError> {
    let record: ReceiptRecord<'_> = decode("receipt", RECEIPT, bytes)?;
    Ok(Receipt {
        id,
        at: Timestamp::from_millis(record.at),
        reason: Reason::parse(record.reason).ok_or(RecordError::Damaged("receipt"))?,
        platform: record.platform.map(PlatformName::new),
        reach: Reach::parse(record.reach).ok_or(RecordError::Damaged("receipt"))?,
        sessions: record
            .sessions
            .iter()
            .map(|session| EndedSession {
                id: SessionId::from_bytes(session.id),
                platform: PlatformName::new(session.platform),
                subject: Subject::new(session.realm, session.name),
                person: session.person.map(Person::new),
                upstream: session.upstream,
            })
            .collect(),
    })
}

fn tagged<const BODY: usize, const ALL: usize>(tag: u8, body: &[u8; BODY]) -> [u8; ALL] {
    const { assert!(ALL == BODY + 1) };
    let mut bytes = [tag; ALL];
    bytes[1..].copy_from_slice(body);
    bytes
}

fn instant(bytes: &[u8]) -> Option<Timestamp> {
    Some(Timestamp::from_millis(u64::from_be_bytes(
        bytes.try_into().ok()?,
    )))
}

fn body<'a>(what: &'static str, known: u8, bytes: &'a [u8]) -> Result<&'a [u8], RecordError> {
    match bytes.split_first() {
        Some((&version, body)) if version == known => Ok(body),
        Some((&version, _)) => Err(RecordError::UnknownVersion { what, version }),
        None => Err(RecordError::Damaged(what)),
    }
}

fn encode(
    what: &'static str,
    version: u8,
    record: &impl Serialize,
) -> Result<Vec<u8>, RecordError> {
    encode_behind(what, &[version], record)
}

fn encode_behind(
    what: &'static str,
    head: &[u8],
    record: &impl Serialize,
) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::with_capacity(192);
    bytes.extend_from_slice(head);
    postcard::to_extend(record, bytes).map_err(|_| RecordError::Damaged(what))
}

fn decode<'a, T: Deserialize<'a>>(
    what: &'static str,
    version: u8,
    bytes: &'a [u8],
) -> Result<T, RecordError> {
    postcard::from_bytes(body(what, version, bytes)?).map_err(|_| RecordError::Damaged(what))
}
