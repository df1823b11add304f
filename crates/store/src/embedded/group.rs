//! Operations that share one commit.

mod choose;
mod outbox;
mod transfer;

use std::collections::HashSet;

use fjall::{OwnedWriteBatch, PersistMode, Slice};
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::receipt::EndedSession;
use logout_core::session::{Session, SessionId, SsoSessionId};
use logout_core::store::{EndOrder, Join, OpenOutcome};
use logout_core::time::Timestamp;
use tokio::sync::oneshot::Sender;

use super::due::Due;
use super::engine::{Engine, ReadError};
use super::index::{IndexKey, Members, SignOns};
use super::queue::{Job, Stale};
use super::reading;
use super::record::{self, CredentialRecord, RecordError, SessionRecord};
use super::table::Table;
use crate::wakeup::{self, Caller, Wakeup};
pub(super) use transfer::MARK_KEY;

/// How many keys one operation writes, roughly.
const KEYS: usize = 5;

/// Decides operations one after the other and collects what they write and answer; nothing of
/// either gets out before [`Group::commit`].
///
/// All operations of a group were waiting at the same time, so any order among them is true to
/// their callers. Orders to end sessions come first: then none of them has to look for sessions
/// that are opened in the same group, and whatever comes later in the group knows what has ended.
/// One batch can hold each key once only, so an operation that needs to see or to overwrite what an
/// earlier one writes is a [`Decided::Conflict`] and waits for the next group.
pub(super) struct Group<'e> {
    engine: &'e Engine,
    members: &'e mut Members,
    due: &'e mut Due,
    batch: OwnedWriteBatch,
    answers: Vec<Answer>,
    ended_for: Vec<(Caller, Vec<EndedSession>)>,
    listings: Vec<Listing>,
    ended: HashSet<SessionId>,
    /// Keys that a batch may meet twice: written and removed credentials and one-time values, and
    /// everything about sessions that were opened, got a credential or were touched.
    credentials: HashSet<CredentialDigest>,
    once: HashSet<CredentialDigest>,
    sessions: HashSet<SessionId>,
    touched: HashSet<SessionId>,
    /// Sign-ons that a session was opened in.
    opened_sign_ons: HashSet<SsoSessionId>,
    sign_ons: SignOns,
    agreed: HashSet<String>,
    /// Deliveries that were changed.
    deliveries: HashSet<SessionId>,
    durable: bool,
    /// Nothing more may come in.
    is_closed: bool,
}

/// What became of an operation.
pub(super) enum Decided {
    Conflict(Job),
    Done,
}

struct Listing {
    key: IndexKey,
    session: SessionId,
    listed: bool,
}

enum Answer {
    Agreed(Sender<Vec<u8>>, Vec<u8>),
    Done(Sender<()>),
    Due(Sender<Option<Timestamp>>, Option<Timestamp>),
    Flag(Sender<bool>, bool),
    Leased(Sender<Vec<(SessionId, u64)>>, Vec<(SessionId, u64)>),
    Opened(Sender<OpenOutcome>, OpenOutcome),
    Taken(Sender<Option<Vec<u8>>>, Option<Vec<u8>>),
}

impl<'e> Group<'e> {
    /// A group that has room for `expected` operations before it has to grow.
    pub(super) fn new(
        engine: &'e Engine,
        members: &'e mut Members,
        due: &'e mut Due,
        expected: usize,
    ) -> Self {
        Self {
            engine,
            members,
            due,
            batch: engine.batch(expected * KEYS),
            answers: Vec::new(),
            ended_for: Vec::with_capacity(expected),
            listings: Vec::with_capacity(expected * 2),
            ended: HashSet::new(),
            credentials: HashSet::new(),
            once: HashSet::new(),
            sessions: HashSet::new(),
            touched: HashSet::new(),
            opened_sign_ons: HashSet::new(),
            sign_ons: SignOns::default(),
            agreed: HashSet::new(),
            deliveries: HashSet::new(),
            durable: false,
            is_closed: false,
        }
    }

