//! The sign-out dialect of HCL Digital Experience.
//!
//! The core API's `auth/logout`, the portal's logout address, and the logins and probes of a stand-in. Which behaviour is
//! documented by the vendor, which was observed and which is our choice stands in `docs/vendors/hcl-dx.md`.
//!
//! The rooms, the same in every adapter: `config` (keys and what follows from them), `request` (what a request asks for),
//! `reply` (the vendor's words), `stand_in` (the other endpoints), `login` and `probe` (what serves them), `provider` (glue).
//! Two more are this vendor's: `config_service` (its own properties and the addresses they make) and `token` (the LTPA token).

mod config;
mod config_service;
mod login;
mod portal;
mod probe;
mod provider;
mod reply;
mod request;
mod stand_in;
mod token;

pub use config::{ContentItem, HclDxConfig, LogoutWithoutSession};
pub use config_service::{ConfigService, Setting};
pub use provider::HclDxProvider;
