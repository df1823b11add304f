//! The places of sessions by their ids, in the order of ids.

use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;

use logout_core::session::SessionId;

use super::slab::Place;

/// A block holds at most so many.
const BLOCK: usize = 128;

/// Sorted blocks. Ids mostly come in their order, and then fill their blocks: 20 bytes each, where
/// a map takes twice that.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// By an id that is at most the first of the block, and above all of the block before. None is
    /// empty.
    blocks: BTreeMap<SessionId, Vec<(SessionId, Place)>>,
}

impl Ids {
    pub(super) fn get(&self, id: SessionId) -> Option<Place> {
        let block = match self.blocks.last_key_value() {
            // It is found several times as fast, and new sessions are in it.
            Some((first, block)) if *first <= id => block,
            _ => self.blocks.range(..=id).next_back()?.1,
        };
        let at = block.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(block[at].1)
    }

    /// Lets an id lead to a place, unless it leads to one, which is returned then.
    pub(super) fn insert(&mut self, id: SessionId, place: Place) -> Option<Place> {
        let last = self.blocks.last_key_value().map(|(first, _)| *first);
        let block = if last.is_some_and(|first| first <= id) {
            self.blocks.last_entry().map(OccupiedEntry::into_mut)
        } else {
            let before = self.blocks.range_mut(..=id).next_back();
            before.map(|(_, block)| block)
        };
        let Some(block) = block else {
            self.insert_first(id, place);
            return None;
        };
        let at = match block.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => return Some(block[at].1),
            Err(at) => at,
        };
        if block.len() < BLOCK {
            block.insert(at, (id, place));
            return None;
        }
        let mut behind = Vec::with_capacity(BLOCK);
        if at == BLOCK {
            behind.push((id, place));
        } else {
            behind.extend(block.drain(BLOCK / 2..));
            if at <= BLOCK / 2 {
                block.insert(at, (id, place));
            } else {
                behind.insert(at - BLOCK / 2, (id, place));
            }
        }
        self.blocks.insert(behind[0].0, behind);
        None
    }

    /// Inserts an id that is below all others.
    fn insert_first(&mut self, id: SessionId, place: Place) {
        let block = match self.blocks.first_entry() {
            Some(first) if first.get().len() < BLOCK => {
                let mut block = first.remove();
                block.insert(0, (id, place));
                block
            }
            _ => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push((id, place));
                block
            }
        };
        self.blocks.insert(id, block);
    }

    /// Forgets an id. The place that it led to, if it did.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Place> {
        let (first, block) = self.blocks.range_mut(..=id).next_back()?;
        let at = block.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let (_, place) = block.remove(at);
        // Not with each id: a neighbour that is full would be asked each time.
        if block.len().is_multiple_of(BLOCK / 8) && block.len() <= BLOCK / 4 {
            let first = *first;
            self.join(first);
        }
        Some(place)
    }

    /// Adds a block to the one before it, if there is room for both.
    fn join(&mut self, first: SessionId) {
        let length = self.blocks.get(&first).map_or(0, Vec::len);
        let before = self.blocks.range(..first).next_back();
        let has_room = |block: &Vec<_>| block.len() + length <= BLOCK * 3 / 4;
        let Some(before) = before.and_then(|(id, block)| has_room(block).then_some(*id)) else {
            if length == 0 {
                self.blocks.remove(&first);
            }
            return;
        };
        if let Some(block) = self.blocks.remove(&first)
            && let Some(before) = self.blocks.get_mut(&before)
        {
            before.extend(block);
        }
    }

    /// Those behind an id, or all, in the order of ids.
    pub(super) fn after(
        &self,
        after: Option<SessionId>,
    ) -> impl Iterator<Item = (SessionId, Place)> + '_ {
        let first = after.and_then(|after| self.blocks.range(..=after).next_back());
        let from = first.map(|(first, _)| *first);
        let blocks = match from {
            Some(from) => self.blocks.range(from..),
            None => self.blocks.range(..),
        };
        blocks
            .flat_map(|(_, block)| block.iter().copied())
            .skip_while(move |(id, _)| after.is_some_and(|after| *id <= after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> SessionId {
        SessionId::from_bytes([number.to_be_bytes(), [0; 8]].concat().try_into().unwrap())
    }

    /// Puts the numbers in and takes most of them out again, each beside a map.
    fn check(numbers: &[u64]) -> usize {
        let (mut ids, mut map) = (Ids::default(), BTreeMap::new());
        for (place, number) in (0..).zip(numbers) {
            assert_eq!(ids.insert(id(*number), place), map.get(number).copied());
            map.entry(*number).or_insert(place);
        }
        let full = ids.blocks.len();
        for (turn, number) in numbers.iter().rev().enumerate() {
            let same = |(number, place): (&u64, &Place)| (id(*number), *place);
            assert_eq!(ids.get(id(*number)), map.get(number).copied());
            if turn % 1_000 == 0 {
                assert!(ids.after(None).eq(map.iter().map(same)));
                let behind = map.range(number + 1..).map(same);
                assert!(ids.after(Some(id(*number))).eq(behind));
            }
            assert_eq!(ids.remove(id(*number)), map.remove(number));
            assert_eq!(ids.remove(id(*number)), None);
            assert!(ids.blocks.values().all(|block| block.len() <= BLOCK));
        }
        assert_eq!((ids.after(None).count(), map.len()), (0, 0));
        full
    }

    #[test]
    fn ids_in_their_order_fill_their_blocks() {
        let numbers: Vec<u64> = (0..10_000).collect();
        assert_eq!(check(&numbers), 10_000_usize.div_ceil(BLOCK));
    }

    #[test]
    fn ids_in_any_order_are_found_in_their_order() {
        let down: Vec<u64> = (0..5_000).rev().collect();
        check(&down);
        let scattered: Vec<u64> = (0..10_000).map(|turn| turn * 7_919 % 10_007).collect();
        check(&scattered);
        let twice: Vec<u64> = (0..5_000).map(|turn| turn * 7_919 % 1_009).collect();
        let mut ids = Ids::default();
        for number in &twice {
            ids.insert(id(*number), 0);
        }
        assert_eq!(ids.after(None).count(), 1_009);
    }

    #[test]
    fn blocks_that_have_become_small_are_joined() {
        let mut ids = Ids::default();
        for number in 0..10_000 {
            ids.insert(id(number), 0);
        }
        for number in (0..10_000).filter(|number| number % 50 > 0) {
            ids.remove(id(number));
        }
        assert_eq!(ids.after(None).count(), 200);
        assert!(ids.blocks.len() < 20, "{}", ids.blocks.len());
    }
}
