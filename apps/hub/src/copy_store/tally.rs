//! What a store holds, added up so that two can be compared without holding either: how many of
//! each kind, and a sum over what every record says, in whichever order they came.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

use logout_core::delivery::Delivery;
use logout_core::receipt::Receipt;
use logout_core::session::Session;
use logout_core::time::Timestamp;
use logout_core::transfer::Record;
use serde_json::{Map, Value};

/// The kinds, in the order of their words.
const KINDS: [&str; 6] = [
    "agreed",
    "deliveries",
    "one_time_values",
    "receipts",
    "sessions",
    "tombstones",
];

/// Later instants are alike to some stores, and far beyond everything that matters.
const LAST: Timestamp = Timestamp::from_millis((1 << 53) - 1);

/// Counts and sums, kind by kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally([(u64, u64); KINDS.len()]);

impl Tally {
    pub(super) fn add(&mut self, record: Record) {
        let kind = match &record {
            Record::Agreed(_) => 0,
            Record::Delivery(_) => 1,
            Record::Once(_) => 2,
            Record::Receipt(_) => 3,
            Record::Session(_) => 4,
            Record::Tombstone(_) => 5,
        };
        let mut hasher = DefaultHasher::new();
        comparable(record).hash(&mut hasher);
        let (count, sum) = &mut self.0[kind];
        *count += 1;
        *sum = sum.wrapping_add(hasher.finish());
    }

    /// How many of each kind.
    pub(super) fn counts(&self) -> Value {
        let counts = KINDS
            .iter()
            .zip(&self.0)
            .map(|(kind, (count, _))| ((*kind).to_owned(), (*count).into()));
        Value::Object(counts.collect::<Map<_, _>>())
    }

    /// The kinds that are not the same on both sides.
    pub(super) fn differing_from(&self, other: &Self) -> Vec<&'static str> {
        let both = KINDS.iter().zip(self.0.iter().zip(&other.0));
        both.filter(|(_, (one, other))| one != other)
            .map(|(kind, _)| *kind)
            .collect()
    }
}

/// A record without what stores are free to keep in their own way.
fn comparable(record: Record) -> Record {
    match record {
        Record::Delivery(one) => Record::Delivery(Delivery {
            expires: one.expires.min(LAST),
            ..one
        }),
        Record::Receipt(mut one) => {
            one.sessions.sort_by_key(|session| session.id);
            Record::Receipt(Receipt {
                at: one.at.min(LAST),
                ..one
            })
        }
        Record::Session(mut one) => {
            one.credentials
                .iter_mut()
                .for_each(|credential| credential.expires = credential.expires.min(LAST));
            let idle_timeout = one
                .idle_timeout
                .map(|span| Duration::from_millis(span.as_millis().min(1 << 53) as u64));
            Record::Session(Session {
                idle_timeout,
                expires: one.expires.min(LAST),
                ..one
            })
        }
        Record::Once(mut one) => {
            one.expires = one.expires.min(LAST);
            Record::Once(one)
        }
        Record::Tombstone(mut one) => {
            one.expires = one.expires.min(LAST);
            Record::Tombstone(one)
        }
        agreed @ Record::Agreed(_) => agreed,
    }
}

#[cfg(test)]
mod tests {
    use logout_core::credential::CredentialDigest;
    use logout_core::session::SessionId;
    use logout_core::transfer::{Agreed, Tombstone};

    use super::*;

    fn agreed(name: &str, value: &[u8]) -> Record {
        Record::Agreed(Agreed {
            name: name.to_owned(),
            value: value.to_vec(),
        })
    }

    fn tombstone(digest: u8, expires: u64) -> Record {
        let digest = CredentialDigest::from_bytes([digest; 32]);
        Record::Tombstone(Tombstone {
            digest,
            session: SessionId::from_bytes([1; 16]),
            expires: Timestamp::from_millis(expires),
        })
    }

    fn of(records: impl IntoIterator<Item = Record>) -> Tally {
        let mut tally = Tally::default();
        records.into_iter().for_each(|record| tally.add(record));
        tally
    }

    #[test]
    fn the_same_records_in_any_order_make_the_same_tally() {
        let one = of([agreed("a", b"1"), tombstone(1, 5), agreed("b", b"2")]);
        let other = of([tombstone(1, 5), agreed("b", b"2"), agreed("a", b"1")]);
        assert_eq!(one.differing_from(&other), [""; 0]);
        assert_eq!(
            (
                one.counts()["agreed"].as_u64(),
                one.counts()["tombstones"].as_u64()
            ),
            (Some(2), Some(1))
        );
    }

    #[test]
    fn one_record_more_less_or_otherwise_makes_another() {
        let one = of([agreed("a", b"1"), tombstone(1, 5)]);
        assert_eq!(one.differing_from(&of([agreed("a", b"1")])), ["tombstones"]);
        assert_eq!(
            one.differing_from(&of([agreed("a", b"2"), tombstone(1, 5)])),
            ["agreed"]
        );
        assert_eq!(
            one.differing_from(&of([agreed("a", b"1"), tombstone(1, 6)])),
            ["tombstones"]
        );
        assert_eq!(
            one.differing_from(&Tally::default()),
            ["agreed", "tombstones"]
        );
    }

    #[test]
    fn the_end_of_time_is_the_same_in_every_store() {
        assert_eq!(of([tombstone(1, u64::MAX)]), of([tombstone(1, 1 << 60)]));
    }
}
