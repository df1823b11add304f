//! The files of this repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Its topmost folder.
///
/// # Panics
/// When the tests stand in no folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a folder above the tests")
        .to_owned()
}

/// The text of a file, by its path below [`root`].
///
/// # Panics
/// When it cannot be read.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}
