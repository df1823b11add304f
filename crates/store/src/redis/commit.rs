//! Writes that count only if what they were decided on is still there.

use logout_core::credential::{Credential, CredentialDigest};
use logout_core::session::{Session, SessionId};
use logout_core::time::Timestamp;

use super::link::LinkError;
use super::record::{self, RecordError};
use super::script;
use super::sessions::{MARGIN, indexes, session_life};
use super::shard::{Shard, millis, number};
use super::shards::life;
use crate::rules::OutboxRow;

/// The records of a shard that a decision rests on, and the commands that follow from it. Names are
/// those of keys behind the shard's.
#[derive(Debug, Default)]
pub(super) struct Commit {
    read: Vec<Vec<u8>>,
    commands: Vec<Vec<u8>>,
}

impl Commit {
    /// The decision rests on what lies there.
    pub(super) fn expect(&mut self, name: &[u8], read: Option<&[u8]>) {
        // No record is empty.
        self.read
            .extend([name, read.unwrap_or_default()].map(<[u8]>::to_vec));
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Adds a command with a key's name and other words.
    pub(super) fn add(&mut self, command: &str, name: &[u8], words: &[&[u8]]) {
        self.commands.push((words.len()).to_string().into_bytes());
        self.commands.push(command.as_bytes().to_vec());
        self.commands.push(name.to_vec());
        self.commands.extend(words.iter().map(|word| word.to_vec()));
    }

    /// Carries out the commands, unless a record has changed; whether it did.
    pub(super) async fn send(self, shard: &Shard<'_>) -> Result<bool, LinkError> {
        Ok(number(Some(shard.write(&script::COMMIT, &self.arguments()).await?))? == 1)
    }

    /// The same, without waiting for replicas: for what may be lost.
    pub(super) async fn send_without_waiting(self, shard: &Shard<'_>) -> Result<bool, LinkError> {
        Ok(number(Some(shard.read(&script::COMMIT, &self.arguments()).await?))? == 1)
    }

    fn arguments(self) -> Vec<Vec<u8>> {
        let mut arguments = vec![(self.read.len() / 2).to_string().into_bytes()];
        arguments.extend(self.read);
        arguments.extend(self.commands);
        arguments
    }

    /// Writes a session, the credentials that lead to it, and its id into the indexes.
    pub(super) fn put_session<'a>(
        &mut self,
        session: &'a Session,
        claimed: impl IntoIterator<Item = &'a Credential>,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        let (id, life) = (session.id.as_bytes(), session_life(session, now));
        let record = record::session(session)?;
        self.put(&session_name(session.id), &record, &life);
        for known in claimed {
            self.put_credential(session, known, now);
        }
        self.add("ZADD", b"S", &[b"0", id]);
        for index in indexes(session) {
            self.add("LIST", &index, &[id, &life]);
        }
        Ok(())
    }

    pub(super) fn put_credential(&mut self, session: &Session, known: &Credential, now: Timestamp) {
        let record = record::credential(session, known);
        let life = life(known.expires, now, MARGIN);
        self.put(&credential_name(&known.digest), &record, &life);
    }

    /// Writes a record whose key lives for as long.
    pub(super) fn put(&mut self, name: &[u8], record: &[u8], life: &[u8]) {
        self.add("SET", name, &[record, b"PX", life]);
    }

    /// Writes a delivery, and queues it for when it can be leased.
    pub(super) fn put_delivery(&mut self, row: &OutboxRow) -> Result<(), RecordError> {
        let session = row.delivery.session;
        self.add("SET", &delivery_name(session), &[&record::delivery(row)?]);
        let (queue, id) = (queue(row), session.as_bytes().as_slice());
        match row.ready {
            Some(ready) => self.add("ZADD", &queue, &[&millis(ready), id]),
            None => self.add("ZREM", &queue, &[id]),
        }
        Ok(())
    }

    /// Forgets a delivery.
    pub(super) fn forget_delivery(&mut self, row: &OutboxRow) {
        let session = row.delivery.session;
        self.add("DEL", &delivery_name(session), &[]);
        self.add("ZREM", b"D", &[session.as_bytes()]);
        self.add("ZREM", &queue(row), &[session.as_bytes()]);
    }
}

pub(super) fn session_name(id: SessionId) -> Vec<u8> {
    [b"s:", id.as_bytes().as_slice()].concat()
}

pub(super) fn credential_name(digest: &CredentialDigest) -> Vec<u8> {
    [b"c:", digest.as_bytes().as_slice()].concat()
}

pub(super) fn delivery_name(session: SessionId) -> Vec<u8> {
    [b"d:", session.as_bytes().as_slice()].concat()
}

fn queue(row: &OutboxRow) -> Vec<u8> {
    [b"q:", row.delivery.platform.as_str().as_bytes()].concat()
}
