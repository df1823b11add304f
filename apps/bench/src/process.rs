//! Servers that are measured, in processes of their own (this binary, started again), so that the
//! CPU time of each can be read.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tokio::task::LocalSet;

use crate::procfs::Usage;

pub(crate) type BoxError = Box<dyn std::error::Error>;

/// A server in a process of its own. It serves until this is dropped.
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Where it listens, in the order in which it says so.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Server {
    /// Starts this binary with other arguments, and waits for the line with the addresses that it
    /// listens on.
    pub(crate) fn start(arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no output")?;
        let mut server = Self {
            child,
            input,
            output: BufReader::new(output),
            addresses: Vec::new(),
        };
        server.addresses = server
            .line()?
            .split(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(server)
    }

    /// The same, with `role` and options by their names.
    pub(crate) fn with_options(role: &str, options: &[(&str, String)]) -> Result<Self, BoxError> {
        let options = options
            .iter()
            .flat_map(|(name, value)| [(*name).to_owned(), value.clone()]);
        Self::start([role.to_owned()].into_iter().chain(options))
    }

    pub(crate) fn address(&self) -> Result<SocketAddr, BoxError> {
        Ok(*self.addresses.first().ok_or("no address")?)
    }

    fn line(&mut self) -> Result<String, BoxError> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Its answer to a question, a line each.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String, BoxError> {
        self.input
            .as_mut()
            .ok_or("no input")?
            .write_all(format!("{question}\n").as_bytes())?;
        self.line()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time that the process has used so far.
    pub(crate) fn cpu(&self) -> Result<Duration, BoxError> {
        Ok(Usage::of(self.id())?.total())
    }

    /// Ends it as a power cut would end it.
    pub(crate) fn kill(mut self) -> Result<(), BoxError> {
        Ok(self.child.kill()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Runs a load, on one thread.
pub(crate) fn block_on<T>(load: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, load)
}

/// Answers each line of standard input until that ends.
pub(crate) async fn answer(
    reply: impl AsyncFn(String) -> Result<String, BoxError>,
) -> Result<(), BoxError> {
    loop {
        let line = actix_web::rt::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map(|length| (length > 0).then_some(line))
        });
        let Some(question) = line.await?? else {
            return Ok(());
        };
        println!("{}", reply(question.trim().to_owned()).await?);
        std::io::stdout().flush()?;
    }
}

/// Tells the parent process where this one listens.
pub(crate) fn announce(addresses: &[SocketAddr]) -> Result<(), BoxError> {
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    println!("{}", addresses.join(" "));
    Ok(std::io::stdout().flush()?)
}
