//! Sessions, their credentials, and values over all shards.

use std::sync::Arc;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::session::{Session, SessionId};
use logout_core::store::{Join, Lookup, OpenOutcome};
use logout_core::time::Timestamp;
use redis::Value;

use super::link::LinkError;
use super::record;
use super::script;
use super::shard::{Shard, array, id_of, millis, number, optional};
use super::shards::{Shards, life};

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
/// How often a change is tried anew when another one came first.
pub(super) const ATTEMPTS: usize = 100;

/// How long the key of a session lives.
pub(super) fn session_life(session: &Session, now: Timestamp) -> Vec<u8> {
    life(session.expires, now, SESSION_MARGIN)
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
    indexes
}

/// Of each credential its digest, its record, and the life of its key.
pub(super) fn credentials(session: &Session, now: Timestamp) -> impl Iterator<Item = Vec<u8>> {
    session.credentials.iter().flat_map(move |known| {
        [
            known.digest.as_bytes().to_vec(),
            record::credential(session, known),
            life(known.expires, now, MARGIN),
        ]
    })
}

impl Shards {
    pub(super) async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, LinkError> {
        let shard = self.of_session(&session);
        let mut joins = session.sign_on.filter(|_| join == Join::IfLive);
        let mut moved = Vec::new();
        if self.are_many() {
            for credential in &session.credentials {
                let key = self.credential_shard_key(&credential.digest);
                let life = life(credential.expires, now, MARGIN);
                match self.shard_at(&key).await? {
                    Some(known) if known != shard => {
                        if session.sealed.is_some()
                            && self.find_in(known, &credential.digest, now).await? == Lookup::Ended
                        {
                            return Ok(OpenOutcome::CredentialEnded);
                        }
                        moved.push((key, life));
                    }
                    Some(_) => {}
                    None => self.set_shard(&key, shard, &life).await?,
                }
            }
            if let Some(sign_on) = joins {
                for other in self.hinted(&self.sign_on_hint(&sign_on)).await? {
                    if other != shard && self.has_live(other, sign_on.as_bytes(), now).await? {
                        joins = None;
                        break;
                    }
                }
            }
            self.announce(&session, shard, now).await?;
        }
        let flag = u8::from(session.sealed.is_some()).to_string();
        let sign_on = joins.map(|id| [b"o:", id.as_bytes().as_slice()].concat());
        let indexes = indexes(&session);
        let mut arguments = vec![
            session.id.as_bytes().to_vec(),
            record::session(&session)?,
            session_life(&session, now),
            millis(now),
            flag.into_bytes(),
            sign_on.unwrap_or_default(),
            indexes.len().to_string().into_bytes(),
        ];
        arguments.extend(indexes);
        arguments.extend(credentials(&session, now));
        let shard_keys = self.shard(shard);
        for _ in 0..ATTEMPTS {
            let opened = match shard_keys.write(&script::OPEN, &arguments).await? {
                Value::Int(0) => OpenOutcome::Opened,
                Value::Int(1) => OpenOutcome::CredentialEnded,
                Value::Int(2) => OpenOutcome::SignOnEnded,
                outdated => {
                    shard_keys.write_anew(array(outdated)?).await?;
                    continue;
                }
            };
            if opened == OpenOutcome::Opened {
                // Only now: a refused session must not take a credential away from the one that
                // has it.
                for (key, life) in moved {
                    self.set_shard(&key, shard, &life).await?;
                }
            }
            return Ok(opened);
        }
        Err(LinkError::Silence)
    }

    /// Whether a session of the sign-on is live in a shard.
    async fn has_live(
        &self,
        shard: u16,
        sign_on: &[u8; 16],
        now: Timestamp,
    ) -> Result<bool, LinkError> {
        let index = [b"o:", sign_on.as_slice()].concat();
        let mut is_live = false;
        self.walk(shard, index, "s:", None, |id, record| {
            is_live |= !record::read_session(SessionId::from_bytes(id), record)?.is_expired(now);
            Ok(std::ops::ControlFlow::Continue(()))
        })
        .await?;
        Ok(is_live)
    }

