//! The kinds of records, and where each lies among the database's keys.

use std::ops::Bound;

use fjall::Slice;

/// A kind of records. All share one keyspace of the database, and a byte in front of the key tells
/// them apart: every keyspace costs some twenty syncs when it is made, and memory, flushes and
/// sorting of its own for ever after.
///
/// The bytes are on disk and never change their meaning. Zero is not among them: the format lies
/// there.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub(super) enum Table {
    /// Name → value that all agree on.
    Agreed = 1,
    /// Digest → session that it opens, or opened.
    Credentials = 2,
    /// Digest → value that is taken once.
    Once = 3,
    /// Hash of a person, session → nothing.
    Persons = 4,
    /// Receipt id → receipt.
    Receipts = 5,
    /// Session → last use, for those that were touched.
    Seen = 6,
    /// Session → record.
    Sessions = 7,
    /// Sign-on → its sessions.
    SignOns = 8,
    /// Hash of a subject, session → nothing.
    Subjects = 9,
    /// Session → delivery that is still to be made.
    Pending = 10,
    /// Session → delivery that was confirmed or given up.
    Settled = 11,
}

/// The key of the format, which is in no table.
pub(super) const FORMAT_KEY: [u8; 1] = [0];

/// Keys of up to this size, and that is all but names that somebody else chose, are put together
/// without a piece of memory.
const SHORT: usize = 40;

impl Table {
    /// Hands `then` the place of `key`.
    pub(super) fn with_key<T>(self, key: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
        let mut short = [self as u8; SHORT];
        match short.get_mut(..=key.len()) {
            Some(place) => {
                place[1..].copy_from_slice(key);
                then(place)
            }
            None => then(&[&[self as u8], key].concat()),
        }
    }

    /// The place of `key`, to be kept.
    pub(super) fn key(self, key: &[u8]) -> Slice {
        self.with_key(key, |place| Slice::from(place))
    }

    /// The places of the keys between two bounds, of this table only.
    pub(super) fn range(
        self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> (Bound<Slice>, Bound<Slice>) {
        let from = match from {
            Bound::Excluded(key) => Bound::Excluded(self.key(key)),
            Bound::Included(key) => Bound::Included(self.key(key)),
            Bound::Unbounded => Bound::Included(self.key(&[])),
        };
        let to = match to {
            Bound::Excluded(key) => Bound::Excluded(self.key(key)),
            Bound::Included(key) => Bound::Included(self.key(key)),
            Bound::Unbounded => Bound::Excluded(Slice::from([self as u8 + 1])),
        };
        (from, to)
    }
}

/// The key within its table of what lies at `place`.
pub(super) fn within(place: &Slice) -> Slice {
    Slice::from(&place[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_behind_the_byte_of_its_table_however_long_it_is() {
        for length in [0, 1, 16, SHORT - 1, SHORT, SHORT + 1, 500] {
            let key = vec![b'x'; length];
            let place = Table::Once.key(&key);
            assert_eq!(place[0], Table::Once as u8);
            assert_eq!(within(&place), key);
            assert_eq!(Table::Once.with_key(&key, <[u8]>::to_vec), *place);
        }
    }

    #[test]
    fn a_range_without_bounds_holds_its_own_table_and_no_other() {
        use std::ops::RangeBounds as _;

        let range = Table::Persons.range(Bound::Unbounded, Bound::Unbounded);
        for key in [&[][..], &[0], &[u8::MAX; 64]] {
            assert!(range.contains(&Table::Persons.key(key)));
            assert!(!range.contains(&Table::Once.key(key)));
            assert!(!range.contains(&Table::Receipts.key(key)));
        }
        assert!(!range.contains(&Slice::from(FORMAT_KEY)));
    }
}
