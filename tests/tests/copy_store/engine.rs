//! The engines, each with an empty store.

use std::path::Path;
use std::sync::Arc;

use logout_core::transfer::Transfer;
use logout_engines::{postgres, redis};
use logout_store::{DiskStore, PostgresStore, RedisStore};
use tempfile::TempDir;

pub(crate) trait Engine {
    fn start() -> Self;
    fn url(&self) -> String;
    fn open(&self) -> Arc<dyn Transfer>;
    /// Whether a copy into it has come so far that some of it must be there, while another process
    /// may hold it.
    fn has_begun(&self) -> bool;
}

pub(crate) struct Disk(TempDir);

impl Disk {
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("store")
    }
}

impl Engine for Disk {
    fn start() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        format!("disk:{}", self.path().display())
    }

    fn open(&self) -> Arc<dyn Transfer> {
        Arc::new(DiskStore::open(&self.path()).unwrap())
    }

    fn has_begun(&self) -> bool {
        written(&self.path()) > 2 << 20
    }
}

/// How many bytes lie on the disk below `folder`: files may be larger than what was written to
/// them.
fn written(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => written(&entry.path()),
        Ok(data) => data.blocks() * 512,
        Err(_) => 0,
    };
    entries.map(size).sum()
}

pub(crate) struct Postgres(postgres::Server);

impl Engine for Postgres {
    fn start() -> Self {
        Self(postgres::Server::start())
    }

    fn url(&self) -> String {
        self.0.url("postgres")
    }

    fn open(&self) -> Arc<dyn Transfer> {
        Arc::new(PostgresStore::connect(&self.url()).unwrap())
    }

    fn has_begun(&self) -> bool {
        self.0
            .sql("postgres", "SELECT count(*) > 2000 FROM logout_sessions")
            .is_ok_and(|answer| answer == "t")
    }
}

pub(crate) struct Redis(redis::Server);

impl Engine for Redis {
    fn start() -> Self {
        Self(redis::Server::start(&[
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
        ]))
    }

    fn url(&self) -> String {
        self.0.url()
    }

    fn open(&self) -> Arc<dyn Transfer> {
        Arc::new(RedisStore::connect(&self.url()).unwrap())
    }

    fn has_begun(&self) -> bool {
        let answer = self.0.ask("ZCARD logout:{0}S");
        answer
            .trim()
            .strip_prefix(':')
            .and_then(|count| count.parse().ok())
            .is_some_and(|count: u64| count > 2_000)
    }
}
