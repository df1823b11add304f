//! How sessions begin and are kept: opening, attaching, touching; values that are taken once, and
//! values that hubs agree on.

use std::sync::Arc;

use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::session::{Session, SessionId};
use logout_core::store::{Join, Lookup, OpenOutcome};
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once};

use super::{By, Change, Model, Owner};
use crate::record::{RecordError, SessionRecord};
use crate::rules;

impl Model {
    pub(crate) fn open(
        &mut self,
        session: &Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, RecordError> {
        let is_ended = |known: &Credential| self.tombstone(&known.digest, now).is_some();
        if rules::minds_tombstones(session) && session.credentials.iter().any(is_ended) {
            return Ok(OpenOutcome::CredentialEnded);
        }
        if let Some(sign_on) = rules::joined(session, join)
            && !self.is_any_live(By::SignOn, super::sign_on_tag(sign_on), now, |record| {
                record.sign_on() == Some(sign_on)
            })?
        {
            return Ok(OpenOutcome::SignOnEnded);
        }
        self.make(Change::Session {
            id: session.id,
            seen: session.seen,
            unclaimed: Vec::new(),
            record: SessionRecord::of(session).to_bytes()?.into(),
        })?;
        Ok(OpenOutcome::Opened)
    }

    pub(crate) fn find(
        &self,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, RecordError> {
        Ok(match self.owner(digest) {
            Some((_, Owner::Tombstone(tombstone))) if tombstone.expires > now => Lookup::Ended,
            Some((_, Owner::Session(entry, record, known)))
                if known.expires > now && entry.is_live(&record, now) =>
            {
                let session = self.whole(entry, record).to_session(entry.id, entry.seen);
                Lookup::Live(Arc::new(session), known)
            }
            _ => Lookup::Unknown,
        })
    }

    pub(crate) fn attach(
        &mut self,
        id: SessionId,
        credential: &Credential,
        sealed: Option<&Sealed>,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        let Some(entry) = self.entry(id) else {
            return Ok(false);
        };
        let seen = entry.seen;
        let mut session = self.whole(entry, entry.read()?).to_session(id, seen);
        if !rules::attach(&mut session, credential, sealed, now) {
            return Ok(false);
        }
        let record = SessionRecord::of(&session);
        let mut unclaimed = self.unclaimed(id, &record);
        // The last one is new.
        unclaimed.retain(|number| usize::from(*number) + 1 < session.credentials.len());
        let record = record.to_bytes()?;
        self.make(Change::Session {
            id,
            seen,
            unclaimed,
            record: record.into(),
        })?;
        Ok(true)
    }

    /// A touch that changes little is not worth writing down.
    pub(crate) fn touch(&mut self, id: SessionId, now: Timestamp) -> Result<(), RecordError> {
        let Some(entry) = self.entry(id) else {
            return Ok(());
        };
        let record = entry.read()?;
        if rules::is_touch_due(record.touch_grain(), entry.seen, now) && entry.is_live(&record, now)
        {
            self.make(Change::Seen {
                session: id,
                at: now,
            })?;
        }
        Ok(())
    }

    /// The numbers of the credentials in `record` that do not lead to this session.
    pub(super) fn unclaimed(&self, id: SessionId, record: &SessionRecord<'_>) -> Vec<u16> {
        let leads_here = |digest: &CredentialDigest| matches!(self.owner(digest), Some((_, Owner::Session(entry, ..))) if entry.id == id);
        (0..)
            .zip(record.credentials())
            .filter(|(_, known)| !leads_here(&known.digest))
            .map(|(number, _)| number)
            .collect()
    }

    pub(crate) fn put_once(
        &mut self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, RecordError> {
        let is_free = !self.once.contains_key(&key);
        if is_free {
            self.make(Change::Once(Once {
                key,
                value,
                expires,
            }))?;
        }
        Ok(is_free)
    }

    pub(crate) fn take_once(
        &mut self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, RecordError> {
        let Some((value, expires)) = self.once.get(key).cloned() else {
            return Ok(None);
        };
        self.make(Change::Taken(*key))?;
        Ok((expires > now).then_some(value))
    }

    pub(crate) fn get_or_insert(
        &mut self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, RecordError> {
        if let Some(known) = self.agreed.get(name) {
            return Ok(known.clone());
        }
        self.make(Change::Agreed(Agreed {
            name: name.to_owned(),
            value: candidate.clone(),
        }))?;
        Ok(candidate)
    }
}
