//! Segments that are made ahead of time, full of zeros.
//!
//! A file that grows has a new size and new blocks to be synced with what is written to it, which
//! takes two to three times as long as the bytes alone. So a thread fills the next segment while
//! the present one is written to. Zeros are no frame: a reader comes to its end there.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::folder::Folder;
use super::frame::Header;
use super::log::Segment;

/// The size of a spare segment, in bytes.
const SIZE: u64 = 16 << 20;
/// A segment that has grown to this size shows that there is work.
const WORTH: u64 = 64 << 10;
/// No spares are made on a disk with less room, in bytes: it would be full earlier for their sake.
const LEAST_FREE: u64 = 64 * SIZE;
/// So much is written at once, in bytes, so that others who sync wait for little of it.
const STEP: usize = 1 << 20;
/// How long it takes until a spare is tried again that could not be made.
const PAUSE: Duration = Duration::from_secs(60);

/// Makes spare segments, one at a time.
#[derive(Debug)]
pub(super) struct Spares {
    folder: Arc<Folder>,
    next: Next,
    is_over: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Next {
    Making(JoinHandle<io::Result<Spare>>),
    NotBefore(Option<Instant>),
    Ready(Spare),
}

/// A file of zeros without its name yet.
#[derive(Debug)]
pub(super) struct Spare {
    file: File,
    path: PathBuf,
}

impl Spares {
    pub(super) fn new(folder: Arc<Folder>) -> Self {
        Self {
            folder,
            next: Next::NotBefore(None),
            is_over: Arc::default(),
        }
    }

    /// Whether `needed` more bytes are better written to a spare, which there is. Sees to it that
    /// there is one in time.
    pub(super) fn is_wanted(&mut self, segment: &Segment, needed: u64) -> bool {
        let left = segment.room - segment.size;
        if left < SIZE / 2 && segment.size >= WORTH {
            self.look();
        }
        left < needed && matches!(self.next, Next::Ready(_))
    }

    /// Begins to make a spare where there is none, and takes note of one that is made.
    fn look(&mut self) {
        let nothing = Next::NotBefore(None);
        self.next = match std::mem::replace(&mut self.next, nothing) {
            Next::Making(thread) if thread.is_finished() => match thread.join() {
                Ok(Ok(spare)) => Next::Ready(spare),
                Ok(Err(error)) => {
                    log::debug!("no segment of the journal is made ahead: {error}");
                    Next::NotBefore(Some(Instant::now() + PAUSE))
                }
                Err(_) => Next::NotBefore(Some(Instant::now() + PAUSE)),
            },
            Next::NotBefore(at) if at.is_none_or(|at| at <= Instant::now()) => self.begin(),
            next => next,
        };
    }

    fn begin(&self) -> Next {
        let (folder, is_over) = (self.folder.clone(), self.is_over.clone());
        let thread = Builder::new().name("store-spare".to_owned());
        match thread.spawn(move || Spare::make(&folder, &is_over)) {
            Ok(thread) => Next::Making(thread),
            Err(_) => Next::NotBefore(Some(Instant::now() + PAUSE)),
        }
    }

    /// The spare, where there is one.
    pub(super) fn take(&mut self) -> Option<Spare> {
        match std::mem::replace(&mut self.next, Next::NotBefore(None)) {
            Next::Ready(spare) => Some(spare),
            next => {
                self.next = next;
                None
            }
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let next = std::mem::replace(&mut self.next, Next::NotBefore(None));
        let spare = match next {
            Next::Making(thread) => thread.join().ok().and_then(Result::ok),
            Next::NotBefore(_) => None,
            Next::Ready(spare) => Some(spare),
        };
        if let Some(spare) = spare {
            // One that stays is removed when the folder is opened again.
            let _ = fs::remove_file(spare.path);
        }
    }
}

impl Spare {
    fn make(folder: &Folder, is_over: &AtomicBool) -> io::Result<Self> {
        let (file, path) = folder.spare()?;
        let spare = Self { file, path };
        let filled = spare.fill(is_over);
        if filled.is_err() {
            let _ = fs::remove_file(&spare.path);
        }
        filled.map(|()| spare)
    }

    fn fill(&self, is_over: &AtomicBool) -> io::Result<()> {
        if free(&self.file)? < LEAST_FREE {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let zeros = vec![0; STEP];
        for _ in 0..SIZE / STEP as u64 {
            if is_over.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            (&self.file).write_all(&zeros)?;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Makes a segment of it.
    pub(super) fn begin(mut self, folder: &Folder, header: &Header) -> io::Result<Segment> {
        self.file.rewind()?;
        self.file.write_all(&header.to_bytes())?;
        self.file.sync_data()?;
        folder.name_spare(&self.path, header.number)?;
        Ok(Segment {
            file: self.file,
            number: header.number,
            size: Header::LENGTH as u64,
            room: SIZE,
        })
    }
}

/// The room on the disk of a file, in bytes.
#[cfg(unix)]
fn free(file: &File) -> io::Result<u64> {
    let disk = rustix::fs::fstatvfs(file)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Not known, so there are no spares.
#[cfg(not(unix))]
fn free(_: &File) -> io::Result<u64> {
    Ok(0)
}