    /// Whether it is to be committed before anything else is decided.
    pub(super) fn is_full(&self, size: usize) -> bool {
        self.is_closed || self.len() >= size
    }

    fn len(&self) -> usize {
        self.answers.len() + self.ended_for.len()
    }

    /// Makes everything durable at once, then visible, then answers. On an error it calls
    /// `withdraw` and then lets all callers know at once that they get no answer. What comes back
    /// is to be sent a little later, see [`wakeup::answer`].
    pub(super) fn commit(mut self, withdraw: &impl Fn()) -> fjall::Result<Vec<Wakeup>> {
        for (key, sessions) in std::mem::take(&mut self.sign_ons).changed() {
            if sessions.is_empty() {
                self.remove(Table::SignOns, key.as_bytes())
            } else {
                self.write(Table::SignOns, key.as_bytes(), sessions)
            }
        }
        persist(self.engine, self.batch, self.durable).inspect_err(|_| withdraw())?;
        for Listing {
            key,
            session,
            listed,
        } in self.listings
        {
            if listed {
                self.members.add(key, session)
            } else {
                self.members.remove(key, session)
            }
        }
        self.answers.into_iter().for_each(Answer::send);
        Ok(wakeup::answer(self.ended_for))
    }

    fn write(&mut self, table: Table, key: impl AsRef<[u8]>, value: impl Into<Slice>) {
        self.engine
            .write(&mut self.batch, table, key.as_ref(), value);
    }

    fn remove(&mut self, table: Table, key: impl AsRef<[u8]>) {
        self.engine.remove(&mut self.batch, table, key.as_ref());
    }

    /// Carries out an order to end sessions.
    pub(super) fn end(&mut self, order: &EndOrder, caller: Caller) -> Result<(), ReadError> {
        let mut records = Vec::with_capacity(1);
        let chosen = self.choose_all(order, &mut records).and_then(|()| {
            let sessions = records
                .iter()
                .map(|(id, bytes)| Ok((*id, SessionRecord::read(bytes)?)));
            let sessions = sessions.collect::<Result<Vec<_>, RecordError>>()?;
            let receipt = order.receipt_for(
                sessions
                    .iter()
                    .map(|(id, session)| session.to_ended(*id))
                    .collect(),
            );
            let bytes = record::receipt(&receipt)?;
            for sign_on in sessions.iter().filter_map(|(_, session)| session.sign_on()) {
                self.sign_ons.of(self.engine, sign_on)?;
            }
            let posted = outbox::posted(&sessions, order)?;
            Ok((sessions, receipt, bytes, posted))
        });
        // Everything that can fail comes before the first write, so that an order is either in the
        // group or not at all.
        let (sessions, receipt, bytes, posted) = chosen.inspect_err(|_| {
            for (id, _) in &records {
                self.ended.remove(id);
            }
        })?;
        if !sessions.is_empty() {
            for (id, session) in &sessions {
                self.take_out(*id, session, order.at);
            }
            self.write(Table::Receipts, order.receipt.as_bytes(), bytes);
            self.post(posted, order.at);
            self.durable = true;
        }
        self.ended_for.push((caller, receipt.sessions));
        Ok(())
    }

    /// Its credentials stay until they expire: without a session to open they are its tombstones.
    fn take_out(&mut self, id: SessionId, session: &SessionRecord<'_>, at: Timestamp) {
        for expired in session
            .credentials()
            .filter(|credential| credential.expires <= at)
        {
            if self.credentials.insert(expired.digest) {
                self.remove(Table::Credentials, expired.digest.as_bytes());
            }
        }
        self.remove(Table::Sessions, id.as_bytes());
        if let Some(sign_on) = session.sign_on() {
            self.sign_ons.remove(sign_on, id);
        }
        for key in IndexKey::all_of_record(session) {
            self.remove(key.table, key.entry(id));
            self.listings.push(Listing {
                key,
                session: id,
                listed: false,
            });
        }
    }

