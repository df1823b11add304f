//! Deliveries over real sockets on loopback, and over carriers of the tests' own where time is to pass at once.

mod carrier;
mod faults;
mod figures;
mod first_sight;
mod lanes;
mod secrets;
mod support;
mod waiting;
