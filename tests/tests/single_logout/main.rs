//! Hubs in front of real instances, which stand-ins or scripted servers play: `cargo test -p
//! logout-tests --test single_logout [name]`.
//!
//! What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]
#![allow(clippy::print_stdout, reason = "figures for whoever reads the run")]

mod everywhere;
mod faults;
mod many;
mod restarts;
mod strangers;
mod ways;

use std::process::ExitCode;

use logout_tests::skip::Run;

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    everywhere::add(&mut run);
    faults::add(&mut run);
    many::add(&mut run);
    restarts::add(&mut run);
    strangers::add(&mut run);
    ways::add(&mut run);
    run.finish()
}
