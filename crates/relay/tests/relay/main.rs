//! Deliveries over real sockets on loopback, and over carriers of the tests' own where time is to
//! pass at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod carrier;
mod faults;
mod lanes;
mod metrics;
mod pass_through;
mod secrets;
mod support;
mod waiting;
