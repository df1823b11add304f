//! A PostgreSQL server of our own: on a free port, as an ordinary user.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::programs::{User, command, folder_of, free_port, ordinary_user, signal};
use super::until;
use crate::process::BoxError;

/// What it is set to; everything else is as it comes, `fsync` and `full_page_writes` included. Ten
/// million sessions take 8 GB, and a page that is changed for the first time after a checkpoint
/// goes into the log as a whole.
const SETTINGS: [&str; 6] = [
    "shared_buffers=6GB",
    "wal_compression=lz4",
    "synchronous_commit=on",
    "max_wal_size=8GB",
    "checkpoint_timeout=15min",
    "max_connections=400",
];

/// A server that ends with this value, and its files with it.
pub(super) struct Server {
    folder: TempDir,
    programs: PathBuf,
    user: Option<User>,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// A running server with an empty database.
    pub(super) fn start(data: Option<&Path>) -> Result<Self, BoxError> {
        let programs = folder_of(&["initdb", "postgres"])?;
        let (folder, user, port) = (
            data.map_or_else(TempDir::new, TempDir::new_in)?,
            ordinary_user()?,
            free_port()?,
        );
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group))?;
        }
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700))?;
        let mut server = Self {
            folder,
            programs,
            user,
            port,
            running: None,
        };
        let mut initdb = server.program("initdb");
        initdb
            .args([
                "--auth=trust",
                "--username=hub",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--pgdata",
            ])
            .arg(server.files());
        let made = initdb.output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        server.go_on()?;
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://hub@127.0.0.1:{}/postgres", self.port)
    }

    /// Its first process, the parent of the others.
    pub(super) fn id(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        command(&self.programs.join(name), self.folder.path(), self.user)
    }

    /// Starts it, also after it was stopped, and waits until it answers.
    pub(super) fn go_on(&mut self) -> Result<(), BoxError> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.files()).args([
            "-p",
            &self.port.to_string(),
            "-k",
            "",
            "-h",
            "127.0.0.1",
        ]);
        postgres
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .stdout(Stdio::null())
            .stderr(log);
        let running = self.running.insert(postgres.spawn()?);
        let url = format!("postgres://hub@127.0.0.1:{}/postgres", self.port);
        until(|| match running.try_wait()? {
            Some(_) => Err(std::fs::read_to_string(self.folder.path().join("log"))?.into()),
            None => Ok(sql(&url, "SELECT 1").is_ok()),
        })
    }

    /// Stops it as an administrator would who does not wait for connections to end.
    pub(super) fn stop(&mut self) -> Result<(), BoxError> {
        if let Some(mut running) = self.running.take() {
            signal("INT", running.id())?;
            running.wait()?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // At once: its files go next. It takes its children along.
            let _ = signal("QUIT", running.id());
            let _ = running.wait();
        }
    }
}

/// Carries out SQL, and brings its rows.
pub(super) fn sql(url: &str, statement: &str) -> Result<Vec<SimpleQueryRow>, BoxError> {
    // On a thread of its own, because the caller's may run a runtime.
    let carried_out = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|fault| fault.to_string())?;
        let rows = async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            client.simple_query(statement).await
        };
        // The URL, which may hold a password, is not part of these errors.
        let messages = runtime.block_on(rows);
        messages.map_err(|fault| format!("PostgreSQL, {statement}: {fault}"))
    };
    let messages = std::thread::scope(|scope| scope.spawn(carried_out).join());
    let messages = messages.map_err(|_| "asking PostgreSQL has failed")??;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}
