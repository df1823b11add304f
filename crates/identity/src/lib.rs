//! Who may log in to a stand-in, and the tokens it hands out.
//!
//! Two implementations of the ports of `logout-core`: [`PasswordAccounts`] verifies names and passwords from a configured
//! list with argon2id, and [`JwtTokens`] mints and verifies JWTs with keys that all hubs on one store share.

mod accounts;
mod keys;
mod password;
mod tokens;

pub use accounts::{AccountFault, PasswordAccount, PasswordAccounts};
pub use keys::{KEY_PERIOD, LONGEST_TOKEN_LIFE};
pub use password::{HashFault, HashingFailed, hash_password, parse_hash};
pub use tokens::JwtTokens;

pub use argon2::PasswordHash;
