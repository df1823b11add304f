//! Seals what upstreams must be given back: AES-256-GCM with keys from a text file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use logout_core::credential::{Sealed, random_bytes};
use logout_core::ports::{Seal, SealError};
use logout_core::session::SessionId;
use zeroize::Zeroizing;

use crate::secret_file::{SecretFileError, read_secret_file};

/// The form of what is sealed: this byte, the key's id, the nonce, the ciphertext with its tag.
const VERSION: u8 = 1;

/// Stands before the session's id in the associated data, so that nothing that is encrypted with
/// the same key for another purpose can be passed off as sealed.
const PURPOSE: &[u8] = b"logout-hub/sealed-session/1";

const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
const HEAD_BYTES: usize = 1 + ID_BYTES + NONCE_LEN;

/// Why a file of seal keys is not accepted. Names the file and the line, never what stands there.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct SealKeyError {
    path: PathBuf,
    fault: SealKeysUnusable,
}

impl SealKeyError {
    fn new(path: &Path, fault: SealKeysUnusable) -> Self {
        Self {
            path: path.to_owned(),
            fault,
        }
    }

    fn of_file(path: &Path, error: impl Into<SecretFileError>) -> Self {
        Self::new(path, SealKeysUnusable::File(error.into()))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &SealKeysUnusable {
        &self.fault
    }
}

/// What is wrong with a file of seal keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealKeysUnusable {
    /// There is no key in it.
    #[error("holds no key")]
    Empty,
    /// It cannot be read or made, or every user of the machine can read it.
    #[error("{0}")]
    File(SecretFileError),
    /// A line is neither a key nor a comment nor blank.
    #[error("line {line} is not the base64 of {KEY_BYTES} bytes")]
    Line {
        /// Counted from one.
        line: usize,
    },
}

/// Seals with the first of its keys and opens with any of them.
///
/// - Every seal has a fresh random nonce, so the same bytes sealed twice look unrelated. One key is
///   good for 2³² seals (NIST SP 800-38D, section 8.3): a thousand a second for seven weeks. Busier
///   hubs put a new first line into the file in time.
/// - What is sealed names its key by the first eight bytes of the key's SHA-256, which say nothing
///   about a random key. A key can be dropped once nothing that was sealed with it is kept any
///   more.
/// - It opens for the session only that it was sealed for. Whatever is cut, changed, moved to
///   another session or sealed with an unknown key is a [`SealError`], always the same one.
/// - Keys are wiped from memory when this is dropped, and never printed.
pub struct SealKeys {
    /// The first seals. Never empty.
    keys: Vec<SealKey>,
}

struct SealKey {
    id: [u8; ID_BYTES],
    key: LessSafeKey,
}

impl SealKeys {
    /// The keys of the file at `path`: on each line the base64 (either alphabet, padded or not) of
    /// 32 bytes; blank lines and lines that begin with `#` do not count. The first key seals.
    ///
    /// # Errors
    /// The file cannot be read, every user of the machine can read it, it holds no key, or it has a
    /// line that is none.
    pub fn load(path: &Path) -> Result<Self, SealKeyError> {
        let text = read_secret_file(path).map_err(|error| SealKeyError::of_file(path, error))?;
        Self::read(&text).map_err(|fault| SealKeyError::new(path, fault))
    }

    /// The keys of the file at `path`, which is made with one fresh key and for the hub's own user
    /// only (mode 0600 on Unix) where it is missing.
    ///
    /// The file appears under its name whole and on the disk, and never in the place of another
    /// one: of several hubs that start at once, one makes the key and all use it. Its folder must
    /// exist.
    ///
    /// # Errors
    /// Those of [`SealKeys::load`], and that the file cannot be made.
    pub fn load_or_generate(path: &Path) -> Result<Self, SealKeyError> {
        match Self::load(path) {
            Err(SealKeyError {
                fault: SealKeysUnusable::File(error),
                ..
            }) if error.is_not_found() => {}
            loaded => return loaded,
        }
        match generate(path) {
            Ok(()) => log::info!(
                "{}: a new seal key was made; without this file nothing that is sealed can be opened",
                path.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(SealKeyError::of_file(path, SecretFileError::NotMade(error))),
        }
        Self::load(path)
    }

    /// One fresh key that is written down nowhere: what it seals cannot be opened after a restart.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub fn random() -> Self {
        Self {
            keys: vec![SealKey::new(&Zeroizing::new(random_bytes()))],
        }
    }

