//! Other programs, run so that none of them outlives the test or keeps it waiting for ever.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a program that runs is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A program that is killed when this goes out of scope.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program that ended left behind.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// Runs `command` with `input` on its standard input until it ends.
///
/// # Errors
/// It cannot be started, or has not ended after `patience`, in which case it is killed.
pub fn run(command: &mut Command, input: &[u8], patience: Duration) -> Result<Ended, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut running =
        Running(spawned.map_err(|fault| format!("{name} cannot be started: {fault}"))?);
    let stdout = collect(running.0.stdout.take());
    let stderr = collect(running.0.stderr.take());
    if let Some(mut stdin) = running.0.stdin.take() {
        // A program that ends without reading its input is judged by its status.
        let _ = stdin.write_all(input);
    }
    let deadline = Instant::now() + patience;
    let status = loop {
        match running
            .0
            .try_wait()
            .map_err(|fault| format!("{name}: {fault}"))?
        {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                return Err(format!("{name} has not ended after {patience:?}"));
            }
            None => thread::sleep(LOOK),
        }
    };
    // What it started may still hold the pipes, so these have a deadline too.
    let rest = |pipe: &mpsc::Receiver<Vec<u8>>| {
        pipe.recv_timeout(deadline.saturating_duration_since(Instant::now()) + LOOK)
    };
    let unfinished = |_| format!("{name} has ended, but something holds on to its output");
    let stderr = rest(&stderr).map_err(unfinished)?;
    Ok(Ended {
        status,
        stdout: rest(&stdout).map_err(unfinished)?,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (done, collected) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        if !matches!(read, Some(Err(_))) {
            let _ = done.send(bytes);
        }
    });
    collected
}

/// Where the program of this name is, by `PATH`.
pub fn find(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program.as_ref()))
        .find(|path| path.is_file())
}

/// An address that is free, for programs that cannot be told to take any and say which: below the
/// ports that the system gives to connections, and no two alike in this process.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let offset = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn input_goes_in_and_both_outputs_come_out() {
        let ended = run(
            Command::new("sh").args(["-c", "cat; echo wrong >&2; exit 3"]),
            b"right",
            PATIENCE,
        )
        .unwrap();
        assert_eq!(
            (
                ended.status.code(),
                ended.stdout.as_slice(),
                ended.stderr.as_str()
            ),
            (Some(3), &b"right"[..], "wrong\n")
        );
    }

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let fault = run(
            Command::new("sleep").arg("600"),
            b"",
            Duration::from_millis(50),
        )
        .unwrap_err();
        assert!(fault.contains("sleep has not ended"), "{fault}");
    }

    #[test]
    fn a_program_that_is_not_there_says_so() {
        assert!(run(&mut Command::new("no-such-program"), b"", PATIENCE).is_err());
        assert_eq!(find("no-such-program"), None);
        assert!(find("sh").is_some());
    }
}
