//! Between the columns of the tables and the words of `logout-core`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use logout_core::delivery::{AttemptAnswer, AttemptRecord, Delivery, DeliveryState, Verification};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::SsoSessionId;
use logout_core::session::{AccountVersion, ClientId, Device, Person, Session, SessionId, Subject};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamError;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use super::link::{Failure, Params, params};

/// Of sessions called `s`, in the order that [`session`] reads.
pub(super) const SESSION: &str = "s.id, s.platform, s.realm, s.name, s.person, s.client, s.sign_on, s.administrator, s.csrf, s.opened, \
    s.seen, s.idle, s.expires, s.address, s.user_agent, s.sealed, s.digests, s.expiries, s.csrf_dues, \
    s.account";

/// Of receipts, in the order that [`receipt`] reads.
pub(super) const RECEIPT: &str =
    "id, ids, platforms, realms, names, persons, upstreams, at, reason, platform, reach";

/// Of deliveries called `d`, in the order that [`delivery`] reads.
pub(super) const DELIVERY: &str = "d.session, d.platform, d.realm, d.name, d.receipt, d.sealed, d.expires, d.created, d.due, d.state, \
    d.attempts, d.tried_at, d.answers, d.verified";

/// So far in the future that it makes no difference, and so that adding two of them is still a
/// number.
const FAR: i64 = i64::MAX / 4;

/// An instant as the tables hold it.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).map_or(FAR, |millis| millis.min(FAR))
}

pub(super) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
}

pub(super) fn span(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).map_or(FAR, |millis| millis.min(FAR))
}

pub(super) fn uuid(bytes: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*bytes)
}

/// Text as PostgreSQL takes it. It knows no NUL, so that stands as `\x01` and `0`, and `\x01` as
/// itself and `1`: two texts that differ still do.
pub(super) fn text(plain: &str) -> String {
    if plain.contains(['\0', '\x01']) {
        plain.replace('\x01', "\x011").replace('\0', "\x010")
    } else {
        plain.to_owned()
    }
}

pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\x01') {
        text.replace("\x010", "\0").replace("\x011", "\x01").into()
    } else {
        text.into()
    }
}

/// What something is looked up by: short, however long it is.
fn key(parts: &[&str]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest
        .first_chunk()
        .map_or(0, |first| i64::from_be_bytes(*first))
}

pub(super) fn person_key(person: &Person) -> i64 {
    key(&[person.as_str()])
}

pub(super) fn subject_key(subject: &Subject) -> i64 {
    key(&[&subject.realm, &subject.name])
}

fn damaged(what: &str) -> Failure {
    log::error!("a {what} in the session store cannot be read");
    Failure::Unknown
}

pub(super) fn digest(bytes: &[u8]) -> Result<[u8; 32], Failure> {
    bytes.try_into().map_err(|_| damaged("digest"))
}

/// A session's row: the columns of `logout_sessions`, in their order.
pub(super) fn columns_of(session: Session) -> Params {
    let ends = millis(session.ends_by(session.seen));
    let digests: Vec<Vec<u8>> = session
        .credentials
        .iter()
        .map(|credential| credential.digest.as_bytes().to_vec())
        .collect();
    let expiries: Vec<i64> = session
        .credentials
        .iter()
        .map(|credential| millis(credential.expires))
        .collect();
    let dues: Vec<bool> = session
        .credentials
        .iter()
        .map(|credential| credential.csrf_due)
        .collect();
    params![
        uuid(session.id.as_bytes()),
        text(session.platform.as_str()),
        text(&session.subject.realm),
        text(&session.subject.name),
        subject_key(&session.subject),
        session.person.as_ref().map(|person| text(person.as_str())),
        session.person.as_ref().map(person_key),
        session.client.as_ref().map(|client| text(client.as_str())),
        session.sign_on.map(|id| uuid(id.as_bytes())),
        session.administrator,
        session.csrf.map(|digest| digest.as_bytes().to_vec()),
        millis(session.opened),
        millis(session.seen),
        session.idle_timeout.map(span),
        millis(session.expires),
        ends,
        ends,
        session.device.address,
        session.device.user_agent.as_deref().map(text),
        session.sealed.map(|sealed| sealed.as_bytes().to_vec()),
        digests,
        expiries,
        dues,
        session.account.map(|account| account.to_bytes().to_vec()),
    ]
}

