//! Which sessions belong to a person, a sign-on, a subject.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use logout_core::session::{Session, SessionId, SsoSessionId};
use sha2::{Digest as _, Sha256};

use super::engine::{Engine, ReadError};
use super::record::SessionRecord;
use super::table::Table;

/// How many sessions [`Members`] remembers at most, over all keys.
const REMEMBERED: usize = 65_536;

/// What sessions have in common: the table for the kind, sixteen bytes for the value.
///
/// The hash is cut to 128 bits to save space. Whoever reads the index compares the session's record
/// as well, so that a collision, however it was brought about, ends nobody else's session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct IndexKey {
    pub(super) table: Table,
    hash: [u8; 16],
}

impl IndexKey {
    pub(super) fn person(person: &str) -> Self {
        Self::hashed(Table::Persons, &[person])
    }

    pub(super) fn subject(platform: &str, realm: &str, name: &str) -> Self {
        Self::hashed(Table::Subjects, &[platform, realm, name])
    }

    /// Under which keys `session` is listed with an entry of its own.
    pub(super) fn all_of(session: &Session) -> impl Iterator<Item = Self> {
        [
            Some(Self::subject(
                session.platform.as_str(),
                &session.subject.realm,
                &session.subject.name,
            )),
            session
                .person
                .as_ref()
                .map(|person| Self::person(person.as_str())),
        ]
        .into_iter()
        .flatten()
    }

    /// The same of a record.
    pub(super) fn all_of_record(session: &SessionRecord<'_>) -> impl Iterator<Item = Self> {
        [
            Some(Self::subject(
                session.platform(),
                session.realm(),
                session.name(),
            )),
            session.person().map(Self::person),
        ]
        .into_iter()
        .flatten()
    }

    /// The key of one entry, in `table`.
    pub(super) fn entry(self, session: SessionId) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.hash);
        bytes[16..].copy_from_slice(session.as_bytes());
        bytes
    }

    fn hashed(table: Table, parts: &[&str]) -> Self {
        let mut sum = Sha256::new();
        for part in parts {
            sum.update((part.len() as u64).to_be_bytes());
            sum.update(part.as_bytes());
        }
        let digest: [u8; 32] = sum.finalize().into();
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        Self { table, hash }
    }
}

/// The sessions listed under `key` after `after`, in the order of their ids. May name some that
/// have just ended.
pub(super) fn listed(
    engine: &Engine,
    key: IndexKey,
    after: Option<SessionId>,
) -> impl Iterator<Item = Result<SessionId, ReadError>> + use<> {
    let from = key.entry(after.unwrap_or(SessionId::from_bytes([0; 16])));
    let to = key.entry(SessionId::from_bytes([u8::MAX; 16]));
    engine
        .range(key.table, Bound::Included(&from), Bound::Included(&to))
        .filter_map(move |entry| {
            let id = entry.map(|(entry, _)| {
                entry
                    .get(16..)
                    .and_then(|id| id.try_into().ok())
                    .map(SessionId::from_bytes)
            });
            match id {
                Ok(id) => id
                    .filter(|id| after.is_none_or(|after| *id > after))
                    .map(Ok),
                Err(fault) => Some(Err(fault.into())),
            }
        })
}

/// The writer's memory of who belongs to the keys it has lately been asked for.
///
/// Removed entries stay in the database as markers until they are merged away. For somebody who
/// signs in and out all day, walking over the markers would soon take longer than everything else,
/// so a list that was read once is kept up to date.
#[derive(Default)]
pub(super) struct Members {
    lists: HashMap<IndexKey, BTreeSet<SessionId>>,
    remembered: usize,
}

impl Members {
    /// The sessions listed under `key` as of the last commit.
    pub(super) fn of(
        &mut self,
        engine: &Engine,
        key: IndexKey,
    ) -> Result<&BTreeSet<SessionId>, ReadError> {
        if !self.lists.contains_key(&key) {
            let list = listed(engine, key, None).collect::<Result<BTreeSet<_>, _>>()?;
            if self.remembered + list.len() + 1 > REMEMBERED {
                self.clear();
            }
            self.remembered += list.len() + 1;
            self.lists.insert(key, list);
        }
        Ok(self.lists.entry(key).or_default())
    }

    /// Follows a commit that listed `session` under `key`.
    pub(super) fn add(&mut self, key: IndexKey, session: SessionId) {
        if let Some(list) = self.lists.get_mut(&key)
            && list.insert(session)
        {
            self.remembered += 1;
        }
    }

    /// Follows a commit that took it off.
    pub(super) fn remove(&mut self, key: IndexKey, session: SessionId) {
        if let Some(list) = self.lists.get_mut(&key)
            && list.remove(&session)
        {
            self.remembered -= 1;
        }
    }

    /// Forgets everything: nothing is known about what the last commit did.
    pub(super) fn clear(&mut self) {
        self.lists.clear();
        self.remembered = 0;
    }
}

/// The sessions of sign-ons, as a group of operations finds and leaves them.
///
/// A sign-on has a handful of sessions, and ends or is asked for at every sign-out that reaches it.
/// So its list is one record, found by its key, where an entry for each session would have to be
/// walked.
#[derive(Default)]
pub(super) struct SignOns(HashMap<SsoSessionId, SignOn>);

#[derive(Default)]
struct SignOn {
    sessions: Vec<SessionId>,
    changed: bool,
}

impl SignOns {
    /// The sessions of `id`.
    pub(super) fn of(
        &mut self,
        engine: &Engine,
        id: SsoSessionId,
    ) -> Result<&[SessionId], ReadError> {
        self.load(engine, id)
            .map(|sign_on| sign_on.sessions.as_slice())
    }

    /// Puts `session` on the list of `id`.
    pub(super) fn add(
        &mut self,
        engine: &Engine,
        id: SsoSessionId,
        session: SessionId,
    ) -> Result<(), ReadError> {
        let sign_on = self.load(engine, id)?;
        sign_on.sessions.push(session);
        sign_on.changed = true;
        Ok(())
    }

    /// Takes `session` off the list of `id`, which has been asked for before.
    pub(super) fn remove(&mut self, id: SsoSessionId, session: SessionId) {
        let sign_on = self.0.entry(id).or_default();
        sign_on.sessions.retain(|listed| *listed != session);
        sign_on.changed = true;
    }

    /// The lists that have changed; an empty one is not to be kept.
    pub(super) fn changed(self) -> impl Iterator<Item = (SsoSessionId, Vec<u8>)> {
        let changed = self.0.into_iter().filter(|(_, sign_on)| sign_on.changed);
        changed.map(|(id, sign_on)| {
            let bytes = sign_on
                .sessions
                .iter()
                .flat_map(|session| *session.as_bytes())
                .collect();
            (id, bytes)
        })
    }

    fn load(&mut self, engine: &Engine, id: SsoSessionId) -> Result<&mut SignOn, ReadError> {
        match self.0.entry(id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let bytes = engine.read(Table::SignOns, id.as_bytes())?;
                let (ids, _) = bytes.as_deref().unwrap_or_default().as_chunks();
                let sessions = ids.iter().copied().map(SessionId::from_bytes).collect();
                Ok(unknown.insert(SignOn {
                    sessions,
                    changed: false,
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_kinds_and_values_differ() {
        let keys = [
            IndexKey::person("a"),
            IndexKey::person("b"),
            IndexKey::subject("a", "", ""),
            IndexKey::subject("", "a", ""),
            IndexKey::subject("", "", "a"),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys[at + 1..].iter().all(|other| other != key));
        }
    }
}
