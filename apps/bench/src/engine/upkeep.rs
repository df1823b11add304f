//! The upkeep of a store's server around a measurement: expect it empty, let it settle, size it,
//! restart it, empty it.

use std::path::Path;
use std::time::{Duration, Instant};

use super::postgres::sql;
use super::{Engine, Kind, redis, until};
use crate::process::BoxError;
use crate::stores::MEMORY;

/// The size of each table with its indexes.
const TABLES: &str = "SELECT pg_total_relation_size(c.oid) FROM pg_class c \
                      WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace";

impl Engine {
    /// Fails unless nothing is kept there yet.
    pub(crate) fn expect_empty(&self) -> Result<(), BoxError> {
        let kept = match &self.kind {
            Kind::Hub => 0,
            Kind::Postgres(_) => sql(&self.store, TABLES)?.len() as u64,
            Kind::Redis(_) => redis::keys(&self.store)?,
        };
        if kept == 0 {
            Ok(())
        } else {
            Err(format!(
                "{}: something is kept there; the benchmark takes an empty one",
                self.name
            )
            .into())
        }
    }

    /// Forgets everything, of which [`Engine::expect_empty`] has said that it is the benchmark's. A
    /// server of our own ends instead.
    pub(crate) fn leave(self) -> Result<(), BoxError> {
        match &self.kind {
            Kind::Postgres(None) => sql(
                &self.store,
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
            )
            .map(drop),
            Kind::Redis(None) => redis::forget(&self.store),
            Kind::Hub | Kind::Postgres(_) | Kind::Redis(_) => Ok(()),
        }
    }

    /// Waits for the work that loading has left behind, so that it is not measured with what comes
    /// after it.
    pub(crate) fn settle(&self, folder: &Path) -> Result<(), BoxError> {
        match &self.kind {
            Kind::Hub if self.name == MEMORY => Ok(()),
            Kind::Hub => settled(|| Ok(on_disk(folder))),
            Kind::Postgres(own) => {
                sql(&self.store, "VACUUM (ANALYZE)")?;
                // Others than an administrator may not.
                if own.is_some() {
                    sql(&self.store, "CHECKPOINT")?;
                }
                Ok(())
            }
            Kind::Redis(_) => until(|| {
                Ok(redis::info(&self.store, "persistence", "aof_rewrite_in_progress")? == 0)
            }),
        }
    }

    /// Bytes of memory that the server says it uses for what it keeps. PostgreSQL does not say.
    pub(crate) fn memory(&self) -> Result<Option<u64>, BoxError> {
        if let Kind::Redis(_) = &self.kind {
            redis::info(&self.store, "memory", "used_memory").map(Some)
        } else {
            Ok(None)
        }
    }

    /// Bytes on disk: of the folder of an embedded store or of a Redis server of our own, or of
    /// PostgreSQL's tables.
    pub(crate) fn disk(&self, folder: &Path) -> Result<Option<u64>, BoxError> {
        Ok(match &self.kind {
            Kind::Hub if self.name == MEMORY => None,
            Kind::Hub => Some(on_disk(folder)),
            Kind::Postgres(_) => {
                let rows = sql(&self.store, TABLES)?;
                let bytes = rows
                    .iter()
                    .filter_map(|row| row.get(0)?.parse::<u64>().ok());
                Some(bytes.sum())
            }
            Kind::Redis(own) => own.as_ref().map(|own| on_disk(own.folder())),
        })
    }

    /// Stops the server and starts it again, where it is our own; says how long it took to answer.
    pub(crate) fn restart(&mut self) -> Result<Option<Duration>, BoxError> {
        Ok(match &mut self.kind {
            Kind::Postgres(Some(own)) => {
                own.stop()?;
                Some(timed(|| own.go_on())?)
            }
            Kind::Redis(Some(own)) => {
                own.stop()?;
                Some(timed(|| own.go_on())?)
            }
            Kind::Hub | Kind::Postgres(None) | Kind::Redis(None) => None,
        })
    }
}

fn timed(act: impl FnOnce() -> Result<(), BoxError>) -> Result<Duration, BoxError> {
    let started = Instant::now();
    act()?;
    Ok(started.elapsed())
}

/// Waits until a size has been the same for two seconds.
fn settled(size: impl Fn() -> Result<u64, BoxError>) -> Result<(), BoxError> {
    let mut last = (size()?, Instant::now());
    until(|| {
        let now = size()?;
        if now != last.0 {
            last = (now, Instant::now());
        }
        Ok(last.1.elapsed() > Duration::from_secs(2))
    })
}

/// Bytes that files take up on the disk, holes left out.
fn on_disk(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => Some(on_disk(&entry.path())),
            Ok(metadata) => Some(metadata.blocks() * 512),
            // Merged away in the meantime.
            Err(_) => None,
        })
        .sum()
}
