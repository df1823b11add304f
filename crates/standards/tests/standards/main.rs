//! The standards from outside: tokens signed here, keys made here, time as a parameter.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod key_cache;
mod key_set;
mod logout_request;
mod logout_sender;
mod logout_token;
mod provider_tokens;
mod security_event;
mod signer;
mod signing_key;
mod token_kinds;
mod token_revocation;
