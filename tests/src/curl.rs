//! curl, called as a vendor's page writes it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::http::Answer;
use crate::process;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What makes curl show what came back, without a word added to the command: the status and headers
/// before the body, no progress, no proxy, no waiting for ever.
const SETTINGS: &str = "include\nsilent\nshow-error\nnoproxy = \"*\"\nmax-time = 30\n";

/// A shell with a home folder of its own, whose curl shows the whole answer. Files that commands
/// write are kept from one to the next.
#[derive(Debug)]
pub struct Shell {
    home: TempDir,
}

impl Shell {
    /// A shell in an empty folder.
    ///
    /// # Panics
    /// When there is no room for one.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(".curlrc"), SETTINGS).unwrap();
        Self { home }
    }

    /// Runs a command line that calls curl once, and reads the answer.
    ///
    /// # Panics
    /// When curl fails, or what came back is no HTTP answer.
    pub fn run(&self, line: &str) -> Answer {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.home.path())
            .env("CURL_HOME", self.home.path())
            .env("HOME", self.home.path());
        let ended = process::run(&mut command, b"", PATIENCE)
            .unwrap_or_else(|fault| panic!("{line}: {fault}"));
        assert!(
            ended.status.success(),
            "{line}: {}\n{}",
            ended.status,
            ended.stderr
        );
        Answer::parse(&ended.stdout).unwrap_or_else(|fault| panic!("{line}: {fault}"))
    }
}

impl Default for Shell {
    fn default() -> Self {
        Self::new()
    }
}
