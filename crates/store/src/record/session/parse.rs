//! Reads the record of a session by hand, several times as fast as the derived reader: each
//! sign-out reads one, and a start reads all of them.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use smallvec::SmallVec;

use super::{SessionRecord, StoredCredential};

/// A credential is no shorter.
const LEAST_CREDENTIAL: usize = 34;

/// The record at the beginning of `bytes`, and where its user agent lies with the mark that says
/// whether there is one. `None` where the derived reader finds no record.
pub(super) fn parse(bytes: &[u8]) -> Option<(SessionRecord<'_>, Range<usize>)> {
    let mut rest = bytes;
    let from = &mut rest;
    let record = SessionRecord {
        platform: text(from)?,
        sign_on: option(from, take)?,
        realm: text(from)?,
        name: text(from)?,
        person: option(from, text)?,
        account: None,
        idp: None,
        client: option(from, text)?,
        administrator: flag(from)?,
        credentials: credentials(from)?,
        csrf: option(from, take)?,
        opened: number(from)?,
        seen: number(from)?,
        idle_timeout: option(from, duration)?,
        expires: number(from)?,
        address: option(from, address)?,
        user_agent: None,
        sealed: None,
    };
    let start = bytes.len() - from.len();
    let user_agent = option(from, text)?;
    let end = bytes.len() - from.len();
    let sealed = option(from, slice)?;
    let record = SessionRecord {
        user_agent,
        sealed,
        ..record
    };
    Some((record, start..end))
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}

fn flag(from: &mut &[u8]) -> Option<bool> {
    match take(from)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

fn option<'a, T>(
    from: &mut &'a [u8],
    read: impl FnOnce(&mut &'a [u8]) -> Option<T>,
) -> Option<Option<T>> {
    match flag(from)? {
        true => read(from).map(Some),
        false => Some(None),
    }
}

/// A number in groups of seven bits, the lowest first.
fn number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let [byte] = take(from)?;
        let bits = u64::from(byte & 0x7f);
        // The last group has room for one bit.
        if bits << shift >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn slice<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(from)?).ok()?;
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

fn text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    str::from_utf8(slice(from)?).ok()
}

fn duration(from: &mut &[u8]) -> Option<Duration> {
    let (seconds, nanos) = (number(from)?, u32::try_from(number(from)?).ok()?);
    // Nanoseconds that are a second or more are carried over, unless that is too much.
    let carried = u64::from(nanos / 1_000_000_000);
    seconds.checked_add(carried)?;
    Some(Duration::new(seconds, nanos))
}

fn address(from: &mut &[u8]) -> Option<IpAddr> {
    match number(from)? {
        0 => take::<4>(from).map(IpAddr::from),
        1 => take::<16>(from).map(IpAddr::from),
        _ => None,
    }
}

fn credentials(from: &mut &[u8]) -> Option<SmallVec<[StoredCredential; 1]>> {
    let count = usize::try_from(number(from)?).ok()?;
    // No memory for more than there can be: the number may be damage.
    if count > from.len() / LEAST_CREDENTIAL {
        return None;
    }
    let mut credentials = SmallVec::with_capacity(count);
    for _ in 0..count {
        credentials.push(StoredCredential {
            digest: take(from)?,
            expires: number(from)?,
            csrf_due: flag(from)?,
        });
    }
    Some(credentials)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::session;
    use super::*;

    fn derived(bytes: &[u8]) -> Option<String> {
        let record = postcard::from_bytes::<SessionRecord<'_>>(bytes);
        record.ok().map(|record| format!("{record:?}"))
    }

    fn by_hand(bytes: &[u8]) -> Option<String> {
        parse(bytes).map(|(record, _)| format!("{record:?}"))
    }

    fn records() -> Vec<Vec<u8>> {
        let mut bare = session();
        bare.sign_on = None;
        bare.person = None;
        bare.client = None;
        bare.credentials.clear();
        bare.csrf = None;
        bare.idle_timeout = None;
        bare.device = Default::default();
        bare.sealed = None;
        let mut other = session();
        other.device.address = Some([1; 16].into());
        other.device.user_agent = Some("ü".repeat(100));
        other.idle_timeout = Some(Duration::MAX);
        [session(), bare, other]
            .iter()
            .map(|session| postcard::to_stdvec(&SessionRecord::of(session)).unwrap())
            .collect()
    }

    #[test]
    fn every_byte_is_read_as_the_derived_reader_reads_it() {
        for record in records() {
            assert!(by_hand(&record).is_some());
            for length in 0..=record.len() {
                assert_eq!(by_hand(&record[..length]), derived(&record[..length]));
            }
            for at in 0..record.len() {
                for value in 0..=u8::MAX {
                    let mut changed = record.clone();
                    changed[at] = value;
                    assert_eq!(by_hand(&changed), derived(&changed), "{at} is {value}");
                }
            }
        }
    }

    #[test]
    fn a_user_agent_is_where_it_is_said_to_be() {
        for bytes in records() {
            let (record, place) = parse(&bytes).unwrap();
            let field: Option<&str> = postcard::from_bytes(&bytes[place]).unwrap();
            assert_eq!(field, record.user_agent);
        }
    }
}
