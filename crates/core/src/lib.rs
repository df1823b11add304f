//! The words, the traits and the one sign-out flow of Logout Hub.
//!
//! An adapter crate (one vendor's dialect) depends on this crate and on nothing else of the
//! workspace. There is no web framework, HTTP client, database, TLS or async runtime in here; what
//! the flow needs of those comes in through the traits in [`store`] and [`ports`].
//!
//! Start reading at [`authority::SessionAuthority::sign_out`]: it owns the order in which a
//! sign-out happens.

pub mod authority;
pub mod canonical;
pub mod check;
pub mod cookie;
pub mod cors;
pub mod credential;
pub mod delivery;
mod endpoint;
pub mod housekeeping;
pub mod idp;
pub mod json;
pub mod login;
pub mod login_relay;
pub mod message;
pub mod outbox;
pub mod page;
pub mod path;
pub mod platform;
mod platform_name;
pub mod ports;
pub mod prefetch;
pub mod provider;
pub mod public_suffix;
pub mod receipt;
pub mod redirect;
pub mod registration;
pub mod relayed_cookie;
pub mod relying_party;
mod reply;
pub mod same_site;
pub mod session;
pub mod sign_out;
pub mod store;
pub mod time;
pub mod token_bucket;
mod token_issuer;
pub mod transfer;
pub mod upstream;

pub use authority::{SessionAuthority, SignedOut};
pub use canonical::{CanonicalForm, CredentialReader};
pub use message::{Method, Request, Response};
pub use provider::{Endpoint, LoginProvider, LogoutProvider, SignOutDialect, UpstreamLogout};
pub use reply::Reply;
pub use sign_out::{Refusal, SignOut};
