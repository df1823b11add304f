//! The rules of the vendor's contract, one named test each, against a stand-in without sockets.
//!
//! `core_api` holds login, validation, content and `auth/logout`, `portal` the portal's logout
//! address and where a logout leads, `tokens` what an LTPA token is and what is left of it,
//! `set_up` what the vendor's properties make of a start.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod core_api;
mod portal;
mod set_up;
mod support;
mod tokens;
