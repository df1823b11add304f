//! The server as the target of a move. A record goes to the shard where the store would have
//! written it, after its shard keys and hints.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;
use logout_core::credential::CredentialDigest;
use logout_core::delivery::Delivery;
use logout_core::receipt::{EndedSession, Receipt};
use logout_core::session::Session;
use logout_core::store::Lookup;
use logout_core::time::Timestamp;
use logout_core::transfer::{Record, Tombstone};

use super::commit::{Commit, credential_name, delivery_name, session_name};
use super::link::LinkError;
use super::record;
use super::sessions::{MARGIN, OF_HUBS, ONCE_MARGIN};
use super::shard::Shard;
use super::shards::{Shards, life};
use crate::rules::{ATTEMPTS, Known, Names, OutboxRow, claimed};

/// How many records one script takes, so that the server is not held up for long, and of how many
/// the shard keys are looked at and written at the same time.
const CHUNK: usize = 200;

impl Shards {
    pub(super) async fn import(
        &self,
        records: Vec<Record>,
        now: Timestamp,
    ) -> Result<(), LinkError> {
        // Tombstones and deliveries first: a session of theirs is not to come to life.
        let (sessions, others): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|record| matches!(record, Record::Session(_)));
        for records in [others, sessions] {
            let mut shards: BTreeMap<u16, Vec<Record>> = BTreeMap::new();
            for some in records.chunks(CHUNK) {
                let places = some.iter().map(|record| self.places(record, now));
                for (shard, record) in try_join_all(places).await?.into_iter().flatten() {
                    shards.entry(shard).or_default().push(record);
                }
            }
            try_join_all(shards.iter().map(|(shard, records)| async move {
                for chunk in records.chunks(CHUNK) {
                    self.shard(*shard).take_in(chunk, now).await?;
                }
                Ok::<_, LinkError>(())
            }))
            .await?;
        }
        Ok(())
    }

    /// Where a record goes; a receipt goes to several shards, what other shards know to none.
    async fn places(
        &self,
        record: &Record,
        now: Timestamp,
    ) -> Result<Vec<(u16, Record)>, LinkError> {
        let shard = match record {
            Record::Agreed(agreed) => {
                let name = format!("{OF_HUBS}{}", agreed.name);
                self.get_or_insert(&name, agreed.value.clone()).await?;
                None
            }
            Record::Delivery(delivery) => self.delivery_place(delivery).await?,
            Record::Once(once) => Some(self.of_bytes(once.key.as_bytes())),
            Record::Receipt(receipt) => return Ok(self.receipt_parts(receipt)),
            Record::Session(session) => self.session_place(session, now).await?,
            Record::Tombstone(tombstone) => self.tombstone_place(tombstone, now).await?,
        };
        Ok(shard
            .map(|shard| (shard, record.clone()))
            .into_iter()
            .collect())
    }

    async fn session_place(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<Option<u16>, LinkError> {
        let shard = self.of_session(session);
        if !self.are_many() || session.is_expired(now) {
            return Ok(Some(shard));
        }
        for credential in &session.credentials {
            let key = self.credential_shard_key(&credential.digest);
            match self.shard_at(&key).await? {
                // The session's own credentials lie where it lies, so a tombstone elsewhere was
                // imported.
                Some(other)
                    if other != shard
                        && self
                            .is_tombstone_of(other, &credential.digest, session, now)
                            .await? =>
                {
                    return Ok(None);
                }
                Some(_) => {}
                None => {
                    let life = life(credential.expires, now, MARGIN);
                    self.set_shard_if_absent(&key, shard, &life).await?;
                }
            }
        }
        self.announce(session, shard, now).await?;
        Ok(Some(shard))
    }

    async fn is_tombstone_of(
        &self,
        shard: u16,
        digest: &CredentialDigest,
        session: &Session,
        now: Timestamp,
    ) -> Result<bool, LinkError> {
        let known = self.shard(shard).record(&credential_name(digest)).await?;
        let is_its_own = known.is_some_and(|known| known.starts_with(session.id.as_bytes()));
        Ok(is_its_own && self.find_in(shard, digest, now).await? == Lookup::Ended)
    }

    async fn tombstone_place(
        &self,
        tombstone: &Tombstone,
        now: Timestamp,
    ) -> Result<Option<u16>, LinkError> {
        let shard = self.of_bytes(tombstone.digest.as_bytes());
        if !self.are_many() || tombstone.expires <= now {
            return Ok(Some(shard));
        }
        let life = life(tombstone.expires, now, MARGIN);
        let key = self.credential_shard_key(&tombstone.digest);
        if self.set_shard_if_absent(&key, shard, &life).await? {
            return Ok(Some(shard));
        }
        Ok(Some(self.shard_at(&key).await?.unwrap_or(shard)))
    }

    async fn delivery_place(&self, delivery: &Delivery) -> Result<Option<u16>, LinkError> {
        let shard = self.of_subject(&delivery.platform, &delivery.subject);
        if !self.are_many() {
            return Ok(Some(shard));
        }
        if self.delivery(delivery.session).await?.is_some() {
            return Ok(None);
        }
        // Where its session lies, or would have lain without a person: `deliveries_of` looks in
        // both.
        Ok(self.of_id(delivery.session).await?.or(Some(shard)))
    }

    fn receipt_parts(&self, receipt: &Receipt) -> Vec<(u16, Record)> {
        let mut parts: BTreeMap<u16, Vec<EndedSession>> = BTreeMap::new();
        for ended in &receipt.sessions {
            let part = parts.entry(self.of_ended(ended)).or_default();
            part.push(ended.clone());
        }
        let record = |sessions| {
            Record::Receipt(Receipt {
                sessions,
                ..receipt.clone()
            })
        };
        let parts = parts.into_iter();
        parts.map(|(shard, part)| (shard, record(part))).collect()
    }
}

