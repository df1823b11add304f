//! What is kept of a receipt.

use logout_core::idp::TokenId;
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{Person, SessionId, Subject};
use logout_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RecordError, decode, encode, encode_behind};

const DAMAGED: RecordError = RecordError::Damaged("receipt");

const RECEIPT: u8 = 2;
/// The same behind the token that ordered the sign-out.
const TOKEN_RECEIPT: u8 = 3;

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

pub(crate) fn receipt(receipt: &Receipt) -> Result<Vec<u8>, RecordError> {
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
    match &receipt.token {
        None => encode("receipt", RECEIPT, &record),
        Some(token) => {
            let token = (&*token.issuer, &*token.jti);
            let front = postcard::to_extend(&token, vec![TOKEN_RECEIPT]).map_err(|_| DAMAGED)?;
            encode_behind("receipt", &front, &record)
        }
    }
}

pub(crate) fn read_receipt(id: ReceiptId, bytes: &[u8]) -> Result<Receipt, RecordError> {
    let (token, record): (_, ReceiptRecord<'_>) = match bytes.split_first() {
        Some((&TOKEN_RECEIPT, rest)) => {
            let ((issuer, jti), rest): ((&str, &str), _) =
                postcard::take_from_bytes(rest).map_err(|_| DAMAGED)?;
            let token = TokenId {
                issuer: issuer.into(),
                jti: jti.into(),
            };
            (
                Some(token),
                postcard::from_bytes(rest).map_err(|_| DAMAGED)?,
            )
        }
        _ => (None, decode("receipt", RECEIPT, bytes)?),
    };
    Ok(Receipt {
        id,
        at: Timestamp::from_millis(record.at),
        reason: Reason::parse(record.reason).ok_or(DAMAGED)?,
        platform: record.platform.map(PlatformName::new),
        reach: Reach::parse(record.reach).ok_or(DAMAGED)?,
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
        token,
    })
}
