//! Which sessions belong to a person, a sign-on, a subject.

use std::collections::{BTreeSet, HashMap};

use logout_core::session::{Session, SessionId, SignOnId};
use sha2::{Digest as _, Sha256};

use super::engine::{Engine, ReadFault, Table};
use super::record::SessionRecord;

const PERSON: u8 = 1;
const SIGN_ON: u8 = 2;
const SUBJECT: u8 = 3;

/// How many sessions [`Members`] remembers at most, over all keys.
const REMEMBERED: usize = 65_536;

/// What sessions have in common: one byte for the kind, sixteen for the value.
///
/// The hash is cut to 128 bits to save space. Whoever reads the index compares the session's record as well, so that a
/// collision, however it was brought about, ends nobody else's session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct IndexKey([u8; 17]);

impl IndexKey {
    pub(super) fn person(person: &str) -> Self {
        Self::hashed(PERSON, &[person])
    }

    pub(super) fn sign_on(id: SignOnId) -> Self {
        Self::new(SIGN_ON, id.as_bytes())
    }

    pub(super) fn subject(platform: &str, realm: &str, name: &str) -> Self {
        Self::hashed(SUBJECT, &[platform, realm, name])
    }

    /// Under which keys `session` is listed.
    pub(super) fn all_of(session: &Session) -> impl Iterator<Item = Self> {
        [
            Some(Self::subject(session.platform.as_str(), &session.subject.realm, &session.subject.name)),
            session.person.as_ref().map(|person| Self::person(person.as_str())),
            session.sign_on.map(Self::sign_on),
        ]
        .into_iter()
        .flatten()
    }

    /// The same of a record.
    pub(super) fn all_of_record(session: &SessionRecord<'_>) -> impl Iterator<Item = Self> {
        [
            Some(Self::subject(session.platform(), session.realm(), session.name())),
            session.person().map(Self::person),
            session.sign_on().map(Self::sign_on),
        ]
        .into_iter()
        .flatten()
    }

    /// The key of one entry.
    pub(super) fn entry(self, session: SessionId) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes[..17].copy_from_slice(&self.0);
        bytes[17..].copy_from_slice(session.as_bytes());
        bytes
    }

    fn hashed(kind: u8, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        Self::new(kind, &digest[..16])
    }

    fn new(kind: u8, value: &[u8]) -> Self {
        let mut bytes = [kind; 17];
        bytes[1..].copy_from_slice(value);
        Self(bytes)
    }
}

/// The sessions listed under `key` after `after`, in the order of their ids. May name some that have just ended.
pub(super) fn listed(
    engine: &Engine,
    key: IndexKey,
    after: Option<SessionId>,
) -> impl Iterator<Item = Result<SessionId, ReadFault>> + use<> {
    let from = key.entry(after.unwrap_or(SessionId::from_bytes([0; 16])));
    let to = key.entry(SessionId::from_bytes([u8::MAX; 16]));
    engine.table(Table::Index).range(from..=to).filter_map(move |entry| {
        let id = entry.key().map(|entry| entry.get(17..).and_then(|id| id.try_into().ok()).map(SessionId::from_bytes));
        match id {
            Ok(id) => id.filter(|id| after.is_none_or(|after| *id > after)).map(Ok),
            Err(fault) => Some(Err(fault.into())),
        }
    })
}

/// The writer's memory of who belongs to the keys it has lately been asked for.
///
/// Removed entries stay in the database as markers until they are merged away. For somebody who signs in and out all day,
/// walking over the markers would soon take longer than everything else, so a list that was read once is kept up to date.
#[derive(Default)]
pub(super) struct Members {
    lists: HashMap<IndexKey, BTreeSet<SessionId>>,
    remembered: usize,
}

impl Members {
    /// The sessions listed under `key` as of the last commit.
    pub(super) fn of(&mut self, engine: &Engine, key: IndexKey) -> Result<&BTreeSet<SessionId>, ReadFault> {
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
            IndexKey::sign_on(SignOnId::from_bytes([0; 16])),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys[at + 1..].iter().all(|other| other != key));
        }
    }
}
