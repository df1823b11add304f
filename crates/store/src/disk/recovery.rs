//! What a folder holds, read back: the last snapshot, and the changes since.

use std::fs::File;
use std::io::{self, BufReader};
use std::mem::replace;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::OpenError;
use super::archive::Archive;
use super::folder::{Files, Folder};
use super::frame::{self, FrameError, Header};
use crate::model::{Batch, BatchReader, Model};
use crate::record::RecordError;

/// So many bytes of changes are handed over at once, or a little more.
const BATCH: usize = 1 << 17;
/// How many batches the reader is ahead.
const AHEAD: usize = 4;

/// What was read back.
pub(super) struct Recovered {
    pub(super) model: Model,
    pub(super) archive: Archive,
    /// The position of the last frame.
    pub(super) position: u64,
    /// The number of the segment to begin.
    pub(super) next: u64,
}

/// Reads the state that the folder holds. One thread reads, checks and decodes the files, and this
/// one makes the changes.
pub(super) fn recover(folder: &Folder) -> Result<Recovered, OpenError> {
    let archive = Archive::open(folder).map_err(|(number, error)| {
        refused(folder, &folder.file(Files::Archive, number), error.into())
    })?;
    let mut model = Model::new(false);
    let (to, batches) = sync_channel(AHEAD);
    // One is being read, and one being applied.
    let (back, empty) = sync_channel(AHEAD + 2);
    let reader = Reader {
        folder,
        archived: archive.number(),
        changes: model.batch_reader(),
        to,
        empty,
        batch: Batch::default(),
    };
    let (position, next) = thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("store-reader".to_owned())
            .spawn_scoped(scope, || reader.read())
            .map_err(|error| not_readable(folder, error))?;
        let applied = apply(folder, &mut model, batches, &back);
        let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        // What could not be applied lies before what could not be read.
        applied.and(read)
    })?;
    Ok(Recovered {
        model,
        archive,
        position,
        next,
    })
}

/// Changes of one file.
type FromFile = (PathBuf, Batch);

fn apply(
    folder: &Folder,
    model: &mut Model,
    batches: Receiver<FromFile>,
    back: &SyncSender<Batch>,
) -> Result<(), OpenError> {
    for (path, mut batch) in batches {
        let applied = model.apply(&mut batch);
        applied.map_err(|error| refused(folder, &path, error.into()))?;
        batch.clear();
        // A reader that has come to its end needs none.
        let _ = back.try_send(batch);
    }
    Ok(())
}

fn not_readable(folder: &Folder, source: io::Error) -> OpenError {
    OpenError::NotReadable {
        path: folder.path().to_owned(),
        source,
    }
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("it was not read to its end")]
    Stopped,
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> Self {
        Self::Frame(error.into())
    }
}

fn refused(folder: &Folder, file: &Path, error: FileError) -> OpenError {
    let (path, file): (PathBuf, PathBuf) = (folder.path().to_owned(), file.to_owned());
    match error {
        FileError::Frame(FrameError::UnknownFormat(found)) => {
            OpenError::UnknownFormat { path, found }
        }
        FileError::Frame(FrameError::Io(source)) => OpenError::NotReadable { path: file, source },
        error => OpenError::Damaged {
            path: file,
            problem: error.to_string(),
        },
    }
}

/// Reads the files of a folder in order.
struct Reader<'f> {
    folder: &'f Folder,
    /// What came to the archive lies before the segment of this number.
    archived: u64,
    changes: BatchReader,
    to: SyncSender<FromFile>,
    /// Batches whose memory can be used again.
    empty: Receiver<Batch>,
    /// Its content was read and not handed over yet.
    batch: Batch,
}

