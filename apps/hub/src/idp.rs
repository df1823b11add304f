//! Identity providers that sign people out (`[[idp]]`, and the endpoints of standards), and others
//! that are told (`[[relying_party]]`, `[[event_receiver]]`). The only place that asks for the
//! cargo feature `standards`.

#[cfg(feature = "standards")]
mod standards;
#[cfg(not(feature = "standards"))]
mod without;

#[cfg(feature = "standards")]
pub(crate) use standards::{FrontChannels, Receiver, Sender};
#[cfg(not(feature = "standards"))]
pub(crate) use without::{FrontChannels, Receiver, Sender};

/// Whether this build has it.
pub(crate) const COMPILED: bool = cfg!(feature = "standards");

/// Where the endpoints of providers are, each provider's below its name.
const PATH: &str = "/idp/";

/// Where browsers sign out at an application's wish.
const END_SESSION: &str = "/end-session";

/// Where clients revoke tokens of stand-ins, those of each below its name.
const REVOKE: &str = "/revoke/";

/// Where receivers of security events poll, each below its name.
const EVENTS: &str = "/events/";

/// Where relying parties find what the hub says of itself (OpenID Connect Discovery 1.0, section
/// 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Where its keys are.
const JWKS: &str = "/.well-known/jwks.json";

/// The paths of all endpoints; those that end with a slash with all below them.
pub(crate) const PATHS: &[&str] = &[PATH, END_SESSION, REVOKE, EVENTS, DISCOVERY, JWKS];
