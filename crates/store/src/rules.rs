//! The rules that all stores keep, written once. They decide over records and touch no store: the
//! model calls them under its lock, Redis and PostgreSQL between a read and a write that counts
//! only if nothing has changed in between.

#[cfg(any(feature = "postgres", feature = "redis"))]
mod conditions;
mod import;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod known;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod lookup;
mod outbox;
mod session;
mod sweep;

use logout_core::store::Page;

#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) use conditions::Conditions;
pub(crate) use import::{Present, taken_in};
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) use known::{Known, Names, claimed};
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) use lookup::lookup;
pub(crate) use outbox::OutboxRow;
pub(crate) use session::{attach, is_touch_due, joined, minds_tombstones};
pub(crate) use sweep::{Fate, Horizon};

/// How often a change is tried anew when another one came first.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) const ATTEMPTS: usize = 100;

/// A page of `items`, of which there is one more than fits if there is another page.
pub(crate) fn page<T, K>(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Page<T, K> {
    let is_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| is_more).map(key);
    Page { items, next }
}
