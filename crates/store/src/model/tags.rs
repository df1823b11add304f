//! A compact hash table from tags to places.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use logout_core::credential::CredentialDigest;
use logout_core::session::SsoSessionId;

use super::slab::Place;
use crate::record::SessionRecord;

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

    /// Puts a place under `tag`, where there is only one. The place that was there.
    pub(super) fn put(&mut self, tag: Tag, place: Place) -> Option<Place> {
        let table = &mut self.0[part(tag)];
        match table.entry(hash(tag), |known| known.0 == tag, |known| hash(known.0)) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(&mut entry.get_mut().1, place)),
            Entry::Vacant(entry) => {
                entry.insert((tag, place));
                None
            }
        }
    }

    /// The first place under `tag` that `matches`.
    pub(super) fn find(&self, tag: Tag, mut matches: impl FnMut(Place) -> bool) -> Option<Place> {
        self.0[part(tag)]
            .find(hash(tag), |(known, place)| *known == tag && matches(*place))
            .map(|(_, place)| *place)
    }

    /// Brings what lies under `tag` closer to the processor, or the room where it would lie.
    pub(super) fn warm(&self, tag: Tag) -> Place {
        let found = self.find(tag, |_| true);
        found.unwrap_or_default()
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

/// The tags of a session's person, sign-on and subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionTags {
    pub(super) person: Option<Tag>,
    pub(super) sign_on: Option<Tag>,
    pub(super) subject: Tag,
}

/// Makes tags of what users choose, so that they cannot choose the tags.
#[derive(Clone, Debug, Default)]
pub(super) struct TagHasher(RandomState);

impl TagHasher {
    pub(super) fn tags_of(&self, record: &SessionRecord<'_>) -> SessionTags {
        SessionTags {
            person: record.person().map(|person| self.person(person)),
            sign_on: record.sign_on().map(sign_on_tag),
            subject: self.subject(record.platform(), record.realm(), record.name()),
        }
    }

    pub(super) fn person(&self, person: &str) -> Tag {
        shortened(self.0.hash_one(person))
    }

    pub(super) fn subject(&self, platform: &str, realm: &str, name: &str) -> Tag {
        shortened(self.0.hash_one((platform, realm, name)))
    }

    pub(super) fn user_agent(&self, text: &str) -> Tag {
        shortened(self.0.hash_one(text))
    }
}

fn shortened(hash: u64) -> Tag {
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
