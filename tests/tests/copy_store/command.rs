//! The command, as an operator gives it.

use std::process::{Command, Stdio};
use std::time::Duration;

use logout_tests::process::{self, Ended, Running};
use logout_tests::server::binary;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

fn command(from: &str, to: &str) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["copy-store", "--from", from, "--to", to])
        .env_remove("RUST_LOG");
    command
}

pub(crate) fn copy(from: &str, to: &str) -> Ended {
    process::run(&mut command(from, to), b"", PATIENCE).unwrap()
}

/// Under way.
pub(crate) fn begin(from: &str, to: &str) -> Running {
    let mut command = command(from, to);
    Running(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    )
}

/// What it has said on its standard output, where both sides are the same.
pub(crate) fn completed(ended: &Ended) -> Value {
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let line = said(ended);
    assert_eq!(
        (&line["complete"], &line["source"]),
        (&true.into(), &line["destination"]),
        "{line}"
    );
    line
}

/// What it has said on its standard output: one line.
pub(crate) fn said(ended: &Ended) -> Value {
    let text = String::from_utf8(ended.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text:?} {}", ended.stderr);
    serde_json::from_str(&text).unwrap()
}
