//! The sign-out dialect of Progress Sitefinity.
//!
//! `/Sitefinity/SignOut` with its options, the login widget's `<page>/SignOut`, and the logins and
//! probes of a stand-in. Which behaviour is documented by the vendor, which was observed and which
//! is our choice stands in `docs/vendors/sitefinity.md`.
//!
//! The modules, the same in every adapter: `config` (keys and what follows from them), `request`
//! (what a request asks for), `reply` (the vendor's words), `stand_in` (the other endpoints),
//! `login` and `probe` (what serves them), `upstream` (how to speak to a real site), `provider`
//! (glue). One more is this vendor's: `cookies` (values that are spread over several).

mod config;
mod cookies;
mod login;
mod probe;
mod provider;
mod reading;
mod reply;
mod request;
mod stand_in;
mod upstream;

pub use config::{AccessKey, CookieNames, SitefinityConfig, UpstreamAdministrator};
pub use provider::SitefinityProvider;
