//! The configurations in `examples`, started as they stand there, with real proxies:
//! `cargo test -p logout-tests --test proxies [name]`.
//!
//! What a machine lacks is listed at the end of the run; see `tests/README.md`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

/// Names tests after the functions that they are, behind the proxy.
macro_rules! behind {
    ($run:expr, $proxy:expr; $($case:ident)+) => { $(
        let proxy = $proxy;
        $run.add(&format!("{}::{}", proxy.name, stringify!($case)), &[proxy.need], move || $case(&proxy));
    )+ };
}

mod apache;
mod caddy;
mod envoy;
mod flow;
mod forged;
mod haproxy;
mod nginx;
mod scene;
mod traefik;

use std::process::ExitCode;

use logout_tests::skip::Run;

fn main() -> ExitCode {
    let mut run = Run::from_environment();
    for proxy in [
        apache::PROXY,
        caddy::PROXY,
        envoy::PROXY,
        haproxy::PROXY,
        nginx::PROXY,
        traefik::PROXY,
    ] {
        flow::add(&mut run, proxy);
        forged::add(&mut run, proxy);
    }
    run.finish()
}
