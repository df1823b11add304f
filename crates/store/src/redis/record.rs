//! What lies in the server, byte by byte. Heads have fixed places and lengths, because scripts read
//! and change them (`lua/common.lua` has the same shapes); what only this program reads is one
//! block behind them.
//!
//! Every record begins with a byte that says which shape follows. Numbers are big-endian.

mod delivery;
mod reader;

use std::net::IpAddr;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject,
};
use logout_core::sign_out::CsrfProof;
use logout_core::store::{ByCredential, EndOrder};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) use delivery::{Fate, Row};
use reader::Reader;

const SESSION: u8 = 1;
const RECEIPT: u8 = 1;

/// The last instant that a script can compute with exactly. It is 285,000 years away.
const LAST_EXACT: u64 = (1 << 53) - 1;

/// A record cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a {0} record is damaged, or of a version that this program does not know")]
pub(super) struct RecordError(pub(super) &'static str);

/// What of a session only this program reads. The version of its account stands behind it, where
/// there is one.
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

/// What of a receipt stands before the sessions.
#[derive(Debug, Deserialize, Serialize)]
struct ReceiptHead<'a> {
    at: u64,
    reason: &'a str,
    platform: Option<&'a str>,
    reach: &'a str,
}

/// An instant as scripts read it.
pub(super) fn exact(at: Timestamp) -> u64 {
    at.as_millis().min(LAST_EXACT)
}

fn put_text(bytes: &mut Vec<u8>, text: &[u8]) {
    // No record comes near four gigabytes: requests are far smaller.
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(text);
}

/// A subject at a platform: in a session's record, in a delivery's, and as a key of the index.
pub(super) fn subject_key(platform: &PlatformName, subject: &Subject) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(12 + platform.as_str().len() + subject.realm.len() + subject.name.len());
    for part in [platform.as_str(), &subject.realm, &subject.name] {
        put_text(&mut bytes, part.as_bytes());
    }
    bytes
}

fn read_subject(reader: &mut Reader<'_>) -> Result<(PlatformName, Subject), RecordError> {
    Ok((
        PlatformName::new(reader.str()?),
        Subject::new(reader.str()?, reader.str()?),
    ))
}

/// A credential, as it stands in a session's record.
pub(super) fn credential(credential: &Credential) -> [u8; 41] {
    let mut bytes = [u8::from(credential.csrf_due); 41];
    bytes[..32].copy_from_slice(credential.digest.as_bytes());
    bytes[32..40].copy_from_slice(&exact(credential.expires).to_be_bytes());
    bytes
}

/// What was presented, as `lua/end.lua` takes it.
pub(super) fn by_credential(by: &ByCredential) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.extend_from_slice(by.digest.as_bytes());
    bytes.push(match by.reach {
        Reach::Session => 0,
        Reach::SignOn => 1,
        Reach::Subject => 2,
        Reach::Person => 3,
    });
    bytes.push(u8::from(by.client.is_some()));
    put_text(
        &mut bytes,
        by.client.as_ref().map_or("", ClientId::as_str).as_bytes(),
    );
    let (kind, token) = match &by.csrf {
        CsrfProof::NotNeeded => (0, &[0; 32]),
        CsrfProof::Presented(None) => (1, &[0; 32]),
        CsrfProof::Presented(Some(token)) => (2, token.as_bytes()),
    };
    bytes.push(kind);
    bytes.extend_from_slice(token);
    bytes
}

/// A session without its id, which is in the key.
pub(super) fn session(session: &Session) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::with_capacity(384);
    bytes.push(SESSION);
    bytes.extend_from_slice(&exact(session.expires).to_be_bytes());
    bytes.push(u8::from(session.idle_timeout.is_some()));
    let idle = session.idle_timeout.map_or(0, |span| {
        u64::try_from(span.as_millis()).unwrap_or(LAST_EXACT)
    });
    bytes.extend_from_slice(&idle.min(LAST_EXACT).to_be_bytes());
    bytes.extend_from_slice(&exact(session.seen).to_be_bytes());
    bytes.push(u8::from(session.sign_on.is_some()));
    bytes.extend_from_slice(
        session
            .sign_on
            .as_ref()
            .map_or(&[0; 16], |id| id.as_bytes()),
    );
    bytes.push(u8::from(session.person.is_some()));
    put_text(
        &mut bytes,
        session
            .person
            .as_ref()
            .map_or("", Person::as_str)
            .as_bytes(),
    );
    put_text(
        &mut bytes,
        &subject_key(&session.platform, &session.subject),
    );
    let body = SessionBody {
        client: session.client.as_ref().map(ClientId::as_str),
        administrator: session.administrator,
        csrf: session.csrf.map(|digest| *digest.as_bytes()),
        opened: session.opened.as_millis(),
        idle_timeout: session.idle_timeout,
        expires: session.expires.as_millis(),
        address: session.device.address,
        user_agent: session.device.user_agent.as_deref(),
    };
    let mut body = postcard::to_stdvec(&body).map_err(|_| RecordError("session"))?;
    body.extend(
        session
            .account
            .into_iter()
            .flat_map(AccountVersion::to_bytes),
    );
    put_text(&mut bytes, &body);
    bytes.push(u8::from(session.sealed.is_some()));
    put_text(
        &mut bytes,
        session.sealed.as_ref().map_or(&[], Sealed::as_bytes),
    );
    for known in &session.credentials {
        bytes.extend_from_slice(&credential(known));
    }
    Ok(bytes)
}

