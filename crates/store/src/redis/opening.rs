//! Openings: what one rests on is read first, and has to be the same when the session is written.

use logout_core::idp::IdpLogin;
use logout_core::session::{Session, SessionId, SsoSessionId};
use logout_core::store::{Join, Lookup, OpenOutcome};
use logout_core::time::Timestamp;

use super::commit::{Commit, session_name};
use super::link::LinkError;
use super::listing::until;
use super::record;
use super::sessions::{MARGIN, session_life};
use super::shards::{Shards, life};
use crate::rules::{self, ATTEMPTS};

impl Shards {
    pub(super) async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, LinkError> {
        let shard = self.of_session(&session);
        let mut moved = Vec::new();
        if self.are_many() {
            for credential in &session.credentials {
                let key = self.credential_shard_key(&credential.digest);
                let life = life(credential.expires, now, MARGIN);
                match self.shard_at(&key).await? {
                    Some(known) if known != shard => {
                        if rules::minds_tombstones(&session)
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
            self.announce(&session, shard, now).await?;
        }
        for _ in 0..ATTEMPTS {
            let mut commit = Commit::default();
            if let Some(refusal) = self.refusal(&session, join, now, &mut commit).await? {
                return Ok(refusal);
            }
            commit.put_session(&session, &session.credentials, now)?;
            if commit.send(&self.shard(shard)).await? {
                // Only now: a refused session must not take a credential away from the one that
                // has it.
                for (key, life) in moved {
                    self.set_shard(&key, shard, &life).await?;
                }
                return Ok(OpenOutcome::Opened);
            }
        }
        Err(LinkError::Silence)
    }

    /// Why a session may not be opened. Where it may, the commit expects that nothing of its own
    /// shard changes which that rests on.
    async fn refusal(
        &self,
        session: &Session,
        join: Join,
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<Option<OpenOutcome>, LinkError> {
        let own = self.of_session(session);
        if rules::minds_tombstones(session) {
            for known in &session.credentials {
                let found = self.shard(own).look_up(&known.digest).await?;
                found.expect_unchanged(&known.digest, commit)?;
                if self.judge(found, &known.digest, now)? == Lookup::Ended {
                    return Ok(Some(OpenOutcome::CredentialEnded));
                }
            }
        }
        let Some(sign_on) = rules::joined(session, join) else {
            return Ok(None);
        };
        for shard in self.hinted(&self.sign_on_hint(&sign_on)).await? {
            if let Some((id, record)) = self.live_sibling(shard, &sign_on, now).await? {
                if shard == own {
                    commit.expect(&session_name(id), Some(&record));
                }
                return Ok(None);
            }
        }
        Ok(Some(OpenOutcome::SignOnEnded))
    }

    /// A live session of a sign-on in a shard, and its record.
    async fn live_sibling(
        &self,
        shard: u16,
        sign_on: &SsoSessionId,
        now: Timestamp,
    ) -> Result<Option<(SessionId, Vec<u8>)>, LinkError> {
        let index = [b"o:", sign_on.as_bytes().as_slice()].concat();
        let mut live = None;
        self.walk(shard, index, "s:", None, |id, record| {
            let id = SessionId::from_bytes(id);
            if !record::read_session(id, record)?.is_expired(now) {
                live = Some((id, record.to_vec()));
            }
            Ok(until(live.is_some()))
        })
        .await?;
        Ok(live)
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
        for key in session.idp.iter().flat_map(IdpLogin::keys) {
            self.hint(&self.idp_hint(&key), shard, &life).await?;
        }
        let subject = self.subject_hint(&session.platform, &session.subject);
        self.hint(&subject, shard, &life).await
    }
}
