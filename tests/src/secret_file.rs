//! Files of keys and tokens, as the hub accepts them.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Writes `text` to a file that no other user can read.
///
/// # Panics
/// When it cannot be written.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_ref()))
        .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    // A file that was there before keeps its mode.
    set_mode(path, 0o600);
}

/// Lets others do with the file what `mode` says, as `chmod` takes it.
///
/// # Panics
/// When it cannot be changed.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
}
