//! Ids of sessions that are made from a number, so that whoever knows the number can name the
//! session without asking.

use logout_core::session::SessionId;

/// The id of the session of this number, as if one had been opened every millisecond since `epoch`:
/// a UUID of version 7, whose last 48 bits look random. [`SQL`] says the same to PostgreSQL.
pub(crate) fn of(epoch: u64, number: u64) -> SessionId {
    let time = (epoch + number).to_be_bytes();
    let tail = (number.wrapping_mul(SCATTER) % (1 << 48)).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&time[2..]);
    (bytes[6], bytes[8]) = (0x70, 0x80);
    bytes[10..].copy_from_slice(&tail[2..]);
    SessionId::from_bytes(bytes)
}

/// The number of a session that was given its id by [`of`].
pub(crate) fn number(epoch: u64, id: SessionId) -> Option<u64> {
    let mut time = [0; 8];
    time[2..].copy_from_slice(&id.as_bytes()[..6]);
    let number = u64::from_be_bytes(time).checked_sub(epoch)?;
    (of(epoch, number) == id).then_some(number)
}

/// What numbers are multiplied with: odd, so that no two of them meet; small enough for products
/// that fit PostgreSQL's integers.
pub(crate) const SCATTER: u64 = 2_654_435_761;

/// [`of`], in the words of a script of pgbench that has set `at` to epoch and number, and `tail` to
/// [`SCATTER`] times the number.
pub(crate) const SQL: &str = "(lpad(to_hex(:at::bigint), 12, '0') || '70008000' || lpad(to_hex(:tail::bigint % 281474976710656), 12, '0'))::uuid";

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: u64 = 1_764_000_000_000;

    #[test]
    fn ids_are_in_the_order_of_numbers_and_say_them() {
        let ids: Vec<SessionId> = (0..1_000).map(|number| of(EPOCH, number)).collect();
        assert!(ids.is_sorted());
        assert!(
            ids.iter()
                .zip(0..)
                .all(|(id, number)| super::number(EPOCH, *id) == Some(number))
        );
        assert_eq!(
            of(EPOCH, 1).to_string(),
            "019ab697-e801-7000-8000-00009e3779b1"
        );
    }

    #[test]
    fn the_id_of_another_session_has_no_number() {
        assert_eq!(number(EPOCH, SessionId::from_bytes([7; 16])), None);
        assert_eq!(number(EPOCH + 1, of(EPOCH, 0)), None);
    }
}
