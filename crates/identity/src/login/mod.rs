//! What keeps guessing in bounds: fair turns for the work of hashing, and how many wrong passwords
//! are looked at.
//!
//! A login first waits for its turn ([`HashingSlots`]), and then takes a guess of its address and
//! of its account ([`Guesses`]), which it gives back when the password was right. Both know logins
//! by the same [`Origin`], which says nothing about whether there is such an account.

mod guesses;
mod limits;
mod origin;
mod slots;
mod turns;

pub(crate) use guesses::Guesses;
pub use limits::LoginLimits;
pub use origin::AddressGroup;
pub(crate) use origin::Origin;
pub(crate) use slots::HashingSlots;
