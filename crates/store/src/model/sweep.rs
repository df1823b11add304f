//! Housekeeping: what is forgotten, and which sessions have expired.
//!
//! Forgetting is not written down: what a restart brings back is forgotten again.

use std::ops::Bound;

use logout_core::credential::CredentialDigest;
use logout_core::delivery::Delivery;
use logout_core::session::SessionId;
use logout_core::store::SweepPage;
use logout_core::time::Timestamp;

use super::Model;
use super::slab::Place;
use crate::record::{DeliveryRecord, RecordError};
use crate::rules::{Fate, Horizon};

/// What a round looks at, in this order. A cursor is the number of one and the last key seen there.
const ROUND: [Step; 6] = [
    Model::sweep_tombstones,
    Model::sweep_once,
    Model::sweep_receipts,
    Model::sweep_deliveries,
    Model::sweep_confirmed,
    Model::sweep_sessions,
];

/// Looks at what lies behind a key, and says how far it came, unless that was the end.
type Step = fn(&mut Model, &mut Sweep<'_>) -> Result<Option<Vec<u8>>, RecordError>;

struct Sweep<'a> {
    after: Option<&'a [u8]>,
    left: usize,
    horizon: Horizon,
    expired: Vec<SessionId>,
}

impl Sweep<'_> {
    fn after<const N: usize>(&self) -> Option<[u8; N]> {
        self.after.and_then(|key| key.try_into().ok())
    }
}

impl Model {
    pub(crate) fn sweep(
        &mut self,
        from: Option<&[u8]>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, RecordError> {
        let (start, after) = match from.and_then(<[u8]>::split_first) {
            Some((number, key)) => (usize::from(*number), Some(key)),
            None => (0, None),
        };
        let mut sweep = Sweep {
            after,
            left: limit.max(1),
            horizon: Horizon {
                now,
                receipts_until,
            },
            expired: Vec::new(),
        };
        for (number, step) in (0..).zip(ROUND).skip(start) {
            if sweep.left == 0 {
                // The step before came to its end with the last look.
                return Ok(SweepPage {
                    expired: sweep.expired,
                    next: Some(vec![number]),
                });
            }
            if let Some(last) = step(self, &mut sweep)? {
                return Ok(SweepPage {
                    expired: sweep.expired,
                    next: Some([&[number], last.as_slice()].concat()),
                });
            }
            sweep.after = None;
        }
        Ok(SweepPage {
            expired: sweep.expired,
            next: None,
        })
    }

    fn sweep_tombstones(&mut self, sweep: &mut Sweep<'_>) -> Result<Option<Vec<u8>>, RecordError> {
        let first = sweep
            .after()
            .map_or(0, |key| Place::from_le_bytes(key).saturating_add(1));
        for place in first..self.tombstones.end() {
            if sweep.left == 0 {
                let last = place.saturating_sub(1);
                return Ok(Some(last.to_le_bytes().to_vec()));
            }
            sweep.left -= 1;
            if let Some(tombstone) = self.tombstones.get(place)
                && sweep.horizon.is_over(tombstone.expires)
            {
                let digest = tombstone.digest;
                self.free(&digest);
            }
        }
        Ok(None)
    }

    fn sweep_once(&mut self, sweep: &mut Sweep<'_>) -> Result<Option<Vec<u8>>, RecordError> {
        let after = sweep.after().map(CredentialDigest::from_bytes);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ahead = self.once.range((from, Bound::Unbounded));
        let looked: Vec<_> = ahead
            .take(sweep.left)
            .map(|(key, (_, expires))| (*key, *expires))
            .collect();
        sweep.left -= looked.len();
        for (key, expires) in &looked {
            if sweep.horizon.is_over(*expires) {
                self.once.remove(key);
            }
        }
        Ok(last(
            sweep.left,
            looked.last().map(|(key, _)| key.as_bytes()),
        ))
    }

    fn sweep_receipts(&mut self, sweep: &mut Sweep<'_>) -> Result<Option<Vec<u8>>, RecordError> {
        let until = sweep.horizon.first_receipt();
        while sweep.left > 0 {
            if !self.receipts.forget_below(until.as_bytes()) {
                return Ok(None);
            }
            sweep.left -= 1;
        }
        Ok(Some(Vec::new()))
    }

    fn sweep_deliveries(&mut self, sweep: &mut Sweep<'_>) -> Result<Option<Vec<u8>>, RecordError> {
        let after = sweep.after().map(SessionId::from_bytes);
        let looked: Vec<_> = self
            .outbox
            .after(after)
            .take(sweep.left)
            .map(|delivery| (delivery.session, sweep.horizon.fate(delivery)))
            .collect();
        sweep.left -= looked.len();
        for (session, fate) in &looked {
            match fate {
                Fate::Forget => self.outbox.remove(*session),
                Fate::Keep => {}
                Fate::Unseal => {
                    let unsealed = self.outbox.get(*session).map(|delivery| Delivery {
                        sealed: None,
                        ..delivery.clone()
                    });
                    if let Some(unsealed) = unsealed {
                        self.put_delivery(&unsealed)?;
                    }
                }
            }
        }
        Ok(last(
            sweep.left,
            looked.last().map(|(session, _)| session.as_bytes()),
        ))
    }

    fn sweep_confirmed(&mut self, sweep: &mut Sweep<'_>) -> Result<Option<Vec<u8>>, RecordError> {
        let looked = self.confirmed.after(sweep.after(), sweep.left);
        sweep.left -= looked.len();
        for (key, record) in &looked {
            let delivery =
                DeliveryRecord::read(record)?.to_delivery(SessionId::from_bytes(*key))?;
            if sweep.horizon.fate(&delivery) == Fate::Forget {
                self.confirmed.remove(key);
            }
        }
        Ok(last(sweep.left, looked.last().map(|(key, _)| key)))
    }

    fn sweep_sessions(&mut self, sweep: &mut Sweep<'_>) -> Result<Option<Vec<u8>>, RecordError> {
        let after = sweep.after().map(SessionId::from_bytes);
        let mut ahead = self.by_id.after(after);
        let mut seen = None;
        for (id, place) in ahead.by_ref().take(sweep.left) {
            seen = Some(id);
            if let Some(entry) = self.sessions.get(place)
                && !entry.is_live(&entry.read()?, sweep.horizon.now)
            {
                sweep.expired.push(id);
            }
        }
        Ok(ahead.next().and(seen).map(|last| last.as_bytes().to_vec()))
    }
}

/// The last key that was seen, where there may be more.
fn last<const N: usize>(left: usize, key: Option<&[u8; N]>) -> Option<Vec<u8>> {
    key.filter(|_| left == 0).map(|key| key.to_vec())
}
