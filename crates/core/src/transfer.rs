//! Moving what one store holds to another: the contract that every store keeps, proven by
//! `conformance`.
//!
//! Apart from [`crate::store::SessionStore`], because this is the one place where a session is
//! written down without anybody having logged in. Nothing that serves requests knows of it.

use std::fmt::{self, Debug};

use async_trait::async_trait;

use crate::credential::CredentialDigest;
use crate::delivery::Delivery;
use crate::receipt::Receipt;
use crate::session::{Session, SessionId};
use crate::store::{Page, StoreUnavailable};
use crate::time::Timestamp;

/// One thing that a store keeps.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Record {
    /// A value that all who share the store have agreed on.
    Agreed(Agreed),
    /// What is, or was, to be told to an upstream. Leases stay behind.
    Delivery(Delivery),
    /// A value that can be taken once.
    Once(Once),
    /// What a sign-out ended.
    Receipt(Receipt),
    /// A live session.
    Session(Session),
    /// A credential that was ended.
    Tombstone(Tombstone),
}

/// A value under the name that it was agreed on by. It may be a key, so it is not printed.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Agreed {
    /// As `SessionStore::agree` was asked.
    pub name: String,
    /// What it answered.
    pub value: Vec<u8>,
}

impl Debug for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreed")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A value that can be taken once. It may open something, so it is not printed.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Once {
    /// What it is taken by.
    pub key: CredentialDigest,
    /// What is taken.
    pub value: Vec<u8>,
    /// Until when.
    pub expires: Timestamp,
}

impl Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once")
            .field("key", &self.key)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The memory that a credential was ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tombstone {
    /// The credential.
    pub digest: CredentialDigest,
    /// The session that it opened.
    pub session: SessionId,
    /// When it would have expired by itself, and need not be remembered any more.
    pub expires: Timestamp,
}

/// A part of what a store holds, and the place where the next one begins. It is absent on the last
/// part only; a part may be empty.
pub type Part = Page<Record, Vec<u8>>;

/// Gives out and takes in everything that a store holds.
///
/// Guarantees, each a case of the conformance suite:
/// - Going from place to place until there is none brings everything that is not over at `now`, as
///   long as nobody else writes: live sessions, tombstones and one-time values that have not
///   expired, and all receipts, deliveries and agreed values. Tombstones come before sessions.
/// - What one store gives out, another takes in and gives out the same.
/// - [`Transfer::import`] adds what is missing and changes nothing that is there. A session that
///   has ended where it is taken in stays ended, and one that lives there goes on as it is.
#[async_trait]
pub trait Transfer: Debug + Send + Sync + 'static {
    /// What lies at `from` and behind: at most `limit` records, or a few more where a server says
    /// itself how many lie together. `from` is a place that this store has given out, or absent for
    /// the first. Looks at a bounded part of the store.
    ///
    /// A store that other programs shrink meanwhile may bring a tombstone, a one-time or an agreed
    /// value twice.
    async fn export(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreUnavailable>;

    /// Takes in `records` that another store gave out; as durable as anything when it returns. Only
    /// the first of two with one name counts. Best given a thousand or more at once.
    ///
    /// A one-time value that was taken leaves no trace, and is taken in again.
    async fn import(&self, records: Vec<Record>, now: Timestamp) -> Result<(), StoreUnavailable>;

    /// About how many records [`Transfer::export`] will bring: good enough to show how far it has
    /// come.
    async fn size_hint(&self) -> Result<u64, StoreUnavailable>;

    /// What whoever is filling this store has noted there. It is no part of what the store gives
    /// out.
    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreUnavailable>;

    /// Notes `checkpoint` in place of what was noted; `None` takes it away. Durable when it
    /// returns.
    async fn set_checkpoint(&self, checkpoint: Option<Vec<u8>>) -> Result<(), StoreUnavailable>;
}
