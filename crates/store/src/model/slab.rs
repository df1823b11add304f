//! Values in numbered places that stay where they are.

/// The number of a place.
pub(super) type Place = u32;

/// Places are made this many at a time, so that growing never moves what is there.
const CHUNK: usize = 4_096;

/// A growing row of places; those that became free are used again.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<Place>,
    used: Place,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            used: 0,
        }
    }
}

fn split(place: Place) -> (usize, usize) {
    (place as usize / CHUNK, place as usize % CHUNK)
}

impl<T> Slab<T> {
    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.used as usize - self.free.len()
    }

    /// One more than the highest place that was ever used.
    pub(super) fn end(&self) -> Place {
        self.used
    }

    pub(super) fn insert(&mut self, value: T) -> Place {
        if let Some(place) = self.free.pop() {
            let (chunk, at) = split(place);
            self.chunks[chunk][at] = Some(value);
            return place;
        }
        let place = self.used;
        if split(place).1 == 0 {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[split(place).0].push(Some(value));
        self.used += 1;
        place
    }

    pub(super) fn get(&self, place: Place) -> Option<&T> {
        let (chunk, at) = split(place);
        self.chunks.get(chunk)?.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        let (chunk, at) = split(place);
        self.chunks.get_mut(chunk)?.get_mut(at)?.as_mut()
    }

    /// Puts a value in place of another, which is returned.
    pub(super) fn replace(&mut self, place: Place, value: T) -> Option<T> {
        self.get_mut(place)
            .map(|before| std::mem::replace(before, value))
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        let (chunk, at) = split(place);
        let value = self.chunks.get_mut(chunk)?.get_mut(at)?.take();
        if value.is_some() {
            self.free.push(place);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_value_until_it_is_removed_and_is_used_again() {
        let mut slab = Slab::default();
        let places: Vec<_> = (0..2 * CHUNK).map(|value| slab.insert(value)).collect();
        assert_eq!((slab.len(), slab.end() as usize), (2 * CHUNK, 2 * CHUNK));
        assert_eq!(slab.remove(places[7]), Some(7));
        assert_eq!((slab.remove(places[7]), slab.get(places[7])), (None, None));
        assert_eq!(slab.get(places[CHUNK]), Some(&CHUNK));
        assert_eq!(slab.insert(99), places[7]);
        assert_eq!((slab.len(), slab.get(Place::MAX)), (2 * CHUNK, None));
    }
}
