//! What tests of Logout Hub share and nobody ships: the rules that every store keeps
//! ([`conformance`]), and a stand-in without sockets with a clock, accounts, tokens and a store
//! that a test controls ([`testing`]).

pub mod conformance;
pub mod testing;
