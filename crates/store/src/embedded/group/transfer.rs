//! Records of another store, taken in by a commit of their own.

use std::collections::HashSet;

use logout_core::credential::CredentialDigest;
use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::receipt::{Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Record, Tombstone};
use tokio::sync::oneshot::Sender;

use super::{Answer, Decided, Group, Listing, agreed_key};
use crate::embedded::engine::ReadError;
use crate::embedded::index::IndexKey;
use crate::embedded::queue::Job;
use crate::embedded::record::{self, CredentialRecord, DeliveryRecord, SessionRecord};
use crate::embedded::table::Table;

impl Group<'_> {
    /// In a group with nothing else: then no operation has to know what became of records that it
    /// was never asked about.
    pub(super) fn import(
        &mut self,
        records: Vec<Record>,
        now: Timestamp,
        reply: Sender<()>,
    ) -> Result<Decided, ReadError> {
        if !self.batch.is_empty() || self.len() > 0 {
            return Ok(Decided::Conflict(Job::Import {
                records,
                now,
                reply,
            }));
        }
        self.is_closed = true;
        let mut receipts = HashSet::new();
        for record in records {
            match record {
                Record::Agreed(agreed) => self.take_in_agreed(agreed)?,
                Record::Delivery(delivery) => self.take_in_delivery(&delivery)?,
                Record::Once(once) => self.take_in_once(&once, now)?,
                Record::Receipt(receipt) => self.take_in_receipt(&receipt, &mut receipts)?,
                Record::Session(session) => self.take_in_session(&session, now)?,
                Record::Tombstone(tombstone) => self.take_in_tombstone(tombstone, now)?,
            }
        }
        self.durable = true;
        self.answers.push(Answer::Done(reply));
        Ok(Decided::Done)
    }

    /// Puts `mark` where whoever fills this store looks for it.
    pub(super) fn set_checkpoint(
        &mut self,
        checkpoint: Option<Vec<u8>>,
        reply: Sender<()>,
    ) -> Decided {
        if !self.batch.is_empty() || self.len() > 0 {
            return Decided::Conflict(Job::SetCheckpoint { checkpoint, reply });
        }
        self.is_closed = true;
        match checkpoint {
            Some(checkpoint) => self.write(Table::Agreed, MARK_KEY, checkpoint),
            None => self.remove(Table::Agreed, MARK_KEY),
        }
        self.durable = true;
        self.answers.push(Answer::Done(reply));
        Decided::Done
    }

    fn take_in_session(&mut self, session: &Session, now: Timestamp) -> Result<(), ReadError> {
        if session.is_expired(now) || self.is_there(session.id)? || self.has_ended(session, now)? {
            return Ok(());
        }
        let bytes = SessionRecord::of(session).to_bytes()?;
        let mut missing = Vec::with_capacity(session.credentials.len());
        for credential in &session.credentials {
            if credential.expires > now && self.is_free(&credential.digest, now)? {
                missing.push(credential);
            }
        }
        if let Some(sign_on) = session.sign_on {
            self.sign_ons.add(self.engine, sign_on, session.id)?;
        }
        self.write(Table::Sessions, session.id.as_bytes(), bytes);
        for key in IndexKey::all_of(session) {
            self.write(key.table, key.entry(session.id), []);
            self.listings.push(Listing {
                key,
                session: session.id,
                listed: true,
            });
        }
        for credential in missing {
            self.write_credential(credential.digest, session.id, credential.expires);
        }
        self.sessions.insert(session.id);
        Ok(())
    }

    fn take_in_tombstone(&mut self, tombstone: Tombstone, now: Timestamp) -> Result<(), ReadError> {
        let Tombstone {
            digest,
            session,
            expires,
        } = tombstone;
        if expires > now && !self.is_there(session)? && self.is_free(&digest, now)? {
            self.write_credential(digest, session, expires);
            self.ended.insert(session);
        }
        Ok(())
    }

    fn take_in_delivery(&mut self, delivery: &Delivery) -> Result<(), ReadError> {
        let session = delivery.session;
        if self.is_there(session)? || self.has_delivery(session)? {
            return Ok(());
        }
        let record = DeliveryRecord::of(delivery).to_bytes()?;
        if delivery.state == DeliveryState::Pending {
            self.write(Table::Pending, session.as_bytes(), record);
            self.due
                .put(session, delivery.platform.as_str(), delivery.due);
        } else {
            self.write(Table::Settled, session.as_bytes(), record);
        }
        self.deliveries.insert(session);
        self.ended.insert(session);
        Ok(())
    }

    fn take_in_receipt(
        &mut self,
        receipt: &Receipt,
        taken: &mut HashSet<ReceiptId>,
    ) -> Result<(), ReadError> {
        if self
            .engine
            .read(Table::Receipts, receipt.id.as_bytes())?
            .is_none()
        {
            let bytes = record::receipt(receipt)?;
            if taken.insert(receipt.id) {
                self.write(Table::Receipts, receipt.id.as_bytes(), bytes);
            }
        }
        Ok(())
    }

    fn take_in_once(&mut self, once: &Once, now: Timestamp) -> Result<(), ReadError> {
        if once.expires > now
            && self
                .engine
                .read(Table::Once, once.key.as_bytes())?
                .is_none()
            && self.once.insert(once.key)
        {
            self.write(
                Table::Once,
                once.key.as_bytes(),
                record::once(&once.value, once.expires),
            );
        }
        Ok(())
    }

    fn take_in_agreed(&mut self, agreed: Agreed) -> Result<(), ReadError> {
        let key = agreed_key(&agreed.name);
        if self.engine.read(Table::Agreed, &key)?.is_none() && self.agreed.insert(agreed.name) {
            self.write(Table::Agreed, key, agreed.value);
        }
        Ok(())
    }

    fn is_there(&self, session: SessionId) -> Result<bool, ReadError> {
        Ok(self.sessions.contains(&session)
            || self
                .engine
                .read(Table::Sessions, session.as_bytes())?
                .is_some())
    }

    /// Whether this very session, which is not there, was: it left a tombstone, or somebody to
    /// tell.
    fn has_ended(&self, session: &Session, now: Timestamp) -> Result<bool, ReadError> {
        if self.ended.contains(&session.id) {
            return Ok(true);
        }
        for credential in &session.credentials {
            let Some(bytes) = self
                .engine
                .read(Table::Credentials, credential.digest.as_bytes())?
            else {
                continue;
            };
            let known = CredentialRecord::read(&bytes)?;
            if known.session == session.id && known.expires > now {
                return Ok(true);
            }
        }
        Ok(session.sealed.is_some() && self.has_delivery(session.id)?)
    }

    fn has_delivery(&self, session: SessionId) -> Result<bool, ReadError> {
        let lies_in =
            |table| Ok::<_, ReadError>(self.engine.read(table, session.as_bytes())?.is_some());
        Ok(self.deliveries.contains(&session)
            || lies_in(Table::Pending)?
            || lies_in(Table::Settled)?)
    }

    /// Whether nothing that counts lies under the digest.
    fn is_free(&self, digest: &CredentialDigest, now: Timestamp) -> Result<bool, ReadError> {
        if self.credentials.contains(digest) {
            return Ok(false);
        }
        let Some(bytes) = self.engine.read(Table::Credentials, digest.as_bytes())? else {
            return Ok(true);
        };
        Ok(CredentialRecord::read(&bytes)?.expires <= now)
    }

    fn write_credential(
        &mut self,
        digest: CredentialDigest,
        session: SessionId,
        expires: Timestamp,
    ) {
        if self.credentials.insert(digest) {
            self.write(
                Table::Credentials,
                digest.as_bytes(),
                CredentialRecord { session, expires }.to_bytes(),
            );
        }
    }
}

/// Where the mark lies: no agreed value's key begins like this.
pub(in crate::embedded) const MARK_KEY: &[u8] = b"!";
