//! Sessions in this process's memory, and on this machine's disk.
//!
//! Follow one sign-out: the [`Model`] decides and changes, and notes what changed; the `log` hands
//! that to its writer, which writes and syncs what has come together; then the callers of all of it
//! are answered. Everything is read from memory, except for old receipts and deliveries, which lie
//! in the `archive`. The `keeper` moves them there, and writes snapshots, so that the journal stays
//! short. After a restart, `recovery` reads everything back.

mod archive;
mod folder;
mod frame;
mod keeper;
mod log;
#[cfg(feature = "fjall")]
mod moving;
mod recovery;
mod room;
mod spare;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;

use self::archive::Archive;
use self::folder::{Files, Folder};
use self::frame::Header;
use self::keeper::Keeper;
use self::log::{Log, Segment, Writer};
use self::recovery::{Recovered, recover};
use self::room::Room;
use self::spare::Spares;
use crate::local::{Journal, LocalStore, Shelf};
use crate::model::{Key, Model};

/// Keeps everything in memory and in one folder of this machine; one process at a time.
///
/// - **Durability.** All that an answer says or shows was synced to the disk before (`fdatasync`),
///   and survives `kill -9` as well as a power cut. Operations that wait at the same time share one
///   sync. Touches are written without waiting. What the disk did with a write that it reported as
///   failed is beyond promise.
/// - **Failure.** When the disk is full or broken, callers get [`StoreUnavailable`] and never a
///   success, until the disk takes the journal again. That is tried at first after 100 ms, at last
///   every 5 s. An order that was refused so has been carried out once the store is back, unless
///   the process has ended meanwhile.
/// - **Overload.** At most 16,384 operations wait; more are refused with [`StoreUnavailable`].
/// - **Memory.** Some 370 bytes for each live session, some 80 for each tombstone, the deliveries
///   that are not confirmed, and the receipts of the last 64 MiB of the journal. New sessions are
///   refused with [`StoreUnavailable`] from 80 % of the memory that the process may use.
/// - **Leases** of deliveries are not written down: after a restart, everything that is pending can
///   be leased at once, and nothing can be settled any more under a lease from before.
///
/// No async runtime is needed. Dropping it answers everything that still waits, syncs, and gives
/// the folder free before it returns.
pub type DiskStore = LocalStore<DiskJournal>;

/// How much the journal grows until what is done is archived, in bytes.
const GROWN: u64 = 64 << 20;
/// The least size of a journal that is worth a snapshot, in bytes.
const JOURNAL: u64 = 256 << 20;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file of the store is not what was written.
    #[error("{} is damaged: {problem}; restore the folder from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process, or another store of this one, has it open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the store cannot be read.
    #[error("cannot read {}", path.display())]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The folder cannot be made or written to.
    #[error("cannot write in {}", path.display())]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// An earlier version of this program was run on a folder that this one had moved.
    #[error(
        "{} holds a store of an earlier version besides this one; move `keyspaces`, `version` and \
         `*.jnl` away to go on with this one",
        path.display()
    )]
    TwoStores {
        /// The folder.
        path: PathBuf,
    },
    /// A version of this program that we do not know wrote it.
    #[error("{} is of format {found}, this program reads format {}", path.display(), frame::FORMAT)]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
        /// The format found.
        found: u32,
    },
}

/// Makes changes last in a folder.
#[derive(Debug)]
pub struct DiskJournal {
    log: Arc<Log>,
    folder: Arc<Folder>,
    archive: Arc<Archive>,
    room: Room,
    threads: Vec<JoinHandle<()>>,
}

impl DiskStore {
    /// Opens the store in the folder `path`, or makes a new one there, readable by its owner only.
    /// Blocks while the last snapshot and the journal are read back.
    ///
    /// # Errors
    /// The folder is locked, cannot be written to, or holds something that cannot be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, GROWN, JOURNAL)
    }

    /// As [`DiskStore::open`], with the growth of the journal that is worth archiving, and the size
    /// that is worth a snapshot.
    fn open_with(path: &Path, grown: u64, journal: u64) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::take(path)?);
        // Without the feature a former folder would pass for an empty one.
        #[cfg(not(feature = "fjall"))]
        if crate::former::is_former(path) {
            return Err(OpenError::UnknownFormat {
                path: path.to_owned(),
                found: 2,
            });
        }
        #[cfg(feature = "fjall")]
        let is_former = moving::begin(&folder)?;
        let Recovered {
            mut model,
            archive,
            position,
            next,
        } = recover(&folder)?;
        #[cfg(feature = "fjall")]
        if is_former {
            moving::take_in(&folder, &mut model)?;
        }
        model.keep_journal();
        let not_writable = |source| OpenError::NotWritable {
            path: path.to_owned(),
            source,
        };
        let header = Header {
            magic: Files::Segment.magic(),
            number: next,
            first: position + 1,
        };
        let file = folder
            .segment(next, &header.to_bytes())
            .map_err(not_writable)?;
        let model = Arc::new(Mutex::new(model));
        let (log, archive) = (Arc::new(Log::new(position)), Arc::new(archive));
        let (keeper, told) = sync_channel(1);
        if folder.size(Files::Segment).map_err(not_writable)? >= journal {
            // The channel is empty, so there is room.
            let _ = keeper.try_send(());
        }
        let writer = Writer {
            log: log.clone(),
            folder: folder.clone(),
            keeper,
            segment: Segment::growing(file, next),
            spares: Spares::new(folder.clone()),
            grown: 0,
            most: grown,
        };
        let keeper = Keeper {
            model: model.clone(),
            log: log.clone(),
            folder: folder.clone(),
            archive: archive.clone(),
            journal,
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writer = thread("store-writer").spawn(move || writer.run());
        let mut threads = vec![writer.map_err(not_writable)?];
        #[cfg(feature = "fjall")]
        if is_former {
            // What was taken in is in memory only, so far.
            let kept = keeper.shorten().map_err(io::Error::other);
            kept.and_then(|()| moving::finish(&folder))
                .map_err(not_writable)?;
        }
        let keeper = thread("store-keeper").spawn(move || keeper.run(&told));
        threads.push(keeper.map_err(not_writable)?);
        let journal = DiskJournal {
            log,
            folder,
            archive,
            room: Room::of_process(),
            threads,
        };
        Ok(Self::of(model, journal))
    }
}

impl Drop for DiskJournal {
    fn drop(&mut self) {
        self.log.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                ::log::error!("a thread of the session store had panicked");
            }
        }
    }
}

impl Journal for DiskJournal {
    fn check(&self) -> Result<(), StoreUnavailable> {
        self.log.check()
    }

    fn check_room(&self) -> Result<(), StoreUnavailable> {
        self.room.check()
    }

    fn append(&self, model: &mut Model) -> u64 {
        self.log.append(model.take_journal())
    }

    async fn durable(&self, position: u64) -> Result<(), StoreUnavailable> {
        self.log.durable(position).await
    }

    fn archived(&self, shelf: Shelf, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.archive.get(shelf, key)
    }

    fn archived_after(
        &self,
        shelf: Shelf,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StoreUnavailable> {
        self.archive.after(shelf, after, limit)
    }

    fn archived_before(
        &self,
        shelf: Shelf,
        before: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StoreUnavailable> {
        self.archive.before(shelf, before, limit)
    }

    fn archived_len(&self) -> u64 {
        self.archive.len()
    }

    fn forget_archived(&self, until: Timestamp) {
        self.archive.forget(&self.folder, until);
    }
}
