//! The `logout-hub` binary: picks the command.

use std::process::ExitCode;

use clap::Parser as _;
use logout_hub::cli::{self, Cli, Command};
use logout_hub::{COMPILED, demo, serve, server};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::CheckConfig(args) => cli::check_config(&args, &COMPILED, server::check),
        Command::PrintConfig(args) => cli::print_config(&args, &COMPILED, server::check),
        Command::HashPassword => cli::hash_password(),
    }
}
