//! Stores of Logout Hub: they keep sessions, tombstones, receipts and deliveries.
//!
//! | feature | store | for |
//! |---|---|---|
//! | | [`MemoryStore`] | tests and embedding; forgets everything with the process |
//! | `fjall` (default) | [`FjallStore`] | one node; embedded, needs nothing but a directory |
//! | `postgres` | [`PostgresStore`] | several nodes on one PostgreSQL database |
//! | `redis` | [`RedisStore`] | several nodes on one Redis or Valkey server, behind sentinels, or a cluster |
//!
//! Every store passes the shared suite `logout_suite::conformance`.

#[cfg(any(feature = "fjall", feature = "redis"))]
mod attempt;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod batch;
#[cfg(feature = "fjall")]
mod embedded;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "fjall", feature = "postgres", feature = "redis"))]
mod wakeup;

#[cfg(feature = "redis")]
pub use self::redis::{AddressError, RedisConnectError, RedisStore};
#[cfg(feature = "fjall")]
pub use embedded::{FjallStore, OpenError};
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::{ConnectError, PostgresStore};
