//! The sign-out dialect of Progress Sitefinity.
//!
//! `/Sitefinity/SignOut` with its options, and the logins and probes of a stand-in. Which behaviour is documented by the
//! vendor, which was observed and which is our choice stands in `docs/vendors/sitefinity.md`.
//!
//! The rooms, the same in every adapter: `config` (keys and what follows from them), `request` (what a request asks for),
//! `reply` (the vendor's words), `stand_in` (the other endpoints), `login` and `probe` (what serves them), `provider` (glue).

mod config;
mod login;
mod probe;
mod provider;
mod reply;
mod request;
mod stand_in;

pub use config::{AccessKey, CookieNames, SitefinityConfig};
pub use provider::SitefinityProvider;