    /// Writes where a session will lie, before it lies there.
    pub(super) async fn announce(
        &self,
        session: &Session,
        shard: u16,
        now: Timestamp,
    ) -> Result<(), LinkError> {
        let life = session_life(session, now);
        self.set_shard(&self.session_shard_key(session.id), shard, &life)
            .await?;
        if let Some(sign_on) = session.sign_on {
            self.hint(&self.sign_on_hint(&sign_on), shard, &life)
                .await?;
        }
        let subject = self.subject_hint(&session.platform, &session.subject);
        self.hint(&subject, shard, &life).await
    }

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
        let shard = self.shard(shard);
        let mut found = array(shard.read(&script::LOOK_UP, &[digest.as_bytes()]).await?)?
            .into_iter()
            .map(optional);
        let (Some(known), record) = (found.next().transpose()?.flatten(), found.next()) else {
            return Ok(Lookup::Unknown);
        };
        let (id, expires) = record::read_credential(&known)?;
        if expires <= now {
            return Ok(Lookup::Unknown);
        }
        let Some(record) = record.transpose()?.flatten() else {
            return Ok(if expires <= self.forgotten() {
                Lookup::Unknown
            } else {
                Lookup::Ended
            });
        };
        let session = record::read_session(id, &record)?;
        let known = session
            .credentials
            .iter()
            .find(|known| known.digest == *digest && known.expires > now)
            .cloned();
        Ok(match known {
            Some(credential) if !session.is_expired(now) => {
                Lookup::Live(Arc::new(session), credential)
            }
            _ => Lookup::Unknown,
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
        let attached = self
            .shard(shard)
            .change_session(id, true, |session| {
                if session.is_expired(now) {
                    return None;
                }
                session.credentials.retain(|known| known.expires > now);
                session.credentials.push(credential.clone());
                if sealed.is_some() {
                    session.sealed.clone_from(&sealed);
                }
                Some(vec![
                    credential.digest.as_bytes().to_vec(),
                    record::credential(session, &credential),
                    life.clone(),
                ])
            })
            .await?;
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
        self.shard(shard)
            .change_session(id, false, |session| {
                let grain = session.touch_grain()?;
                if session.is_expired(now) || now <= session.seen || now.since(session.seen) < grain
                {
                    return None;
                }
                session.seen = now;
                Some(Vec::new())
            })
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

impl Shard<'_> {
    /// Changes a session as `change` says, if it is there and nothing else changes it meanwhile.
    /// `change` answers the credentials to write with it (digest, record, life of the key), or
    /// `None` to leave the session as it is. Whether it was changed.
    async fn change_session(
        &self,
        id: SessionId,
        waits: bool,
        change: impl Fn(&mut Session) -> Option<Vec<Vec<u8>>>,
    ) -> Result<bool, LinkError> {
        let key = [b"s:", id.as_bytes().as_slice()].concat();
        for _ in 0..ATTEMPTS {
            let Some(read) = self.record(&key).await? else {
                return Ok(false);
            };
            let is_outdated = record::is_outdated(&read);
            let mut session = record::read_session(id, &read)?;
            let known = session.credentials.clone();
            let Some(brought) = change(&mut session) else {
                return Ok(false);
            };
            let mut arguments = vec![id.as_bytes().to_vec(), read, record::session(&session)?];
            if is_outdated {
                // Their own records have no conditions yet; their keys live as long as before.
                arguments.extend(known.iter().flat_map(|known| {
                    let digest = known.digest.as_bytes().to_vec();
                    [digest, record::credential(&session, known), Vec::new()]
                }));
            }
            arguments.extend(brought);
            let answer = if waits {
                self.write(&script::SWAP, &arguments).await?
            } else {
                self.read(&script::SWAP, &arguments).await?
            };
            if number(Some(answer))? == 1 {
                return Ok(true);
            }
        }
        Err(LinkError::Silence)
    }

    /// Writes session records of an older version anew.
    pub(super) async fn write_anew(&self, ids: Vec<Value>) -> Result<(), LinkError> {
        for id in ids {
            let id = SessionId::from_bytes(id_of(id)?);
            self.change_session(id, false, |_| Some(Vec::new())).await?;
        }
        Ok(())
    }
}
