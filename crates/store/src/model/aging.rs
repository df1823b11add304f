//! Records that never change again, on their way into an archive.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// The bytes of a receipt's or a session's id.
pub(crate) type Key = [u8; 16];

/// Records in the order of their keys.
pub(crate) type Records = BTreeMap<Key, Vec<u8>>;

/// Records that came since the last cut, and those from before it, which somebody is archiving.
#[derive(Debug, Default)]
pub(super) struct Aging {
    young: Records,
    old: Arc<Records>,
}

impl Aging {
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&[u8]> {
        let record = self.young.get(key).or_else(|| self.old.get(key))?;
        Some(record)
    }

    pub(super) fn insert(&mut self, key: Key, record: Vec<u8>) {
        self.young.insert(key, record);
    }

    /// The first records behind `after`, at most `limit`.
    pub(super) fn after(&self, after: Option<Key>, limit: usize) -> Vec<(Key, Vec<u8>)> {
        let from = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        );
        let of = |records: &Records| records.range(from).take(limit).map(cloned).collect();
        let parts: [Vec<_>; 2] = [of(&self.young), of(&self.old)];
        merged(parts.into_iter().flatten(), limit)
    }

    /// The last records before `before`, at most `limit`, the last one first.
    pub(super) fn before(&self, before: Option<Key>, limit: usize) -> Vec<(Key, Vec<u8>)> {
        let to = (
            Bound::Unbounded,
            before.map_or(Bound::Unbounded, Bound::Excluded),
        );
        let of = |records: &Records| records.range(to).rev().take(limit).map(cloned).collect();
        let parts: [Vec<_>; 2] = [of(&self.young), of(&self.old)];
        merged_down(parts.into_iter().flatten(), limit)
    }

    /// The first of the young records, if its key is below `until`, is forgotten; whether one was.
    pub(super) fn forget_below(&mut self, until: &Key) -> bool {
        match self.young.first_entry() {
            Some(first) if first.key() < until => {
                first.remove();
                true
            }
            _ => false,
        }
    }

    /// Forgets a young record.
    pub(super) fn remove(&mut self, key: &Key) {
        self.young.remove(key);
    }

    /// Makes the young records old ones, and hands them out to be archived. There are no old ones
    /// left from before.
    pub(super) fn cut(&mut self) -> Arc<Records> {
        let young = std::mem::take(&mut self.young);
        if self.old.is_empty() {
            self.old = Arc::new(young);
        } else {
            // The archive failed: what it was given then comes along once more.
            Arc::make_mut(&mut self.old).extend(young);
        }
        self.old.clone()
    }

    /// Forgets the old records: they are in the archive.
    pub(super) fn forget_old(&mut self) -> Arc<Records> {
        std::mem::take(&mut self.old)
    }
}

fn cloned((key, record): (&Key, &Vec<u8>)) -> (Key, Vec<u8>) {
    (*key, record.clone())
}

/// Each key once, in order, the first `limit`. Of two with one key the first counts.
pub(crate) fn merged<T>(records: impl Iterator<Item = (Key, T)>, limit: usize) -> Vec<(Key, T)> {
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(|(key, _)| *key);
    records.dedup_by_key(|(key, _)| *key);
    records.truncate(limit);
    records
}

/// As [`merged`], the last one first.
pub(crate) fn merged_down<T>(
    records: impl Iterator<Item = (Key, T)>,
    limit: usize,
) -> Vec<(Key, T)> {
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
    records.dedup_by_key(|(key, _)| *key);
    records.truncate(limit);
    records
}
