//! The standards over HTTP: the endpoints of `logout-standards`, and what the hub sends by it.

mod backchannel_logout;
mod discovery;
mod end_session;
mod endpoint;
mod event_receivers;
mod events;
mod keys;
mod limits;
mod poll;
mod provider;
mod receiver;
mod revocation;
mod sender;
mod token_revocation;

pub(crate) use receiver::Receiver;
pub(crate) use sender::{FrontChannels, Sender};

use super::{DISCOVERY, END_SESSION, EVENTS, JWKS, PATH, REVOKE};