    fn read(text: &[u8]) -> Result<Self, SealKeysUnusable> {
        let mut keys = Vec::new();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with(b"#") {
                keys.push(SealKey::new(
                    &decode(line).ok_or(SealKeysUnusable::Line { line: at + 1 })?,
                ));
            }
        }
        if keys.is_empty() {
            Err(SealKeysUnusable::Empty)
        } else {
            Ok(Self { keys })
        }
    }
}

impl Seal for SealKeys {
    #[expect(
        clippy::expect_used,
        reason = "AES-GCM refuses nothing shorter than 64 GiB, and what is not sealed must not be kept"
    )]
    fn seal(&self, session: SessionId, plain: &[u8]) -> Sealed {
        let SealKey { id, key } = &self.keys[0];
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let mut sealed = Vec::with_capacity(HEAD_BYTES + plain.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(id);
        sealed.extend_from_slice(&nonce);
        // The buffer is as long as it will ever be, so the plain text is encrypted where it stands
        // and no copy stays behind.
        sealed.extend_from_slice(plain);
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated(session),
                &mut sealed[HEAD_BYTES..],
            )
            .expect("sealing failed");
        sealed.extend_from_slice(tag.as_ref());
        Sealed::new(sealed)
    }

    fn open(&self, session: SessionId, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let (head, body) = sealed
            .as_bytes()
            .split_at_checked(HEAD_BYTES)
            .ok_or(SealError)?;
        let (id, nonce) = head
            .strip_prefix(&[VERSION])
            .and_then(|rest| rest.split_at_checked(ID_BYTES))
            .ok_or(SealError)?;
        for SealKey { key, .. } in self.keys.iter().filter(|key| key.id == id) {
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
            let mut plain = body.to_vec();
            if let Ok(opened) = key.open_in_place(nonce, associated(session), &mut plain) {
                let length = opened.len();
                plain.truncate(length);
                return Ok(plain);
            }
        }
        Err(SealError)
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKeys")
            .field("keys", &self.keys)
            .finish()
    }
}

impl SealKey {
    #[expect(
        clippy::expect_used,
        reason = "32 bytes are an AES-256 key, whichever they are"
    )]
    fn new(bytes: &Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest(&SHA256, &**bytes).as_ref()[..ID_BYTES]);
        let key = UnboundKey::new(&AES_256_GCM, &**bytes).expect("the key has the right length");
        // The library wipes its own copy: what it allocates is cleared when it is freed.
        Self {
            id,
            key: LessSafeKey::new(key),
        }
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({:016x})", u64::from_be_bytes(self.id))
    }
}

fn associated(session: SessionId) -> Aad<[u8; PURPOSE.len() + 16]> {
    let mut bytes = [0; PURPOSE.len() + 16];
    let (purpose, id) = bytes.split_at_mut(PURPOSE.len());
    purpose.copy_from_slice(PURPOSE);
    id.copy_from_slice(session.as_bytes());
    Aad::from(bytes)
}

fn decode(line: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let url_safe = line.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet = if url_safe {
        &alphabet::URL_SAFE
    } else {
        &alphabet::STANDARD
    };
    let either_padding =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(alphabet, either_padding);
    // Longer than a key, so that a line that is too long is noticed; a longer one still does not
    // fit and is refused as well.
    let mut buffer = Zeroizing::new([0; 2 * KEY_BYTES]);
    let length = engine.decode_slice(line, &mut *buffer).ok()?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if length != KEY_BYTES {
        return None;
    }
    key.copy_from_slice(&buffer[..KEY_BYTES]);
    Some(key)
}

/// Makes the file with one fresh key. It is written and synced under another name first and gets
/// its own name only where nobody has it, so that nobody ever reads half a file.
fn generate(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let key = Zeroizing::new(random_bytes::<KEY_BYTES>());
    let mut line = Zeroizing::new([0; 48]);
    let length = STANDARD
        .encode_slice(*key, &mut *line)
        .map_err(io::Error::other)?;

    // Made for the owner only: that is what tempfile does where the system knows owners.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(b"# One key a line; the first one seals, all of them open. Whoever reads this file can open what is sealed.\n")?;
    file.write_all(&line[..length])?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|fault| fault.error)?;
    // The name has to be on the disk too, before anything is sealed with the key. Only Unix can
    // sync a folder.
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
