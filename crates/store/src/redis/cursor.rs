//! Where housekeeping, or a part of a move, goes on.

/// The kinds of records, in the order in which they are walked through.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Phase {
    /// Tombstones, one-time and agreed values, which no index lists.
    Keys,
    Receipts,
    Deliveries,
    Sessions,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Keys, Self::Receipts, Self::Deliveries, Self::Sessions];

    /// The index of all records of the kind, and the beginning of their keys.
    pub(super) fn index(self) -> (&'static [u8], &'static str) {
        match self {
            Self::Keys => (b"", ""),
            Self::Receipts => (b"R", "r:"),
            Self::Deliveries => (b"D", "d:"),
            Self::Sessions => (b"S", "s:"),
        }
    }
}

/// A place in the walk through one kind of records after the other, each shard by shard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Cursor {
    pub(super) phase: Phase,
    pub(super) shard: u16,
    /// Behind this id, or the server's own cursor; empty at the beginning of a shard.
    pub(super) after: Vec<u8>,
}

impl Cursor {
    pub(super) fn first(phase: Phase) -> Self {
        Self {
            phase,
            shard: 0,
            after: Vec::new(),
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let ([phase, high, low], after) = bytes.split_first_chunk()?;
        let phase = *Phase::ALL.get(usize::from(*phase))?;
        (phase == Phase::Keys || matches!(after.len(), 0 | 16)).then(|| Self {
            phase,
            shard: u16::from_be_bytes([*high, *low]),
            after: after.to_vec(),
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let [high, low] = self.shard.to_be_bytes();
        [&[self.phase as u8, high, low], self.after.as_slice()].concat()
    }

    /// The place behind `last`, or at the next of `shards` where there is nothing more in this one;
    /// `None` at the end of everything.
    pub(super) fn advance(&self, last: Option<Vec<u8>>, shards: u16) -> Option<Self> {
        let Self { phase, shard, .. } = *self;
        if let Some(after) = last {
            return Some(Self {
                phase,
                shard,
                after,
            });
        }
        if shard + 1 < shards {
            return Some(Self {
                phase,
                shard: shard + 1,
                after: Vec::new(),
            });
        }
        let next = Phase::ALL.into_iter().find(|next| *next > phase);
        next.map(Self::first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_written_and_nothing_else_is_read() {
        for phase in Phase::ALL {
            for after in [Vec::new(), vec![7; 16]] {
                let cursor = Cursor {
                    phase,
                    shard: 300,
                    after,
                };
                assert_eq!(Cursor::read(&cursor.to_bytes()), Some(cursor));
            }
        }
        for strange in [&[][..], &[0, 0], &[9, 0, 0], &[1, 0, 0, 5]] {
            assert_eq!(Cursor::read(strange), None);
        }
    }

    #[test]
    fn a_walk_comes_to_every_shard_in_every_phase() {
        let mut next = Some(Cursor::first(Phase::Keys));
        let mut seen = Vec::new();
        while let Some(cursor) = next {
            next = cursor.advance(None, 2);
            seen.push((cursor.phase, cursor.shard));
        }
        let all = Phase::ALL
            .into_iter()
            .flat_map(|phase| [(phase, 0), (phase, 1)]);
        assert!(all.eq(seen));
    }
}
