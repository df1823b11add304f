//! What comes in: to the bucket where the store would have written it, with pointers and hints
//! written first.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use logout_core::credential::CredentialDigest;
use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::receipt::{EndedSession, Receipt};
use logout_core::session::Session;
use logout_core::store::Lookup;
use logout_core::time::Timestamp;
use logout_core::transfer::{Once, Record, Tombstone};

use crate::redis::bucket::millis;
use crate::redis::link::LinkError;
use crate::redis::places::{Places, life};
use crate::redis::record::{self, Row, exact};
use crate::redis::script;
use crate::redis::sessions::{MARGIN, OF_HUBS, ONCE_MARGIN, SESSION_MARGIN};

/// How many records one script takes, so that the server is not held up for long.
const CHUNK: usize = 200;
/// How many records' pointers are looked at and written at the same time.
const AT_ONCE: usize = 200;

/// The arguments of the script for one record.
type Arguments = Vec<Vec<u8>>;

impl Places {
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
            let mut buckets: BTreeMap<u16, Vec<Arguments>> = BTreeMap::new();
            for some in records.chunks(AT_ONCE) {
                for (place, arguments) in
                    try_join_all(some.iter().map(|record| self.arrival(record, now)))
                        .await?
                        .into_iter()
                        .flatten()
                {
                    buckets.entry(place).or_default().push(arguments);
                }
            }
            let chunks = buckets
                .iter()
                .flat_map(|(place, all)| all.chunks(CHUNK).map(|chunk| (*place, chunk)));
            try_join_all(chunks.map(|(place, chunk)| self.take_in(place, chunk, now))).await?;
        }
        Ok(())
    }

    async fn take_in(
        &self,
        place: u16,
        chunk: &[Arguments],
        now: Timestamp,
    ) -> Result<(), LinkError> {
        let now = millis(now);
        let arguments: Vec<&[u8]> = [now.as_slice()]
            .into_iter()
            .chain(chunk.iter().flatten().map(Vec::as_slice))
            .collect();
        self.bucket(place)
            .write(&script::TAKE_IN, &arguments)
            .await
            .map(drop)
    }

    /// Where a record goes, and as what; a receipt goes to several buckets, what is over or has
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
        let place = self.of_session(session);
        let ttl = life(session.expires, now, SESSION_MARGIN);
        if self.are_many() {
            for credential in &session.credentials {
                let pointer = self.credential_pointer(&credential.digest);
                match self.pointer(&pointer).await? {
                    // A tombstone elsewhere was left by nobody else: where a session's own
                    // credentials lie follows from the session.
                    Some(other)
                        if other != place
                            && self
                                .is_tombstone_of(other, &credential.digest, session, now)
                                .await? =>
                    {
                        return Ok(None);
                    }
                    Some(_) => {}
                    None => drop(
                        self.point_first(&pointer, place, &life(credential.expires, now, MARGIN))
                            .await?,
                    ),
                }
            }
            self.point(&self.session_pointer(session.id), place, &ttl)
                .await?;
            if let Some(sign_on) = session.sign_on {
                self.hint(&self.sign_on_hint(&sign_on), place, &ttl).await?;
            }
            self.hint(
                &self.subject_hint(&session.platform, &session.subject),
                place,
                &ttl,
            )
            .await?;
        }
        let count = session.credentials.len().to_string().into_bytes();
        let mut arguments = vec![
            b"S".to_vec(),
            session.id.as_bytes().to_vec(),
            record::session(session)?,
            ttl,
            count,
        ];
        for credential in &session.credentials {
            arguments.push(record::credential(credential)[..40].to_vec());
            arguments.push(life(credential.expires, now, MARGIN));
        }
        Ok(Some((place, arguments)))
    }

    async fn is_tombstone_of(
        &self,
        place: u16,
        digest: &CredentialDigest,
        session: &Session,
        now: Timestamp,
    ) -> Result<bool, LinkError> {
        let known = self
            .bucket(place)
            .record(&[b"c:", digest.as_bytes().as_slice()].concat())
            .await?;
        let is_its_own = known.is_some_and(|known| known.starts_with(session.id.as_bytes()));
        Ok(is_its_own && self.find_in(place, digest, now).await? == Lookup::Ended)
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
        let pointer = self.credential_pointer(digest);
        let mut place = self.of_bytes(digest.as_bytes());
        if self.are_many() && !self.point_first(&pointer, place, &life).await? {
            place = self.pointer(&pointer).await?.unwrap_or(place);
        }
        let value = [
            session.as_bytes().as_slice(),
            &exact(*expires).to_be_bytes(),
        ]
        .concat();
        Ok(Some((
            place,
            vec![b"T".to_vec(), digest.as_bytes().to_vec(), value, life],
        )))
    }

    async fn delivery_arrival(
        &self,
        delivery: &Delivery,
    ) -> Result<Option<(u16, Arguments)>, LinkError> {
        let session = delivery.session;
        let mut place = self.of_subject(&delivery.platform, &delivery.subject);
        if self.are_many() {
            if self.delivery(session).await?.is_some() {
                return Ok(None);
            }
            // Where its session lies, or would have lain without a person: `deliveries_of` looks in
            // both.
            place = self.of_id(session).await?.unwrap_or(place);
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
        Ok(Some((place, arguments)))
    }

    fn receipt_arrivals(&self, receipt: &Receipt) -> Result<Vec<(u16, Arguments)>, LinkError> {
        let mut parts: BTreeMap<u16, Vec<&EndedSession>> = BTreeMap::new();
        for ended in &receipt.sessions {
            parts.entry(self.of_ended(ended)).or_default().push(ended);
        }
        let arrival = |(place, sessions): (u16, Vec<&EndedSession>)| {
            Ok((
                place,
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
