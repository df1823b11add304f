//! Whole servers on sockets of their own, with a store on disk: `cargo test -p logout-tests --test
//! whole_server [name]`.
//!
//! What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]
#![allow(clippy::print_stdout, reason = "figures for whoever reads the run")]

mod accounts;
mod asvs;
mod configuration;
mod demo;
mod durability;
mod expiry;
mod full_disk;
mod hostile;
mod logins;
mod odd;
mod outside;
mod redirects;
mod sample;
mod secrets;
mod spellings;
mod stop;
mod syncs;
mod target;

use std::process::ExitCode;

use logout_tests::skip::Run;

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    asvs::add(&mut run);
    accounts::add(&mut run);
    configuration::add(&mut run);
    demo::add(&mut run);
    durability::add(&mut run);
    expiry::add(&mut run);
    full_disk::add(&mut run);
    hostile::add(&mut run);
    logins::add(&mut run);
    outside::add(&mut run);
    redirects::add(&mut run);
    secrets::add(&mut run);
    spellings::add(&mut run);
    stop::add(&mut run);
    syncs::add(&mut run);
    run.finish()
}
