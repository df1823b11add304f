//! The records in the server, byte by byte. Every record but a credential's begins with its
//! version. Numbers are big-endian.
//!
//! Scripts read only heads of fixed shape, which they compare or copy: `lua/end.lua` puts receipts
//! and deliveries together from parts that are ready made here. An older session record is read,
//! and written anew before a script needs it; a newer one is refused.

mod delivery;
mod reader;
mod version_1;

use std::net::IpAddr;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, SecretDigest};
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject,
};
use logout_core::store::{ByCredential, EndOrder};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::rules::Conditions;
pub(super) use delivery::{delivery, read_delivery};
use reader::Reader;

/// Version 1 had no part ready made for scripts.
const SESSION: u8 = 2;
/// The same, with the login at an identity provider behind the body.
const IDP_SESSION: u8 = 3;
const RECEIPT: u8 = 1;
/// The same, with the token that ordered the sign-out behind the head.
const TOKEN_RECEIPT: u8 = 2;

/// The last instant that a script can compute with exactly. It is 285,000 years away.
const LAST_EXACT: u64 = (1 << 53) - 1;

/// A record cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("a {0} record is damaged")]
    Damaged(&'static str),
    #[error(
        "a {0} record is of version {1}: a newer program wrote it, and this one must be upgraded"
    )]
    Newer(&'static str, u8),
}

use RecordError::Damaged;

/// The part of a session that only this program reads.
#[derive(Debug, Deserialize, Serialize)]
struct SessionBody<'a> {
    sign_on: Option<[u8; 16]>,
    account: Option<[u8; 8]>,
    #[serde(borrow)]
    client: Option<&'a str>,
    administrator: bool,
    csrf: Option<[u8; 32]>,
    opened: u64,
    seen: u64,
    idle_timeout: Option<Duration>,
    expires: u64,
    address: Option<IpAddr>,
    user_agent: Option<&'a str>,
}

/// Issuer, subject and session of a login at an identity provider.
type IdpBody<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// The part of a receipt before its sessions.
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

