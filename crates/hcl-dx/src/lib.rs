//! The sign-out dialect of HCL Digital Experience.
//!
//! The core API's `auth/logout`, the portal's logout address, the application server's
//! `ibm_security_logout`, and the logins and probes of a stand-in. Which behaviour is documented by
//! the vendor, which was observed and which is our choice stands in `docs/vendors/hcl-dx.md`.
//!
//! The modules, the same in every adapter: `config` (keys and what follows from them), `request`
//! (what a request asks for), `reply` (the vendor's words), `stand_in` (the other endpoints),
//! `login` and `probe` (what serves them), `upstream` (how to speak to a real portal), `provider`
//! (glue). Four more are this vendor's: `config_service` and `portal` (its own properties, and the
//! addresses they make), `token` (the LTPA token) and `who` (user names, and the object that holds
//! them).

mod config;
mod config_service;
mod login;
mod portal;
mod probe;
mod provider;
mod reading;
mod reply;
mod request;
mod stand_in;
mod token;
mod upstream;
mod who;

pub use config::{ContentItem, HclDxConfig, LogoutWithoutSession};
pub use config_service::{ConfigService, Setting};
pub use provider::HclDxProvider;
