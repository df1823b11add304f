//! Moves what the former store left in the folder into this one.
//!
//! The former files stay until a snapshot of all that they hold is on the disk. A move that was
//! broken off begins anew.

use std::io;
use std::path::Path;

use logout_core::time::Timestamp;

use super::OpenError;
use super::folder::{Files, Folder};
use crate::former::{self, FormerError};
use crate::model::Model;
use crate::record::RecordError;

/// Takes in all that the former store holds.
pub(super) fn take_in(folder: &Folder, model: &mut Model) -> Result<(), OpenError> {
    let path = folder.path();
    log::info!("the session store is moved to another format, which takes a while");
    let checkpoint = former::read::<MoveError>(path, &mut |record| {
        // Whatever has expired is swept later, as it would have been.
        Ok(model.import(record, |_| false, Timestamp::default())?)
    });
    let set = checkpoint.and_then(|checkpoint| {
        checkpoint.map_or(Ok(()), |noted| Ok(model.set_checkpoint(Some(noted))?))
    });
    set.map_err(|error| error.of(path))
}

/// The name of the mark that a move has begun, and has not come to its end.
const MOVING: &str = "moving";

/// Whether a former store is to be moved. Clears away what was left by a move that was broken off,
/// or the former files where all of it is in a snapshot.
///
/// # Errors
/// Both stores are in the folder, and no move has begun: an earlier version was run on a folder
/// that had been moved before. Nothing is removed then.
pub(super) fn begin(folder: &Folder) -> Result<bool, OpenError> {
    let path = || folder.path().to_owned();
    let not_writable = |source| OpenError::NotWritable {
        path: path(),
        source,
    };
    if !former::is_former(folder.path()) {
        folder.mark(MOVING, false).map_err(not_writable)?;
        return Ok(false);
    }
    let has = |files| folder.numbers(files).map(|found| !found.is_empty());
    let has_snapshot = has(Files::Snapshot).map_err(not_writable)?;
    if !folder.is_marked(MOVING) {
        if has_snapshot || has(Files::Segment).map_err(not_writable)? {
            return Err(OpenError::TwoStores { path: path() });
        }
        folder.mark(MOVING, true).map_err(not_writable)?;
    }
    if has_snapshot {
        finish(folder).map_err(not_writable)?;
    } else {
        let cleared = [Files::Segment, Files::Archive]
            .into_iter()
            .try_for_each(|files| folder.remove_below(files, u64::MAX));
        cleared.map_err(not_writable)?;
    }
    Ok(!has_snapshot)
}

/// Removes the former files: all that they hold is in a snapshot.
pub(super) fn finish(folder: &Folder) -> io::Result<()> {
    former::remove(folder.path())?;
    folder.mark(MOVING, false)
}

#[derive(Debug, thiserror::Error)]
enum MoveError {
    #[error(transparent)]
    Former(#[from] FormerError),
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl MoveError {
    fn of(self, folder: &Path) -> OpenError {
        let path = folder.to_owned();
        match self {
            Self::Former(FormerError::Locked) => OpenError::Locked { path },
            Self::Former(FormerError::UnknownFormat(found)) => OpenError::UnknownFormat {
                path,
                found: found.into(),
            },
            error => OpenError::Damaged {
                path,
                problem: error.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use futures_executor::block_on;
    use logout_core::transfer::Transfer as _;

    use super::*;
    use crate::DiskStore;

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }

    fn former_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/former");
        copy(&fixture, folder.path());
        folder
    }

    fn contents(store: &DiskStore) -> Vec<String> {
        let (mut records, mut from) = (Vec::new(), None);
        loop {
            let part = block_on(store.export(from, 100, Timestamp::default())).unwrap();
            records.extend(part.items.iter().map(|record| format!("{record:?}")));
            from = part.next;
            if from.is_none() {
                records.sort();
                return records;
            }
        }
    }

    #[test]
    fn a_former_folder_is_moved_as_a_whole_at_the_first_start() {
        let folder = former_folder();
        let mut expected = Vec::new();
        former::read::<MoveError>(folder.path(), &mut |record| {
            expected.push(format!("{record:?}"));
            Ok(())
        })
        .unwrap();
        expected.sort();
        assert!(expected.iter().any(|record| record.starts_with("Receipt")));
        for _ in 0..2 {
            let store = DiskStore::open(folder.path()).unwrap();
            assert_eq!(contents(&store), expected);
            assert!(!former::is_former(folder.path()));
        }
    }

    #[test]
    fn a_move_that_was_broken_off_begins_anew_or_is_finished() {
        let folder = former_folder();
        let before = former_folder();
        let moved = contents(&DiskStore::open(folder.path()).unwrap());
        // The snapshot is there, and the former files are too.
        copy(before.path(), folder.path());
        fs::write(folder.path().join(MOVING), b"").unwrap();
        assert_eq!(contents(&DiskStore::open(folder.path()).unwrap()), moved);
        assert!(!former::is_former(folder.path()));
        // The snapshot is not there, and other files of the move are.
        for name in ["journal-0000000001", "archive-0000000002", MOVING] {
            fs::write(before.path().join(name), b"").unwrap();
        }
        assert_eq!(contents(&DiskStore::open(before.path()).unwrap()), moved);
    }

    #[test]
    fn a_former_store_beside_one_that_was_moved_is_refused_and_left_alone() {
        let folder = former_folder();
        drop(DiskStore::open(folder.path()).unwrap());
        copy(former_folder().path(), folder.path());
        let error = DiskStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::TwoStores { .. }), "{error:?}");
        assert!(former::is_former(folder.path()));
    }

    #[test]
    fn a_former_folder_that_cannot_be_read_is_left_alone() {
        let folder = former_folder();
        let is_open = fjall::Database::builder(folder.path()).open().unwrap();
        let error = DiskStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
        drop(is_open);
        assert!(former::is_former(folder.path()));
    }
}
