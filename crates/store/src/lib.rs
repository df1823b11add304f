//! Durable stores of Logout Hub: what keeps sessions, tombstones, receipts and deliveries over a restart.
//!
//! | feature | store | for |
//! |---|---|---|
//! | `fjall` (default) | [`FjallStore`] | one node; embedded, needs nothing but a directory |
//!
//! Every store passes the shared suite `logout_core::conformance`.

#[cfg(feature = "fjall")]
mod embedded;

#[cfg(feature = "fjall")]
pub use embedded::{FjallStore, OpenFault};
