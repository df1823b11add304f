//! Where the engines' programs are, and as whom they run.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::BoxError;

/// The folder that has all of these PostgreSQL programs: Debian keeps the server's apart, by
/// version.
pub(super) fn folder_of(programs: &[&str]) -> Result<PathBuf, BoxError> {
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    packaged.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = packaged
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&path));
    let folder = folders.find(|folder| {
        programs
            .iter()
            .all(|program| folder.join(program).is_file())
    });
    folder.ok_or_else(|| format!("{} not installed", programs.join(", ")).into())
}

/// A user, and its group.
pub(super) type User = (u32, u32);

/// As whom to run what refuses to run as root: nobody else, where we are not root ourselves.
pub(super) fn ordinary_user() -> Result<Option<User>, BoxError> {
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let mut fields = users
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .ok_or("no user `postgres`")?
        .split(':')
        .skip(2);
    let mut id = || {
        fields
            .next()
            .and_then(|field| field.parse().ok())
            .ok_or("an entry of /etc/passwd is broken")
    };
    Ok(Some((id()?, id()?)))
}

/// A program that gets no input.
pub(super) fn command(program: &Path, folder: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// A port that nobody listens on.
pub(super) fn free_port() -> Result<u16, BoxError> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}

/// Sends a signal, by its name.
pub(super) fn signal(name: &str, process: u32) -> Result<(), BoxError> {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status()?;
    if sent.success() {
        Ok(())
    } else {
        Err("a server has ended by itself".into())
    }
}
