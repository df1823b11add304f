//! The clients that people really use: `cargo test -p logout-tests --test real_clients [name]`.
//!
//! What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod browser;
mod curl;
mod demo;
mod front_channel;
mod jar;
mod prefetch;
mod sitefinity;
mod token_revocation;
mod wix;

use std::process::ExitCode;

use logout_tests::logins;
use logout_tests::skip::Run;

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    browser::add(&mut run);
    curl::add(&mut run);
    demo::add(&mut run);
    front_channel::add(&mut run);
    jar::add(&mut run);
    prefetch::add(&mut run);
    sitefinity::add(&mut run);
    token_revocation::add(&mut run);
    wix::add(&mut run);
    run.finish()
}
