//! A PostgreSQL server of our own: on a free port, in a temporary folder, as an ordinary user.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the programs are.
///
/// # Errors
/// Why they cannot be used.
pub fn programs() -> Result<PathBuf, String> {
    let from_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    packaged.sort();
    let mut folders = from_path.into_iter().chain(packaged.into_iter().rev());
    let folder = folders.find(|folder| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|program| folder.join(program).is_file())
    });
    let folder = folder.ok_or("postgres is not installed")?;
    // Both refuse to run as root.
    match ordinary_user() {
        Some(_) => Ok(folder),
        None => Err(
            "postgres refuses to run as root, and there is no user `postgres` to run it as"
                .to_owned(),
        ),
    }
}

/// Whom the programs run as: whoever we are, or `postgres` where that is root.
pub fn ordinary_user() -> Option<Option<(u32, u32)>> {
    if std::fs::metadata("/proc/self").ok()?.uid() != 0 {
        return Some(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = users
        .lines()
        .find(|line| line.starts_with("postgres:"))?
        .split(':')
        .skip(2);
    Some(Some((
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
    )))
}

/// Waits for something that happens elsewhere.
///
/// # Panics
/// With `what`, when it takes longer than half a minute.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A server that is killed when this goes out of scope.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    /// Where it listens.
    pub port: u16,
    running: Option<Child>,
    databases: AtomicU32,
}

impl Server {
    /// A running server with an empty cluster.
    ///
    /// # Panics
    /// When there are no programs, which [`programs`] tells, or they do not do it.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more for `initdb`.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn start_with(more: &[&str]) -> Self {
        let mut server = Self::unmade();
        let made = server
            .program("initdb")
            .args([
                "--auth=trust",
                "--username=hub",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--pgdata",
            ])
            .arg(server.data())
            .args(more)
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.go_on();
        server
    }

    /// A folder and a port, for whoever puts a cluster there.
    ///
    /// # Panics
    /// When there are no programs, or no folder for them.
    pub fn unmade() -> Self {
        let programs = programs().expect("was looked for before");
        let folder = tempfile::tempdir().expect("a temporary directory");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let server = Self {
            folder,
            programs,
            port,
            running: None,
            databases: AtomicU32::new(0),
        };
        if let Some(Some((user, group))) = ordinary_user() {
            chown(server.folder.path(), Some(user), Some(group)).expect("we are root");
        }
        std::fs::set_permissions(server.folder.path(), std::fs::Permissions::from_mode(0o700))
            .expect("it is ours");
        server
    }

    /// Where its cluster lies.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of PostgreSQL's programs, as whoever may run it.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some(Some((user, group))) = ordinary_user() {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts it, also after it was killed, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn go_on(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        // Left over by a server that was killed; its number may belong to somebody else by now.
        let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args([
            "-p",
            &self.port.to_string(),
            "-k",
            "",
            "-h",
            "127.0.0.1",
        ]);
        command
            .args(["-c", "max_connections=400", "-c", "shared_buffers=64MB"])
            .stdout(Stdio::null())
            .stderr(log);
        self.running = Some(command.spawn().expect("postgres runs"));
        let started = Instant::now();
        while let Err(reason) = self.sql("postgres", "SELECT 1") {
            let log =
                || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < PATIENCE, "{reason}\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills all of it at once, as a power cut would.
    ///
    /// # Panics
    /// When it does not die.
    pub fn kill(&mut self) {
        let everybody = self.everybody();
        let Some(mut running) = self.running.take() else {
            return;
        };
        signal("-KILL", &everybody);
        running.wait().expect("it was ours");
        // Its children are not ours to wait for; a new server refuses to start before they have
        // gone.
        let started = Instant::now();
        while everybody.iter().any(|id| is_running(*id)) {
            assert!(
                started.elapsed() < PATIENCE,
                "a server process does not die"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops every process of it where it stands; `false` lets them go on.
    pub fn pause(&self, paused: bool) {
        signal(if paused { "-STOP" } else { "-CONT" }, &self.everybody());
    }

    /// The server and its children.
    fn everybody(&self) -> Vec<u32> {
        let Some(running) = &self.running else {
            return Vec::new();
        };
        let children =
            std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", running.id()))
                .unwrap_or_default();
        std::iter::once(running.id())
            .chain(children.split_whitespace().filter_map(|id| id.parse().ok()))
            .collect()
    }

    /// Carries out SQL the way an administrator would.
    ///
    /// # Errors
    /// What the server says against it.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String, String> {
        let mut psql = self.program("psql");
        psql.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "hub",
            "-d",
            database,
            "-XAtqc",
            statement,
        ]);
        let done = psql.output().map_err(|fault| fault.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if done.status.success() {
            Ok(text(&done.stdout))
        } else {
            Err(text(&done.stderr))
        }
    }

    /// Has every connection write each statement that it carries out into the server's log, from
    /// now on.
    ///
    /// # Panics
    /// When the server does not do it.
    pub fn tell_statements(&self) {
        self.sql("postgres", "ALTER SYSTEM SET log_statement = 'all'")
            .expect("an administrator");
        self.sql("postgres", "SELECT pg_reload_conf()")
            .expect("an administrator");
        until("the setting is there", || {
            self.sql("postgres", "SHOW log_statement").as_deref() == Ok("all")
        });
    }

    /// How many statements the log tells of, those of applications alone.
    ///
    /// # Panics
    /// When there is no log.
    pub fn statements(&self) -> u64 {
        let log = std::fs::read_to_string(self.folder.path().join("log")).expect("a log");
        // Those of `psql`, which come without parameters, are told in other words.
        log.lines()
            .filter(|line| line.contains("LOG:  execute "))
            .count() as u64
    }

    /// The URL of a new, empty database; its last part is the name.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn database(&self) -> String {
        self.database_like("template1")
    }

    /// The URL of a new database that has what `template` has.
    ///
    /// # Panics
    /// When it cannot be made, for instance because somebody is connected to `template`.
    pub fn database_like(&self, template: &str) -> String {
        let name = format!("hub{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"),
        )
        .expect("a database");
        self.url(&name)
    }

    /// The URL of a new, empty schema: it keeps apart what a database would, and takes a tenth of
    /// the time to make.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn schema(&self) -> String {
        let name = format!("hub{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE SCHEMA {name}"))
            .expect("a schema");
        format!("{}?options=-c%20search_path%3D{name}", self.url("postgres"))
    }

    /// The URL of a database that is there.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://hub@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(which: &str, processes: &[u32]) {
    let sent = Command::new("kill")
        .arg(which)
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
    sent.expect("kill runs");
}

/// Not one that is dead and waits for its parent to notice.
fn is_running(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
