//! A disk that is easily full.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process;

/// How long mounting may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A disk of 24 MiB in memory, mounted in a folder of its own and taken away again when this goes
/// out of scope.
#[derive(Debug)]
pub struct SmallDisk {
    place: TempDir,
}

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// Why this process may not.
    pub fn mount() -> Result<Self, String> {
        let place = tempfile::tempdir().map_err(|fault| fault.to_string())?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"])
            .arg(place.path());
        let ended = process::run(&mut mount, b"", PATIENCE)?;
        if ended.status.success() {
            Ok(Self { place })
        } else {
            Err(format!(
                "no disk can be mounted: {}",
                ended.stderr.lines().next().unwrap_or_default()
            ))
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Leaves no byte free. Removing the file that is returned makes room again.
    ///
    /// # Panics
    /// When not even an empty file can be made.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::create(&path).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a process that was killed a moment ago may still hold files there.
        let _ = process::run(
            Command::new("umount").arg("-l").arg(self.place.path()),
            b"",
            PATIENCE,
        );
    }
}
