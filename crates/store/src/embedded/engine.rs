//! The database underneath: its tables, how it is tuned, how it is opened.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use fjall::compaction::Leveled;
use fjall::{AbstractTree as _, CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Slice};
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;

use super::record::{self, RecordFault};

/// Journals are recycled at this size altogether; it bounds the time that a restart takes.
const JOURNALS: u64 = 256 << 20;
/// Blocks read from disk are kept up to this size altogether.
const CACHE: u64 = 64 << 20;
/// A table in memory is turned over to disk at this size: a compromise. A sign-out writes to random places of it, which is
/// quicker the smaller it is; but every turn-over brings sorting, and with it the slow answers (docs/performance.md).
const MEMTABLE: u64 = 32 << 20;
/// ...and at the latest at this size, even if that takes waiting for the disk.
const MEMTABLE_LIMIT: u64 = 2 * MEMTABLE;
/// fjall stops its writer, without looking whether the flusher is still alive, at four tables that wait for the flusher
/// and at thirty unsorted ones on disk. We stop well before, and look.
const WAITING_TABLES: usize = 2;
const UNSORTED_TABLES: usize = 20;
/// Small files make short compactions, so that the one worker is soon free for the next flush.
const FILE: u64 = 16 << 20;
/// What must fit on the disk before a database that had run out of space is opened again.
const HEADROOM: usize = 1 << 20;

