//! What is kept of a session.

mod parse;

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use logout_core::idp::IdpLogin;
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject,
};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use self::parse::parse;
use super::{RecordError, body, encode, encode_behind};

const WHAT: &str = "session";
const DAMAGED: RecordError = RecordError::Damaged(WHAT);
const SESSION: u8 = 2;
/// The same behind the eight bytes of an account's version.
const ACCOUNT_SESSION: u8 = 3;
/// The same behind what stands in front of it: [`Front`].
const IDP_SESSION: u8 = 4;
/// The field of a user agent that is not there.
pub(crate) const NO_USER_AGENT: [u8; 1] = [0];

/// What few sessions have. It stands in front, so that records without it stay as they were.
#[derive(Debug, Deserialize, Serialize)]
struct Front<'a> {
    account: Option<[u8; 8]>,
    issuer: &'a str,
    subject: Option<&'a str>,
    session: Option<&'a str>,
}

/// A session without its id, which is the key. Borrowed, so that ending one copies no more than its
/// receipt needs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct SessionRecord<'a> {
    platform: &'a str,
    sign_on: Option<[u8; 16]>,
    realm: &'a str,
    name: &'a str,
    person: Option<&'a str>,
    /// Stands in front, where there is one.
    #[serde(skip)]
    account: Option<AccountVersion>,
    /// So does this.
    #[serde(skip)]
    idp: Option<IdpLogin>,
    client: Option<&'a str>,
    administrator: bool,
    /// Most sessions have one, which then takes no allocation to be read.
    credentials: SmallVec<[StoredCredential; 1]>,
    csrf: Option<[u8; 32]>,
    opened: u64,
    seen: u64,
    idle_timeout: Option<Duration>,
    expires: u64,
    address: Option<IpAddr>,
    user_agent: Option<&'a str>,
    #[cfg_attr(test, serde(borrow))]
    sealed: Option<&'a [u8]>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
struct StoredCredential {
    digest: [u8; 32],
    expires: u64,
    csrf_due: bool,
}

impl<'a> SessionRecord<'a> {
    pub(crate) fn of(session: &'a Session) -> Self {
        Self {
            platform: session.platform.as_str(),
            sign_on: session.sign_on.map(|id| *id.as_bytes()),
            realm: &session.subject.realm,
            name: &session.subject.name,
            person: session.person.as_ref().map(Person::as_str),
            account: session.account,
            idp: session.idp.clone(),
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

    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        Self::read_with_place(bytes).map(|(record, _)| record)
    }

    /// The record, and where its user agent lies in `bytes`, from the mark that says whether there
    /// is one.
    pub(crate) fn read_with_place(bytes: &'a [u8]) -> Result<(Self, Range<usize>), RecordError> {
        let (account, idp, body) = match bytes.split_first() {
            Some((&ACCOUNT_SESSION, rest)) => {
                let (account, body) = rest.split_first_chunk().ok_or(DAMAGED)?;
                (Some(AccountVersion::from_bytes(*account)), None, body)
            }
            Some((&IDP_SESSION, rest)) => {
                let (front, body): (Front<'a>, _) =
                    postcard::take_from_bytes(rest).map_err(|_| DAMAGED)?;
                let idp = IdpLogin::new(front.issuer, front.subject, front.session);
                (front.account.map(AccountVersion::from_bytes), idp, body)
            }
            _ => (None, None, body(WHAT, SESSION, bytes)?),
        };
        let (record, place) = parse(body).ok_or(DAMAGED)?;
        let before = bytes.len() - body.len();
        let place = before + place.start..before + place.end;
        let record = Self {
            account,
            idp,
            ..record
        };
        Ok((record, place))
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let front = match (&self.idp, self.account) {
            (None, None) => return encode(WHAT, SESSION, self),
            (None, Some(account)) => [[ACCOUNT_SESSION].as_slice(), &account.to_bytes()].concat(),
            (Some(idp), account) => {
                let front = Front {
                    account: account.map(AccountVersion::to_bytes),
                    issuer: idp.issuer(),
                    subject: idp.subject(),
                    session: idp.session(),
                };
                postcard::to_extend(&front, vec![IDP_SESSION]).map_err(|_| DAMAGED)?
            }
        };
        encode_behind(WHAT, &front, self)
    }

    pub(crate) fn platform(&self) -> &'a str {
        self.platform
    }

    pub(crate) fn sign_on(&self) -> Option<SsoSessionId> {
        self.sign_on.map(SsoSessionId::from_bytes)
    }

    pub(crate) fn realm(&self) -> &'a str {
        self.realm
    }

    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    pub(crate) fn person(&self) -> Option<&'a str> {
        self.person
    }

    pub(crate) fn client(&self) -> Option<&'a str> {
        self.client
    }

    pub(crate) fn idp(&self) -> Option<&IdpLogin> {
        self.idp.as_ref()
    }

    pub(crate) fn user_agent(&self) -> Option<&'a str> {
        self.user_agent
    }

    /// The record with this user agent in place of its own.
    pub(crate) fn with_user_agent(self, user_agent: Option<&'a str>) -> Self {
        Self { user_agent, ..self }
    }

    pub(crate) fn csrf(&self) -> Option<SecretDigest> {
        self.csrf.map(SecretDigest::from_bytes)
    }

    fn seen(&self) -> Timestamp {
        Timestamp::from_millis(self.seen)
    }

    /// As `Session::touch_grain`.
    pub(crate) fn touch_grain(&self) -> Option<Duration> {
        self.idle_timeout.map(Session::grain_of)
    }

    /// As `Session::ends_by`.
    pub(crate) fn ends_by(&self, seen: Timestamp) -> Timestamp {
        let expires = Timestamp::from_millis(self.expires);
        self.idle_timeout
            .map_or(expires, |span| seen.max(self.seen()).plus(span))
            .min(expires)
    }

    pub(crate) fn credentials(&self) -> impl Iterator<Item = Credential> + '_ {
        self.credentials.iter().map(|stored| Credential {
            digest: CredentialDigest::from_bytes(stored.digest),
            expires: Timestamp::from_millis(stored.expires),
            csrf_due: stored.csrf_due,
        })
    }

    pub(crate) fn to_ended(&self, id: SessionId) -> EndedSession {
        EndedSession {
            id,
            platform: PlatformName::new(self.platform),
            subject: Subject::new(self.realm, self.name),
            person: self.person.map(Person::new),
            upstream: self.sealed.is_some(),
        }
    }

    pub(crate) fn to_session(&self, id: SessionId, seen: Timestamp) -> Session {
        Session {
            id,
            platform: PlatformName::new(self.platform),
            sign_on: self.sign_on(),
            subject: Subject::new(self.realm, self.name),
            person: self.person.map(Person::new),
            account: self.account,
            idp: self.idp.clone(),
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
