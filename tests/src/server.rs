//! The `logout-hub` binary, run as an operator runs it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{Answer, Request};
use crate::process::{self, Running};

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a server that is to end is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The binary, built once for a run of tests: in the profile and the target folder of the tests.
///
/// # Panics
/// When it does not build.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        // <target>/<profile>/deps/<test>
        let folder = test.ancestors().nth(2).unwrap();
        let profile = folder
            .file_name()
            .map(|name| {
                if name == "debug" {
                    "dev".into()
                } else {
                    name.to_owned()
                }
            })
            .unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        // Offline, because whatever it takes was there to build the tests.
        cargo.args([
            "build",
            "--quiet",
            "--offline",
            "--bin",
            "logout-hub",
            "--message-format",
            "json",
            "--manifest-path",
        ]);
        cargo
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
            .arg("--profile")
            .arg(profile);
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        let built = cargo
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(built.status.success(), "logout-hub does not build");
        let messages = String::from_utf8_lossy(&built.stdout).into_owned();
        let mut executables = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        });
        executables.next_back().expect("cargo names the binary")
    })
}

/// A command of the binary that runs to its end.
///
/// # Panics
/// When it does not end.
pub fn run(arguments: &[&str], folder: &Path) -> process::Ended {
    let mut command = Command::new(binary());
    process::run(command.args(arguments).current_dir(folder), b"", PATIENCE)
        .unwrap_or_else(|fault| panic!("{fault}"))
}

/// A server in a process of its own, killed when this goes out of scope.
#[derive(Debug)]
pub struct Server {
    running: Running,
    greeting: Value,
    output: mpsc::Receiver<String>,
    errors: PathBuf,
}

impl Server {
    /// `logout-hub serve` with the configuration `hub.toml` in `folder`.
    pub fn serve(folder: &Path) -> Self {
        Self::start(
            Command::new(binary()).args(["serve", "--config", "hub.toml"]),
            folder,
        )
    }

    /// Starts a server in `folder`, and reads the first line of its output. What it writes to its
    /// standard error is added to `stderr.log` there.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: &mut Command, folder: &Path) -> Self {
        let errors = folder.join("stderr.log");
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&errors)
            .unwrap();
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut running = Running(
            command
                .spawn()
                .unwrap_or_else(|fault| panic!("{command:?}: {fault}")),
        );
        let stdout = BufReader::new(running.0.stdout.take().unwrap());
        let (line, output) = mpsc::channel();
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|text| line.send(text))
        });
        let told = output
            .recv_timeout(PATIENCE)
            .ok()
            .and_then(|line| serde_json::from_str(&line).ok());
        let greeting = told.unwrap_or_else(|| panic!("no first line of JSON:\n{}", read(&errors)));
        Self {
            running,
            greeting,
            output,
            errors,
        }
    }

    /// The first line of its output.
    pub fn greeting(&self) -> &Value {
        &self.greeting
    }

    /// The next line of its output.
    ///
    /// # Panics
    /// When there is none.
    pub fn line(&self) -> String {
        self.output
            .recv_timeout(PATIENCE)
            .expect("another line of output")
    }

    /// What it has written to its standard error, and those before it in the same folder.
    pub fn errors(&self) -> String {
        read(&self.errors)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.0.id()
    }

    /// Where it listens, as a URL without a slash at its end.
    pub fn base(&self) -> String {
        self.greeting["listening"]
            .as_str()
            .expect("an address")
            .to_owned()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        address(&self.greeting["listening"])
    }

    /// Where its admin listener listens.
    pub fn admin_address(&self) -> SocketAddr {
        address(&self.greeting["admin"])
    }

    /// Asks the admin API.
    pub fn admin(&self, target: &str, folder: &Path) -> Answer {
        let token = std::fs::read_to_string(folder.join("admin.token")).unwrap();
        Request::get(target)
            .header("Authorization", &format!("Bearer {}", token.trim()))
            .send(self.admin_address())
    }

    /// Sends it a signal, called as the shell calls it: `TERM`, `INT`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.id())])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "{name} cannot be sent"
        );
    }

    /// Whether none of its threads runs any more, which is so a moment after `STOP` was sent.
    ///
    /// # Panics
    /// When the system does not say it in `/proc`.
    pub fn is_stopped(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        threads.flatten().all(|thread| {
            // A thread that has ended in between does not run either.
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ")
                .next()
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('T'))
        })
    }

    /// Takes its life, as `kill -9` and the kernel's memory police do.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn kill(mut self) {
        assert_eq!(
            self.running.0.try_wait().unwrap(),
            None,
            "{}",
            read(&self.errors)
        );
        self.running.0.kill().unwrap();
        self.running.0.wait().unwrap();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than `patience`.
    pub fn wait(mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.running.0.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "it has not ended after {patience:?}:\n{}",
                read(&self.errors)
            );
            thread::sleep(LOOK);
        }
    }
}

fn address(url: &Value) -> SocketAddr {
    let url = url.as_str().unwrap_or_default();
    url.split_once("://")
        .and_then(|(_, address)| address.parse().ok())
        .unwrap_or_else(|| panic!("no address: {url:?}"))
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned()
}
