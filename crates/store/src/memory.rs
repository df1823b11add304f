//! Sessions in this process's memory: for tests and for embedding. Nothing survives a restart.

mod outbox;
mod transfer;

use std::cmp::Reverse;
use std::collections::hash_map::Entry as Slotted;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use self::outbox::MemoryOutbox;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::delivery::{Delivery, Leased, Settlement};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{ClientId, Person, Session, SessionId, SsoSessionId, Subject};
use logout_core::store::{
    EndOrder, EndTarget, Join, Lookup, OpenOutcome, Page, SessionFilter, SessionStore,
    StoreUnavailable, SweepPage,
};
use logout_core::time::Timestamp;

/// Keeps everything in memory behind one lock. Durability: none.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<SessionId, Entry>,
    credentials: HashMap<CredentialDigest, Slot, Uniform>,
    by_sign_on: HashMap<SsoSessionId, Listed, Uniform>,
    by_subject: HashMap<(PlatformName, Subject), Listed>,
    by_person: HashMap<Person, Listed>,
    receipts: BTreeMap<ReceiptId, Receipt>,
    once: HashMap<CredentialDigest, (Vec<u8>, Timestamp)>,
    agreed: HashMap<String, Vec<u8>>,
    deliveries: MemoryOutbox,
    /// See `Transfer::mark`.
    checkpoint: Option<Vec<u8>>,
    /// What is to be forgotten when, soonest first.
    forget: BinaryHeap<Reverse<(Timestamp, Forget)>>,
}

/// The sessions under one key of an index. Most keys have one, which needs no memory of its own.
#[derive(Debug)]
enum Listed {
    Many(BTreeSet<SessionId>),
    One(SessionId),
}

impl Listed {
    fn ids(&self) -> impl Iterator<Item = SessionId> + '_ {
        let (one, many) = match self {
            Self::Many(ids) => (None, Some(ids)),
            Self::One(id) => (Some(*id), None),
        };
        one.into_iter().chain(many.into_iter().flatten().copied())
    }

    /// Takes `id` out; whether nothing is left.
    fn remove(&mut self, id: SessionId) -> bool {
        match self {
            Self::Many(ids) => {
                ids.remove(&id);
                ids.is_empty()
            }
            Self::One(only) => *only == id,
        }
    }
}

/// For keys that are random to their last byte, or digests: they are hashes already.
type Uniform = BuildHasherDefault<LastBytes>;

#[derive(Debug, Default)]
struct LastBytes(u64);

impl Hasher for LastBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*last);
        }
    }

    // The length of an array, which says nothing.
    fn write_usize(&mut self, _: usize) {}
}

#[derive(Debug)]
struct Entry {
    session: Arc<Session>,
    seen: Timestamp,
}

#[derive(Debug)]
enum Slot {
    Ended {
        session: SessionId,
        until: Timestamp,
    },
    Live(SessionId),
}

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Forget {
    Once(CredentialDigest),
    Tombstone(CredentialDigest),
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> Result<std::sync::MutexGuard<'_, State>, StoreUnavailable> {
        // Poisoned: a panic left the indexes half changed, so nothing in here can be promised any
        // more.
        self.state.lock().map_err(|_| StoreUnavailable)
    }
}

impl Entry {
    fn is_live(&self, now: Timestamp) -> bool {
        self.session.ends_by(self.seen) > now
    }
}

impl State {
    fn live(&self, id: SessionId, now: Timestamp) -> Option<&Entry> {
        self.sessions.get(&id).filter(|entry| entry.is_live(now))
    }

