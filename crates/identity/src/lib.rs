//! Who may log in to a stand-in, the tokens that it hands out, and every other secret of the hub.
//!
//! Implementations of the ports of `logout-core`, all but the store and the relay. For stand-ins:
//! [`PasswordAccounts`] verifies names and passwords from a list with argon2id, [`JwtTokens`] mints
//! and verifies JWTs with keys that all hubs on one store share. For hubs in front of real
//! instances: [`SealKeys`] encrypts what upstreams must be given back, [`PersonByClaim`] links
//! subjects to persons by their own tokens. For receipts: [`ReceiptSecrets`] and
//! [`SecretReceiptPages`] know the secret addresses of their pages, [`ReceiptSigner`] makes tokens
//! of them that can be proven later. [`SystemClock`] tells the time.

mod accounts;
mod claims;
mod clock;
mod keys;
mod login;
mod password;
mod receipt_pages;
mod receipt_tokens;
mod seal;
mod secret_file;
mod tokens;

pub use accounts::{AccountError, PasswordAccount, PasswordAccounts};
pub use claims::{ClaimAlgorithm, ClaimKeyError, PersonByClaim};
pub use clock::SystemClock;
pub use keys::{KEY_PERIOD, LONGEST_TOKEN_LIFE};
pub use login::{AddressGroup, LoginLimits};
pub use password::{HashError, HashingFailed, hash_password, parse_hash};
pub use receipt_pages::{ReceiptSecrets, SecretReceiptPages};
pub use receipt_tokens::{LONGEST_RECEIPT_RETENTION, RECEIPT_KEY_PERIOD, ReceiptSigner};
pub use seal::{SealKeyError, SealKeys, SealKeysUnusable};
pub use secret_file::{SecretFileError, read_secret_file};
pub use tokens::JwtTokens;

pub use argon2::PasswordHash;