/// The session whose columns begin at `at`.
pub(super) fn session(row: &Row, at: usize) -> Result<Session, Failure> {
    let (digests, expiries, dues): (Vec<&[u8]>, Vec<i64>, Vec<bool>) = (
        row.try_get(at + 16)?,
        row.try_get(at + 17)?,
        row.try_get(at + 18)?,
    );
    let credentials =
        digests
            .into_iter()
            .zip(expiries)
            .zip(dues)
            .map(|((bytes, expires), csrf_due)| {
                Ok(Credential {
                    digest: CredentialDigest::from_bytes(digest(bytes)?),
                    expires: instant(expires),
                    csrf_due,
                })
            });
    let id: Uuid = row.try_get(at)?;
    let person: Option<&str> = row.try_get(at + 4)?;
    let client: Option<&str> = row.try_get(at + 5)?;
    let sign_on: Option<Uuid> = row.try_get(at + 6)?;
    let csrf: Option<&[u8]> = row.try_get(at + 8)?;
    let idle: Option<i64> = row.try_get(at + 11)?;
    let address: Option<IpAddr> = row.try_get(at + 13)?;
    let user_agent: Option<&str> = row.try_get(at + 14)?;
    let sealed: Option<&[u8]> = row.try_get(at + 15)?;
    let account: Option<&[u8]> = row.try_get(at + 19)?;
    let account = account.map(|bytes| {
        bytes
            .try_into()
            .map(AccountVersion::from_bytes)
            .map_err(|_| damaged("account"))
    });
    Ok(Session {
        id: SessionId::from_bytes(id.into_bytes()),
        platform: PlatformName::new(&plain(row.try_get(at + 1)?)),
        subject: Subject::new(plain(row.try_get(at + 2)?), plain(row.try_get(at + 3)?)),
        person: person.map(|person| Person::new(plain(person))),
        account: account.transpose()?,
        client: client.map(|client| ClientId::new(plain(client))),
        sign_on: sign_on.map(|id| SsoSessionId::from_bytes(id.into_bytes())),
        administrator: row.try_get(at + 7)?,
        credentials: credentials.collect::<Result<_, Failure>>()?,
        csrf: csrf.map(digest).transpose()?.map(SecretDigest::from_bytes),
        opened: instant(row.try_get(at + 9)?),
        seen: instant(row.try_get(at + 10)?),
        idle_timeout: idle
            .map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or_default())),
        expires: instant(row.try_get(at + 12)?),
        device: Device {
            address,
            user_agent: user_agent.map(|agent| plain(agent).into_owned()),
        },
        sealed: sealed.map(Sealed::new),
    })
}

/// The id of a receipt and what it ended.
pub(super) fn ended(row: &Row) -> Result<(ReceiptId, Vec<EndedSession>), Failure> {
    let id: Uuid = row.try_get(0)?;
    let (ids, platforms): (Vec<Uuid>, Vec<&str>) = (row.try_get(1)?, row.try_get(2)?);
    let (realms, names): (Vec<&str>, Vec<&str>) = (row.try_get(3)?, row.try_get(4)?);
    let (persons, upstreams): (Vec<Option<&str>>, Vec<bool>) = (row.try_get(5)?, row.try_get(6)?);
    let lists = ids
        .into_iter()
        .zip(platforms)
        .zip(realms.into_iter().zip(names))
        .zip(persons.into_iter().zip(upstreams));
    let sessions =
        lists.map(
            |(((id, platform), (realm, name)), (person, upstream))| EndedSession {
                id: SessionId::from_bytes(id.into_bytes()),
                platform: PlatformName::new(&plain(platform)),
                subject: Subject::new(plain(realm), plain(name)),
                person: person.map(|person| Person::new(plain(person))),
                upstream,
            },
        );
    Ok((ReceiptId::from_bytes(id.into_bytes()), sessions.collect()))
}

/// The id of a receipt and one session that it ended.
pub(super) fn ended_one(row: &Row) -> Result<(ReceiptId, EndedSession), Failure> {
    let (receipt, id): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
    let person: Option<&str> = row.try_get(5)?;
    let ended = EndedSession {
        id: SessionId::from_bytes(id.into_bytes()),
        platform: PlatformName::new(&plain(row.try_get(2)?)),
        subject: Subject::new(plain(row.try_get(3)?), plain(row.try_get(4)?)),
        person: person.map(|person| Person::new(plain(person))),
        upstream: row.try_get(6)?,
    };
    Ok((ReceiptId::from_bytes(receipt.into_bytes()), ended))
}

