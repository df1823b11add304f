//! Redis: what a server says of itself, and one of our own on a free port.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use redis::{Client, InfoDict, cmd};
use tempfile::TempDir;

use super::programs::{free_port, signal};
use super::until;
use crate::process::BoxError;

/// What it is set to; everything else is as it comes.
const SETTINGS: [&str; 6] = [
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
    "--save",
    "",
];

/// A server that ends with this value, and its files with it.
pub(super) struct Server {
    folder: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// A running, empty server.
    pub(super) fn start(data: Option<&Path>) -> Result<Self, BoxError> {
        let folder = data.map_or_else(TempDir::new, TempDir::new_in)?;
        let mut server = Self {
            folder,
            port: free_port()?,
            running: None,
        };
        server.go_on()?;
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, also after it was stopped, and waits until it has read its files and answers.
    pub(super) fn go_on(&mut self) -> Result<(), BoxError> {
        let url = self.url();
        let mut command = Command::new("redis-server");
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--dir",
            ])
            .arg(self.folder.path())
            .args(SETTINGS);
        let running = self
            .running
            .insert(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        until(|| match running.try_wait()? {
            Some(status) => Err(format!("redis-server: {status}").into()),
            None => Ok(keys(&url).is_ok()),
        })
    }

    /// Stops it as an administrator would.
    pub(super) fn stop(&mut self) -> Result<(), BoxError> {
        if let Some(mut running) = self.running.take() {
            signal("TERM", running.id())?;
            running.wait()?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.kill();
            let _ = running.wait();
        }
    }
}

/// How many keys there are.
pub(super) fn keys(url: &str) -> Result<u64, BoxError> {
    Ok(cmd("DBSIZE").query(&mut Client::open(url)?.get_connection()?)?)
}

/// Deletes all of them.
pub(super) fn forget(url: &str) -> Result<(), BoxError> {
    Ok(cmd("FLUSHDB").query(&mut Client::open(url)?.get_connection()?)?)
}

/// A figure that the server gives of itself.
pub(super) fn info(url: &str, section: &str, figure: &str) -> Result<u64, BoxError> {
    let said: InfoDict = cmd("INFO")
        .arg(section)
        .query(&mut Client::open(url)?.get_connection()?)?;
    said.get(figure)
        .ok_or_else(|| format!("Redis does not say {figure}").into())
}
