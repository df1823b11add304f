//! Sessions, their credentials, and values over all shards.

use std::sync::Arc;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::idp::{IdpKey, IdpLogin};
use logout_core::session::{Session, SessionId};
use logout_core::store::Lookup;
use logout_core::time::Timestamp;
use redis::Value;

use super::commit::{Commit, credential_name, session_name};
use super::link::LinkError;
use super::record;
use super::script;
use super::shard::{Shard, array, id_of, millis, number, optional};
use super::shards::{Shards, life};
use crate::rules::{self, ATTEMPTS};

/// How much longer than its own life the key of a credential or a tombstone is kept. The server
/// counts from when it was written, by its own clock; readers decide by theirs.
pub(super) const MARGIN: Duration = Duration::from_secs(60 * 60);
/// How much longer a session's key is kept: housekeeping must still find it, so that its end has a
/// receipt and its upstream is told.
const SESSION_MARGIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How much longer a one-time value's key is kept.
pub(super) const ONCE_MARGIN: Duration = Duration::from_secs(24 * 60 * 60);
/// The beginning of names that hubs agree on; those that the store needs for itself begin
/// otherwise.
pub(super) const OF_HUBS: &str = "of hubs: ";

/// How long the key of a session lives.
pub(super) fn session_life(session: &Session, now: Timestamp) -> Vec<u8> {
    life(session.expires, now, SESSION_MARGIN)
}

/// The index of a login at an identity provider.
pub(super) fn idp_index(key: &IdpKey) -> Vec<u8> {
    [b"i:", key.as_slice()].concat()
}

/// The indexes that list a session besides the one of all.
pub(super) fn indexes(session: &Session) -> Vec<Vec<u8>> {
    let subject = record::subject_key(&session.platform, &session.subject);
    let mut indexes = vec![[b"u:", subject.as_slice()].concat()];
    indexes.extend(
        session
            .person
            .as_ref()
            .map(|person| [b"p:", person.as_str().as_bytes()].concat()),
    );
    indexes.extend(
        session
            .sign_on
            .map(|id| [b"o:", id.as_bytes().as_slice()].concat()),
    );
    let keys = session.idp.iter().flat_map(IdpLogin::keys);
    indexes.extend(keys.map(|key| idp_index(&key)));
    indexes
}

