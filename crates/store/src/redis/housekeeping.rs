//! Goes through all buckets in steps: receipts, deliveries, sessions.

use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::store::SweepPage;
use logout_core::time::Timestamp;

use super::bucket::{Range, beyond};
use super::link::LinkError;
use super::listing::CHUNK;
use super::places::Places;
use super::record::{self, Fate, Row};
use super::script;

impl Places {
    pub(super) async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, LinkError> {
        self.forget_until(now);
        let mut cursor = from.as_deref().and_then(Cursor::read).unwrap_or_default();
        let mut swept = SweepPage::default();
        let mut left = limit.max(1);
        while left > 0 && cursor.place < self.count() {
            let step = left.min(CHUNK);
            let bucket = self.bucket(cursor.place);
            let (index, until, records): (&[u8], _, _) = match cursor.phase {
                Phase::Receipts => (
                    b"R",
                    beyond(Some(ReceiptId::first_at(receipts_until).as_bytes()), "+"),
                    "r:",
                ),
                Phase::Deliveries => (b"D", b"+".to_vec(), "d:"),
                Phase::Sessions => (b"S", b"+".to_vec(), "s:"),
            };
            let range = Range {
                index: index.to_vec(),
                from: beyond(cursor.after.as_ref(), "-"),
                until,
                newest_first: false,
                records,
            };
            let found = bucket.page(&range, step).await?;
            let mut gone: Vec<&[u8]> = Vec::new();
            for (id, record) in &found.items {
                match cursor.phase {
                    Phase::Receipts => gone.push(id),
                    Phase::Deliveries | Phase::Sessions if record.is_empty() => gone.push(id),
                    Phase::Deliveries => {
                        let mut row = Row::read(SessionId::from_bytes(*id), record)?;
                        match row.fate(now, receipts_until) {
                            Fate::Keep => {}
                            // Somebody who changed it in between has a reason; the next walk looks
                            // again.
                            Fate::Forget => drop(bucket.forget(&row, record).await?),
                            Fate::Unseal => {
                                row.delivery.sealed = None;
                                bucket.change(&row, record, None, None).await?;
                            }
                        }
                    }
                    Phase::Sessions => {
                        let session = record::read_session(SessionId::from_bytes(*id), record)?;
                        if session.is_expired(now) {
                            swept.expired.push(session.id);
                        }
                    }
                }
            }
            if !gone.is_empty() {
                let mut arguments = vec![index, records.as_bytes()];
                arguments.append(&mut gone);
                match cursor.phase {
                    Phase::Sessions => bucket.write(&script::UNLIST, &arguments[2..]).await?,
                    Phase::Deliveries | Phase::Receipts => {
                        bucket.write(&script::FORGET, &arguments).await?
                    }
                };
            }
            left -= found.items.len().min(left);
            cursor.advance(found.items.last().map(|(id, _)| *id).filter(|_| found.more));
        }
        swept.next = (cursor.place < self.count()).then(|| cursor.to_bytes());
        Ok(swept)
    }
}

/// Where housekeeping goes on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Cursor {
    place: u16,
    phase: Phase,
    after: Option<[u8; 16]>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Receipts,
    Deliveries,
    Sessions,
}

impl Cursor {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (head, after) = bytes.split_first_chunk::<3>()?;
        let phase = [Phase::Receipts, Phase::Deliveries, Phase::Sessions]
            .into_iter()
            .find(|phase| *phase as u8 == head[2])?;
        let after = if after.is_empty() {
            None
        } else {
            Some(after.try_into().ok()?)
        };
        Some(Self {
            place: u16::from_be_bytes([head[0], head[1]]),
            phase,
            after,
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.place.to_be_bytes().to_vec();
        bytes.push(self.phase as u8);
        bytes.extend_from_slice(self.after.as_ref().map_or(&[], <[u8; 16]>::as_slice));
        bytes
    }

    /// Behind `last`, or, where that was the end of an index, at the next one.
    fn advance(&mut self, last: Option<[u8; 16]>) {
        self.after = last;
        if last.is_none() {
            self.phase = match self.phase {
                Phase::Receipts => Phase::Deliveries,
                Phase::Deliveries => Phase::Sessions,
                Phase::Sessions => {
                    self.place += 1;
                    Phase::Receipts
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_given_out_and_reads_nothing_else() {
        for phase in [Phase::Receipts, Phase::Deliveries, Phase::Sessions] {
            for after in [None, Some([7; 16])] {
                let cursor = Cursor {
                    place: 300,
                    phase,
                    after,
                };
                assert_eq!(Cursor::read(&cursor.to_bytes()), Some(cursor));
            }
        }
        for strange in [&[][..], &[0, 0], &[0, 0, 9], &[0, 0, 1, 5]] {
            assert_eq!(Cursor::read(strange), None);
        }
    }
}
