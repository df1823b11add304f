//! The rules of the vendor's contract, one named test each, against a stand-in without sockets.
//!
//! `sign_out` and `refusals` hold the Logout method, `redirect_session` the links that browsers
//! sign out and log in by, `login` the logins, `tokens` the token endpoint, the probes and what
//! happens when the store does not answer.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod login;
mod redirect_session;
mod refusals;
mod sign_out;
mod support;
mod tokens;
