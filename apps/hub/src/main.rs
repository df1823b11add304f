//! The `logout-hub` binary: picks the command.

use std::process::ExitCode;

use clap::Parser as _;
use logout_hub::cli::{self, Cli, Command};
use logout_hub::{COMPILED, demo, serve, server};

/// A sign-out asks for some forty small pieces of memory, and some of them are given back by another thread: the system's
/// allocator takes a fifth of its time for that, this one a few hundredths (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::CheckConfig(args) => cli::check_config(&args, &COMPILED, server::check),
        Command::PrintConfig(args) => cli::print_config(&args, &COMPILED, server::check),
        Command::HashPassword => cli::hash_password(),
    }
}
