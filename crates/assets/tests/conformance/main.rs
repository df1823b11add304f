//! The rules of the vendor's contract, one named test each, against a stand-in without sockets.
//!
//! `service` holds `/services/logout`, `redirect` holds `/logout`, `login` the logins, `probe` the
//! probes and expiry, `elvis` what differs in Elvis 4 and 5, `store` what happens when the store
//! does not answer.

mod elvis;
mod login;
mod probe;
mod redirect;
mod service;
mod store;
mod support;
