//! The store in memory as the beginning or the end of a move.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;

use super::{Entry, Forget, MemoryStore, Reverse, Slot, Slotted, State, list};
use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::{Session, SessionId};
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Part, Record, Tombstone, Transfer};

/// Records of one kind behind a key, each with its own.
type Records = fn(&State, Option<&[u8]>, usize, Timestamp) -> Vec<(Vec<u8>, Record)>;

/// How a part is put together: kind by kind, in the order of keys. A place is the number of the
/// kind and the last key given out.
const KINDS: [Records; 6] = [
    State::agreed,
    State::tombstones,
    State::once,
    State::kept_receipts,
    State::kept_deliveries,
    State::live_sessions,
];

#[async_trait]
impl Transfer for MemoryStore {
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreUnavailable> {
        let state = self.state()?;
        let limit = limit.max(1);
        let (start, mut after) = match from.as_deref().and_then(<[u8]>::split_first) {
            Some((kind, key)) => (usize::from(*kind), Some(key.to_vec())),
            None => (0, None),
        };
        let mut part = Part {
            items: Vec::new(),
            next: None,
        };
        for (kind, records) in KINDS.iter().enumerate().skip(start) {
            for (key, record) in records(
                &state,
                after.take().as_deref(),
                limit - part.items.len(),
                now,
            ) {
                part.items.push(record);
                part.next =
                    Some([&[u8::try_from(kind).unwrap_or_default()], key.as_slice()].concat());
            }
            if part.items.len() == limit {
                return Ok(part);
            }
        }
        part.next = None;
        Ok(part)
    }

    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable> {
        let mut state = self.state()?;
        records
            .into_iter()
            .for_each(|record| state.take_in(record, now));
        Ok(())
    }

    async fn size_hint(&self) -> Result<u64, StoreUnavailable> {
        let state = self.state()?;
        let tombstones = state
            .credentials
            .values()
            .filter(|slot| matches!(slot, Slot::Ended { .. }))
            .count();
        let others = [
            state.agreed.len(),
            state.once.len(),
            state.receipts.len(),
            state.deliveries.len(),
            state.sessions.len(),
        ];
        Ok(others.iter().sum::<usize>().saturating_add(tombstones) as u64)
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(self.state()?.checkpoint.clone())
    }

    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable> {
        self.state()?.checkpoint = checkpoint;
        Ok(())
    }
}

/// The keys behind `after`, in order, at most `limit`.
fn first<'k>(
    keys: impl Iterator<Item = &'k [u8]>,
    after: Option<&[u8]>,
    limit: usize,
) -> BTreeSet<&'k [u8]> {
    let mut first = BTreeSet::new();
    for key in keys.filter(|key| after.is_none_or(|after| *key > after)) {
        first.insert(key);
        if first.len() > limit {
            first.pop_last();
        }
    }
    first
}

fn behind<T>(after: Option<&[u8]>, id: impl Fn([u8; 16]) -> T) -> (Bound<T>, Bound<T>) {
    let after = after.and_then(|key| key.try_into().ok());
    (
        after.map_or(Bound::Unbounded, |key| Bound::Excluded(id(key))),
        Bound::Unbounded,
    )
}

/// What each kind has behind a key.
impl State {
    fn agreed(&self, after: Option<&[u8]>, limit: usize, _: Timestamp) -> Vec<(Vec<u8>, Record)> {
        let keys = first(self.agreed.keys().map(String::as_bytes), after, limit);
        let entries = keys
            .into_iter()
            .filter_map(|key| self.agreed.get_key_value(std::str::from_utf8(key).ok()?));
        let record = |(name, value): (&String, &Vec<u8>)| {
            Record::Agreed(Agreed {
                name: name.clone(),
                value: value.clone(),
            })
        };
        entries
            .map(|entry| (entry.0.clone().into_bytes(), record(entry)))
            .collect()
    }

