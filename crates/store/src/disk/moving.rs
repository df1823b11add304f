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

/// Whether a former store is to be moved. Clears away what was left by a move that was broken off,
/// or the former files where it has come to its end.
pub(super) fn is_waiting(folder: &Folder) -> Result<bool, OpenError> {
    if !former::is_former(folder.path()) {
        return Ok(false);
    }
    let is_moved = folder
        .numbers(Files::Snapshot)
        .map(|found| !found.is_empty());
    let cleared = is_moved.and_then(|is_moved| {
        if is_moved {
            former::remove(folder.path())?;
        } else {
            folder.remove_below(Files::Segment, u64::MAX)?;
            folder.remove_below(Files::Archive, u64::MAX)?;
        }
        Ok(!is_moved)
    });
    cleared.map_err(|source| OpenError::NotWritable {
        path: folder.path().to_owned(),
        source,
    })
}

/// Removes the former files: all that they hold is in a snapshot.
pub(super) fn finish(folder: &Folder) -> io::Result<()> {
    former::remove(folder.path())
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
        drop(DiskStore::open(folder.path()).unwrap());
        let moved = contents(&DiskStore::open(folder.path()).unwrap());
        // The snapshot is there, and the former files are too.
        copy(before.path(), folder.path());
        assert_eq!(contents(&DiskStore::open(folder.path()).unwrap()), moved);
        assert!(!former::is_former(folder.path()));
        // The snapshot is not there, and other files of the move are.
        for name in ["journal-0000000001", "archive-0000000002"] {
            fs::write(before.path().join(name), b"").unwrap();
        }
        assert_eq!(contents(&DiskStore::open(before.path()).unwrap()), moved);
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
