//! The database underneath: how it is tuned, opened, read and written.

use std::io::{self, Write as _};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use fjall::compaction::Leveled;
use fjall::config::{PartitioningPolicy, PinningPolicy};
use fjall::{
    AbstractTree as _, CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch,
    PersistMode, Readable as _, Slice, Snapshot,
};
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;

use super::record::{self, RecordError};
use super::table::{FORMAT_KEY, Table, within};

/// Journals are recycled at this size altogether; it bounds the time that a restart takes.
const JOURNALS: u64 = 256 << 20;
/// Blocks read from disk are kept up to this size altogether.
const CACHE: u64 = 64 << 20;
/// A table in memory is turned over to disk at this size: a compromise. A sign-out writes to random
/// places of it, which is quicker the smaller it is; but every turn-over brings sorting, and with
/// it the slow answers (docs/performance.md).
const MEMTABLE: u64 = 24 << 20;
/// ...and at the latest at this size, even if that takes waiting for the disk.
const MEMTABLE_LIMIT: u64 = 2 * MEMTABLE;
/// fjall stops its writer, without looking whether the flusher is still alive, at four tables that
/// wait for the flusher and at thirty unsorted ones on disk. We stop well before, and look.
const WAITING_TABLES: usize = 2;
const UNSORTED_TABLES: usize = 20;
/// Small files make short compactions, so that the one worker is soon free for the next flush.
const FILE: u64 = 16 << 20;
/// What must fit on the disk before a database that had run out of space is opened again.
const HEADROOM: usize = 1 << 20;

const FORMAT: u8 = 2;
const FORMAT_NAME: &str = "format";

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// What lies there cannot be read.
    #[error("{} does not hold a store that can be read", path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What the database says.
        source: fjall::Error,
    },
    /// Another process, or another store of this one, has it open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be made or written to.
    #[error("cannot write in {}", path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A version of this program that we do not know wrote it.
    #[error("{} is of format {found}, this program reads format {FORMAT}", path.display())]
    UnknownFormat {
        /// The directory.
        path: PathBuf,
        /// The format found.
        found: u8,
    },
}

/// Why a single reading failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Database(#[from] fjall::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<ReadError> for StoreUnavailable {
    fn from(fault: ReadError) -> Self {
        log::error!("a record cannot be read: {fault}");
        Self
    }
}

/// The one keyspace that holds all tables.
const RECORDS: &str = "records";
/// What the first format had in its stead: a keyspace for each table. The format lay in this one.
const RECORDS_OF_FORMAT_1: &str = "agreed";

/// An open database.
pub(super) struct Engine {
    database: Database,
    records: Keyspace,
    // Its thread holds the keyspace only while it turns that over, and has ended before the last of
    // `Engine` is dropped: then the directory is free.
    turner: Turner,
}

