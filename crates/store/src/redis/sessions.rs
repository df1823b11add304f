//! Sessions over all buckets: what lies where, and what one step in one bucket cannot do.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::receipt::{EndedSession, Reach};
use logout_core::session::{Session, SessionId};
use logout_core::store::{EndOrder, EndTarget, Join, Lookup, OpenOutcome};
use logout_core::time::Timestamp;
use redis::Value;

use super::bucket::{array, bytes, id_of, millis, number};
use super::link::LinkError;
use super::places::{Places, life};
use super::record;
use super::script;

/// How much longer than its own life the key of a credential, a tombstone or a one-time value is
/// kept. The server counts from when it was written, by its own clock; who reads decides by theirs.
pub(super) const MARGIN: Duration = Duration::from_secs(60 * 60);
/// How much longer a session's: housekeeping must still find it, so that its end has a receipt and
/// its upstream is told.
pub(super) const SESSION_MARGIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How much longer a one-time value's.
pub(super) const ONCE_MARGIN: Duration = Duration::from_secs(24 * 60 * 60);
/// What names that hubs agree on begin with; those that the store needs for itself begin otherwise.
pub(super) const OF_HUBS: &str = "of hubs: ";
/// How many sessions one step of a walk over all of them looks at.
const WALK_STEP: usize = 1_000;

impl Places {
    pub(super) async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, LinkError> {
        let record = record::session(&session)?;
        let place = self.of_session(&session);
        let mut join = join;
        let mut moved = Vec::new();
        if self.are_many() {
            for credential in &session.credentials {
                let key = self.credential_pointer(&credential.digest);
                match self.pointer(&key).await? {
                    Some(known) if known != place => {
                        if session.sealed.is_some()
                            && self.find_in(known, &credential.digest, now).await? == Lookup::Ended
                        {
                            return Ok(OpenOutcome::CredentialEnded);
                        }
                        moved.push((key, life(credential.expires, now, MARGIN)));
                    }
                    Some(_) => {}
                    None => {
                        self.point(&key, place, &life(credential.expires, now, MARGIN))
                            .await?
                    }
                }
            }
            let session_life = life(session.expires, now, SESSION_MARGIN);
            if let Some(sign_on) = session.sign_on
                && join == Join::IfLive
            {
                for other in self
                    .hinted(&self.sign_on_hint(&sign_on))
                    .await?
                    .into_iter()
                    .filter(|other| *other != place)
                {
                    let answer = self
                        .bucket(other)
                        .read(&script::JOINABLE, &[sign_on.as_bytes(), &millis(now)])
                        .await?;
                    if number(Some(answer))? == 1 {
                        join = Join::Always;
                        break;
                    }
                }
            }
            self.point(&self.session_pointer(session.id), place, &session_life)
                .await?;
            if let Some(sign_on) = session.sign_on {
                self.hint(&self.sign_on_hint(&sign_on), place, &session_life)
                    .await?;
            }
            self.hint(
                &self.subject_hint(&session.platform, &session.subject),
                place,
                &session_life,
            )
            .await?;
        }
        let flag: &[u8] = if join == Join::IfLive { b"1" } else { b"0" };
        let (now_text, session_life) = (millis(now), life(session.expires, now, SESSION_MARGIN));
        let mut arguments: Vec<&[u8]> = vec![
            session.id.as_bytes(),
            &record,
            flag,
            &now_text,
            &session_life,
        ];
        let known: Vec<_> = session
            .credentials
            .iter()
            .map(|credential| {
                (
                    record::credential(credential),
                    life(credential.expires, now, MARGIN),
                )
            })
            .collect();
        for (credential, life) in &known {
            arguments.push(&credential[..40]);
            arguments.push(life);
        }
        let opened = match number(Some(
            self.bucket(place).write(&script::OPEN, &arguments).await?,
        ))? {
            0 => OpenOutcome::Opened,
            1 => OpenOutcome::CredentialEnded,
            2 => OpenOutcome::SignOnEnded,
            _ => return Err(LinkError::Shape),
        };
        if opened == OpenOutcome::Opened {
            // Only now: a refused session must not take a credential away from the one that has it.
            for (key, life) in moved {
                self.point(&key, place, &life).await?;
            }
        }
        Ok(opened)
    }

