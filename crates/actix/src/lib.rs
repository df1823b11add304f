//! Mounts one or many sign-out providers in any actix-web app.
//!
//! ```no_run
//! use actix_web::{App, HttpServer};
//! use logout_actix::{Mount, MountedPlatform};
//!
//! # async fn run(platforms: Vec<MountedPlatform>) -> Result<(), Box<dyn std::error::Error>> {
//! let mount = Mount::new(platforms)?;
//! HttpServer::new(move || App::new().configure(mount.clone().routes())).bind(("127.0.0.1", 8080))?.run().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The mount answers what belongs to one of its platforms, by host, prefix and path, and leaves
//! everything else to the app's other routes. A path belongs to a platform when an endpoint takes
//! it, when it is a wrong spelling of one, when it lies in one of the vendor's namespaces
//! ([`logout_core::LogoutProvider::namespaces`]), or when it lies below a host or prefix that no
//! other platform shares ([`MountedPlatform::owns_rest`]); what no endpoint takes is refused in the
//! vendor's words. An app's own route in there has to be registered before the mount. Only this
//! crate knows both actix-web and our own request and reply.

mod client;
mod convert;
mod forwarded;
mod mount;
mod platform;
mod router;
mod territory;

pub use client::TrustedProxies;
pub use convert::{BodyError, read_body, response};
pub use mount::{Limits, Mount};
pub use platform::MountedPlatform;
pub use router::MountError;

// The README's Rust is compiled with this crate's documentation tests, because its examples mount
// adapters.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