/// What lies in a shard under some names.
type Found = HashMap<Vec<u8>, Option<Vec<u8>>>;

impl Shard<'_> {
    /// Takes in records whose place is in this shard.
    async fn take_in(&self, records: &[Record], now: Timestamp) -> Result<(), LinkError> {
        let names = Names::of(records);
        for _ in 0..ATTEMPTS {
            let keys = keys(&names);
            let found = self.records(keys.iter().cloned()).await?;
            let found: Found = keys.into_iter().zip(found).collect();
            let mut known = known(&names, &found)?;
            let mut commit = Commit::default();
            for record in records {
                if let Some(unclaimed) = known.take_in(record, now) {
                    for key in self::keys(&Names::of(std::slice::from_ref(record))) {
                        commit.expect(&key, found.get(&key).and_then(Option::as_deref));
                    }
                    commit.import(record, &unclaimed, now)?;
                }
            }
            if commit.is_empty() || commit.send(self).await? {
                return Ok(());
            }
        }
        Err(LinkError::Silence)
    }
}

fn keys(names: &Names) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    keys.extend(names.sessions.iter().copied().map(session_name));
    keys.extend(names.sessions.iter().copied().map(delivery_name));
    keys.extend(
        names
            .receipts
            .iter()
            .map(|id| [b"r:", id.as_bytes().as_slice()].concat()),
    );
    keys.extend(names.credentials.iter().map(credential_name));
    keys.extend(names.once.iter().map(once_name));
    keys
}

fn known(names: &Names, found: &Found) -> Result<Known, LinkError> {
    let is_there = |name: Vec<u8>| found.get(&name).is_some_and(Option::is_some);
    let record = |name: Vec<u8>| found.get(&name).and_then(Option::as_deref);
    let sessions = names.sessions.iter().copied();
    let receipts = names.receipts.iter().copied();
    let mut known = Known {
        sessions: sessions
            .clone()
            .filter(|id| is_there(session_name(*id)))
            .collect(),
        deliveries: sessions.filter(|id| is_there(delivery_name(*id))).collect(),
        receipts: receipts
            .filter(|id| is_there([b"r:", id.as_bytes().as_slice()].concat()))
            .collect(),
        ..Known::default()
    };
    for digest in &names.credentials {
        if let Some(bytes) = record(credential_name(digest)) {
            known
                .credentials
                .insert(*digest, record::read_credential(bytes)?);
        }
    }
    for key in &names.once {
        if let Some(bytes) = record(once_name(key)) {
            known.once.insert(*key, record::read_once(bytes)?.0);
        }
    }
    Ok(known)
}

fn once_name(key: &CredentialDigest) -> Vec<u8> {
    [b"v:", key.as_bytes().as_slice()].concat()
}

impl Commit {
    fn import(
        &mut self,
        record: &Record,
        unclaimed: &[u16],
        now: Timestamp,
    ) -> Result<(), LinkError> {
        match record {
            Record::Agreed(_) => {}
            Record::Delivery(one) => {
                self.put_delivery(&OutboxRow::new(one.clone()))?;
                self.add("ZADD", b"D", &[b"0", one.session.as_bytes()]);
            }
            Record::Once(one) => self.put(
                &once_name(&one.key),
                &record::once(&one.value, one.expires),
                &life(one.expires, now, ONCE_MARGIN),
            ),
            Record::Receipt(one) => {
                let id = one.id.as_bytes().as_slice();
                self.add("SET", &[b"r:", id].concat(), &[&record::receipt(one)?]);
                self.add("ZADD", b"R", &[b"0", id]);
            }
            Record::Session(one) => self.put_session(one, claimed(one, unclaimed), now)?,
            Record::Tombstone(one) => self.put(
                &credential_name(&one.digest),
                &record::tombstone(one.session, one.expires),
                &life(one.expires, now, MARGIN),
            ),
        }
        Ok(())
    }
}