impl Engine {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        create_directory(path).map_err(|source| OpenError::NotWritable {
            path: path.to_owned(),
            source,
        })?;
        check_writable(path, b"x").map_err(|source| OpenError::NotWritable {
            path: path.to_owned(),
            source,
        })?;
        let damaged = |source| match source {
            fjall::Error::Locked => OpenError::Locked {
                path: path.to_owned(),
            },
            source => OpenError::Damaged {
                path: path.to_owned(),
                source,
            },
        };
        let database = open_database(path).map_err(damaged)?;
        let found = found_format(&database).map_err(damaged)?;
        if let Some(found) = found.filter(|found| *found != FORMAT) {
            return Err(OpenError::UnknownFormat {
                path: path.to_owned(),
                found,
            });
        }
        let records = open_records(&database).map_err(damaged)?;
        let turner = Turner::start(records.clone()).map_err(|source| OpenError::NotWritable {
            path: path.to_owned(),
            source,
        })?;
        let engine = Self {
            database,
            records,
            turner,
        };
        if found.is_none() {
            engine.write_format().map_err(damaged)?;
        }
        Ok(engine)
    }

    /// Opens a database that failed a while ago, provided that it can be written to.
    pub(super) fn reopen(path: &Path) -> Result<Self, OpenError> {
        check_writable(path, &vec![b'x'; HEADROOM]).map_err(|source| OpenError::NotWritable {
            path: path.to_owned(),
            source,
        })?;
        let engine = Self::open(path)?;
        engine.write_format().map_err(|source| OpenError::Damaged {
            path: path.to_owned(),
            source,
        })?;
        Ok(engine)
    }

    fn write_format(&self) -> fjall::Result<()> {
        let mut batch = self.batch(1);
        batch.insert(&self.records, FORMAT_KEY, format_record(FORMAT));
        batch.durability(Some(PersistMode::SyncAll)).commit()
    }

    /// An empty batch with room for `keys` of them. How it is persisted is for its user to say.
    pub(super) fn batch(&self, keys: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.database.clone(), keys)
    }

    /// Syncs the journal; fails if any write in front or behind the scenes has failed.
    pub(super) fn sync(&self) -> fjall::Result<()> {
        self.database.persist(PersistMode::SyncData)
    }

    /// Turns the table in memory over when it has grown large, and waits while the disk cannot keep
    /// up.
    ///
    /// fjall would do that by itself, but asks its worker again with every batch until the worker
    /// comes round to it. When one compaction takes long, that fills the worker's queue, and the
    /// worker's next message to itself blocks for ever.
    pub(super) fn make_room(&self) -> fjall::Result<()> {
        let tree = &self.records.tree;
        if tree.active_memtable().size() < MEMTABLE {
            return Ok(());
        }
        let may_seal = || tree.sealed_memtable_count() < WAITING_TABLES;
        if may_seal() && tree.l0_run_count() < UNSORTED_TABLES {
            self.turner.turn_over();
        }
        while tree.active_memtable().size() >= MEMTABLE_LIMIT {
            self.database.persist(PersistMode::Buffer)?;
            // Many unsorted tables are no reason any more: it is the next flush that sets off their
            // sorting.
            if may_seal() {
                self.turner.turn_over();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// What is written under `key`.
    pub(super) fn read(&self, table: Table, key: &[u8]) -> Result<Option<Slice>, fjall::Error> {
        table.with_key(key, |place| self.records.get(place))
    }

    /// Puts into `batch` that `value` is to lie under `key`.
    pub(super) fn write(
        &self,
        batch: &mut OwnedWriteBatch,
        table: Table,
        key: &[u8],
        value: impl Into<Slice>,
    ) {
        batch.insert(&self.records, table.key(key), value);
    }

    /// Puts into `batch` that nothing is to lie under `key`.
    pub(super) fn remove(&self, batch: &mut OwnedWriteBatch, table: Table, key: &[u8]) {
        batch.remove(&self.records, table.key(key));
    }

    /// The keys between two bounds and what lies there, in order.
    pub(super) fn range(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = fjall::Result<(Slice, Slice)>> + use<> {
        self.records.range(table.range(from, to)).map(|entry| {
            entry
                .into_inner()
                .map(|(place, value)| (within(&place), value))
        })
    }

    /// Everything as of one instant. To be let go soon: nothing of what it shows can be thrown
    /// away.
    pub(super) fn view(&self) -> View<'_> {
        View {
            engine: self,
            snapshot: self.database.snapshot(),
        }
    }

    /// When a session was last used, as far as touches were written.
    pub(super) fn seen(&self, session: SessionId) -> Result<Timestamp, ReadError> {
        Ok(match self.read(Table::Seen, session.as_bytes())? {
            Some(bytes) => record::read_seen(&bytes)?,
            None => Timestamp::default(),
        })
    }
}

/// What a commit shows all of or nothing of, however often it is read.
pub(super) struct View<'e> {
    engine: &'e Engine,
    snapshot: Snapshot,
}

impl View<'_> {
    /// As [`Engine::read`].
    pub(super) fn read(&self, table: Table, key: &[u8]) -> Result<Option<Slice>, fjall::Error> {
        table.with_key(key, |place| self.snapshot.get(&self.engine.records, place))
    }

    /// As [`Engine::range`].
    pub(super) fn range(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = fjall::Result<(Slice, Slice)>> + use<> {
        let entries = self
            .snapshot
            .range(&self.engine.records, table.range(from, to));
        entries.map(|entry| {
            entry
                .into_inner()
                .map(|(place, value)| (within(&place), value))
        })
    }
}

fn open_database(path: &Path) -> fjall::Result<Database> {
    Database::builder(path)
        .cache_size(CACHE)
        .max_journaling_size(JOURNALS)
        .manual_journal_persist(true)
        .journal_compression(CompressionType::None)
        // With more than one, the first hands every compaction back to the queue until another
        // takes it, and turns in circles while the others are busy.
        .worker_threads(1)
        .open()
}

fn open_records(database: &Database) -> fjall::Result<Keyspace> {
    database.keyspace(RECORDS, || {
        KeyspaceCreateOptions::default()
            .manual_journal_persist(true)
            // Never reached: we turn it over ourselves, see `make_room`.
            .max_memtable_size(2 * MEMTABLE_LIMIT)
            .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(FILE)))
            // What leads to a record stays in memory, less than ten bytes for a session, so that a
            // record costs one read however many there are. By default that holds for the upper
            // levels only, and ten million sessions are mostly below.
            .filter_block_partitioning_policy(PartitioningPolicy::all(false))
            .filter_block_pinning_policy(PinningPolicy::all(true))
            .index_block_partitioning_policy(PartitioningPolicy::all(false))
            .index_block_pinning_policy(PinningPolicy::all(true))
    })
}

