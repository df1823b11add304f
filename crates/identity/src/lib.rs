//! Who may log in to a stand-in, and the tokens it hands out.
//!
//! Implementations of the ports of `logout-core`, all but the store: [`PasswordAccounts`] verifies names and passwords from
//! a list with argon2id, [`JwtTokens`] mints and verifies JWTs with keys that all hubs on one store share, and
//! [`SystemClock`] tells the time.

mod accounts;
mod clock;
mod keys;
mod password;
mod receipt_pages;
mod receipt_tokens;
mod seal;
mod tokens;

pub use accounts::{AccountFault, PasswordAccount, PasswordAccounts};
pub use clock::SystemClock;
pub use keys::{KEY_PERIOD, LONGEST_TOKEN_LIFE};
pub use password::{HashFault, HashingFailed, hash_password, parse_hash};
pub use receipt_pages::{ReceiptLandings, ReceiptSecrets};
pub use receipt_tokens::{LONGEST_RECEIPT_RETENTION, RECEIPT_KEY_PERIOD, ReceiptSigner};
pub use seal::{SealKeyFault, SealKeys, SealKeysUnusable};
pub use tokens::JwtTokens;

pub use argon2::PasswordHash;
