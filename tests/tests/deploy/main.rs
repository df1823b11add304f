//! The files in `deploy`, as far as they can be judged without what reads them: each is parsed, and
//! fits the hub's command line, its configuration and the other files.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod configurations;
mod containers;
mod kubernetes;
mod packages;

use std::process::Command;
use std::time::Duration;

use logout_tests::process::{self, Ended};
use logout_tests::repository::{read, root};
use logout_tests::server::binary;
use serde_json::Value;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

fn toml(path: &str) -> toml::Table {
    read(path)
        .parse()
        .unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// The words of a list of strings.
fn words(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|word| word.as_str().unwrap()).collect()
}

fn hub(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied());
    process::run(&mut command, b"", PATIENCE).unwrap()
}

/// Fails unless the hub's command line takes these words, the first of which is the program's path.
fn assert_is_a_command(words: &[&str]) {
    assert_eq!(words[0], "/usr/bin/logout-hub");
    let ended = hub(&[&words[1..], &["--help"]].concat(), &[]);
    assert!(ended.status.success(), "{words:?}: {}", ended.stderr);
}
