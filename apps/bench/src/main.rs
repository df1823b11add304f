//! Side by side: sign-outs by the hub, and a bare actix-web app that gives the same answers, loaded
//! by the same client in turns. Only the ratios within one run mean anything; absolute figures
//! drift from minute to minute.
//!
//! `cargo run --release -p logout-bench` prints tables. The hub and the bare app are processes of
//! their own (this binary, started again), so that the CPU time of each can be read.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

mod answer;
mod bare;
mod client;
mod dialect;
mod engine;
mod headers;
mod hub;
mod logout_tokens;
mod measure;
mod plan;
mod process;
mod procfs;
mod report;
mod requests;
mod session;
mod single_logout;
mod stores;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use logout_tokens::LogoutTokens;
use plan::Plan;
use single_logout::fan_out::FanOut;
use single_logout::hub::HubSubject;
use single_logout::storm::Storm;
use single_logout::upstream::Upstreams;

/// As in the hub's binary, so that both servers have what it has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures sign-outs against a bare actix-web app, single logout, or sign-outs over the number of
/// live sessions.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    plan: Plan,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Be the bare app (started by the benchmark itself).
    #[command(hide = true)]
    Bare(bare::Bare),
    /// A person's four sessions ended by one sign-out, with an instance behind each platform.
    FanOut(FanOut),
    /// What it costs to read a request, over its size.
    Headers(headers::Headers),
    /// Be a hub that is measured (started by the benchmark itself).
    #[command(hide = true)]
    Hub(hub::HubRole),
    /// Logout tokens of an identity provider, over the sessions that each ends.
    LogoutTokens(LogoutTokens),
    /// The tables and the plot of an earlier measurement, from its CSV file.
    Plot(report::Plot),
    /// The same over the number of live sessions, and restarts.
    Scale(Plan),
    /// Be a hub with instances behind it (started by the benchmark itself).
    #[command(hide = true)]
    SingleLogoutHub(HubSubject),
    /// Sign-outs at four platforms while one of the instances behind them is dead.
    Storm(Storm),
    /// Be the instances behind the platforms (started by the benchmark itself).
    #[command(hide = true)]
    Upstreams(Upstreams),
}

fn main() -> ExitCode {
    let matches = plan::with_scale_defaults(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|fault| fault.exit());
    let outcome = match cli.role {
        Some(Role::Bare(bare)) => bare.run(),
        Some(Role::FanOut(fan_out)) => fan_out.run(),
        Some(Role::Headers(headers)) => headers.run(),
        Some(Role::Hub(hub)) => hub.run(),
        Some(Role::LogoutTokens(tokens)) => tokens.run(),
        Some(Role::Plot(plot)) => plot.run(),
        Some(Role::Scale(plan)) => measure::run(&Plan {
            restarts: true,
            ..plan
        }),
        Some(Role::SingleLogoutHub(hub)) => hub.run(),
        Some(Role::Storm(storm)) => storm.run(),
        Some(Role::Upstreams(upstreams)) => upstreams.run(),
        None => measure::run(&cli.plan),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_has_defaults_of_its_own() {
        let command = plan::with_scale_defaults(Cli::command());
        command.clone().debug_assert();
        let matches = command.get_matches_from(["logout-bench", "scale", "--turns", "7"]);
        let cli = Cli::from_arg_matches(&matches).unwrap();
        assert_eq!(cli.plan.sizes, [100_000]);
        let Some(Role::Scale(plan)) = cli.role else {
            panic!("{cli:?}")
        };
        assert_eq!(plan.sizes, [10_000, 1_000_000, 10_000_000]);
        assert_eq!(
            (plan.stores.len(), plan.vendors.len(), plan.turns),
            (4, 1, 7)
        );
    }
}
