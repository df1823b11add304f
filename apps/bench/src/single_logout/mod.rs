//! Single logout: a person's sessions at four platforms, each with a real instance behind it, ended
//! by one sign-out.

mod confirmations;
pub(crate) mod fan_out;
pub(crate) mod hub;
mod pair;
pub(crate) mod storm;
pub(crate) mod upstream;
