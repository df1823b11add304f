//! A primary with one standby, and a slow way between the two.

use std::fs::OpenOptions;
use std::io::Write as _;

use crate::relay::Relay;
use logout_engines::postgres::{Server, until};

/// What [`Pair::start`] makes of the standby.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Commits {
    /// Wait for the standby.
    Synchronous,
    /// Do not.
    Asynchronous,
}

pub(crate) struct Pair {
    pub(crate) primary: Server,
    pub(crate) standby: Server,
    /// What the primary has to say to the standby goes this way.
    pub(crate) way: Relay,
}

impl Pair {
    /// Both running, the standby up to date.
    pub(crate) fn start(commits: Commits) -> Self {
        let primary = Server::start();
        let way = Relay::start(primary.port);
        let mut standby = Server::unmade();
        let mut copying = standby.program("pg_basebackup");
        copying.args([
            "-h",
            "127.0.0.1",
            "-p",
            &primary.port.to_string(),
            "-U",
            "hub",
            "--checkpoint=fast",
            "--no-sync",
            "-D",
        ]);
        let copied = copying
            .arg(standby.data())
            .output()
            .expect("pg_basebackup runs");
        assert!(
            copied.status.success(),
            "{}",
            String::from_utf8_lossy(&copied.stderr)
        );
        let settings = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=hub application_name=standby'\nwal_retrieve_retry_interval = '100ms'\n",
            way.port
        );
        let file = OpenOptions::new()
            .append(true)
            .open(standby.data().join("postgresql.auto.conf"));
        file.and_then(|mut file| file.write_all(settings.as_bytes()))
            .expect("its settings");
        std::fs::write(standby.data().join("standby.signal"), "").expect("a file");
        standby.go_on();
        let pair = Self {
            primary,
            standby,
            way,
        };
        if commits == Commits::Synchronous {
            pair.set_at_primary("synchronous_standby_names", "standby");
        }
        let state = if commits == Commits::Synchronous {
            "sync"
        } else {
            "async"
        };
        let follows = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'";
        until("the standby follows", || {
            pair.primary.sql("postgres", follows).as_deref() == Ok(state)
        });
        pair
    }

    pub(crate) fn set_at_primary(&self, name: &str, value: &str) {
        self.primary
            .sql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"))
            .expect("an administrator");
        self.primary
            .sql("postgres", "SELECT pg_reload_conf()")
            .expect("an administrator");
    }

    /// Names both.
    pub(crate) fn url(&self) -> String {
        let (one, other) = (self.primary.port, self.standby.port);
        format!(
            "postgres://hub@127.0.0.1:{one},127.0.0.1:{other}/postgres?target_session_attrs=read-write"
        )
    }

    /// The machine of the primary is gone, with what it had not yet said.
    pub(crate) fn lose_primary(&mut self) {
        self.way.cut(true);
        self.primary.kill();
    }

    /// Makes the standby the primary.
    pub(crate) fn promote(&self) {
        assert_eq!(
            self.standby
                .sql("postgres", "SELECT pg_promote()")
                .as_deref(),
            Ok("t")
        );
    }
}