    /// Decides any other operation.
    pub(super) fn decide(&mut self, job: Job) -> Result<Decided, ReadError> {
        match job {
            Job::Agree {
                name,
                candidate,
                reply,
            } => self.get_or_insert(name, candidate, reply),
            Job::Attach {
                session,
                credential,
                sealed,
                now,
                reply,
            } => self.attach(session, credential, sealed, now, reply),
            Job::Forget { stale, now, reply } => self.forget(stale, now, reply),
            Job::Health { reply } => {
                self.durable = true;
                self.answers.push(Answer::Done(reply));
                Ok(Decided::Done)
            }
            Job::Import {
                records,
                now,
                reply,
            } => self.import(records, now, reply),
            Job::Lease {
                platform,
                limit,
                now,
                until,
                reply,
            } => Ok(self.lease(&platform, limit, now, until, reply)),
            Job::NextDue { platform, reply } => Ok(self.next_due(&platform, reply)),
            Job::Open {
                session,
                join,
                now,
                reply,
            } => self.open(session, join, now, reply),
            Job::PutOnce {
                key,
                value,
                expires,
                reply,
            } => self.put_once(key, value, expires, reply),
            Job::Retry {
                session,
                now,
                reply,
            } => self.retry(session, now, reply),
            Job::Settle {
                session,
                lease,
                settlement,
                reply,
            } => self.settle(session, lease, settlement, reply),
            Job::SetCheckpoint { checkpoint, reply } => Ok(self.set_checkpoint(checkpoint, reply)),
            Job::TakeOnce { key, now, reply } => self.take_once(key, now, reply),
            Job::Touch { session, now } => self.touch(session, now).map(|()| Decided::Done),
        }
    }

    fn open(
        &mut self,
        session: Box<Session>,
        join: Join,
        now: Timestamp,
        reply: Sender<OpenOutcome>,
    ) -> Result<Decided, ReadError> {
        let conflicts = self.sessions.contains(&session.id)
            || self.ended.contains(&session.id)
            || session
                .credentials
                .iter()
                .any(|credential| self.credentials.contains(&credential.digest));
        if conflicts {
            return Ok(Decided::Conflict(Job::Open {
                session,
                join,
                now,
                reply,
            }));
        }
        if self.is_ended_credential_of(&session, now)? {
            self.answers
                .push(Answer::Opened(reply, OpenOutcome::CredentialEnded));
            return Ok(Decided::Done);
        }
        if let (Join::IfLive, Some(sign_on)) = (join, session.sign_on)
            && !self.is_alive(sign_on, now)?
        {
            self.answers
                .push(Answer::Opened(reply, OpenOutcome::SignOnEnded));
            return Ok(Decided::Done);
        }
        let bytes = SessionRecord::of(&session).to_bytes()?;
        if let Some(sign_on) = session.sign_on {
            self.sign_ons.add(self.engine, sign_on, session.id)?;
        }
        // In this order: whoever sees the credential already finds the session, and does not take
        // it for ended.
        self.write(Table::Sessions, session.id.as_bytes(), bytes);
        for key in IndexKey::all_of(&session) {
            self.write(key.table, key.entry(session.id), []);
            self.listings.push(Listing {
                key,
                session: session.id,
                listed: true,
            });
        }
        for credential in &session.credentials {
            if self.credentials.insert(credential.digest) {
                let record = CredentialRecord {
                    session: session.id,
                    expires: credential.expires,
                };
                self.write(
                    Table::Credentials,
                    credential.digest.as_bytes(),
                    record.to_bytes(),
                );
            }
        }
        self.sessions.insert(session.id);
        if !session.is_expired(now) {
            self.opened_sign_ons.extend(session.sign_on);
        }
        self.durable = true;
        self.answers
            .push(Answer::Opened(reply, OpenOutcome::Opened));
        Ok(Decided::Done)
    }