impl Shards {
    pub(super) async fn find(
        &self,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, LinkError> {
        match self.of_credential(digest).await? {
            Some(shard) => self.find_in(shard, digest, now).await,
            None => Ok(Lookup::Unknown),
        }
    }

    pub(super) async fn find_in(
        &self,
        shard: u16,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, LinkError> {
        let found = self.shard(shard).look_up(digest).await?;
        self.judge(found, digest, now)
    }

    pub(super) fn judge(
        &self,
        found: Found,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, LinkError> {
        let Some(known) = found.credential else {
            return Ok(Lookup::Unknown);
        };
        let (id, expires) = record::read_credential(&known)?;
        let session = found
            .session
            .map(|record| record::read_session(id, &record));
        let lookup = rules::lookup(session.transpose()?.map(Arc::new), digest, expires, now);
        let is_forgotten = lookup == Lookup::Ended && expires <= self.forgotten();
        Ok(if is_forgotten {
            Lookup::Unknown
        } else {
            lookup
        })
    }

    pub(super) async fn attach(
        &self,
        id: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, LinkError> {
        let Some(shard) = self.of_id(id).await? else {
            return Ok(false);
        };
        let life = life(credential.expires, now, MARGIN);
        let key = self.credential_shard_key(&credential.digest);
        let is_set = !self.are_many() || self.set_shard_if_absent(&key, shard, &life).await?;
        let change = |session: &mut Session, commit: &mut Commit| {
            let is_attached = rules::attach(session, &credential, sealed.as_ref(), now);
            if is_attached {
                commit.put_credential(session, &credential, now);
            }
            is_attached
        };
        let attached = self.shard(shard).change_session(id, true, change).await?;
        if attached && !is_set {
            // Only now: a refused credential must not be taken away from the session that has it.
            self.set_shard(&key, shard, &life).await?;
        }
        Ok(attached)
    }

    pub(super) async fn touch(&self, id: SessionId, now: Timestamp) -> Result<(), LinkError> {
        let Some(shard) = self.of_id(id).await? else {
            return Ok(());
        };
        // Without waiting for replicas: a touch may be lost.
        let change = |session: &mut Session, _: &mut Commit| {
            let is_worth_it = !session.is_expired(now)
                && rules::is_touch_due(session.touch_grain(), session.seen, now);
            if is_worth_it {
                session.seen = now;
            }
            is_worth_it
        };
        self.shard(shard)
            .change_session(id, false, change)
            .await
            .map(drop)
    }

    pub(super) async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, LinkError> {
        let arguments = [
            key.as_bytes().to_vec(),
            record::once(&value, expires),
            millis(self.forgotten()),
            life(expires, expires, ONCE_MARGIN),
        ];
        let shard = self.shard(self.of_bytes(key.as_bytes()));
        Ok(number(Some(shard.write(&script::PUT_ONCE, &arguments).await?))? == 1)
    }

    pub(super) async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, LinkError> {
        let shard = self.shard(self.of_bytes(key.as_bytes()));
        let Some(bytes) = shard
            .take(&[b"v:", key.as_bytes().as_slice()].concat())
            .await?
        else {
            return Ok(None);
        };
        let (expires, value) = record::read_once(&bytes)?;
        Ok((expires > now.max(self.forgotten())).then(|| value.to_vec()))
    }

    pub(super) async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, LinkError> {
        let shard = self.shard(0);
        let key = shard.key(&[b"a:", name.as_bytes()].concat());
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(&candidate).arg("NX").arg("GET");
        let known = optional(self.link.send(command, &key, true).await?)?;
        Ok(known.unwrap_or(candidate))
    }

    pub(super) async fn health(&self) -> Result<(), LinkError> {
        self.everywhere(|shard| async move { shard.probe().await })
            .await
            .map(drop)
    }
}

/// What lies under a credential: its record, and that of its session.
pub(super) struct Found {
    credential: Option<Vec<u8>>,
    session: Option<Vec<u8>>,
}

impl Found {
    pub(super) fn expect_unchanged(
        &self,
        digest: &CredentialDigest,
        commit: &mut Commit,
    ) -> Result<(), LinkError> {
        commit.expect(&credential_name(digest), self.credential.as_deref());
        if let Some(credential) = &self.credential {
            let (id, _) = record::read_credential(credential)?;
            commit.expect(&session_name(id), self.session.as_deref());
        }
        Ok(())
    }
}

impl Shard<'_> {
    pub(super) async fn look_up(&self, digest: &CredentialDigest) -> Result<Found, LinkError> {
        let found = array(self.read(&script::LOOK_UP, &[digest.as_bytes()]).await?)?;
        let mut found = found.into_iter().map(optional);
        Ok(Found {
            credential: found.next().transpose()?.flatten(),
            session: found.next().transpose()?.flatten(),
        })
    }

    /// Changes a session as `change` says, if it is there, and adds to the commit what belongs to
    /// that. Whether it was changed: `change` may say that it is to stay as it is.
    async fn change_session(
        &self,
        id: SessionId,
        waits: bool,
        change: impl Fn(&mut Session, &mut Commit) -> bool,
    ) -> Result<bool, LinkError> {
        let name = session_name(id);
        for _ in 0..ATTEMPTS {
            let Some(read) = self.record(&name).await? else {
                return Ok(false);
            };
            let mut session = record::read_session(id, &read)?;
            let mut commit = Commit::default();
            commit.expect(&name, Some(&read));
            if record::is_outdated(&read) {
                self.add_conditions(&session, &mut commit).await?;
            }
            if !change(&mut session, &mut commit) {
                return Ok(false);
            }
            commit.add("SET", &name, &[&record::session(&session)?, b"KEEPTTL"]);
            let is_done = if waits {
                commit.send(self).await?
            } else {
                commit.send_without_waiting(self).await?
            };
            if is_done {
                return Ok(true);
            }
        }
        Err(LinkError::Silence)
    }

    /// Writes the records of credentials that lead to a session of an older version anew: they have
    /// no conditions. Their keys live as long as before.
    async fn add_conditions(
        &self,
        session: &Session,
        commit: &mut Commit,
    ) -> Result<(), LinkError> {
        let known = &session.credentials;
        let names = || known.iter().map(|known| credential_name(&known.digest));
        let records = self.records(names()).await?;
        for ((known, name), read) in known.iter().zip(names()).zip(records) {
            if read
                .as_deref()
                .is_some_and(|read| read.starts_with(session.id.as_bytes()))
            {
                commit.expect(&name, read.as_deref());
                commit.add(
                    "SET",
                    &name,
                    &[&record::credential(session, known), b"KEEPTTL"],
                );
            }
        }
        Ok(())
    }

    /// Writes session records of an older version anew.
    pub(super) async fn write_anew(&self, ids: Vec<Value>) -> Result<(), LinkError> {
        for id in ids {
            let id = SessionId::from_bytes(id_of(id)?);
            self.change_session(id, false, |_, _| true).await?;
        }
        Ok(())
    }
}