impl Reader<'_> {
    /// The position of the last frame, and the number of the segment to begin.
    fn read(mut self) -> Result<(u64, u64), OpenError> {
        let folder = self.folder;
        let numbers = |files| {
            let numbers = folder.numbers(files);
            numbers.map_err(|error| not_readable(folder, error))
        };
        let since = numbers(Files::Snapshot)?.pop();
        if let Some(number) = since {
            let path = folder.file(Files::Snapshot, number);
            self.read_snapshot(&path)
                .map_err(|error| refused(folder, &path, error))?;
        }
        // The journal begins with its first frame, or with the segment of the snapshot.
        let mut position = since.is_none().then_some(0);
        let since = since.unwrap_or(0);
        let mut next = since.max(1);
        let mut segments = numbers(Files::Segment)?;
        segments.retain(|number| *number >= since);
        if since > 0 && segments.first() != Some(&since) {
            let missing = folder.file(Files::Segment, since);
            return Err(refused(folder, &missing, FrameError::Damaged.into()));
        }
        for number in segments {
            let path = folder.file(Files::Segment, number);
            let end = self
                .read_segment(&path, number, position)
                .map_err(|error| refused(folder, &path, error))?;
            match end {
                Some(end) => {
                    position = Some(end);
                    next = number + 1;
                }
                // It was being made when the machine stopped, and is made again.
                None => next = number,
            }
        }
        Ok((position.unwrap_or(0), next))
    }

    /// Reads a snapshot. It is whole, or it would not have its name.
    fn read_snapshot(&mut self, path: &Path) -> Result<(), FileError> {
        let mut from = BufReader::with_capacity(1 << 20, File::open(path)?);
        Header::read(&mut from, Files::Snapshot.magic())?.ok_or(FrameError::Damaged)?;
        let mut is_whole = false;
        let mut before = 0;
        while frame::read(&mut from, &mut self.batch.content)?.is_some() {
            is_whole = self.batch.content.len() == before;
            self.hand_over(path, false, BATCH)?;
            before = self.batch.content.len();
        }
        self.hand_over(path, false, 0)?;
        if is_whole {
            return Ok(());
        }
        Err(FrameError::Damaged.into())
    }

    /// Reads the segment `number`, of which everything up to `known` is known already. The position
    /// of its last frame; `None` for a segment that was never begun.
    fn read_segment(
        &mut self,
        path: &Path,
        number: u64,
        known: Option<u64>,
    ) -> Result<Option<u64>, FileError> {
        let is_archived = number < self.archived;
        let mut from = BufReader::with_capacity(1 << 20, File::open(path)?);
        let Some(header) = Header::read(&mut from, Files::Segment.magic())? else {
            return Ok(None);
        };
        let mut position = known.unwrap_or(header.first.saturating_sub(1));
        if header.number != number || header.first > position + 1 {
            return Err(FrameError::Damaged.into());
        }
        let mut before = 0;
        while let Some(found) = frame::read(&mut from, &mut self.batch.content)? {
            // Frames that could not be synced are written once more to the next segment.
            if found <= position {
                self.batch.content.truncate(before);
                continue;
            }
            if found > position + 1 {
                self.batch.content.truncate(before);
                break;
            }
            position = found;
            self.hand_over(path, is_archived, BATCH)?;
            before = self.batch.content.len();
        }
        self.hand_over(path, is_archived, 0)?;
        Ok(Some(position))
    }

    /// Decodes and hands over what was read, if it is more than `least` bytes.
    fn hand_over(&mut self, path: &Path, is_archived: bool, least: usize) -> Result<(), FileError> {
        if self.batch.content.len() <= least {
            return Ok(());
        }
        self.changes.read(&mut self.batch, is_archived)?;
        let batch = replace(&mut self.batch, self.empty.try_recv().unwrap_or_default());
        let handed = self.to.send((path.to_owned(), batch));
        handed.map_err(|_| FileError::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use logout_core::credential::{Credential, CredentialDigest};
    use logout_core::receipt::{Reach, Reason, ReceiptId};
    use logout_core::session::{Session, SessionId};
    use logout_core::store::{EndOrder, EndTarget, SessionStore as _};
    use logout_core::time::Timestamp;
    use logout_core::transfer::{Record, Transfer as _};

    use crate::disk::DiskStore;
    use crate::disk::tests::{contents, keeper, session};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn id(number: u16) -> SessionId {
        let [high, low] = number.to_be_bytes();
        SessionId::from_bytes([[high, low]; 8].concat().try_into().unwrap())
    }

    fn numbered(number: u16) -> Record {
        let of_all = session(1);
        let [high, low] = number.to_be_bytes();
        let credential = Credential {
            digest: CredentialDigest::from_bytes([[high, low]; 16].concat().try_into().unwrap()),
            ..of_all.credentials[0]
        };
        Record::Session(Session {
            id: id(number),
            credentials: vec![credential],
            ..of_all
        })
    }

    fn end(store: &DiskStore, numbers: impl Iterator<Item = u16>) {
        let order = EndOrder {
            receipt: ReceiptId::from_bytes([1; 16]),
            at: NOW,
            reason: Reason::User,
            platform: None,
            reach: Reach::Session,
            targets: numbers
                .map(|number| EndTarget::Session(id(number)))
                .collect(),
            token: None,
        };
        assert!(!block_on(store.end(order)).unwrap().is_empty());
    }

    #[test]
    fn changes_of_many_batches_are_made_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open_with(folder.path(), u64::MAX, u64::MAX).unwrap();
        let import = |from: u16, until: u16| {
            for part in (from..until).collect::<Vec<_>>().chunks(100) {
                let records = part.iter().copied().map(numbered).collect();
                block_on(store.import(records, NOW)).unwrap();
            }
        };
        import(0, 4_000);
        end(&store, (0..4_000).step_by(3));
        let keeper = keeper(&store);
        keeper.shorten().unwrap();
        end(&store, (1..4_000).step_by(3));
        import(4_000, 6_000);
        end(&store, (4_000..6_000).step_by(2));
        let before = contents(&store);
        drop((keeper, store));
        let store = DiskStore::open_with(folder.path(), u64::MAX, u64::MAX).unwrap();
        assert_eq!(contents(&store), before);
    }
}
