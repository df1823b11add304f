//! The npm clients: small scripts in `tests/clients` that drive a vendor's package and say in one
//! line of JSON what they saw.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Running};
use crate::skip::clients;

/// How long a script may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// `node` with a script of `tests/clients`.
fn command(script: &str) -> Command {
    let mut command = Command::new("node");
    // Relative, so that a stack trace of the script names a file of the repository.
    command
        .current_dir(clients())
        .arg(format!("{script}.mjs"))
        .env_remove("NODE_OPTIONS")
        .env_remove("NODE_USE_ENV_PROXY");
    command
}

/// A script that serves until its standard input ends, and says in lines of JSON what it does. It
/// is killed when this goes out of scope.
#[derive(Debug)]
pub struct NodeServer {
    output: mpsc::Receiver<Value>,
    _running: Running,
    _input: ChildStdin,
}

impl NodeServer {
    /// Starts `tests/clients/<script>.mjs` with a line of `settings`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(script: &str, settings: &Value) -> Self {
        let mut command = command(script);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let mut input = running.0.stdin.take().unwrap();
        writeln!(input, "{settings}").unwrap();
        let stdout = BufReader::new(running.0.stdout.take().unwrap());
        let (line, output) = mpsc::channel();
        thread::spawn(move || {
            let told = stdout.lines().map_while(Result::ok);
            let told = told.map_while(|text| serde_json::from_str(&text).ok());
            told.map_while(|told| line.send(told).ok()).for_each(drop);
        });
        Self {
            output,
            _running: running,
            _input: input,
        }
    }

    /// Its next line.
    ///
    /// # Panics
    /// When there is none.
    pub fn says(&self) -> Value {
        self.output.recv_timeout(PATIENCE).expect("another line")
    }

    /// Whether it has said nothing since its last line that was read.
    pub fn is_quiet(&self) -> bool {
        matches!(self.output.try_recv(), Err(mpsc::TryRecvError::Empty))
    }
}

/// Runs `tests/clients/<script>.mjs` with `input`, and reads what it saw. `authority` is a
/// certificate to trust besides the usual ones.
///
/// # Panics
/// When the script fails, or says anything but one line of JSON.
pub fn run(script: &str, input: &Value, authority: Option<&Path>) -> Value {
    let mut command = command(script);
    match authority {
        Some(certificate) => command.env("NODE_EXTRA_CA_CERTS", certificate),
        None => command.env_remove("NODE_EXTRA_CA_CERTS"),
    };
    let ended = process::run(&mut command, input.to_string().as_bytes(), PATIENCE)
        .unwrap_or_else(|fault| panic!("{script}: {fault}"));
    assert!(
        ended.status.success(),
        "{script}: {}\n{}",
        ended.status,
        ended.stderr
    );
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|fault| {
        panic!(
            "{script}: {fault} in {:?}\n{}",
            String::from_utf8_lossy(&ended.stdout),
            ended.stderr
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(clients().join(file)).unwrap()).unwrap()
    }

    #[test]
    fn the_lock_file_says_what_every_package_is_and_not_where_it_came_from() {
        let lock = read("package-lock.json");
        let packages = lock["packages"].as_object().unwrap();
        for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
            assert!(package.get("resolved").is_none(), "{path} names a registry");
            assert!(
                package["integrity"]
                    .as_str()
                    .is_some_and(|digest| digest.starts_with("sha512-")),
                "{path}"
            );
        }
        assert!(packages.len() > 4);
    }

    #[test]
    fn the_vendors_packages_are_pinned() {
        let package = read("package.json");
        for (name, version) in package["dependencies"].as_object().unwrap() {
            assert!(
                version
                    .as_str()
                    .unwrap()
                    .split('.')
                    .all(|part| part.bytes().all(|byte| byte.is_ascii_digit())),
                "{name} {version}"
            );
        }
    }
}
