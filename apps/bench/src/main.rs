//! Side by side: a sign-out by the hub, and a bare actix-web app that answers a fixed 302, loaded
//! by the same client in turns. What counts are the ratios within one run; absolute figures drift
//! from minute to minute.
//!
//! `cargo run --release -p logout-bench` prints a table. The hub and the bare app are processes of
//! their own (this binary, started again), so that each one's CPU time can be read.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

mod client;
mod dialect;
mod engine;
mod headers;
mod pgbench;
mod process;
mod report;
mod scale;
mod session_id;
mod single_logout;
mod subject;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use scale::hub::ScaleHub;
use scale::{Plot, Scale};
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
    /// A person's four sessions ended by one sign-out, with an instance behind each platform.
    FanOut(FanOut),
    /// What it costs to read a request, over its size.
    Headers(headers::Headers),
    /// The tables and the plot of what `scale` has found, once more, without measuring.
    Plot(Plot),
    /// Sign-outs over the number of live sessions.
    Scale(Scale),
    /// Be a hub over many sessions that is measured (started by the benchmark itself).
    #[command(hide = true)]
    ScaleHub(ScaleHub),
    /// Be a hub that is measured (started by the benchmark itself).
    #[command(hide = true)]
    SingleLogoutHub(HubSubject),
    /// Sign-outs at four platforms while one of the instances behind them is dead.
    Storm(Storm),
    /// Be a server that is measured (started by the benchmark itself).
    #[command(hide = true)]
    Subject(subject::Subject),
    /// Be the instances behind the platforms (started by the benchmark itself).
    #[command(hide = true)]
    Upstreams(Upstreams),
}

/// What is measured.
#[derive(Args, Clone, Debug)]
struct Plan {
    /// Connections that are kept busy at once.
    #[arg(long, value_delimiter = ',', default_value = "64,256")]
    connections: Vec<usize>,
    /// Stores to measure: `memory`, `fjall`, the URL of an empty PostgreSQL database or Redis
    /// server, or `postgres` or `redis` for a server that is started for it.
    #[arg(long, value_delimiter = ',', default_value = "memory,fjall")]
    stores: Vec<String>,
    /// Vendors to measure.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "sitefinity,assets,wix,hcl-dx"
    )]
    vendors: Vec<String>,
    /// Sign-outs in one turn; each ends another session.
    #[arg(long, default_value_t = 40_000)]
    requests: usize,
    /// Turns of each, one after the other.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Worker threads of the servers.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Where fjall, and servers that are started, keep their files; a folder of the system's for
    /// temporary files by default, which may be in memory.
    #[arg(long)]
    data: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.role {
        Some(Role::FanOut(fan_out)) => fan_out.run(),
        Some(Role::Headers(headers)) => headers.run(),
        Some(Role::Plot(plot)) => plot.run(),
        Some(Role::Scale(scale)) => scale.run(),
        Some(Role::ScaleHub(hub)) => hub.run(),
        Some(Role::SingleLogoutHub(hub)) => hub.run(),
        Some(Role::Storm(storm)) => storm.run(),
        Some(Role::Subject(subject)) => subject.run(),
        Some(Role::Upstreams(upstreams)) => upstreams.run(),
        None => report::run(&cli.plan),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
