//! Deliveries over real sockets on loopback, and over clients of the tests' own where time is to
//! pass at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod breaker;
mod faults;
mod http_client;
mod leases;
mod metrics;
mod pass_through;
mod secrets;
mod settlement;
mod stop;
mod support;
mod waiting;
