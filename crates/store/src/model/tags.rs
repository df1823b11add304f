//! A compact hash table from tags to places.

use hashbrown::HashTable;
use logout_core::credential::CredentialDigest;
use logout_core::session::SsoSessionId;

use super::slab::Place;

/// A few bits of a key's hash. Different keys may share a tag; the record at the place tells.
pub(super) type Tag = u32;

/// The table is cut into this many parts, so that a part that grows holds nobody up for long.
const PARTS: usize = 64;

/// Eight bytes for a key, and as much again at most for free room.
#[derive(Debug)]
pub(super) struct Tags(Vec<HashTable<(Tag, Place)>>);

impl Default for Tags {
    fn default() -> Self {
        Self(std::iter::repeat_with(HashTable::new).take(PARTS).collect())
    }
}

/// The table looks at the low bits first. Those of the product know only the low bits of the tag,
/// some of which are the same in all of a part.
fn hash(tag: Tag) -> u64 {
    let product = u64::from(tag).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 32)
}

fn part(tag: Tag) -> usize {
    tag as usize % PARTS
}

impl Tags {
    pub(super) fn insert(&mut self, tag: Tag, place: Place) {
        self.0[part(tag)].insert_unique(hash(tag), (tag, place), |(tag, _)| hash(*tag));
    }

    /// The first place under `tag` that `matches`.
    pub(super) fn find(&self, tag: Tag, mut matches: impl FnMut(Place) -> bool) -> Option<Place> {
        self.0[part(tag)]
            .find(hash(tag), |(known, place)| *known == tag && matches(*place))
            .map(|(_, place)| *place)
    }

    /// Puts what `to` makes in the place of `from`, if that is there.
    pub(super) fn replace_with(&mut self, tag: Tag, from: Place, to: impl FnOnce() -> Place) {
        if let Some(entry) = self.0[part(tag)].find_mut(hash(tag), |entry| *entry == (tag, from)) {
            entry.1 = to();
        }
    }

    /// Takes `place` out; whether it was there.
    pub(super) fn remove(&mut self, tag: Tag, place: Place) -> bool {
        self.0[part(tag)]
            .find_entry(hash(tag), |entry| *entry == (tag, place))
            .is_ok_and(|entry| {
                entry.remove();
                true
            })
    }
}

pub(super) fn tag(digest: &CredentialDigest) -> Tag {
    let [a, b, c, d, ..] = *digest.as_bytes();
    Tag::from_le_bytes([a, b, c, d])
}

pub(super) fn sign_on_tag(id: SsoSessionId) -> Tag {
    let [.., a, b, c, d] = *id.as_bytes();
    Tag::from_le_bytes([a, b, c, d])
}

pub(super) fn shortened(hash: u64) -> Tag {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    Tag::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_tags_of_a_part_are_spread_over_all_of_it() {
        let of_a_part = (0..1_000).map(|number| number * PARTS as Tag);
        let first: BTreeSet<_> = of_a_part.map(|tag| hash(tag) % 1_000).collect();
        assert!(first.len() > 500, "{}", first.len());
    }
}
