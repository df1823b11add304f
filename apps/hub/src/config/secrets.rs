//! Which keys hold secrets, and secrets that live in files of their own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use logout_core::credential::{Secret, random_bytes};

/// The longest secret that is read from a file. A longer file is no secret but a mistake.
const LONGEST: u64 = 64 * 1024;

/// Whether the value of this key must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 6] = ["key", "password", "password_hash", "passphrase", "secret", "token"];
    let key = key.to_ascii_lowercase().replace(['-', '.'], "_");
    WORDS.iter().any(|word| key.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

/// The key that `key` names the file of: `password_hash` for `password_hash_file`.
pub(super) fn of_file(key: &str) -> Option<&str> {
    key.strip_suffix("_file").filter(|secret| is_secret(secret))
}

/// Reads a secret from a file; one newline at its end is cut.
///
/// # Errors
/// The file cannot be read, is too long or no UTF-8, or holds nothing.
pub(super) fn read_file(path: &Path) -> io::Result<Secret> {
    if fs::metadata(path)?.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too long for a secret"));
    }
    let text = Secret::new(fs::read_to_string(path)?);
    let secret = without_newline(text.reveal());
    if secret.is_empty() { Err(io::Error::new(io::ErrorKind::InvalidData, "empty")) } else { Ok(Secret::new(secret)) }
}

/// `text` without the one line end that editors and `echo` put there.
pub(crate) fn without_newline(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

/// The administrator's token: what the file says or, where there is no file, a fresh one of 256 bits, written with mode
/// 0600 before it is returned. Of several processes that start at once, all get the one that was written first.
///
/// # Errors
/// The file cannot be read or written, or is empty: an empty token would let everybody in.
pub fn admin_token(path: &Path) -> io::Result<Secret> {
    match read_file(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => generate(path),
        read => read,
    }
}

fn generate(path: &Path) -> io::Result<Secret> {
    let secret = Secret::random();
    // Written aside and linked into place, so that nobody ever reads half a token; the link fails where somebody was first.
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{:x}", u64::from_ne_bytes(random_bytes())));
    let aside = Path::new(&aside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(aside)?;
    let linked = writeln!(file, "{}", secret.reveal()).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(aside, path));
    fs::remove_file(aside)?;
    match linked {
        Ok(()) => Ok(secret),
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => read_file(path),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_key() {
        for key in ["password_hash", "key", "access_key", "client_secret", "token", "admin_token", "X-Api-Key", "a.secret"] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["token_service", "track_logged_out_tokens", "key_file", "turkey", "certificate_file", "keys", "token_file", ""] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn the_token_is_generated_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        let first = admin_token(&path).unwrap();
        assert_eq!(first.reveal().len(), 43);
        assert_eq!(admin_token(&path).unwrap().reveal(), first.reveal());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    }

    #[test]
    fn a_token_of_the_operator_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        for (text, token) in [("mine\n", "mine"), ("mine\r\n", "mine"), ("mine", "mine"), ("mine\n\n", "mine\n")] {
            fs::write(&path, text).unwrap();
            assert_eq!(admin_token(&path).unwrap().reveal(), token);
        }
    }

    #[test]
    fn an_empty_token_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        for text in ["", "\n", "\r\n"] {
            fs::write(&path, text).unwrap();
            assert!(admin_token(&path).is_err(), "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_folder_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(admin_token(&folder.path().join("nowhere/admin.token")).is_err());
    }
}
