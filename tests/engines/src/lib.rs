//! Database servers that tests start for themselves: on free ports of this machine, in temporary
//! folders, and gone with the value that stands for them.
//!
//! A package of its own, because the tests of the stores and those of whole hubs both need them,
//! and neither may depend on the other.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]

pub mod postgres;
pub mod redis;
