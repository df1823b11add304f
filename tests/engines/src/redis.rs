//! A Redis server of a test's own: on a free port of this machine, in a temporary folder.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(90);

/// A server that is killed when this goes out of scope.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub port: u16,
    directory: TempDir,
    settings: Vec<String>,
}

/// A port that nobody listens on, nor on the one 10,000 above it, where the nodes of a cluster talk
/// to each other.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    for _ in 0..1_000 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        if port
            .checked_add(10_000)
            .is_some_and(|above| TcpListener::bind(("127.0.0.1", above)).is_ok())
        {
            return port;
        }
    }
    panic!("no two free ports");
}

/// Whether a program can be started.
pub fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

fn spawn(program: &str, port: u16, directory: &TempDir, settings: &[String]) -> Child {
    Command::new(program)
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--port",
            &port.to_string(),
            "--dir",
        ])
        .arg(directory.path())
        .args(settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts")
}

/// Waits until `done`; gives up with `what` when that takes too long.
///
/// # Panics
/// When it gives up.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What whoever listens on a port of this machine answers to one line.
pub fn ask(port: u16, line: &str) -> String {
    let mut answer = vec![0; 64 * 1024];
    let read = TcpStream::connect(("127.0.0.1", port)).and_then(|mut socket| {
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.write_all(format!("{line}\r\n").as_bytes())?;
        socket.read(&mut answer)
    });
    answer.truncate(read.unwrap_or_default());
    String::from_utf8_lossy(&answer).into_owned()
}

impl Server {
    /// With settings as they stand on its command line.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let (port, directory) = (
            free_port(),
            tempfile::tempdir().expect("a temporary folder"),
        );
        let mut server = Self {
            child: spawn("redis-server", port, &directory, &settings),
            port,
            directory,
            settings,
        };
        server.await_answer();
        server
    }

    fn await_answer(&mut self) {
        eventually("the server answers", || {
            let exited = self.child.try_wait().expect("its state is known");
            assert!(exited.is_none(), "the server has exited: {exited:?}");
            self.ask("PING").contains("PONG")
        });
    }

    /// What the server answers to one line.
    pub fn ask(&self, line: &str) -> String {
        ask(self.port, line)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is gone");
    }

    /// The same server in the same folder.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.child = spawn("redis-server", self.port, &self.directory, &self.settings);
        self.await_answer();
    }

    /// Sends it a signal, called as `kill` calls it: `-STOP`, `-CONT`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already, where a test has killed it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
