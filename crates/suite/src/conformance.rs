//! The shared suites: every store passes [`store`], [`outbox`] and [`transfer`].
//!
//! A suite is a module of cases and a macro that makes each of them a named test of the crate that calls it, so that a
//! failure says which rule is broken and by whom.

pub mod outbox;
pub mod store;
pub mod transfer;
