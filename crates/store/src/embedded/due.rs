//! When which delivery can be leased.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::path::Path;

use logout_core::credential::random_bytes;
use logout_core::platform::PlatformName;
use logout_core::session::SessionId;
use logout_core::time::Timestamp;

use super::engine::{Engine, OpenError};
use super::record::DeliveryRecord;
use super::table::Table;

/// The writer's memory of every pending delivery: where it stands in the queue of its platform, and
/// who holds it.
///
/// A queue on disk would be read from its front, where the markers of everything that was delivered
/// lie until they are merged away, and each lease would cost two writes. Since one process holds
/// the store alone, leases need not outlive it.
///
/// What it holds may be ahead of the disk while a group is not committed: nobody hears of it
/// before, and when the commit fails everything is loaded anew.
#[derive(Debug)]
pub(super) struct Due {
    queues: HashMap<PlatformName, BTreeSet<(Timestamp, SessionId)>>,
    places: HashMap<SessionId, Place>,
    /// The number of the latest lease. Counts on whatever is loaded, from where no other process or
    /// store is likely to have begun: a number that was given out once means that one lease or
    /// none.
    lease: u64,
}

#[derive(Debug)]
struct Place {
    platform: PlatformName,
    /// When it is due, or its lease runs out.
    at: Timestamp,
    /// Who has it, or had it last: the lease counts until somebody settles, or it is given out
    /// again.
    lease: Option<u64>,
}

impl Due {
    pub(super) fn new() -> Self {
        Self {
            queues: HashMap::new(),
            places: HashMap::new(),
            lease: u64::from_be_bytes(random_bytes()) / 2,
        }
    }

    /// Reads in what is pending. All leases are over.
    pub(super) fn load(&mut self, engine: &Engine, path: &Path) -> Result<(), OpenError> {
        self.clear();
        for entry in engine.range(Table::Pending, Bound::Unbounded, Bound::Unbounded) {
            let (key, bytes) = entry.map_err(|source| OpenError::Damaged {
                path: path.to_owned(),
                source,
            })?;
            let Some(session) = key.as_ref().try_into().ok().map(SessionId::from_bytes) else {
                continue;
            };
            match DeliveryRecord::read(&bytes) {
                Ok(record) => self.put(session, record.platform(), record.due()),
                // The others must not wait for it.
                Err(fault) => {
                    log::error!("the delivery of session {session} cannot be carried out: {fault}")
                }
            }
        }
        Ok(())
    }

    /// Forgets everything but which leases were given out.
    pub(super) fn clear(&mut self) {
        self.queues.clear();
        self.places.clear();
    }

    /// `session` waits until `at`, and nobody holds it.
    pub(super) fn put(&mut self, session: SessionId, platform: &str, at: Timestamp) {
        self.remove(session);
        // One name for all of its deliveries.
        let platform = match self.queues.get_key_value(platform) {
            Some((known, _)) => known.clone(),
            None => PlatformName::new(platform),
        };
        self.queues
            .entry(platform.clone())
            .or_default()
            .insert((at, session));
        self.places.insert(
            session,
            Place {
                platform,
                at,
                lease: None,
            },
        );
    }

    /// `session` waits no longer.
    pub(super) fn remove(&mut self, session: SessionId) {
        if let Some(place) = self.places.remove(&session)
            && let Some(queue) = self.queues.get_mut(&place.platform)
        {
            queue.remove(&(place.at, session));
        }
    }

    /// Gives out what is due, soonest first.
    pub(super) fn lease(
        &mut self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<(SessionId, u64)> {
        let Some(queue) = self.queues.get_mut(platform) else {
            return Vec::new();
        };
        let due: Vec<_> = queue
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .copied()
            .collect();
        let mut leased = Vec::with_capacity(due.len());
        for (at, session) in due {
            let Some(place) = self.places.get_mut(&session) else {
                continue;
            };
            self.lease += 1;
            queue.remove(&(at, session));
            queue.insert((until, session));
            (place.at, place.lease) = (until, Some(self.lease));
            leased.push((session, self.lease));
        }
        leased
    }

    /// Whether `lease` is the one that counts.
    pub(super) fn is_held(&self, session: SessionId, lease: u64) -> bool {
        self.places
            .get(&session)
            .is_some_and(|place| place.lease == Some(lease))
    }

    /// Whether anybody has it.
    pub(super) fn is_leased(&self, session: SessionId) -> bool {
        self.places
            .get(&session)
            .is_some_and(|place| place.lease.is_some())
    }

    pub(super) fn next(&self, platform: &PlatformName) -> Option<Timestamp> {
        self.queues.get(platform)?.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CMS: &str = "cms";

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    #[test]
    fn a_number_that_was_given_out_before_everything_was_loaded_anew_is_not_accepted_after() {
        let (mut due, cms) = (Due::new(), PlatformName::new(CMS));
        due.put(id(1), CMS, at(1));
        let (_, before) = due.lease(&cms, 1, at(1), at(9))[0];
        assert!(due.is_held(id(1), before));
        let mut old = vec![before];
        for _ in 0..3 {
            due.clear();
            due.put(id(1), CMS, at(1));
            assert!(old.iter().all(|lease| !due.is_held(id(1), *lease)));
            let (_, after) = due.lease(&cms, 1, at(1), at(9))[0];
            assert!(
                old.iter().all(|lease| !due.is_held(id(1), *lease)) && due.is_held(id(1), after)
            );
            old.push(after);
        }
    }

    #[test]
    fn every_delivery_has_one_place_whatever_happens_to_it() {
        let (mut due, cms) = (Due::new(), PlatformName::new(CMS));
        for number in 0..4 {
            due.put(id(number), CMS, at(u64::from(number)));
        }
        due.put(id(0), CMS, at(50));
        due.lease(&cms, 2, at(3), at(40));
        due.remove(id(2));
        due.remove(id(2));
        assert_eq!(due.next(&cms), Some(at(3)));
        let left: Vec<_> = due.queues[&cms].iter().copied().collect();
        assert_eq!(left, [(at(3), id(3)), (at(40), id(1)), (at(50), id(0))]);
        assert_eq!(due.places.len(), left.len());
    }
}
