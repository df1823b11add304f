//! The server as the target of a move. A record goes to the shard where the store would have
//! written it, after its shard keys and hints.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use logout_core::credential::CredentialDigest;
use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::receipt::{EndedSession, Receipt};
use logout_core::session::Session;
use logout_core::store::Lookup;
use logout_core::time::Timestamp;
use logout_core::transfer::{Once, Record, Tombstone};

use super::link::LinkError;
use super::record::{self, Row};
use super::script;
use super::sessions::{MARGIN, OF_HUBS, ONCE_MARGIN, credentials, indexes, session_life};
use super::shard::millis;
use super::shards::{Shards, life};

/// How many records one script takes, so that the server is not held up for long.
const CHUNK: usize = 200;
/// How many records' shard keys are looked at and written at the same time.
const AT_ONCE: usize = 200;

/// The arguments of the script for one record.
type Arguments = Vec<Vec<u8>>;

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
            let mut shards: BTreeMap<u16, Vec<Arguments>> = BTreeMap::new();
            for some in records.chunks(AT_ONCE) {
                for (shard, arguments) in
                    try_join_all(some.iter().map(|record| self.arrival(record, now)))
                        .await?
                        .into_iter()
                        .flatten()
                {
                    shards.entry(shard).or_default().push(arguments);
                }
            }
            let chunks = shards
                .iter()
                .flat_map(|(shard, all)| all.chunks(CHUNK).map(|chunk| (*shard, chunk)));
            try_join_all(chunks.map(|(shard, chunk)| self.import_chunk(shard, chunk, now))).await?;
        }
        Ok(())
    }

    async fn import_chunk(
        &self,
        shard: u16,
        chunk: &[Arguments],
        now: Timestamp,
    ) -> Result<(), LinkError> {
        let now = millis(now);
        let arguments: Vec<&[u8]> = [now.as_slice()]
            .into_iter()
            .chain(chunk.iter().flatten().map(Vec::as_slice))
            .collect();
        self.shard(shard)
            .write(&script::IMPORT, &arguments)
            .await
            .map(drop)
    }

    /// Where a record goes, and as what; a receipt goes to several shards, what is over or has
    /// ended to none.
    async fn arrival(
        &self,
        record: &Record,
        now: Timestamp,
    ) -> Result<Vec<(u16, Arguments)>, LinkError> {
        Ok(match record {
            Record::Agreed(agreed) => {
                self.get_or_insert(&format!("{OF_HUBS}{}", agreed.name), agreed.value.clone())
                    .await?;
                Vec::new()
            }
            Record::Delivery(delivery) => {
                self.delivery_arrival(delivery).await?.into_iter().collect()
            }
            Record::Once(once) => self.once_arrival(once, now).into_iter().collect(),
            Record::Receipt(receipt) => self.receipt_arrivals(receipt)?,
            Record::Session(session) => self
                .session_arrival(session, now)
                .await?
                .into_iter()
                .collect(),
            Record::Tombstone(tombstone) => self
                .tombstone_arrival(tombstone, now)
                .await?
                .into_iter()
                .collect(),
        })
    }

    async fn session_arrival(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<Option<(u16, Arguments)>, LinkError> {
        if session.is_expired(now) {
            return Ok(None);
        }
        let shard = self.of_session(session);
        if self.are_many() {
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
        }
        let indexes = indexes(session);
        let mut arguments = vec![
            b"S".to_vec(),
            session.id.as_bytes().to_vec(),
            record::session(session)?,
            session_life(session, now),
            indexes.len().to_string().into_bytes(),
        ];
        arguments.extend(indexes);
        arguments.push(session.credentials.len().to_string().into_bytes());
        arguments.extend(credentials(session, now));
        Ok(Some((shard, arguments)))
    }

    async fn is_tombstone_of(
        &self,
        shard: u16,
        digest: &CredentialDigest,
        session: &Session,
        now: Timestamp,
    ) -> Result<bool, LinkError> {
        let known = self
            .shard(shard)
            .record(&[b"c:", digest.as_bytes().as_slice()].concat())
            .await?;
        let is_its_own = known.is_some_and(|known| known.starts_with(session.id.as_bytes()));
        Ok(is_its_own && self.find_in(shard, digest, now).await? == Lookup::Ended)
    }

    async fn tombstone_arrival(
        &self,
        tombstone: &Tombstone,
        now: Timestamp,
    ) -> Result<Option<(u16, Arguments)>, LinkError> {
        let Tombstone {
            digest,
            session,
            expires,
        } = tombstone;
        if *expires <= now {
            return Ok(None);
        }
        let life = life(*expires, now, MARGIN);
        let key = self.credential_shard_key(digest);
        let mut shard = self.of_bytes(digest.as_bytes());
        if self.are_many() && !self.set_shard_if_absent(&key, shard, &life).await? {
            shard = self.shard_at(&key).await?.unwrap_or(shard);
        }
        let value = record::tombstone(*session, *expires);
        Ok(Some((
            shard,
            vec![b"T".to_vec(), digest.as_bytes().to_vec(), value, life],
        )))
    }

    async fn delivery_arrival(
        &self,
        delivery: &Delivery,
    ) -> Result<Option<(u16, Arguments)>, LinkError> {
        let session = delivery.session;
        let mut shard = self.of_subject(&delivery.platform, &delivery.subject);
        if self.are_many() {
            if self.delivery(session).await?.is_some() {
                return Ok(None);
            }
            // Where its session lies, or would have lain without a person: `deliveries_of` looks in
            // both.
            shard = self.of_id(session).await?.unwrap_or(shard);
        }
        let due = if delivery.state == DeliveryState::Pending {
            millis(delivery.due)
        } else {
            Vec::new()
        };
        let row = Row {
            delivery: delivery.clone(),
            lease: 0,
        }
        .to_bytes()?;
        let arguments = vec![
            b"D".to_vec(),
            session.as_bytes().to_vec(),
            row,
            delivery.platform.as_str().into(),
            due,
        ];
        Ok(Some((shard, arguments)))
    }

    fn receipt_arrivals(&self, receipt: &Receipt) -> Result<Vec<(u16, Arguments)>, LinkError> {
        let mut parts: BTreeMap<u16, Vec<&EndedSession>> = BTreeMap::new();
        for ended in &receipt.sessions {
            parts.entry(self.of_ended(ended)).or_default().push(ended);
        }
        let arrival = |(shard, sessions): (u16, Vec<&EndedSession>)| {
            Ok((
                shard,
                vec![
                    b"R".to_vec(),
                    receipt.id.as_bytes().to_vec(),
                    record::receipt(receipt, &sessions)?,
                ],
            ))
        };
        parts.into_iter().map(arrival).collect()
    }

    fn once_arrival(&self, once: &Once, now: Timestamp) -> Option<(u16, Arguments)> {
        let value = record::once(&once.value, once.expires);
        let arguments = vec![
            b"O".to_vec(),
            once.key.as_bytes().to_vec(),
            value,
            life(once.expires, now, ONCE_MARGIN),
        ];
        (once.expires > now).then(|| (self.of_bytes(once.key.as_bytes()), arguments))
    }
}
