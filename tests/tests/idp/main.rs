//! Hubs that identity providers tell of sign-outs: `cargo test -p logout-tests --test idp [name]`.
//!
//! What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]
#![allow(clippy::print_stdout, reason = "figures for whoever reads the run")]

/// Names tests after the functions that they are, behind their module and, for each store but the
/// embedded one, in front of it the engine.
macro_rules! on_every_store {
    ($run:expr, $module:literal; $($case:ident)+) => {
        $($run.on_every_store(concat!($module, "::", stringify!($case)), &[], $case);)+
    };
}

mod answers;
mod end_session;
mod endings;
mod event_receivers;
mod events;
mod front_channel;
mod interrupted;
mod issued;
mod keys;
mod lemonldap;
mod metrics;
mod process;
mod published;
mod real_provider;
mod real_relying_party;
mod relying_parties;
mod requests;
mod revocation;
mod revocation_limits;
mod round_trip;
mod scene;
mod sender_restarts;
mod silence;
mod token_kinds;
mod token_revocation;
mod told_relying_party;

use std::process::ExitCode;

use logout_tests::skip::Run;

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    end_session::add(&mut run);
    endings::add(&mut run);
    event_receivers::add(&mut run);
    events::add(&mut run);
    front_channel::add(&mut run);
    interrupted::add(&mut run);
    keys::add(&mut run);
    lemonldap::add(&mut run);
    metrics::add(&mut run);
    published::add(&mut run);
    real_provider::add(&mut run);
    real_relying_party::add(&mut run);
    relying_parties::add(&mut run);
    requests::add(&mut run);
    revocation::add(&mut run);
    revocation_limits::add(&mut run);
    round_trip::add(&mut run);
    sender_restarts::add(&mut run);
    silence::add(&mut run);
    token_kinds::add(&mut run);
    token_revocation::add(&mut run);
    told_relying_party::add(&mut run);
    run.finish()
}
