//! The `logout-hub` binary: picks the command.

use std::process::ExitCode;

use clap::Parser as _;
use logout_hub::cli::{self, Cli, Command};
use logout_hub::{COMPILED, client, copy_store, demo, serve, server, shell_help};

/// A sign-out asks for dozens of small pieces of memory, and some of them are given back by another
/// thread. Measured, this allocator saves a fifth of its CPU (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::CheckConfig(args) => cli::check_config(&args, &COMPILED, server::check),
        Command::PrintConfig(args) => cli::print_config(&args, &COMPILED, server::check),
        Command::Migrate(args) => cli::migrate(&args, &COMPILED, server::open_store),
        Command::CopyStore(args) => copy_store::run(&args, &COMPILED),
        Command::HashPassword => cli::hash_password(),
        Command::CheckHealth(args) => client::check_health(&args),
        Command::Sessions(args) => client::sessions(&args),
        Command::Receipts(args) => client::receipts(&args),
        Command::Deliveries(args) => client::deliveries(&args),
        Command::Completions(args) => shell_help::completions(&args),
        Command::ManPages(args) => shell_help::man_pages(&args),
    }
}