const FORMAT: u8 = 1;
const FORMAT_KEY: &str = "format";

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenFault {
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
pub(super) enum ReadFault {
    #[error(transparent)]
    Database(#[from] fjall::Error),
    #[error(transparent)]
    Record(#[from] RecordFault),
}

impl From<ReadFault> for StoreUnavailable {
    fn from(fault: ReadFault) -> Self {
        log::error!("a record cannot be read: {fault}");
        Self
    }
}

/// The tables, as indices into [`Engine::tables`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    /// Name → value that all agree on.
    Agreed,
    /// Digest → session, or tombstone.
    Credentials,
    /// Kind, hash, session → nothing; kind, sign-on → its sessions.
    Index,
    /// Digest → value that is taken once.
    Once,
    /// Receipt id → receipt.
    Receipts,
    /// Session → last use, for those that were touched.
    Seen,
    /// Session → record.
    Sessions,
}

const TABLES: [&str; 7] = ["agreed", "credentials", "index", "once", "receipts", "seen", "sessions"];

/// An open database.
pub(super) struct Engine {
    database: Database,
    tables: [Keyspace; 7],
    // Its thread holds a table only while it turns that over, and has ended before the last of `Engine` is dropped: then the
    // directory is free.
    turner: Turner,
}

impl Engine {
    pub(super) fn open(path: &Path) -> Result<Self, OpenFault> {
        create_directory(path).map_err(|source| OpenFault::NotWritable { path: path.to_owned(), source })?;
        check_writable(path, b"x").map_err(|source| OpenFault::NotWritable { path: path.to_owned(), source })?;
        let engine = Self::open_database(path).map_err(|source| match source {
            fjall::Error::Locked => OpenFault::Locked { path: path.to_owned() },
            source => OpenFault::Damaged { path: path.to_owned(), source },
        })?;
        match engine.tables[Table::Agreed as usize].get([0]) {
            Ok(Some(found)) if *found == *format_record() => Ok(engine),
            Ok(Some(found)) => Err(OpenFault::UnknownFormat { path: path.to_owned(), found: found.last().copied().unwrap_or(0) }),
            Ok(None) => engine.write_format().map(|()| engine).map_err(|source| OpenFault::Damaged { path: path.to_owned(), source }),
            Err(source) => Err(OpenFault::Damaged { path: path.to_owned(), source }),
        }
    }

    /// Opens a database that failed a while ago, provided that it can be written to.
    pub(super) fn reopen(path: &Path) -> Result<Self, OpenFault> {
        check_writable(path, &vec![b'x'; HEADROOM]).map_err(|source| OpenFault::NotWritable { path: path.to_owned(), source })?;
        let engine = Self::open(path)?;
        engine.write_format().map_err(|source| OpenFault::Damaged { path: path.to_owned(), source })?;
        Ok(engine)
    }

    fn open_database(path: &Path) -> fjall::Result<Self> {
        let database = Database::builder(path)
            .cache_size(CACHE)
            .max_journaling_size(JOURNALS)
            .manual_journal_persist(true)
            .journal_compression(CompressionType::None)
            // With more than one, the first hands every compaction back to the queue until another takes it, and turns
            // in circles while the others are busy.
            .worker_threads(1)
            .open()?;
        let table = |name: &&str| {
            database.keyspace(name, || {
                KeyspaceCreateOptions::default()
                    .manual_journal_persist(true)
                    // Never reached: we rotate ourselves, see `make_room`.
                    .max_memtable_size(2 * MEMTABLE_LIMIT)
                    .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(FILE)))
            })
        };
        let [agreed, credentials, index, once, receipts, seen, sessions] = &TABLES;
        let tables = [table(agreed)?, table(credentials)?, table(index)?, table(once)?, table(receipts)?, table(seen)?, table(sessions)?];
        Ok(Self { database, tables, turner: Turner::start()? })
    }

    fn write_format(&self) -> fjall::Result<()> {
        let mut batch = self.batch(1);
        batch.insert(self.table(Table::Agreed), [0], format_record());
        batch.durability(Some(PersistMode::SyncAll)).commit()
    }

    pub(super) fn table(&self, table: Table) -> &Keyspace {
        &self.tables[table as usize]
    }

    /// An empty batch with room for `keys` of them. How it is persisted is for its user to say.
    pub(super) fn batch(&self, keys: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.database.clone(), keys)
    }

    /// Syncs the journal; fails if any write in front or behind the scenes has failed.
    pub(super) fn sync(&self) -> fjall::Result<()> {
        self.database.persist(PersistMode::SyncData)
    }

    /// Turns over tables that have grown large, and waits while the disk cannot keep up.
    ///
    /// fjall would do that by itself, but asks its worker again with every batch until the worker comes round to it. When
    /// one compaction takes long, that fills the worker's queue, and the worker's next message to itself blocks for ever.
    pub(super) fn make_room(&self) -> fjall::Result<()> {
        for (index, table) in self.tables.iter().enumerate() {
            let size = table.tree.active_memtable().size();
            if size < MEMTABLE {
                continue;
            }
            let may_seal = || table.tree.sealed_memtable_count() < WAITING_TABLES;
            if may_seal() && table.tree.l0_run_count() < UNSORTED_TABLES {
                self.turner.turn_over(index, table);
            }
            while table.tree.active_memtable().size() >= MEMTABLE_LIMIT {
                self.database.persist(PersistMode::Buffer)?;
                // Many unsorted tables are no reason any more: it is the next flush that sets off their sorting.
                if may_seal() {
                    self.turner.turn_over(index, table);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// What is written under `key`.
    pub(super) fn read(&self, table: Table, key: &[u8]) -> Result<Option<Slice>, fjall::Error> {
        self.table(table).get(key)
    }

    /// When a session was last used, as far as touches were written.
    pub(super) fn seen(&self, session: SessionId) -> Result<Timestamp, ReadFault> {
        Ok(match self.read(Table::Seen, session.as_bytes())? {
            Some(bytes) => record::read_seen(&bytes)?,
            None => Timestamp::default(),
        })
    }
}

fn format_record() -> Vec<u8> {
    let mut record = FORMAT_KEY.as_bytes().to_vec();
    record.push(FORMAT);
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

/// A thread that turns tables over: it also frees the memory of those that have been written out since, which takes longer
/// than a sign-out should wait.
struct Turner {
    requests: Option<SyncSender<(usize, Keyspace)>>,
    requested: Arc<[AtomicBool; 7]>,
    thread: Option<JoinHandle<()>>,
}

impl Turner {
    fn start() -> io::Result<Self> {
        let (requests, waiting) = sync_channel::<(usize, Keyspace)>(TABLES.len());
        let requested = Arc::new([const { AtomicBool::new(false) }; 7]);
        let thread = std::thread::Builder::new().name("store-turner".to_owned()).spawn({
            let requested = requested.clone();
            move || {
                for (index, table) in waiting {
                    // A failure poisons the database, and the next commit tells.
                    if let Err(fault) = table.rotate_memtable() {
                        log::error!("a table cannot be turned over: {fault}");
                    }
                    requested[index].store(false, Ordering::Release);
                }
            }
        })?;
        Ok(Self { requests: Some(requests), requested, thread: Some(thread) })
    }

    /// Asks for it once; while it has not been done, asking again does nothing.
    fn turn_over(&self, index: usize, table: &Keyspace) {
        if !self.requested[index].swap(true, Ordering::AcqRel)
            && let Some(requests) = &self.requests
        {
            // Never full: each table is in it once at most.
            let _ = requests.try_send((index, table.clone()));
        }
    }
}

impl Drop for Turner {
    fn drop(&mut self) {
        drop(self.requests.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread that turns tables over had panicked");
        }
    }
}