/// The format of what lies in `database`; nothing is written before it is known. `None` in a new
/// one.
fn found_format(database: &Database) -> fjall::Result<Option<u8>> {
    if database.keyspace_exists(RECORDS) {
        let record = open_records(database)?.get(FORMAT_KEY)?;
        return Ok(record.map(|record| {
            if *record == *format_record(FORMAT) {
                FORMAT
            } else {
                record.last().copied().unwrap_or(0)
            }
        }));
    }
    Ok(database.keyspace_exists(RECORDS_OF_FORMAT_1).then_some(1))
}

fn format_record(format: u8) -> Vec<u8> {
    let mut record = FORMAT_NAME.as_bytes().to_vec();
    record.push(format);
    record
}

fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    // The values that hubs agree on include signing keys.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn check_writable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let probe = path.join("write-probe");
    let written = std::fs::File::create(&probe).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    std::fs::remove_file(&probe).and(written)
}

/// A thread that turns the table in memory over: it also frees the memory of those that have been
/// written out since, which takes longer than a sign-out should wait.
struct Turner {
    requests: Option<SyncSender<()>>,
    requested: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Turner {
    fn start(records: Keyspace) -> io::Result<Self> {
        let (requests, waiting) = sync_channel::<()>(1);
        let requested = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("store-turner".to_owned())
            .spawn({
                let requested = requested.clone();
                move || {
                    for () in waiting {
                        // A failure poisons the database, and the next commit tells.
                        if let Err(fault) = records.rotate_memtable() {
                            log::error!("a table cannot be turned over: {fault}");
                        }
                        requested.store(false, Ordering::Release);
                    }
                }
            })?;
        Ok(Self {
            requests: Some(requests),
            requested,
            thread: Some(thread),
        })
    }

    /// Asks for it once; while it has not been done, asking again does nothing.
    fn turn_over(&self) {
        if !self.requested.swap(true, Ordering::AcqRel)
            && let Some(requests) = &self.requests
        {
            // Never full: the last request has been taken before it was done.
            let _ = requests.try_send(());
        }
    }
}

impl Drop for Turner {
    fn drop(&mut self) {
        drop(self.requests.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            log::error!("the thread that turns tables over had panicked");
        }
    }
}
