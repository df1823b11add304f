//! Help for shells and for `man`, written from the command line's own description.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::failed;

/// The options of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The options of `man-pages`.
#[derive(Args, Clone, Debug)]
pub struct ManPagesArgs {
    /// The folder to write them to; made where it is missing.
    #[arg(long = "to", value_name = "DIR")]
    pub folder: PathBuf,
}

/// `completions`: status 0 and the shell's script on standard output, or 1 and the reason on
/// standard error.
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    match io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(1, &format_args!("the script cannot be written: {fault}")),
    }
}

/// `man-pages`: status 0 and a page for the program and for each command in the folder, or 1 and
/// the reason on standard error.
pub fn man_pages(args: &ManPagesArgs) -> ExitCode {
    match write_pages(&args.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let folder = args.folder.display();
            failed(
                1,
                &format_args!("{folder}: a manual page cannot be written: {fault}"),
            )
        }
    }
}

fn write_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(described(), folder)
}

/// The command line as the pages describe it: by the number of the version alone, because commit
/// and features belong to a build.
fn described() -> Command {
    Cli::command().long_version(None::<&'static str>)
}
