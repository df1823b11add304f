//! What the tests share: a dialect, an upstream that plays a script, a hub with a store in memory.

pub(crate) mod dialect;
pub(crate) mod hub;
pub(crate) mod log;
pub(crate) mod played;
pub(crate) mod scripted;