/// The session of a record; `seen` is when it was last used, as far as that was written down.
pub(super) fn read_session(id: SessionId, bytes: &[u8]) -> Result<Session, RecordError> {
    let mut reader = Reader::of("session", SESSION, bytes)?;
    reader.skip(8 + 1 + 8)?;
    let seen = reader.instant()?;
    let has_sign_on = reader.flag()?;
    let sign_on = SsoSessionId::from_bytes(reader.array()?);
    let has_person = reader.flag()?;
    let person = Person::new(reader.str()?);
    let mut who = reader.inner()?;
    let (platform, subject) = read_subject(&mut who)?;
    let (body, account): (SessionBody<'_>, _) =
        postcard::take_from_bytes(reader.text()?).map_err(|_| RecordError("session"))?;
    let account = match account {
        [] => None,
        bytes => Some(AccountVersion::from_bytes(
            bytes.try_into().map_err(|_| RecordError("session"))?,
        )),
    };
    let has_sealed = reader.flag()?;
    let sealed = Sealed::new(reader.text()?);
    let mut credentials = Vec::with_capacity(2);
    while !reader.is_empty() {
        let digest = CredentialDigest::from_bytes(reader.array()?);
        credentials.push(Credential {
            digest,
            expires: reader.instant()?,
            csrf_due: reader.flag()?,
        });
    }
    Ok(Session {
        id,
        platform,
        sign_on: has_sign_on.then_some(sign_on),
        subject,
        person: has_person.then_some(person),
        account,
        client: body.client.map(ClientId::new),
        administrator: body.administrator,
        credentials,
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
    })
}

/// What a receipt begins with; entries of ended sessions follow it.
pub(super) fn receipt_head(order: &EndOrder) -> Result<Vec<u8>, RecordError> {
    head_of(&order.receipt_for(Vec::new()))
}

fn head_of(receipt: &Receipt) -> Result<Vec<u8>, RecordError> {
    let head = ReceiptHead {
        at: receipt.at.as_millis(),
        reason: receipt.reason.as_str(),
        platform: receipt.platform.as_ref().map(PlatformName::as_str),
        reach: receipt.reach.as_str(),
    };
    let mut bytes = vec![RECEIPT];
    put_text(
        &mut bytes,
        &postcard::to_stdvec(&head).map_err(|_| RecordError("receipt"))?,
    );
    Ok(bytes)
}

/// That part of a receipt which says that `sessions` ended.
pub(super) fn receipt(
    receipt: &Receipt,
    sessions: &[&EndedSession],
) -> Result<Vec<u8>, RecordError> {
    let mut bytes = head_of(receipt)?;
    sessions
        .iter()
        .for_each(|session| put_text(&mut bytes, &ended(session)));
    Ok(bytes)
}

/// As `lua/end.lua` writes it.
fn ended(session: &EndedSession) -> Vec<u8> {
    let mut bytes = session.id.as_bytes().to_vec();
    bytes.extend([
        u8::from(session.upstream),
        u8::from(session.person.is_some()),
    ]);
    put_text(
        &mut bytes,
        session
            .person
            .as_ref()
            .map_or("", Person::as_str)
            .as_bytes(),
    );
    bytes.extend_from_slice(&subject_key(&session.platform, &session.subject));
    bytes
}

/// A receipt, or that part of it which one bucket keeps.
pub(super) fn read_receipt(id: ReceiptId, bytes: &[u8]) -> Result<Receipt, RecordError> {
    const DAMAGED: RecordError = RecordError("receipt");
    let mut reader = Reader::of("receipt", RECEIPT, bytes)?;
    let head: ReceiptHead<'_> = postcard::from_bytes(reader.text()?).map_err(|_| DAMAGED)?;
    Ok(Receipt {
        id,
        at: Timestamp::from_millis(head.at),
        reason: Reason::parse(head.reason).ok_or(DAMAGED)?,
        platform: head.platform.map(PlatformName::new),
        reach: Reach::parse(head.reach).ok_or(DAMAGED)?,
        sessions: read_entries(reader.rest())?,
    })
}

/// What of a receipt stands behind its head.
pub(super) fn read_entries(bytes: &[u8]) -> Result<Vec<EndedSession>, RecordError> {
    let mut reader = Reader::bare("receipt", bytes);
    let mut sessions = Vec::new();
    while !reader.is_empty() {
        sessions.push(read_ended(reader.text()?)?);
    }
    Ok(sessions)
}

/// One entry of a receipt, as `lua/end.lua` writes it.
fn read_ended(bytes: &[u8]) -> Result<EndedSession, RecordError> {
    let mut reader = Reader::bare("receipt", bytes);
    let id = SessionId::from_bytes(reader.array()?);
    let (upstream, has_person) = (reader.flag()?, reader.flag()?);
    let person = Person::new(reader.str()?);
    let (platform, subject) = read_subject(&mut reader)?;
    Ok(EndedSession {
        id,
        platform,
        subject,
        person: has_person.then_some(person),
        upstream,
    })
}

/// A one-time value behind its expiry.
pub(super) fn once(value: &[u8], expires: Timestamp) -> Vec<u8> {
    [exact(expires).to_be_bytes().as_slice(), value].concat()
}

pub(super) fn read_once(bytes: &[u8]) -> Result<(Timestamp, &[u8]), RecordError> {
    let mut reader = Reader::bare("one-time", bytes);
    Ok((reader.instant()?, reader.rest()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::redis) fn full_session() -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            platform: PlatformName::new("cms"),
            sign_on: Some(SsoSessionId::from_bytes([2; 16])),
            subject: Subject::new("Default", "alice"),
            person: Some(Person::new("alice@example.com")),
            account: Some(AccountVersion::from_bytes([6; 8])),
            client: Some(ClientId::new("app")),
            administrator: true,
            credentials: vec![
                Credential {
                    digest: CredentialDigest::from_bytes([3; 32]),
                    expires: Timestamp::from_millis(300),
                    csrf_due: true,
                },
                Credential {
                    digest: CredentialDigest::from_bytes([4; 32]),
                    expires: Timestamp::from_millis(400),
                    csrf_due: false,
                },
            ],
            csrf: Some(SecretDigest::from_bytes([5; 32])),
            opened: Timestamp::from_millis(1),
            seen: Timestamp::from_millis(2),
            idle_timeout: Some(Duration::from_micros(1_500)),
            expires: Timestamp::from_millis(u64::MAX),
            device: Device {
                address: Some(IpAddr::from([127, 0, 0, 1])),
                user_agent: Some("curl".to_owned()),
            },
            sealed: Some(Sealed::new(*b"sealed")),
        }
    }

    #[test]
    fn a_session_comes_back_as_it_was_written() {
        let bare = Session {
            sign_on: None,
            person: None,
            account: None,
            client: None,
            csrf: None,
            idle_timeout: None,
            device: Device::default(),
            sealed: None,
            credentials: Vec::new(),
            ..full_session()
        };
        for written in [
            full_session(),
            bare,
            Session {
                person: Some(Person::new("")),
                sealed: Some(Sealed::new(*b"")),
                ..full_session()
            },
        ] {
            assert_eq!(
                read_session(written.id, &session(&written).unwrap()),
                Ok(written)
            );
        }
    }

    #[test]
    fn a_session_cut_short_or_of_another_version_is_a_fault_and_never_a_panic() {
        let bytes = session(&Session {
            credentials: Vec::new(),
            ..full_session()
        })
        .unwrap();
        let id = full_session().id;
        for length in 0..bytes.len() {
            assert_eq!(
                read_session(id, &bytes[..length]),
                Err(RecordError("session")),
                "cut to {length}"
            );
        }
        let mut newer = bytes;
        newer[0] = 77;
        assert_eq!(read_session(id, &newer), Err(RecordError("session")));
    }

    #[test]
    fn subjects_whose_parts_run_together_have_different_keys() {
        let key = |platform, realm, name| {
            subject_key(&PlatformName::new(platform), &Subject::new(realm, name))
        };
        assert_ne!(
            key("cms", "Default", "alice"),
            key("cms", "Defaulta", "lice")
        );
        assert_ne!(
            key("cms", "Default", "alice"),
            key("cm", "sDefault", "alice")
        );
    }

    #[test]
    fn a_one_time_value_comes_back_as_it_was_written() {
        let at = Timestamp::from_millis(7);
        assert_eq!(
            read_once(&once(b"value", at)),
            Ok((at, b"value".as_slice()))
        );
        assert_eq!(read_once(&once(b"", at)), Ok((at, b"".as_slice())));
        assert_eq!(read_once(b"short"), Err(RecordError("one-time")));
    }
}
