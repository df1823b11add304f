//! Session records of version 1, which lie in servers that an earlier program has written to.

use std::net::IpAddr;
use std::time::Duration;

use logout_core::credential::{Sealed, SecretDigest};
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId,
};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::reader::Reader;
use super::{RecordError, read_credentials, read_subject};

pub(super) const SESSION: u8 = 1;
const DAMAGED: RecordError = RecordError::Damaged("session");

/// The version of the account stands behind it, where there is one.
#[derive(Debug, Deserialize, Serialize)]
struct SessionBody<'a> {
    #[serde(borrow)]
    client: Option<&'a str>,
    administrator: bool,
    csrf: Option<[u8; 32]>,
    opened: u64,
    idle_timeout: Option<Duration>,
    expires: u64,
    address: Option<IpAddr>,
    user_agent: Option<&'a str>,
}

pub(super) fn read_session(id: SessionId, bytes: &[u8]) -> Result<Session, RecordError> {
    let mut reader = Reader::of("session", SESSION, bytes)?;
    reader.skip(8 + 1 + 8)?;
    let seen = reader.instant()?;
    let has_sign_on = reader.flag()?;
    let sign_on = SsoSessionId::from_bytes(reader.array()?);
    let has_person = reader.flag()?;
    let person = Person::new(reader.str()?);
    let (platform, subject) = read_subject(&mut reader.inner()?)?;
    let (body, account): (SessionBody<'_>, _) =
        postcard::take_from_bytes(reader.text()?).map_err(|_| DAMAGED)?;
    let account = match account {
        [] => None,
        bytes => Some(bytes.try_into().map_err(|_| DAMAGED)?),
    };
    let has_sealed = reader.flag()?;
    let sealed = Sealed::new(reader.text()?);
    Ok(Session {
        id,
        platform,
        sign_on: has_sign_on.then_some(sign_on),
        subject,
        person: has_person.then_some(person),
        account: account.map(AccountVersion::from_bytes),
        client: body.client.map(ClientId::new),
        administrator: body.administrator,
        credentials: read_credentials(reader)?,
        csrf: body.csrf.map(SecretDigest::from_bytes),
        opened: Timestamp::from_millis(body.opened),
        seen,
        idle_timeout: body.idle_timeout,
        expires: Timestamp::from_millis(body.expires),
        device: Device {
            address: body.address,
            user_agent: body.user_agent.map(str::to_owned),
        },
        sealed: has_sealed.then_some(sealed),
        idp: None,
    })
}