    /// The live session that a credential opens, and what the session knows of it.
    fn opened_by(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Option<(&Entry, &Credential)> {
        let Some(Slot::Live(id)) = self.credentials.get(credential) else {
            return None;
        };
        let entry = self.live(*id, now)?;
        let known = entry
            .session
            .credentials
            .iter()
            .find(|known| known.digest == *credential)?;
        (known.expires > now).then_some((entry, known))
    }

    fn targets(&self, target: &EndTarget, at: Timestamp) -> Vec<SessionId> {
        let listed = |listed: Option<&Listed>| listed.into_iter().flat_map(Listed::ids).collect();
        match target {
            EndTarget::Credential(by) => {
                let Some((Entry { session, .. }, known)) = self.opened_by(&by.digest, at) else {
                    return Vec::new();
                };
                let client = session.client.as_ref().map(ClientId::as_str);
                if !by.admits(client, session.csrf.as_ref(), known.csrf_due) {
                    return Vec::new();
                }
                EndTarget::of(session, by.reach)
                    .iter()
                    .flat_map(|target| self.targets(target, at))
                    .collect()
            }
            EndTarget::Expired(id) => self
                .sessions
                .get(id)
                .filter(|entry| !entry.is_live(at))
                .map(|_| *id)
                .into_iter()
                .collect(),
            EndTarget::Person(person) => listed(self.by_person.get(person)),
            EndTarget::Platform(platform) => self
                .sessions
                .values()
                .filter(|entry| entry.session.platform == *platform)
                .map(|entry| entry.session.id)
                .collect(),
            EndTarget::Session(id) => vec![*id],
            EndTarget::SignOn(id) => listed(self.by_sign_on.get(id)),
            EndTarget::Subject(platform, subject) => {
                listed(self.by_subject.get(&(platform.clone(), subject.clone())))
            }
        }
    }

    fn remove(&mut self, id: SessionId, at: Timestamp) -> Option<Arc<Session>> {
        let session = self.sessions.remove(&id)?.session;
        for credential in &session.credentials {
            if credential.expires > at {
                self.credentials.insert(
                    credential.digest,
                    Slot::Ended {
                        session: id,
                        until: credential.expires,
                    },
                );
                self.forget.push(Reverse((
                    credential.expires,
                    Forget::Tombstone(credential.digest),
                )));
            } else {
                self.credentials.remove(&credential.digest);
            }
        }
        if let Some(sign_on) = session.sign_on {
            unlist(&mut self.by_sign_on, sign_on, id);
        }
        unlist(
            &mut self.by_subject,
            (session.platform.clone(), session.subject.clone()),
            id,
        );
        if let Some(person) = session.person.clone() {
            unlist(&mut self.by_person, person, id);
        }
        Some(session)
    }
}

fn list<K: Eq + Hash, S: BuildHasher>(index: &mut HashMap<K, Listed, S>, key: K, id: SessionId) {
    match index.entry(key) {
        Slotted::Vacant(free) => drop(free.insert(Listed::One(id))),
        Slotted::Occupied(mut taken) => match taken.get_mut() {
            Listed::Many(ids) => drop(ids.insert(id)),
            Listed::One(other) => *taken.get_mut() = Listed::Many(BTreeSet::from([*other, id])),
        },
    }
}

fn unlist<K: Eq + Hash, S: BuildHasher>(index: &mut HashMap<K, Listed, S>, key: K, id: SessionId) {
    if let Slotted::Occupied(mut taken) = index.entry(key)
        && taken.get_mut().remove(id)
    {
        taken.remove();
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        let mut state = self.state()?;
        let ended = |credential: &Credential| matches!(state.credentials.get(&credential.digest), Some(Slot::Ended { until, .. }) if *until > now);
        if session.sealed.is_some() && session.credentials.iter().any(ended) {
            return Ok(OpenOutcome::CredentialEnded);
        }
        if let Some(sign_on) = session.sign_on {
            let alive = state
                .by_sign_on
                .get(&sign_on)
                .is_some_and(|ids| ids.ids().any(|id| state.live(id, now).is_some()));
            if join == Join::IfLive && !alive {
                return Ok(OpenOutcome::SignOnEnded);
            }
            list(&mut state.by_sign_on, sign_on, session.id);
        }
        list(
            &mut state.by_subject,
            (session.platform.clone(), session.subject.clone()),
            session.id,
        );
        if let Some(person) = session.person.clone() {
            list(&mut state.by_person, person, session.id);
        }
        for credential in &session.credentials {
            state
                .credentials
                .insert(credential.digest, Slot::Live(session.id));
        }
        let entry = Entry {
            seen: session.seen,
            session: Arc::new(session),
        };
        state.sessions.insert(entry.session.id, entry);
        Ok(OpenOutcome::Opened)
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        let state = self.state()?;
        Ok(match state.credentials.get(credential) {
            Some(Slot::Ended { until, .. }) if *until > now => Lookup::Ended,
            _ => state
                .opened_by(credential, now)
                .map_or(Lookup::Unknown, |(entry, known)| {
                    Lookup::Live(entry.session.clone(), known.clone())
                }),
        })
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        let mut state = self.state()?;
        if state.live(session, now).is_none() {
            return Ok(false);
        }
        let State {
            sessions,
            credentials,
            ..
        } = &mut *state;
        let Some(entry) = sessions.get_mut(&session) else {
            return Ok(false);
        };
        let changed = Arc::make_mut(&mut entry.session);
        if sealed.is_some() {
            changed.sealed = sealed;
        }
        let known = &mut changed.credentials;
        // What has expired by itself makes room, so that a session that is refreshed for weeks
        // stays small.
        known.retain(|old| {
            let lives = old.expires > now;
            if !lives {
                credentials.remove(&old.digest);
            }
            lives
        });
        credentials.insert(credential.digest, Slot::Live(session));
        known.push(credential);
        Ok(true)
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        if let Some(entry) = self
            .state()?
            .sessions
            .get_mut(&session)
            .filter(|entry| entry.is_live(now))
        {
            entry.seen = entry.seen.max(now);
        }
        Ok(())
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let mut state = self.state()?;
        let mut ended = Vec::with_capacity(1);
        for target in &order.targets {
            for id in state.targets(target, order.at) {
                let Some(session) = state.remove(id, order.at) else {
                    continue;
                };
                if let Some(delivery) = Delivery::of(&session, order.receipt, order.at) {
                    state.deliveries.insert(delivery);
                }
                ended.push(EndedSession::from(&*session));
            }
        }
        if !ended.is_empty() {
            state
                .receipts
                .insert(order.receipt, order.receipt_for(ended.clone()));
        }
        Ok(ended)
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        let mut state = self.state()?;
        if state.once.contains_key(&key) {
            return Ok(false);
        }
        state.once.insert(key, (value, expires));
        state.forget.push(Reverse((expires, Forget::Once(key))));
        Ok(true)
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(self
            .state()?
            .once
            .remove(key)
            .filter(|(_, expires)| *expires > now)
            .map(|(value, _)| value))
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        let state = self.state()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut matching = state
            .sessions
            .range((from, Bound::Unbounded))
            .filter(|(_, entry)| entry.is_live(now) && filter.matches(&entry.session))
            .map(|(_, entry)| Session {
                seen: entry.seen,
                ..(*entry.session).clone()
            });
        let items: Vec<_> = matching.by_ref().take(limit).collect();
        let next = matching.next().and(items.last()).map(|session| session.id);
        Ok(Page { items, next })
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        Ok(self.state()?.receipts.get(&id).cloned())
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        let state = self.state()?;
        let until = before.map_or(Bound::Unbounded, Bound::Excluded);
        let mut older = state
            .receipts
            .range((Bound::Unbounded, until))
            .rev()
            .map(|(_, receipt)| receipt.clone());
        let items: Vec<_> = older.by_ref().take(limit).collect();
        let next = older.next().and(items.last()).map(|receipt| receipt.id);
        Ok(Page { items, next })
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        let mut state = self.state()?;
        for _ in 0..limit {
            match state.forget.peek() {
                Some(Reverse((due, _))) if *due <= now => {}
                _ => break,
            }
            match state.forget.pop() {
                Some(Reverse((due, Forget::Once(key))))
                    if state
                        .once
                        .get(&key)
                        .is_some_and(|(_, expires)| *expires == due) =>
                {
                    state.once.remove(&key);
                }
                Some(Reverse((_, Forget::Tombstone(key)))) if matches!(state.credentials.get(&key), Some(Slot::Ended { until, .. }) if *until <= now) =>
                {
                    state.credentials.remove(&key);
                }
                _ => {}
            }
        }
        for _ in 0..limit {
            match state.receipts.first_entry() {
                Some(oldest) if *oldest.key() < ReceiptId::first_at(receipts_until) => {
                    oldest.remove()
                }
                _ => break,
            };
        }
        let after = from
            .and_then(|bytes| bytes.try_into().ok())
            .map(SessionId::from_bytes);
        if after.is_none() {
            state.deliveries.forget(now, receipts_until);
        }
        let mut ahead = state.sessions.range((
            after.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        ));
        let step: Vec<_> = ahead.by_ref().take(limit).collect();
        let next = ahead
            .next()
            .and(step.last())
            .map(|(id, _)| id.as_bytes().to_vec());
        let expired = step
            .into_iter()
            .filter(|(_, entry)| !entry.is_live(now))
            .map(|(id, _)| *id)
            .collect();
        Ok(SweepPage { expired, next })
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        Ok(self
            .state()?
            .agreed
            .entry(name.to_owned())
            .or_insert(candidate)
            .clone())
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        self.state().map(|_| ())
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        Ok(self.state()?.deliveries.lease(platform, limit, now, until))
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        Ok(self.state()?.deliveries.settle(session, lease, &settlement))
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        Ok(self.state()?.deliveries.next_due(platform))
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        Ok(self.state()?.deliveries.of(session).cloned())
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        let state = self.state()?;
        Ok(sessions
            .iter()
            .map(|session| state.deliveries.of(session.id).cloned())
            .collect())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        Ok(self.state()?.deliveries.list(filter, after, limit))
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        Ok(self.state()?.deliveries.retry(session, now))
    }
}