pub(super) fn receipt(row: &Row) -> Result<Receipt, Failure> {
    let (id, sessions) = ended(row)?;
    let platform: Option<&str> = row.try_get(9)?;
    Ok(Receipt {
        id,
        at: instant(row.try_get(7)?),
        reason: Reason::parse(row.try_get(8)?).ok_or_else(|| damaged("receipt"))?,
        platform: platform.map(|platform| PlatformName::new(&plain(platform))),
        reach: Reach::parse(row.try_get(10)?).ok_or_else(|| damaged("receipt"))?,
        sessions,
    })
}

pub(super) fn delivery(row: &Row) -> Result<Delivery, Failure> {
    let (session, receipt): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(4)?);
    let sealed: Option<&[u8]> = row.try_get(5)?;
    let attempts: i64 = row.try_get(10)?;
    let (tried_at, answers): (Vec<i64>, Vec<&str>) = (row.try_get(11)?, row.try_get(12)?);
    let history = tried_at.into_iter().zip(answers).map(|(at, word)| {
        let answer = read_answer(word).ok_or_else(|| damaged("delivery"))?;
        Ok(AttemptRecord {
            at: instant(at),
            answer,
        })
    });
    let verified: Option<&str> = row.try_get(13)?;
    Ok(Delivery {
        session: SessionId::from_bytes(session.into_bytes()),
        platform: PlatformName::new(&plain(row.try_get(1)?)),
        subject: Subject::new(plain(row.try_get(2)?), plain(row.try_get(3)?)),
        receipt: ReceiptId::from_bytes(receipt.into_bytes()),
        sealed: sealed.map(Sealed::new),
        expires: instant(row.try_get(6)?),
        created: instant(row.try_get(7)?),
        due: instant(row.try_get(8)?),
        state: DeliveryState::parse(row.try_get(9)?).ok_or_else(|| damaged("delivery"))?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        history: history.collect::<Result<_, Failure>>()?,
        verified: verified
            .map(|word| Verification::parse(word).ok_or_else(|| damaged("delivery")))
            .transpose()?,
    })
}

/// An answer as one word: a status is its number.
pub(super) fn answer(answer: AttemptAnswer) -> String {
    match answer {
        AttemptAnswer::Error(fault) => fault.as_str().to_owned(),
        AttemptAnswer::Status(status) => status.to_string(),
        AttemptAnswer::Unsealable => "unsealable".to_owned(),
    }
}

fn read_answer(word: &str) -> Option<AttemptAnswer> {
    match word {
        "unsealable" => Some(AttemptAnswer::Unsealable),
        word => word
            .parse()
            .map(AttemptAnswer::Status)
            .ok()
            .or_else(|| UpstreamError::parse(word).map(AttemptAnswer::Error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_nul_comes_back_and_stays_apart_from_every_other() {
        let texts = [
            "",
            "alice",
            "\0",
            "\x01",
            "\x010",
            "\x011",
            "a\0b\x01c",
            "\0\x010",
            "\x01\x010\0",
        ];
        for one in texts {
            let written = text(one);
            assert!(!written.contains('\0') && plain(&written) == one, "{one:?}");
            assert!(
                texts
                    .iter()
                    .all(|other| *other == one || text(other) != written),
                "{one:?}"
            );
        }
    }

    #[test]
    fn the_end_of_time_is_a_number_that_others_can_be_added_to() {
        let end = Timestamp::from_millis(u64::MAX);
        assert!(millis(end).checked_add(span(Duration::MAX)).is_some());
        assert!(instant(millis(end)) > Timestamp::from_millis(4_000_000_000_000_000));
        assert_eq!(
            instant(millis(Timestamp::from_millis(7))),
            Timestamp::from_millis(7)
        );
    }

    #[test]
    fn the_answers_of_attempts_come_back_as_they_were_written() {
        for one in [
            AttemptAnswer::Error(UpstreamError::Timeout),
            AttemptAnswer::Status(503),
            AttemptAnswer::Unsealable,
        ] {
            assert_eq!(read_answer(&answer(one)), Some(one));
        }
        assert_eq!(read_answer("perhaps"), None);
    }
}
