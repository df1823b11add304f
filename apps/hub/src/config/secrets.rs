//! Which keys hold secrets, and secrets that live in files of their own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use logout_core::credential::{Secret, random_bytes};
use logout_identity::{SecretFileError, read_secret_file};

/// The least characters of a token that opens the hub's own listener: as many as 256 bits have
/// bytes.
const LEAST_TOKEN: usize = 32;

/// Why the file of a token is not accepted. Names the file, never what stands in it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct TokenFileError {
    file: PathBuf,
    problem: TokenProblem,
}

#[derive(Debug, thiserror::Error)]
enum TokenProblem {
    #[error("{0}")]
    File(#[from] SecretFileError),
    #[error(
        "the token has {0} characters, and must have {LEAST_TOKEN} or more; take what `openssl rand -hex 32` prints, or remove the file and have one made"
    )]
    Short(usize),
}

/// Whether the value of this key must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 6] = [
        "key",
        "password",
        "password_hash",
        "passphrase",
        "secret",
        "token",
    ];
    let key = key.to_ascii_lowercase().replace(['-', '.'], "_");
    WORDS.iter().any(|word| {
        key.strip_suffix(word)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    })
}

/// The key that `key` names the file of: `password_hash` for `password_hash_file`.
pub(super) fn of_file(key: &str) -> Option<&str> {
    key.strip_suffix("_file").filter(|secret| is_secret(secret))
}

/// Reads a secret from a file; one newline at its end is cut.
///
/// # Errors
/// The file cannot be read, every user of the machine can read it, it is too long or no UTF-8, or
/// it holds nothing.
pub(super) fn read_file(path: &Path) -> Result<Secret, SecretFileError> {
    let text = read_secret_file(path)?;
    match std::str::from_utf8(&text).map(without_newline) {
        Err(_) => Err(SecretFileError::NotText),
        Ok("") => Err(SecretFileError::Empty),
        Ok(secret) => Ok(Secret::new(secret)),
    }
}

/// `text` without the one line end that editors and `echo` put there.
pub(crate) fn without_newline(text: &str) -> &str {
    text.strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text)
}

/// The administrator's token: what the file says or, where there is no file, a fresh one of 256
/// bits, written with mode 0600 before it is returned. Of several processes that start at once, all
/// get the one that was written first.
///
/// # Errors
/// The file cannot be read or written, every user of the machine can read it, or its token is too
/// short not to be guessed.
pub fn admin_token(path: &Path) -> Result<Secret, TokenFileError> {
    if path.exists() {
        return read_token(path);
    }
    generate(path).map_err(|problem| TokenFileError {
        file: path.to_owned(),
        problem: problem.into(),
    })
}

/// The token that a file holds.
///
/// # Errors
/// As of [`admin_token`], and there is no file.
pub fn read_token(path: &Path) -> Result<Secret, TokenFileError> {
    let fault = |problem| TokenFileError {
        file: path.to_owned(),
        problem,
    };
    let token = read_file(path).map_err(|problem| fault(problem.into()))?;
    match token.reveal().chars().count() {
        short if short < LEAST_TOKEN => Err(fault(TokenProblem::Short(short))),
        _ => Ok(token),
    }
}

/// Whether the token can be used that [`admin_token`] will read. Makes no file.
///
/// # Errors
/// As there.
pub(crate) fn check_token(path: &Path) -> Result<(), TokenFileError> {
    if path.exists() {
        admin_token(path).map(drop)
    } else {
        Ok(())
    }
}

fn generate(path: &Path) -> Result<Secret, SecretFileError> {
    match write_new(path) {
        Ok(secret) => Ok(secret),
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => read_file(path),
        Err(fault) => Err(SecretFileError::NotMade(fault)),
    }
}

fn write_new(path: &Path) -> io::Result<Secret> {
    let secret = Secret::random();
    // Written aside and linked into place, so that nobody ever reads half a token; the link fails
    // where somebody was first.
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{:x}", u64::from_ne_bytes(random_bytes())));
    let aside = Path::new(&aside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(aside)?;
    let linked = writeln!(file, "{}", secret.reveal())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(aside, path));
    fs::remove_file(aside)?;
    linked.map(|()| secret)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{set_mode, write_private};
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_key() {
        for key in [
            "password_hash",
            "key",
            "access_key",
            "client_secret",
            "token",
            "admin_token",
            "X-Api-Key",
            "a.secret",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in [
            "token_service",
            "track_logged_out_tokens",
            "key_file",
            "turkey",
            "certificate_file",
            "keys",
            "token_file",
            "",
        ] {
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
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions())
                & 0o777,
            0o600
        );
    }

    const MINE: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_token_of_the_operator_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        for end in ["", "\n", "\r\n"] {
            write_private(&path, &format!("{MINE}{end}"));
            assert_eq!(admin_token(&path).unwrap().reveal(), MINE);
            assert!(check_token(&path).is_ok());
        }
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        assert!(
            check_token(&path).is_ok() && !path.exists(),
            "a check makes no file"
        );
        for (text, problem) in [
            ("", "holds nothing"),
            ("\n", "holds nothing"),
            ("\r\n", "holds nothing"),
            (
                &MINE[1..],
                "the token has 31 characters, and must have 32 or more; take what `openssl rand -hex 32` prints, or remove the file and have one made",
            ),
        ] {
            write_private(&path, text);
            let said = admin_token(&path).unwrap_err().to_string();
            assert_eq!(said, format!("{}: {problem}", path.display()));
            assert_eq!(check_token(&path).unwrap_err().to_string(), said);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_others_can_read_is_refused_with_its_file_and_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        write_private(&path, MINE);
        set_mode(&path, 0o644);
        let file = path.display();
        let said = admin_token(&path).unwrap_err().to_string();
        assert_eq!(
            said,
            format!(
                "{file}: mode 0644 lets every user of this machine read it; run `chmod 600 {file}`"
            )
        );
    }

    #[test]
    fn a_folder_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(admin_token(&folder.path().join("nowhere/admin.token")).is_err());
    }
}