    fn tombstones(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<(Vec<u8>, Record)> {
        let ended = |digest: &CredentialDigest| match self.credentials.get(digest)? {
            Slot::Ended { session, until } if *until > now => Some(Tombstone {
                digest: *digest,
                session: *session,
                expires: *until,
            }),
            Slot::Ended { .. } | Slot::Live(_) => None,
        };
        let keys = first(
            self.credentials
                .keys()
                .filter(|key| ended(key).is_some())
                .map(|key| key.as_bytes().as_slice()),
            after,
            limit,
        );
        let digests = keys
            .into_iter()
            .filter_map(|key| key.try_into().ok().map(CredentialDigest::from_bytes));
        digests
            .filter_map(|digest| {
                Some((
                    digest.as_bytes().to_vec(),
                    Record::Tombstone(ended(&digest)?),
                ))
            })
            .collect()
    }

    fn once(&self, after: Option<&[u8]>, limit: usize, now: Timestamp) -> Vec<(Vec<u8>, Record)> {
        let lives = self.once.iter().filter(|(_, (_, expires))| *expires > now);
        let keys = first(
            lives.map(|(key, _)| key.as_bytes().as_slice()),
            after,
            limit,
        );
        let digests = keys
            .into_iter()
            .filter_map(|key| key.try_into().ok().map(CredentialDigest::from_bytes));
        let record = |key: CredentialDigest| {
            let (value, expires) = self.once.get(&key)?;
            Some((
                key.as_bytes().to_vec(),
                Record::Once(Once {
                    key,
                    value: value.clone(),
                    expires: *expires,
                }),
            ))
        };
        digests.filter_map(record).collect()
    }

    fn kept_receipts(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        _: Timestamp,
    ) -> Vec<(Vec<u8>, Record)> {
        let receipts = self
            .receipts
            .range(behind(after, ReceiptId::from_bytes))
            .take(limit);
        receipts
            .map(|(id, receipt)| (id.as_bytes().to_vec(), Record::Receipt(receipt.clone())))
            .collect()
    }

    fn kept_deliveries(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        _: Timestamp,
    ) -> Vec<(Vec<u8>, Record)> {
        let after = after
            .and_then(|key| key.try_into().ok())
            .map(SessionId::from_bytes);
        let page = self.deliveries.list(
            &logout_core::outbox::DeliveryFilter::default(),
            after,
            limit,
        );
        page.items
            .into_iter()
            .map(|delivery| {
                (
                    delivery.session.as_bytes().to_vec(),
                    Record::Delivery(delivery),
                )
            })
            .collect()
    }

    fn live_sessions(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<(Vec<u8>, Record)> {
        let live = self
            .sessions
            .range(behind(after, SessionId::from_bytes))
            .filter(|(_, entry)| entry.is_live(now))
            .take(limit);
        let record = |entry: &Entry| {
            Record::Session(Session {
                seen: entry.seen,
                ..(*entry.session).clone()
            })
        };
        live.map(|(id, entry)| (id.as_bytes().to_vec(), record(entry)))
            .collect()
    }
}

/// What comes from elsewhere.
impl State {
    fn take_in(&mut self, record: Record, now: Timestamp) {
        match record {
            Record::Agreed(Agreed { name, value }) => {
                self.agreed.entry(name).or_insert(value);
            }
            Record::Delivery(delivery) => {
                if !self.sessions.contains_key(&delivery.session)
                    && self.deliveries.of(delivery.session).is_none()
                {
                    self.deliveries.insert(delivery);
                }
            }
            Record::Once(Once {
                key,
                value,
                expires,
            }) => {
                if expires > now
                    && let Slotted::Vacant(free) = self.once.entry(key)
                {
                    free.insert((value, expires));
                    self.forget.push(Reverse((expires, Forget::Once(key))));
                }
            }
            Record::Receipt(receipt) => {
                self.receipts.entry(receipt.id).or_insert(receipt);
            }
            Record::Session(session) => self.take_in_session(session, now),
            Record::Tombstone(Tombstone {
                digest,
                session,
                expires,
            }) => {
                if expires > now
                    && !self.sessions.contains_key(&session)
                    && self.is_free(&digest, now)
                {
                    self.credentials.insert(
                        digest,
                        Slot::Ended {
                            session,
                            until: expires,
                        },
                    );
                    self.forget
                        .push(Reverse((expires, Forget::Tombstone(digest))));
                }
            }
        }
    }

    fn take_in_session(&mut self, session: Session, now: Timestamp) {
        let left_a_tombstone = session.credentials.iter().any(|credential| {
            matches!(self.credentials.get(&credential.digest), Some(Slot::Ended { session: ended, until }) if *ended == session.id && *until > now)
        });
        let is_known =
            self.sessions.contains_key(&session.id) || self.deliveries.of(session.id).is_some();
        if session.is_expired(now) || is_known || left_a_tombstone {
            return;
        }
        for credential in &session.credentials {
            if credential.expires > now && self.is_free(&credential.digest, now) {
                self.credentials
                    .insert(credential.digest, Slot::Live(session.id));
            }
        }
        if let Some(sign_on) = session.sign_on {
            list(&mut self.by_sign_on, sign_on, session.id);
        }
        list(
            &mut self.by_subject,
            (session.platform.clone(), session.subject.clone()),
            session.id,
        );
        if let Some(person) = session.person.clone() {
            list(&mut self.by_person, person, session.id);
        }
        let entry = Entry {
            seen: session.seen,
            session: session.into(),
        };
        self.sessions.insert(entry.session.id, entry);
    }

    /// Whether nothing that counts lies under the digest.
    fn is_free(&self, digest: &CredentialDigest, now: Timestamp) -> bool {
        match self.credentials.get(digest) {
            Some(Slot::Ended { until, .. }) => *until <= now,
            Some(Slot::Live(_)) => false,
            None => true,
        }
    }
}
