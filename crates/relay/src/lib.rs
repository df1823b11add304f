//! Carries deliveries to upstreams.
mod allowance;
pub mod breaker;
pub mod carrier;
pub mod schedule;
pub mod settings;
mod waiting;
