//! Stores of Logout Hub: they keep sessions, tombstones, receipts and deliveries.
//!
//! | feature | store | for |
//! |---|---|---|
//! | | [`MemoryStore`] | tests and embedding; forgets everything with the process |
//! | `disk` (default) | [`DiskStore`] | one node; embedded, needs nothing but a folder |
//! | `postgres` | [`PostgresStore`] | several nodes on one PostgreSQL database |
//! | `redis` | [`RedisStore`] | several nodes on one Redis or Valkey server, behind sentinels, or a cluster |
//!
//! With `fjall`, a [`DiskStore`] moves what the embedded store of 0.1 left in its folder.
//!
//! Every store passes the shared suite `logout_suite::conformance`.

#[cfg(any(feature = "postgres", feature = "redis"))]
mod batch;
#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "disk")]
mod former;
mod local;
mod memory;
#[cfg_attr(
    not(feature = "disk"),
    expect(dead_code, reason = "a journal needs all of it")
)]
mod model;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod rules;
#[cfg(any(feature = "disk", feature = "postgres", feature = "redis"))]
mod wakeup;

#[cfg(feature = "redis")]
pub use self::redis::{AddressError, RedisConnectError, RedisStore};
#[cfg(feature = "disk")]
pub use disk::{DiskJournal, DiskStore, OpenError};
pub use local::LocalStore;
pub use memory::{MemoryStore, NoJournal};
#[cfg(feature = "postgres")]
pub use postgres::{ConnectError, PostgresStore};