    fn is_alive(&mut self, sign_on: SsoSessionId, now: Timestamp) -> Result<bool, ReadError> {
        if self.opened_sign_ons.contains(&sign_on) {
            return Ok(true);
        }
        for id in self.sign_ons.of(self.engine, sign_on)?.to_vec() {
            if self.live_record(id, now)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn live_record(&self, id: SessionId, now: Timestamp) -> Result<Option<Slice>, ReadError> {
        if self.ended.contains(&id) {
            return Ok(None);
        }
        let Some(bytes) = self.engine.read(Table::Sessions, id.as_bytes())? else {
            return Ok(None);
        };
        let live = SessionRecord::read(&bytes)?.ends_by(self.engine.seen(id)?) > now;
        Ok(live.then_some(bytes))
    }

    fn attach(
        &mut self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
        reply: Sender<bool>,
    ) -> Result<Decided, ReadError> {
        if self.sessions.contains(&session) || self.credentials.contains(&credential.digest) {
            return Ok(Decided::Conflict(Job::Attach {
                session,
                credential,
                sealed,
                now,
                reply,
            }));
        }
        let Some(bytes) = self.live_record(session, now)? else {
            self.answers.push(Answer::Flag(reply, false));
            return Ok(Decided::Done);
        };
        let mut record = SessionRecord::read(&bytes)?;
        // What has expired by itself makes room, so that a session that is refreshed for weeks
        // stays small.
        for expired in record.without_expired(now) {
            if self.credentials.insert(expired) {
                self.remove(Table::Credentials, expired.as_bytes());
            }
        }
        record.push(&credential);
        if let Some(sealed) = &sealed {
            record.seal(sealed);
        }
        self.write(Table::Sessions, session.as_bytes(), record.to_bytes()?);
        let leads_to = CredentialRecord {
            session,
            expires: credential.expires,
        };
        self.write(
            Table::Credentials,
            credential.digest.as_bytes(),
            leads_to.to_bytes(),
        );
        self.sessions.insert(session);
        self.credentials.insert(credential.digest);
        self.durable = true;
        self.answers.push(Answer::Flag(reply, true));
        Ok(Decided::Done)
    }

    fn touch(&mut self, id: SessionId, now: Timestamp) -> Result<(), ReadError> {
        if self.ended.contains(&id) || self.touched.contains(&id) {
            return Ok(());
        }
        let Some(bytes) = self.engine.read(Table::Sessions, id.as_bytes())? else {
            return Ok(());
        };
        let session = SessionRecord::read(&bytes)?;
        let last = session.seen().max(self.engine.seen(id)?);
        let due = session
            .idle_timeout()
            .is_some_and(|span| now.since(last) >= span / 30)
            && now > last;
        if due && session.ends_by(last) > now {
            self.touched.insert(id);
            self.write(Table::Seen, id.as_bytes(), record::seen(now));
        }
        Ok(())
    }

    fn put_once(
        &mut self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
        reply: Sender<bool>,
    ) -> Result<Decided, ReadError> {
        if self.once.contains(&key) {
            return Ok(Decided::Conflict(Job::PutOnce {
                key,
                value,
                expires,
                reply,
            }));
        }
        let free = self.engine.read(Table::Once, key.as_bytes())?.is_none();
        if free {
            self.write(Table::Once, key.as_bytes(), record::once(&value, expires));
            self.once.insert(key);
            self.durable = true;
        }
        self.answers.push(Answer::Flag(reply, free));
        Ok(Decided::Done)
    }

    fn take_once(
        &mut self,
        key: CredentialDigest,
        now: Timestamp,
        reply: Sender<Option<Vec<u8>>>,
    ) -> Result<Decided, ReadError> {
        if self.once.contains(&key) {
            return Ok(Decided::Conflict(Job::TakeOnce { key, now, reply }));
        }
        let taken = match self.engine.read(Table::Once, key.as_bytes())? {
            None => None,
            Some(bytes) => {
                let (expires, value) = record::read_once(&bytes)?;
                let value = (expires > now).then(|| value.to_vec());
                self.remove(Table::Once, key.as_bytes());
                self.once.insert(key);
                self.durable |= value.is_some();
                value
            }
        };
        self.answers.push(Answer::Taken(reply, taken));
        Ok(Decided::Done)
    }

    fn get_or_insert(
        &mut self,
        name: String,
        candidate: Vec<u8>,
        reply: Sender<Vec<u8>>,
    ) -> Result<Decided, ReadError> {
        if self.agreed.contains(&name) {
            return Ok(Decided::Conflict(Job::Agree {
                name,
                candidate,
                reply,
            }));
        }
        let key = agreed_key(&name);
        let value = match self.engine.read(Table::Agreed, &key)? {
            Some(bytes) => bytes.to_vec(),
            None => {
                self.write(Table::Agreed, key, candidate.as_slice());
                self.agreed.insert(name);
                self.durable = true;
                candidate
            }
        };
        self.answers.push(Answer::Agreed(reply, value));
        Ok(Decided::Done)
    }

    /// Looks again before it forgets: since housekeeping saw the record, somebody may have put
    /// another in its place.
    fn forget(
        &mut self,
        stale: Vec<Stale>,
        now: Timestamp,
        reply: Sender<()>,
    ) -> Result<Decided, ReadError> {
        for stale in stale {
            match stale {
                Stale::Once(key) => {
                    let digest = CredentialDigest::from_bytes(key);
                    let Some(bytes) = self.engine.read(Table::Once, &key)? else {
                        continue;
                    };
                    if record::read_once(&bytes)?.0 <= now && self.once.insert(digest) {
                        self.remove(Table::Once, key);
                    }
                }
                Stale::Delivery(key, until) => self.tidy(SessionId::from_bytes(key), now, until)?,
                Stale::Receipt(key) => self.remove(Table::Receipts, key),
                Stale::Seen(key) => {
                    if self.touched.insert(SessionId::from_bytes(key)) {
                        self.remove(Table::Seen, key);
                    }
                }
                Stale::Credential(key) => {
                    let digest = CredentialDigest::from_bytes(key);
                    let Some(bytes) = self.engine.read(Table::Credentials, &key)? else {
                        continue;
                    };
                    if reading::is_spent(self.engine, CredentialRecord::read(&bytes)?, now)?
                        && self.credentials.insert(digest)
                    {
                        self.remove(Table::Credentials, key);
                    }
                }
            }
        }
        self.answers.push(Answer::Done(reply));
        Ok(Decided::Done)
    }
}

fn persist(engine: &Engine, batch: OwnedWriteBatch, durable: bool) -> fjall::Result<()> {
    engine.make_room()?;
    if !batch.is_empty() {
        let mode = if durable {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        batch.durability(Some(mode)).commit()
    } else if durable {
        engine.sync()
    } else {
        Ok(())
    }
}

/// Under which key a value that all agree on lies.
pub(super) fn agreed_key(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(b'=');
    key.extend_from_slice(name.as_bytes());
    key
}

impl Answer {
    /// A caller who has gone away is no fault: what was asked is done.
    fn send(self) {
        match self {
            Self::Agreed(reply, value) => drop(reply.send(value)),
            Self::Done(reply) => drop(reply.send(())),
            Self::Due(reply, next) => drop(reply.send(next)),
            Self::Flag(reply, value) => drop(reply.send(value)),
            Self::Leased(reply, leased) => drop(reply.send(leased)),
            Self::Opened(reply, opened) => drop(reply.send(opened)),
            Self::Taken(reply, value) => drop(reply.send(value)),
        }
    }
}