fn put_instant(bytes: &mut Vec<u8>, at: Timestamp) {
    bytes.extend_from_slice(&exact(at).to_be_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &[u8]) {
    // No record comes near four gigabytes: requests are far smaller.
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(text);
}

/// A subject at a platform: in receipts, in deliveries, and as a key of the index.
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

/// A credential's own record: its session, its expiry, and the conditions of a sign-out by it. A
/// tombstone needs no conditions.
pub(super) fn credential(session: &Session, credential: &Credential) -> Vec<u8> {
    let mut bytes = tombstone(session.id, credential.expires);
    put_conditions(&mut bytes, Conditions::of(session, credential));
    bytes
}

pub(super) fn tombstone(session: SessionId, expires: Timestamp) -> Vec<u8> {
    let mut bytes = session.as_bytes().to_vec();
    put_instant(&mut bytes, expires);
    bytes
}

/// The session and the expiry of a credential's record.
pub(super) fn read_credential(bytes: &[u8]) -> Result<(SessionId, Timestamp), RecordError> {
    let mut reader = Reader::bare("credential", bytes);
    Ok((SessionId::from_bytes(reader.array()?), reader.instant()?))
}

/// A presented credential, as `lua/end.lua` takes it.
pub(super) fn by_credential(by: &ByCredential) -> Vec<u8> {
    let mut bytes = by.digest.as_bytes().to_vec();
    put_conditions(&mut bytes, Conditions::presented(by));
    bytes
}

/// A client's digest behind its length, and a token's digest; both are empty where there is none.
fn put_conditions(bytes: &mut Vec<u8>, Conditions { client, csrf }: Conditions<'_>) {
    let client = client.map(SecretDigest::of);
    let client = client.as_ref().map_or(&[][..], |digest| digest.as_bytes());
    bytes.push(if client.is_empty() { 0 } else { 32 });
    bytes.extend_from_slice(client);
    bytes.extend_from_slice(csrf.unwrap_or_default());
}

/// A session without its id, which is in the key.
pub(super) fn session(session: &Session) -> Result<Vec<u8>, RecordError> {
    let body = SessionBody {
        sign_on: session.sign_on.map(|id| *id.as_bytes()),
        account: session.account.map(AccountVersion::to_bytes),
        client: session.client.as_ref().map(ClientId::as_str),
        administrator: session.administrator,
        csrf: session.csrf.map(|digest| *digest.as_bytes()),
        opened: session.opened.as_millis(),
        seen: session.seen.as_millis(),
        idle_timeout: session.idle_timeout,
        expires: session.expires.as_millis(),
        address: session.device.address,
        user_agent: session.device.user_agent.as_deref(),
    };
    let first_expiry = session.credentials.iter().map(|known| known.expires).min();
    let delivery = session.sealed.as_ref().map(|sealed| {
        delivery::tail(
            session.expires,
            &session.platform,
            &session.subject,
            Some(sealed),
        )
    });
    let idp = session.idp.as_ref();
    let mut body = postcard::to_stdvec(&body).map_err(|_| Damaged("session"))?;
    if let Some(login) = idp {
        let login: IdpBody<'_> = (login.issuer(), login.subject(), login.session());
        body = postcard::to_extend(&login, body).map_err(|_| Damaged("session"))?;
    }
    let mut bytes = Vec::with_capacity(384);
    bytes.push(idp.map_or(SESSION, |_| IDP_SESSION));
    put_instant(&mut bytes, session.ends_by(session.seen));
    put_instant(
        &mut bytes,
        first_expiry.unwrap_or(Timestamp::from_millis(u64::MAX)),
    );
    put_text(&mut bytes, session.platform.as_str().as_bytes());
    put_text(&mut bytes, &entry(&EndedSession::from(session)));
    put_text(&mut bytes, &delivery.unwrap_or_default());
    put_text(&mut bytes, &body);
    for known in &session.credentials {
        bytes.extend_from_slice(known.digest.as_bytes());
        put_instant(&mut bytes, known.expires);
        bytes.push(u8::from(known.csrf_due));
    }
    Ok(bytes)
}

/// The session of a record of this version or of the one before.
pub(super) fn read_session(id: SessionId, bytes: &[u8]) -> Result<Session, RecordError> {
    if bytes.first() == Some(&version_1::SESSION) {
        return version_1::read_session(id, bytes);
    }
    let has_idp = bytes.first() == Some(&IDP_SESSION);
    let version = if has_idp { IDP_SESSION } else { SESSION };
    let mut reader = Reader::of("session", version, bytes)?;
    reader.skip(8 + 8)?;
    reader.text()?;
    let [ended] = <[EndedSession; 1]>::try_from(read_entries(reader.text()?)?)
        .map_err(|_| Damaged("session"))?;
    let sealed = match reader.text()? {
        [] => None,
        tail => delivery::read_tail(tail)?,
    };
    let (body, behind): (SessionBody<'_>, _) =
        postcard::take_from_bytes(reader.text()?).map_err(|_| Damaged("session"))?;
    let idp = has_idp.then(|| {
        let login: Result<IdpBody<'_>, _> = postcard::from_bytes(behind);
        let (issuer, subject, session) = login.map_err(|_| Damaged("session"))?;
        IdpLogin::new(issuer, subject, session).ok_or(Damaged("session"))
    });
    Ok(Session {
        id,
        platform: ended.platform,
        sign_on: body.sign_on.map(SsoSessionId::from_bytes),
        subject: ended.subject,
        person: ended.person,
        account: body.account.map(AccountVersion::from_bytes),
        client: body.client.map(ClientId::new),
        administrator: body.administrator,
        credentials: read_credentials(reader)?,
        csrf: body.csrf.map(SecretDigest::from_bytes),
        opened: Timestamp::from_millis(body.opened),
        seen: Timestamp::from_millis(body.seen),
        idle_timeout: body.idle_timeout,
        expires: Timestamp::from_millis(body.expires),
        device: Device {
            address: body.address,
            user_agent: body.user_agent.map(str::to_owned),
        },
        sealed,
        idp: idp.transpose()?,
    })
}

/// Whether the record has to be written anew before a script reads it.
pub(super) fn is_outdated(session: &[u8]) -> bool {
    session.first() == Some(&version_1::SESSION)
}

fn read_credentials(mut reader: Reader<'_>) -> Result<Vec<Credential>, RecordError> {
    let mut credentials = Vec::with_capacity(2);
    while !reader.is_empty() {
        credentials.push(Credential {
            digest: CredentialDigest::from_bytes(reader.array()?),
            expires: reader.instant()?,
            csrf_due: reader.flag()?,
        });
    }
    Ok(credentials)
}

/// The beginning of a receipt; entries of ended sessions follow it.
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
    let mut head = postcard::to_stdvec(&head).map_err(|_| Damaged("receipt"))?;
    let token = receipt.token.as_ref();
    if let Some(token) = token {
        let token = (&*token.issuer, &*token.jti);
        head = postcard::to_extend(&token, head).map_err(|_| Damaged("receipt"))?;
    }
    let mut bytes = vec![token.map_or(RECEIPT, |_| TOKEN_RECEIPT)];
    put_text(&mut bytes, &head);
    Ok(bytes)
}

/// A receipt, or that part of it which one shard keeps, without its id.
pub(super) fn receipt(receipt: &Receipt) -> Result<Vec<u8>, RecordError> {
    let mut bytes = head_of(receipt)?;
    for session in &receipt.sessions {
        bytes.extend(entry(session));
    }
    Ok(bytes)
}

/// A session's entry in a receipt, behind its length.
fn entry(session: &EndedSession) -> Vec<u8> {
    let mut bytes = session.id.as_bytes().to_vec();
    bytes.extend([
        u8::from(session.upstream),
        u8::from(session.person.is_some()),
    ]);
    let person = session.person.as_ref().map_or("", Person::as_str);
    put_text(&mut bytes, person.as_bytes());
    bytes.extend_from_slice(&subject_key(&session.platform, &session.subject));
    let mut entry = Vec::with_capacity(4 + bytes.len());
    put_text(&mut entry, &bytes);
    entry
}

/// The receipt of a record.
pub(super) fn read_receipt(id: ReceiptId, bytes: &[u8]) -> Result<Receipt, RecordError> {
    const DAMAGED: RecordError = Damaged("receipt");
    let has_token = bytes.first() == Some(&TOKEN_RECEIPT);
    let version = if has_token { TOKEN_RECEIPT } else { RECEIPT };
    let mut reader = Reader::of("receipt", version, bytes)?;
    let (head, behind): (ReceiptHead<'_>, _) =
        postcard::take_from_bytes(reader.text()?).map_err(|_| DAMAGED)?;
    let token = has_token.then(|| {
        let (issuer, jti): (&str, &str) = postcard::from_bytes(behind).map_err(|_| DAMAGED)?;
        Ok(TokenId {
            issuer: issuer.into(),
            jti: jti.into(),
        })
    });
    Ok(Receipt {
        id,
        at: Timestamp::from_millis(head.at),
        reason: Reason::parse(head.reason).ok_or(DAMAGED)?,
        platform: head.platform.map(PlatformName::new),
        reach: Reach::parse(head.reach).ok_or(DAMAGED)?,
        sessions: read_entries(reader.rest())?,
        token: token.transpose()?,
    })
}

/// The entries of a receipt, behind its head.
pub(super) fn read_entries(bytes: &[u8]) -> Result<Vec<EndedSession>, RecordError> {
    let mut reader = Reader::bare("receipt", bytes);
    let mut sessions = Vec::new();
    while !reader.is_empty() {
        let mut entry = reader.inner()?;
        let id = SessionId::from_bytes(entry.array()?);
        let (upstream, has_person) = (entry.flag()?, entry.flag()?);
        let person = Person::new(entry.str()?);
        let (platform, subject) = read_subject(&mut entry)?;
        sessions.push(EndedSession {
            id,
            platform,
            subject,
            person: has_person.then_some(person),
            upstream,
        });
    }
    Ok(sessions)
}

/// The head of an order's deliveries, as `lua/end.lua` puts it before a session's tail.
pub(super) fn delivery_head(at: Timestamp) -> Vec<u8> {
    delivery::head(0, logout_core::delivery::DeliveryState::Pending, at, at)
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
pub(super) mod tests;
