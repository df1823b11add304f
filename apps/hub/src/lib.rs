//! One sign-out for every platform you run.
//!
//! The hub binary's parts, as a library so that tests can reach them: the command line ([`cli`],
//! [`client`]), the configuration ([`config`]), and the server that is built from them
//! ([`server::Hub`]).

mod account_changes;
mod admin;
mod answer;
pub mod cli;
pub mod client;
pub mod config;
pub mod copy_store;
pub mod demo;
mod exit;
mod idp;
mod index;
mod logging;
mod outgoing;
mod platforms;
mod receipt_page;
mod report;
mod safe_headers;
pub mod serve;
pub mod server;
pub mod shell_help;
mod start_error;
mod stores;
mod tls;
mod vendors;
mod version;

pub use logout_identity::SystemClock;
pub use server::{Hub, Options};
pub use start_error::StartError;
pub use vendors::Vendor;

/// What this build has in it.
pub const COMPILED: config::Compiled<'static> = config::Compiled {
    vendors: vendors::COMPILED,
    stores: stores::COMPILED,
    standards: idp::COMPILED,
};
