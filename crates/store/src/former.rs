//! The former embedded store, which lay in a fjall database.

#[cfg(feature = "fjall")]
mod reading;

use std::path::Path;

#[cfg(feature = "fjall")]
pub(crate) use reading::{FormerError, read, remove};

/// Files of a fjall database: the folder of its keyspaces, and what it knows itself by.
const KEYSPACES_FOLDER: &str = "keyspaces";
const VERSION_FILE: &str = "version";

/// Whether `folder` holds a fjall database, whole or in part. Looks at names of files only.
pub(crate) fn is_former(folder: &Path) -> bool {
    [KEYSPACES_FOLDER, VERSION_FILE]
        .iter()
        .any(|name| folder.join(name).exists())
}
