//! PostgreSQL's own programs for administrators and measurements.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tokio_postgres::config::Host;

use super::programs::folder_of;
use crate::process::BoxError;

/// Where they are, and which database they talk to.
pub(crate) struct Console {
    /// None: they are not installed.
    programs: Option<PathBuf>,
    /// A URL may hold a password, and arguments of a program can be read by everybody.
    environment: Vec<(&'static str, String)>,
}

impl Console {
    /// For the database that `url` names.
    pub(super) fn new(url: &str) -> Result<Self, BoxError> {
        // The reason is not passed on: it may quote the URL.
        let config: tokio_postgres::Config =
            url.parse().map_err(|_| "a PostgreSQL URL cannot be read")?;
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let joined = |parts: Vec<String>| (!parts.is_empty()).then(|| parts.join(","));
        let mode = if url.contains("sslmode=require") {
            "require"
        } else {
            "disable"
        };
        let known = [
            (
                "PGHOST",
                joined(config.get_hosts().iter().map(host).collect()),
            ),
            (
                "PGPORT",
                joined(config.get_ports().iter().map(u16::to_string).collect()),
            ),
            ("PGUSER", config.get_user().map(str::to_owned)),
            (
                "PGPASSWORD",
                config
                    .get_password()
                    .map(|password| String::from_utf8_lossy(password).into_owned()),
            ),
            ("PGDATABASE", config.get_dbname().map(str::to_owned)),
            ("PGSSLMODE", Some(mode.to_owned())),
            ("PGOPTIONS", Some("-c synchronous_commit=on".to_owned())),
        ];
        let environment = known
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        Ok(Self {
            programs: folder_of(&["psql", "pgbench"]).ok(),
            environment,
        })
    }

    /// Whether the programs are there.
    pub(crate) fn is_installed(&self) -> bool {
        self.programs.is_some()
    }

    /// One of the programs, pointed at the database.
    pub(crate) fn program(&self, name: &str) -> Result<Command, BoxError> {
        let programs = self
            .programs
            .as_ref()
            .ok_or("psql and pgbench are not installed")?;
        let mut command = Command::new(programs.join(name));
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Carries out SQL, and brings its rows, a line each.
    pub(crate) fn sql(&self, statement: &str) -> Result<String, BoxError> {
        output(self.program("psql")?.args(["-XAtqc", statement]))
    }
}

/// What a program printed, or why it failed.
pub(crate) fn output(command: &mut Command) -> Result<String, BoxError> {
    let done = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if done.status.success() {
        Ok(text(&done.stdout))
    } else {
        Err(text(&done.stderr).into())
    }
}
