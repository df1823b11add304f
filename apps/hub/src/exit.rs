//! Exit statuses of commands.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// Writes the error to standard error and makes `status` the exit status.
pub(crate) fn failed(status: u8, error: &dyn Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{error}");
    ExitCode::from(status)
}
