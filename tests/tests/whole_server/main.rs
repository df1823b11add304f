//! Whole servers on sockets of their own, with a store on disk: `cargo test -p logout-tests --test whole_server [name]`.
//!
//! What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set itself up should stop")]
#![allow(clippy::print_stdout, reason = "figures for whoever reads the run")]

mod demo;
mod durability;
mod full_disk;
mod sample;
mod stop;
mod syncs;

use std::process::ExitCode;

use logout_tests::skip::Run;

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    demo::add(&mut run);
    durability::add(&mut run);
    full_disk::add(&mut run);
    stop::add(&mut run);
    syncs::add(&mut run);
    run.finish()
}
