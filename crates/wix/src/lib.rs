//! The sign-out dialect of Wix Headless.
//!
//! The Logout method under its five paths, the redirect session that browsers sign out by, and the
//! tokens, logins and probes of a stand-in. Which behaviour is documented by the vendor, which was
//! observed and which is our choice stands in `docs/vendors/wix.md`.
//!
//! The modules, the same in every adapter: `config` (keys and what follows from them), `request`
//! (what a request asks for), `reply` (the vendor's words), `stand_in` (the other endpoints),
//! `login` and `probe` (what serves them), `upstream` (real sites), `provider` (glue). Wix needs a
//! few more: `authorization`, `body`, `raw_request`, `guid` and `paths` (what its requests are made
//! of), `authorize`, `grant`, `token` and `redirect_session` (the OAuth side), `credentials` (what
//! sessions are opened by).

mod authorization;
mod authorize;
mod body;
mod config;
mod credentials;
mod grant;
mod guid;
mod login;
mod paths;
mod probe;
mod provider;
mod raw_request;
mod reading;
mod redirect_session;
mod reply;
mod request;
mod stand_in;
mod token;
mod upstream;

pub use config::{App, CookieNames, ResponseForm, WixConfig};
pub use provider::WixProvider;
