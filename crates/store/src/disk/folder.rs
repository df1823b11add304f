//! The folder of a store: its lock, and the names of its files.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::OpenError;

/// A kind of files, each with a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Files {
    /// Receipts and confirmed deliveries from before the segment of this number.
    Archive,
    /// Changes in the order in which they were made.
    Segment,
    /// The state at the beginning of the segment of this number.
    Snapshot,
}

impl Files {
    fn word(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Segment => "journal",
            Self::Snapshot => "snapshot",
        }
    }

    /// What a file of this kind begins with.
    pub(super) fn magic(self) -> [u8; 8] {
        match self {
            Self::Archive => *b"LHarchiv",
            Self::Segment => *b"LHjournl",
            Self::Snapshot => *b"LHsnapsh",
        }
    }
}

/// The end of the name of a file that is still being made.
const UNFINISHED: &str = ".new";

/// A folder that this process has to itself until it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder, or makes it, and clears away files that were never finished.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let not_writable = |source| OpenError::NotWritable {
            path: path.to_owned(),
            source,
        };
        create(path).map_err(not_writable)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("in-use"))
            .map_err(not_writable)?;
        if !try_lock(&lock).map_err(not_writable)? {
            return Err(OpenError::Locked {
                path: path.to_owned(),
            });
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        folder.clear().map_err(not_writable)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub(super) fn file(&self, files: Files, number: u64) -> PathBuf {
        self.path.join(format!("{}-{number:010}", files.word()))
    }

    /// The numbers of the files of a kind, in order.
    pub(super) fn numbers(&self, files: Files) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix(files.word())?.strip_prefix('-'));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The size of all files of a kind.
    pub(super) fn size(&self, files: Files) -> io::Result<u64> {
        let numbers = self.numbers(files)?.into_iter();
        numbers
            .map(|number| Ok(fs::metadata(self.file(files, number))?.len()))
            .sum()
    }

    /// Makes a file that appears under its name when `write` has come to its end, and lasts.
    pub(super) fn finish(
        &self,
        files: Files,
        number: u64,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        let path = self.file(files, number);
        let mut unfinished = path.clone().into_os_string();
        unfinished.push(UNFINISHED);
        let mut file = create_file(Path::new(&unfinished))?;
        let written = write(&mut file)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| self.sync());
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written.map(|()| path)
    }

    /// A new segment that begins with `header`, open for writing behind it.
    pub(super) fn segment(&self, number: u64, header: &[u8]) -> io::Result<File> {
        let mut file = create_file(&self.file(Files::Segment, number))?;
        file.write_all(header)?;
        file.sync_data()?;
        self.sync()?;
        Ok(file)
    }

    /// An empty file that is to become a segment, and where it lies until then.
    pub(super) fn spare(&self) -> io::Result<(File, PathBuf)> {
        let path = self.path.join(format!("spare{UNFINISHED}"));
        Ok((create_file(&path)?, path))
    }

    /// Gives a spare file the name of the segment `number`; it lasts.
    pub(super) fn name_spare(&self, spare: &Path, number: u64) -> io::Result<()> {
        fs::rename(spare, self.file(Files::Segment, number))?;
        self.sync()
    }

    /// Whether there is a mark of this name.
    #[cfg(feature = "fjall")]
    pub(super) fn is_marked(&self, mark: &str) -> bool {
        self.path.join(mark).exists()
    }

    /// Leaves a mark, or takes it away; it lasts.
    #[cfg(feature = "fjall")]
    pub(super) fn mark(&self, mark: &str, is_there: bool) -> io::Result<()> {
        let path = self.path.join(mark);
        if is_there {
            create_file(&path)?.sync_all()?;
        } else if path.exists() {
            fs::remove_file(path)?;
        }
        self.sync()
    }

    /// Removes files of a kind below a number.
    pub(super) fn remove_below(&self, files: Files, number: u64) -> io::Result<()> {
        for old in self.numbers(files)? {
            if old < number {
                fs::remove_file(self.file(files, old))?;
            }
        }
        Ok(())
    }

    /// Makes the names in the folder last.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// How long a lock is waited for: a process that is starting another one lends it the lock for a
/// moment, and one that is stopping has it until it is gone.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether the lock could be had.
fn try_lock(lock: &File) -> io::Result<bool> {
    let start = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn create(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    // The values that hubs agree on include signing keys.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn create_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
