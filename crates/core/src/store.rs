//! Where sessions live: the contract that every store keeps, proven by `conformance`.

mod by_credential;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

pub use by_credential::ByCredential;

use crate::credential::{Credential, CredentialDigest, Sealed};
use crate::idp::{IdpLogin, TokenId};
use crate::platform_name::PlatformName;
use crate::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use crate::session::{Person, Session, SessionId, SsoSessionId, Subject};
use crate::time::Timestamp;

/// The store did not answer, or could not promise what it was asked to. The cause is logged where
/// it arose; clients see nothing of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the session store is not available")]
pub struct StoreUnavailable;

/// What a credential turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// It was ended; the tombstone stays until the credential would have expired.
    Ended,
    /// It opens this session, and this is what the session knows of it.
    Live(Arc<Session>, Credential),
    /// Never seen, expired, or ended so long ago that it would have expired.
    Unknown,
}

/// What a new session needs besides itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Join {
    /// Nothing: it may be the first of its sign-on.
    Always,
    /// Another live session of its sign-on.
    IfLive,
}

/// Whether a session was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenOutcome {
    /// It is there, durably as far as the store promises.
    Opened,
    /// Not opened: one of its credentials has been ended, and its upstream could not tell it from
    /// that session's.
    CredentialEnded,
    /// Not opened: the sign-on that it should belong to has no live session.
    SignOnEnded,
}

/// Which sessions to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EndTarget {
    /// Whatever this credential opens, if the request may end it.
    Credential(ByCredential),
    /// This one, but only if it has expired at the order's instant.
    Expired(SessionId),
    /// Every session of a person, at every platform.
    Person(Person),
    /// Every session of a platform.
    Platform(PlatformName),
    /// This one.
    Session(SessionId),
    /// Every session of a sign-on.
    SignOn(SsoSessionId),
    /// Every session of a subject at a platform.
    Subject(PlatformName, Subject),
}

/// One sign-out, as the store carries it out.
#[derive(Clone, Debug)]
pub struct EndOrder {
    /// The id that the receipt gets if anything ends.
    pub receipt: ReceiptId,
    /// The instant of the sign-out.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The platform that was asked.
    pub platform: Option<PlatformName>,
    /// How far it goes, for the receipt.
    pub reach: Reach,
    /// The token of an identity provider that ordered it, for the receipt.
    pub token: Option<TokenId>,
    /// What ends: the union of these.
    pub targets: Vec<EndTarget>,
}

impl EndOrder {
    /// The receipt of this order, given what it ended.
    pub fn receipt_for(&self, sessions: Vec<EndedSession>) -> Receipt {
        Receipt {
            id: self.receipt,
            at: self.at,
            reason: self.reason,
            platform: self.platform.clone(),
            reach: self.reach,
            token: self.token.clone(),
            sessions,
        }
    }
}

/// A page of a listing, in the order of ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, C> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<C>,
}

/// Which sessions to list: those that match all that is given.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Of this person.
    pub person: Option<Person>,
    /// At this platform.
    pub platform: Option<PlatformName>,
    /// Of this subject.
    pub subject: Option<Subject>,
    /// Of this login at an identity provider ([`IdpLogin::includes`]).
    pub idp: Option<IdpLogin>,
}

impl SessionFilter {
    /// Whether `session` matches.
    pub fn matches(&self, session: &Session) -> bool {
        self.person
            .as_ref()
            .is_none_or(|person| session.person.as_ref() == Some(person))
            && self
                .platform
                .as_ref()
                .is_none_or(|platform| session.platform == *platform)
            && self
                .subject
                .as_ref()
                .is_none_or(|subject| session.subject == *subject)
            && self
                .idp
                .as_ref()
                .is_none_or(|login| session.idp.as_ref().is_some_and(|own| login.includes(own)))
    }
}

/// What one step of housekeeping found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepPage {
    /// Sessions that have expired and are still to be ended, by [`SessionStore::end`] with
    /// [`EndTarget::Expired`].
    pub expired: Vec<SessionId>,
    /// Where the next step goes on; absent when everything has been looked at once.
    pub next: Option<Vec<u8>>,
}

/// Keeps sessions, tombstones and receipts.
///
/// Guarantees, each a case of the conformance suite:
/// - When [`SessionStore::end`] returns, everything it says ended is gone for ever, as durably as
///   the store promises; of concurrent orders for one session exactly one is told that it ended it.
/// - Nothing writes an ended session back: `touch` and `attach` on one do nothing.
/// - A store that cannot promise this answers [`StoreUnavailable`] and claims nothing.
#[async_trait]
pub trait SessionStore: Debug + Send + Sync + 'static {
    /// Opens a session. Where it names a sign-on and `Join::IfLive` is set, only if a session of
    /// that sign-on is live, in the same step. Where it has an upstream, whose credentials we have
    /// not made, only if none of them has a tombstone.
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable>;

    /// What a credential is at `now`. A credential past its own expiry, or of an expired session,
    /// is [`Lookup::Unknown`].
    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable>;

    /// Gives a live session one more credential, which dies with it, and where `sealed` is given,
    /// that in place of what its upstream knew it by. `false`: the session is not live, nothing was
    /// done.
    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable>;

    /// Notes that a session was used. May be written late or be lost in a crash; never changes
    /// anything else.
    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable>;

    /// Ends sessions in one atomic and durable step: sessions and indexes gone, tombstones laid for
    /// every credential that has not expired, receipt written, and one delivery for each session
    /// that has an upstream ([`crate::outbox::Outbox`]). Returns what *this* order ended; when that
    /// is nothing, nothing was written.
    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable>;

    /// Keeps a value that can be taken once, until `expires`. `false`: the key is in use, nothing
    /// was done.
    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable>;

    /// Takes the value: of several callers one gets it.
    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable>;

    /// Live sessions in the order of their ids, beginning after `after`, at most `limit`.
    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable>;

    /// The receipt of this id.
    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable>;

    /// Receipts, newest first, beginning before `before`, at most `limit`.
    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable>;

    /// One step of housekeeping over at most `limit` records from where the last one stopped:
    /// forgets tombstones and one-time values that have expired, receipts and settled deliveries
    /// from before `receipts_until`, and what given-up deliveries have sealed once that has
    /// expired; names expired sessions.
    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable>;

    /// The value under `name` that all who share this store agree on: `candidate`, where nobody was
    /// first.
    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable>;

    /// Whether the store answers and can make good its promises. Touches that were noted before are
    /// written by then.
    async fn health(&self) -> Result<(), StoreUnavailable>;
}
