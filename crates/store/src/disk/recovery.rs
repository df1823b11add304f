//! What a folder holds, read back: the last snapshot, and the changes since.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::archive::Archive;
use super::folder::{Files, Folder};
use super::frame::{self, FrameError, Header};
use crate::model::{Change, Model};
use crate::record::RecordError;

/// What was read back.
pub(super) struct Recovered {
    pub(super) model: Model,
    pub(super) archive: Archive,
    /// The position of the last frame.
    pub(super) position: u64,
    /// The number of the segment to begin.
    pub(super) next: u64,
}

/// Reads the state that the folder holds.
pub(super) fn recover(folder: &Folder) -> Result<Recovered, OpenError> {
    let io = |source| OpenError::NotReadable {
        path: folder.path().to_owned(),
        source,
    };
    let archive = Archive::open(folder).map_err(|(number, error)| {
        refused(folder, &folder.file(Files::Archive, number), error.into())
    })?;
    let mut model = Model::new(false);
    let since = folder.numbers(Files::Snapshot).map_err(io)?.pop();
    if let Some(number) = since {
        read_snapshot(folder, number, &mut model)?;
    }
    // The journal begins with its first frame, or with the segment of the snapshot.
    let mut position = since.is_none().then_some(0);
    let since = since.unwrap_or(0);
    let mut next = since.max(1);
    let mut segments = folder.numbers(Files::Segment).map_err(io)?;
    segments.retain(|number| *number >= since);
    if since > 0 && segments.first() != Some(&since) {
        let missing = folder.file(Files::Segment, since);
        return Err(refused(folder, &missing, FrameError::Damaged.into()));
    }
    for number in segments {
        let path = folder.file(Files::Segment, number);
        let is_archived = number < archive.number();
        let end = read_segment(&path, number, position, is_archived, &mut model)
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
    Ok(Recovered {
        model,
        archive,
        position: position.unwrap_or(0),
        next,
    })
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Record(#[from] RecordError),
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

/// Reads a snapshot. It is whole, or it would not have its name.
fn read_snapshot(folder: &Folder, number: u64, model: &mut Model) -> Result<(), OpenError> {
    let path = folder.file(Files::Snapshot, number);
    let mut read = || -> Result<(), FileError> {
        let mut from = BufReader::with_capacity(1 << 20, File::open(&path)?);
        Header::read(&mut from, Files::Snapshot.magic())?.ok_or(FrameError::Damaged)?;
        let mut content = Vec::new();
        let mut is_whole = false;
        while frame::read(&mut from, &mut content)?.is_some() {
            is_whole = content.is_empty();
            apply(model, &content, false)?;
        }
        if is_whole {
            return Ok(());
        }
        Err(FrameError::Damaged.into())
    };
    read().map_err(|error| refused(folder, &path, error))
}

/// Reads the segment `number`, of which everything up to `known` is known already. The position
/// of its last frame; `None` for a segment that was never begun.
fn read_segment(
    path: &Path,
    number: u64,
    known: Option<u64>,
    is_archived: bool,
    model: &mut Model,
) -> Result<Option<u64>, FileError> {
    let mut from = BufReader::with_capacity(1 << 20, File::open(path)?);
    let Some(header) = Header::read(&mut from, Files::Segment.magic())? else {
        return Ok(None);
    };
    let mut position = known.unwrap_or(header.first.saturating_sub(1));
    if header.number != number || header.first > position + 1 {
        return Err(FrameError::Damaged.into());
    }
    let mut content = Vec::new();
    while let Some(found) = frame::read(&mut from, &mut content)? {
        // Frames that could not be synced are written once more to the next segment.
        if found <= position {
            continue;
        }
        if found > position + 1 {
            break;
        }
        apply(model, &content, is_archived)?;
        position = found;
    }
    Ok(Some(position))
}

fn apply(model: &mut Model, content: &[u8], is_archived: bool) -> Result<(), RecordError> {
    let mut rest = content;
    while !rest.is_empty() {
        let change = Change::read(&mut rest)?;
        if is_archived {
            model.apply_archived(change)?;
        } else {
            model.apply(change)?;
        }
    }
    Ok(())
}