    pub(super) async fn find(
        &self,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, LinkError> {
        if !self.are_many() {
            return self.find_in(0, digest, now).await;
        }
        match self.pointer(&self.credential_pointer(digest)).await? {
            Some(place) => self.find_in(place, digest, now).await,
            None => Ok(Lookup::Unknown),
        }
    }

    pub(super) async fn find_in(
        &self,
        place: u16,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, LinkError> {
        let arguments: [&[u8]; 3] = [digest.as_bytes(), &millis(now), &millis(self.forgotten())];
        let (id, record) = match self.bucket(place).read(&script::FIND, &arguments).await? {
            Value::Nil => return Ok(Lookup::Unknown),
            Value::Int(0) => return Ok(Lookup::Ended),
            Value::Array(found) => {
                let [id, record] = <[Value; 2]>::try_from(found).map_err(|_| LinkError::Shape)?;
                (SessionId::from_bytes(id_of(id)?), bytes(record)?)
            }
            _ => return Err(LinkError::Shape),
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
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, LinkError> {
        let Some(place) = self.of_id(session).await? else {
            return Ok(false);
        };
        let life = life(credential.expires, now, MARGIN);
        let pointer = self.credential_pointer(&credential.digest);
        let pointed = !self.are_many() || self.point_first(&pointer, place, &life).await?;
        let flag: &[u8] = if sealed.is_some() { b"1" } else { b"0" };
        let sealed = sealed.as_ref().map_or(&[][..], Sealed::as_bytes);
        let credential = record::credential(&credential);
        let arguments: [&[u8]; 6] = [
            session.as_bytes(),
            &millis(now),
            &credential,
            &life,
            flag,
            sealed,
        ];
        let attached = number(Some(
            self.bucket(place)
                .write(&script::ATTACH, &arguments)
                .await?,
        ))? == 1;
        if attached && !pointed {
            // Only now: what was refused must not take a credential away from the session that has
            // it.
            self.point(&pointer, place, &life).await?;
        }
        Ok(attached)
    }

    pub(super) async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), LinkError> {
        if let Some(place) = self.of_id(session).await? {
            // Without waiting for replicas: a touch may be lost.
            self.bucket(place)
                .read(&script::TOUCH, &[session.as_bytes(), &millis(now)])
                .await?;
        }
        Ok(())
    }

    pub(super) async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, LinkError> {
        let head = record::receipt_head(&order)?;
        let mut places: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
        for target in self.narrowed(&order).await?.iter() {
            let (kind, whom, at) = self.whom(target).await?;
            let target = [kind.as_bytes(), &whom].concat();
            for place in at {
                places.entry(place).or_default().push(target.clone());
            }
        }
        let mut ended = Vec::new();
        for (place, targets) in places {
            self.end_in(place, &order, &head, &targets, &mut ended)
                .await?;
        }
        Ok(ended)
    }

    async fn end_in(
        &self,
        place: u16,
        order: &EndOrder,
        head: &[u8],
        targets: &[Vec<u8>],
        ended: &mut Vec<EndedSession>,
    ) -> Result<(), LinkError> {
        let mut from = Vec::new();
        loop {
            let arguments = step(order, head, &from, targets);
            let arguments: Vec<&[u8]> = arguments.iter().map(AsRef::as_ref).collect();
            let mut answer =
                array(self.bucket(place).write(&script::END, &arguments).await?)?.into_iter();
            from = stepped(&mut answer, ended)?;
            if from.is_empty() {
                return Ok(());
            }
        }
    }

    /// Carries out orders of which none is for a whole platform, where all there is lies in one
    /// bucket: in one step, each credited with what those before it have left.
    pub(super) async fn end_together(
        &self,
        orders: &[&EndOrder],
    ) -> Result<Vec<Vec<EndedSession>>, LinkError> {
        let mut arguments = Vec::with_capacity(orders.len() * 7);
        for order in orders {
            let mut targets = Vec::with_capacity(order.targets.len());
            for target in &order.targets {
                let (kind, whom, _) = self.whom(target).await?;
                targets.push([kind.as_bytes(), &whom].concat());
            }
            arguments.extend(
                step(order, &record::receipt_head(order)?, &[], &targets)
                    .into_iter()
                    .map(Cow::into_owned),
            );
        }
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let mut answers = array(self.bucket(0).write(&script::END, &arguments).await?)?.into_iter();
        let mut ended = Vec::with_capacity(orders.len());
        for _ in orders {
            let mut sessions = Vec::new();
            stepped(&mut answers, &mut sessions)?;
            ended.push(sessions);
        }
        if answers.len() == 0 {
            Ok(ended)
        } else {
            Err(LinkError::Shape)
        }
    }

    /// The targets of an order that one step in one bucket can find out. In a cluster a credential
    /// leads to its own bucket, but what lies in others its session has to be read for first.
    async fn narrowed<'a>(&self, order: &'a EndOrder) -> Result<Cow<'a, [EndTarget]>, LinkError> {
        let is_wide = |target: &EndTarget| matches!(target, EndTarget::Credential(by) if by.reach > Reach::Session);
        if !self.are_many() || !order.targets.iter().any(is_wide) {
            return Ok(Cow::Borrowed(&order.targets));
        }
        let mut targets = Vec::new();
        for target in &order.targets {
            match target {
                EndTarget::Credential(by) if is_wide(target) => {
                    targets.extend(by.resolved(&self.find(&by.digest, order.at).await?))
                }
                other => targets.push(other.clone()),
            }
        }
        Ok(Cow::Owned(targets))
    }

    /// A target as the script takes it, and the buckets where it may be.
    async fn whom(
        &self,
        target: &EndTarget,
    ) -> Result<(&'static str, Vec<u8>, Vec<u16>), LinkError> {
        let by_id = async |id: &SessionId| {
            let place = self.of_id(*id).await?;
            // Without a pointer, which may have been lost when a server failed, it may be anywhere.
            Ok::<_, LinkError>(place.map_or_else(|| self.all(), |place| vec![place]))
        };
        Ok(match target {
            EndTarget::Credential(by) => {
                let at = if self.are_many() {
                    self.pointer(&self.credential_pointer(&by.digest)).await?
                } else {
                    Some(0)
                };
                ("C", record::by_credential(by), at.into_iter().collect())
            }
            EndTarget::Expired(id) => ("E", id.as_bytes().to_vec(), by_id(id).await?),
            EndTarget::Person(person) => {
                ("P", person.as_str().into(), vec![self.of_person(person)])
            }
            EndTarget::Platform(platform) => ("F", platform.as_str().into(), self.all()),
            EndTarget::Session(id) => ("S", id.as_bytes().to_vec(), by_id(id).await?),
            EndTarget::SignOn(id) => (
                "O",
                id.as_bytes().to_vec(),
                self.hinted(&self.sign_on_hint(id)).await?,
            ),
            EndTarget::Subject(platform, subject) => (
                "U",
                record::subject_key(platform, subject),
                self.hinted(&self.subject_hint(platform, subject)).await?,
            ),
        })
    }

    pub(super) async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, LinkError> {
        let value = record::once(&value, expires);
        let margin = life(expires, expires, ONCE_MARGIN);
        let arguments: [&[u8]; 4] = [key.as_bytes(), &value, &millis(self.forgotten()), &margin];
        let bucket = self.bucket(self.of_bytes(key.as_bytes()));
        Ok(number(Some(bucket.write(&script::PUT_ONCE, &arguments).await?))? == 1)
    }

    pub(super) async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, LinkError> {
        let bucket = self.bucket(self.of_bytes(key.as_bytes()));
        let Some(bytes) = bucket
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
        bytes(
            self.bucket(0)
                .write(&script::AGREE, &[name.as_bytes(), &candidate])
                .await?,
        )
    }

    pub(super) async fn health(&self) -> Result<(), LinkError> {
        self.everywhere(|bucket| async move { bucket.probe().await })
            .await
            .map(drop)
    }
}

/// One step of an order, as the script takes it.
fn step<'a>(
    order: &'a EndOrder,
    head: &'a [u8],
    from: &'a [u8],
    targets: &'a [Vec<u8>],
) -> Vec<Cow<'a, [u8]>> {
    let mut arguments: Vec<Cow<'_, [u8]>> = vec![
        millis(order.at).into(),
        order.receipt.as_bytes().as_slice().into(),
        head.into(),
        from.into(),
        WALK_STEP.to_string().into_bytes().into(),
        targets.len().to_string().into_bytes().into(),
    ];
    arguments.extend(
        targets
            .iter()
            .map(|target| Cow::Borrowed(target.as_slice())),
    );
    arguments
}

/// What a step ended; brings where the walk goes on, or nothing.
fn stepped(
    answers: &mut impl Iterator<Item = Value>,
    ended: &mut Vec<EndedSession>,
) -> Result<Vec<u8>, LinkError> {
    let mut next = || bytes(answers.next().ok_or(LinkError::Shape)?);
    let (from, entries) = (next()?, next()?);
    ended.extend(record::read_entries(&entries)?);
    Ok(from)
}
