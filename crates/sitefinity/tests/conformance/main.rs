//! The rules of the vendor's contract that want more than one readable exchange, against a stand-in
//! without sockets; the others are files in `tests/contracts/sitefinity`.
//!
//! `sessions` holds concurrency, expiry and receipts, `others` signing out somebody else,
//! `redirect` where a browser may be sent, `cookies` their attributes, `store` what happens when
//! the store does not answer.

#![expect(
    clippy::unwrap_used,
    reason = "a test that has nothing to go on with fails"
)]

mod cookies;
mod others;
mod redirect;
mod sessions;
mod store;
mod support;
