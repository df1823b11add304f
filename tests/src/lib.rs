//! What the tests share: a client that sends bytes as they are written, the contract files' grammar and runner, and hubs in
//! this process and in others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set itself up should stop")]

pub mod contract;
pub mod http;
pub mod hub;
