//! Files that hold keys, tokens or passwords.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The longest file that is read. A longer one holds no secret and was named by mistake.
const LONGEST: u64 = 64 * 1024;

/// Why a file with a secret is not accepted. Never repeats the secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is missing and cannot be made.
    #[error("cannot be made: {0}")]
    NotMade(io::Error),
    /// The file holds nothing, or nothing but a line end.
    #[error("holds nothing")]
    Empty,
    /// The file holds something else than text.
    #[error("holds no text in UTF-8")]
    NotText,
    /// Every user of the machine can read the file or write to it.
    #[error("mode {mode:04o} lets every user of this machine {access} it; run `chmod 600 {}`", path.display(), access = access(*mode))]
    Public {
        /// The file.
        path: PathBuf,
        /// Its permissions, as `chmod` takes them.
        mode: u32,
    },
    /// The file is longer than 64 KiB.
    #[error("too long for a secret")]
    TooLong,
}

impl SecretFileError {
    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(fault) if fault.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads the file at `path`, unless every user of the machine can read or change it. The group may:
/// containers get their secrets that way. The bytes are wiped from memory when they are dropped.
///
/// # Errors
/// Every user of the machine can read the file or write to it (looked at on Unix only), it is
/// longer than 64 KiB, or it cannot be read.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    refuse_public(path, &metadata)?;
    if metadata.len() > LONGEST {
        return Err(SecretFileError::TooLong);
    }
    // As long as it will ever be, so that no part of the secret stays behind in a buffer that was
    // outgrown.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        Err(SecretFileError::TooLong)
    } else {
        Ok(text)
    }
}

#[cfg(unix)]
fn refuse_public(path: &Path, metadata: &Metadata) -> Result<(), SecretFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    if mode & 0o006 == 0 {
        Ok(())
    } else {
        Err(SecretFileError::Public {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn refuse_public(_: &Path, _: &Metadata) -> Result<(), SecretFileError> {
    Ok(())
}

fn access(mode: u32) -> &'static str {
    match mode & 0o006 {
        0o002 => "change",
        0o004 => "read",
        _ => "read and change",
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_others_can_read_or_change_is_refused_with_its_mode_and_the_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        fs::write(&path, "canary").unwrap();
        for (mode, access) in [
            (0o644, "read"),
            (0o604, "read"),
            (0o602, "change"),
            (0o666, "read and change"),
            (0o1646, "read and change"),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = read_secret_file(&path).unwrap_err().to_string();
            let file = path.display();
            assert_eq!(
                said,
                format!(
                    "mode {mode:04o} lets every user of this machine {access} it; run `chmod 600 {file}`"
                )
            );
        }
        for mode in [0o600, 0o400, 0o440, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                read_secret_file(&path).unwrap().as_slice(),
                b"canary",
                "{mode:o}"
            );
        }
    }

    #[test]
    fn a_file_that_is_too_long_or_not_there_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        assert!(read_secret_file(&path).unwrap_err().is_not_found());
        fs::write(&path, vec![b'x'; LONGEST as usize + 1]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(
            read_secret_file(&path),
            Err(SecretFileError::TooLong)
        ));
        assert!(matches!(
            read_secret_file(folder.path()),
            Err(SecretFileError::Io(_) | SecretFileError::Public { .. })
        ));
    }
}
