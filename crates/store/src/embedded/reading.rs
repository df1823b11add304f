//! What callers read by themselves, without the writer.

use std::ops::Bound;
use std::sync::Arc;

use fjall::Slice;
use logout_core::credential::{Credential, CredentialDigest};
use logout_core::receipt::{Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{Lookup, Page, SessionFilter, SweepPage};
use logout_core::time::Timestamp;

use super::engine::{Engine, ReadError};
use super::index::{IndexKey, listed};
use super::queue::Stale;
use super::record::{self, CredentialRecord, DeliveryRecord, Fate, SessionRecord};
use super::table::Table;

pub(super) fn find(
    engine: &Engine,
    digest: &CredentialDigest,
    now: Timestamp,
) -> Result<Lookup, ReadError> {
    let (id, bytes) = match behind(engine, digest, now)? {
        Behind::Ended => return Ok(Lookup::Ended),
        Behind::Nothing => return Ok(Lookup::Unknown),
        Behind::Session(id, bytes) => (id, bytes),
    };
    let record = SessionRecord::read(&bytes)?;
    Ok(match opens(engine, id, &record, digest, now)? {
        Some((credential, seen)) => Lookup::Live(Arc::new(record.to_session(id, seen)), credential),
        None => Lookup::Unknown,
    })
}

/// The live session that a credential opens, as it lies in the store.
pub(super) fn opened_by(
    engine: &Engine,
    digest: &CredentialDigest,
    now: Timestamp,
) -> Result<Option<(SessionId, Slice)>, ReadError> {
    let Behind::Session(id, bytes) = behind(engine, digest, now)? else {
        return Ok(None);
    };
    let is_open = opens(engine, id, &SessionRecord::read(&bytes)?, digest, now)?.is_some();
    Ok(is_open.then_some((id, bytes)))
}

/// Where a credential leads that has not expired.
enum Behind {
    Ended,
    Nothing,
    Session(SessionId, Slice),
}

fn behind(engine: &Engine, digest: &CredentialDigest, now: Timestamp) -> Result<Behind, ReadError> {
    let Some(bytes) = engine.read(Table::Credentials, digest.as_bytes())? else {
        return Ok(Behind::Nothing);
    };
    let CredentialRecord {
        session: id,
        expires,
    } = CredentialRecord::read(&bytes)?;
    if expires <= now {
        return Ok(Behind::Nothing);
    }
    Ok(engine
        .read(Table::Sessions, id.as_bytes())?
        .map_or(Behind::Ended, |bytes| Behind::Session(id, bytes)))
}

/// Whether a credential opens this session at `now`: what the session knows of it, and when it was
/// last used.
fn opens(
    engine: &Engine,
    id: SessionId,
    record: &SessionRecord<'_>,
    digest: &CredentialDigest,
    now: Timestamp,
) -> Result<Option<(Credential, Timestamp)>, ReadError> {
    let Some(credential) = record
        .credentials()
        .find(|known| known.digest == *digest && known.expires > now)
    else {
        return Ok(None);
    };
    let seen = last_seen(engine, id, record, now)?;
    Ok((record.ends_by(seen) > now).then_some((credential, seen)))
}

/// When a session was last used. Touches are looked up only when they can matter: nothing is
/// written that is closer to the last use than the touch grain.
fn last_seen(
    engine: &Engine,
    id: SessionId,
    record: &SessionRecord<'_>,
    now: Timestamp,
) -> Result<Timestamp, ReadError> {
    match record.idle_timeout() {
        Some(span) if now.since(record.seen()) >= span / 30 => {
            Ok(engine.seen(id)?.max(record.seen()))
        }
        _ => Ok(record.seen()),
    }
}

/// Whether a listing looks at little more than it returns.
pub(super) fn is_quick(filter: &SessionFilter) -> bool {
    index_of(filter).is_some() || (filter.platform.is_none() && filter.subject.is_none())
}

fn index_of(filter: &SessionFilter) -> Option<IndexKey> {
    match (&filter.person, &filter.platform, &filter.subject) {
        (Some(person), _, _) => Some(IndexKey::person(person.as_str())),
        (None, Some(platform), Some(subject)) => Some(IndexKey::subject(
            platform.as_str(),
            &subject.realm,
            &subject.name,
        )),
        _ => None,
    }
}

pub(super) fn sessions(
    engine: &Engine,
    filter: &SessionFilter,
    after: Option<SessionId>,
    limit: usize,
    now: Timestamp,
) -> Result<Page<Session, SessionId>, ReadError> {
    let mut page = Page {
        items: Vec::<Session>::new(),
        next: None,
    };
    let mut matches = |id: SessionId, bytes: &[u8]| -> Result<bool, ReadError> {
        let record = SessionRecord::read(bytes)?;
        let seen = last_seen(engine, id, &record, now)?;
        if record.ends_by(seen) > now {
            let session = record.to_session(id, seen);
            if filter.matches(&session) {
                if page.items.len() == limit {
                    page.next = page.items.last().map(|last| last.id);
                    return Ok(true);
                }
                page.items.push(session);
            }
        }
        Ok(false)
    };
    if let Some(key) = index_of(filter) {
        for id in listed(engine, key, after) {
            let id = id?;
            let Some(bytes) = engine.read(Table::Sessions, id.as_bytes())? else {
                continue;
            };
            if matches(id, &bytes)? {
                break;
            }
        }
    } else {
        let from = after.as_ref().map_or(Bound::Unbounded, |id| {
            Bound::Excluded(id.as_bytes().as_slice())
        });
        for entry in engine.range(Table::Sessions, from, Bound::Unbounded) {
            let (key, bytes) = entry?;
            let Some(id) = key.as_ref().try_into().ok().map(SessionId::from_bytes) else {
                continue;
            };
            if matches(id, &bytes)? {
                break;
            }
        }
    }
    Ok(page)
}

pub(super) fn receipt(engine: &Engine, id: ReceiptId) -> Result<Option<Receipt>, ReadError> {
    let Some(bytes) = engine.read(Table::Receipts, id.as_bytes())? else {
        return Ok(None);
    };
    Ok(Some(record::read_receipt(id, &bytes)?))
}

pub(super) fn receipts(
    engine: &Engine,
    before: Option<ReceiptId>,
    limit: usize,
) -> Result<Page<Receipt, ReceiptId>, ReadError> {
    let until = before.as_ref().map_or(Bound::Unbounded, |id| {
        Bound::Excluded(id.as_bytes().as_slice())
    });
    let mut page = Page {
        items: Vec::new(),
        next: None,
    };
    for entry in engine.range(Table::Receipts, Bound::Unbounded, until).rev() {
        if page.items.len() == limit {
            page.next = page.items.last().map(|last: &Receipt| last.id);
            break;
        }
        let (key, bytes) = entry?;
        let Some(id) = key.as_ref().try_into().ok().map(ReceiptId::from_bytes) else {
            continue;
        };
        page.items.push(record::read_receipt(id, &bytes)?);
    }
    Ok(page)
}

/// The tables that housekeeping walks through, in this order; a cursor is the place in it and the
/// last key seen there.
const ROUND: [Table; 6] = [
    Table::Credentials,
    Table::Once,
    Table::Receipts,
    Table::Seen,
    Table::Sessions,
    Table::Settled,
];

pub(super) fn sweep(
    engine: &Engine,
    from: Option<&[u8]>,
    limit: usize,
    now: Timestamp,
    receipts_until: Timestamp,
) -> Result<(SweepPage, Vec<Stale>), ReadError> {
    let mut swept = SweepPage::default();
    let mut stale = Vec::new();
    let mut left = limit.max(1);
    let (start, mut after) = match from.and_then(<[u8]>::split_first) {
        Some((place, key)) => (usize::from(*place), Some(key.to_vec())),
        None => (0, None),
    };
    for (place, table) in ROUND.iter().enumerate().skip(start) {
        let lower = after.take().map_or(Bound::Unbounded, Bound::Excluded);
        let upper = match table {
            Table::Receipts => {
                Bound::Excluded(ReceiptId::first_at(receipts_until).as_bytes().to_vec())
            }
            _ => Bound::Unbounded,
        };
        // A cursor in the receipts may lie beyond a limit that was set differently for the step
        // before.
        if matches!((&lower, &upper), (Bound::Excluded(lower), Bound::Excluded(upper)) if lower >= upper)
        {
            continue;
        }
        for entry in engine.range(
            *table,
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
        ) {
            let (key, value) = entry?;
            examine(
                engine,
                *table,
                &key,
                &value,
                (now, receipts_until),
                &mut swept,
                &mut stale,
            )?;
            left -= 1;
            if left == 0 {
                let mut cursor = vec![u8::try_from(place).unwrap_or_default()];
                cursor.extend_from_slice(&key);
                swept.next = Some(cursor);
                return Ok((swept, stale));
            }
        }
    }
    Ok((swept, stale))
}

/// Whether a credential is a tombstone that has served its time.
pub(super) fn is_spent(
    engine: &Engine,
    credential: CredentialRecord,
    now: Timestamp,
) -> Result<bool, ReadError> {
    Ok(credential.expires <= now
        && engine
            .read(Table::Sessions, credential.session.as_bytes())?
            .is_none())
}

fn examine(
    engine: &Engine,
    table: Table,
    key: &[u8],
    value: &[u8],
    (now, receipts_until): (Timestamp, Timestamp),
    swept: &mut SweepPage,
    stale: &mut Vec<Stale>,
) -> Result<(), ReadError> {
    match table {
        Table::Credentials => {
            if is_spent(engine, CredentialRecord::read(value)?, now)? {
                stale.extend(key.try_into().map(Stale::Credential));
            }
        }
        Table::Once => {
            if record::read_once(value)?.0 <= now {
                stale.extend(key.try_into().map(Stale::Once));
            }
        }
        Table::Receipts => stale.extend(key.try_into().map(Stale::Receipt)),
        Table::Seen => {
            if engine.read(Table::Sessions, key)?.is_none() {
                stale.extend(key.try_into().map(Stale::Seen));
            }
        }
        Table::Sessions => {
            if let Ok(id) = key.try_into().map(SessionId::from_bytes) {
                let record = SessionRecord::read(value)?;
                if record.ends_by(engine.seen(id)?) <= now {
                    swept.expired.push(id);
                }
            }
        }
        Table::Settled => {
            if DeliveryRecord::read(value)?.fate(now, receipts_until) != Fate::Keep {
                stale.extend(
                    key.try_into()
                        .map(|key| Stale::Delivery(key, receipts_until)),
                );
            }
        }
        Table::Agreed | Table::Pending | Table::Persons | Table::SignOns | Table::Subjects => {}
    }
    Ok(())
}
