//! The sign-out dialect of WoodWing Assets and its predecessor Elvis.
//!
//! `/services/logout` and `/logout`, and the logins and probes of a stand-in, as Elvis 4, 5 and 6
//! and Assets Server 6 speak them. Which behaviour is documented by the vendor, which was observed
//! and which is our choice stands in `docs/vendors/assets.md`.
//!
//! The modules, the same in every adapter: `config` (keys and what follows from them), `request`
//! (what a request asks for), `reply` (the vendor's words), `stand_in` (the other endpoints),
//! `login` and `probe` (what serves them), `upstream` (real instances), `provider` (glue). One more
//! here: `fields` (what a login carries, in three encodings).

mod config;
mod fields;
mod login;
mod probe;
mod provider;
mod reading;
mod reply;
mod request;
mod stand_in;
mod upstream;

pub use config::{AssetsConfig, Profile};
pub use provider::AssetsProvider;
