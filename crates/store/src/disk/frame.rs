//! How bytes lie in a file of the journal or in a snapshot: in frames with a checksum.

use std::io::{self, BufRead, Read};

/// The length, the checksum and the position of a frame.
const HEAD: usize = 16;
/// No frame is longer; a length above it is damage.
const LONGEST: usize = 1 << 30;

/// What a file begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    /// What kind of file it is.
    pub(super) magic: [u8; 8],
    /// Its number among its kind.
    pub(super) number: u64,
    /// The position of its first frame.
    pub(super) first: u64,
}

/// The version of what lies in the folder.
pub(super) const FORMAT: u32 = 3;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("it does not begin as a file of its kind")]
    Damaged,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is of format {0}, this program reads format {FORMAT}")]
    UnknownFormat(u32),
}

impl Header {
    pub(super) const LENGTH: usize = 32;

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.magic);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.first.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of a file that begins with `magic`. `None` for one that was being made
    /// when the machine stopped.
    pub(super) fn read(from: &mut impl Read, magic: [u8; 8]) -> Result<Option<Self>, FrameError> {
        let mut bytes = [0; Self::LENGTH];
        if read_as_much(from, &mut bytes)? < Self::LENGTH || bytes == [0; Self::LENGTH] {
            return Ok(None);
        }
        if bytes[..8] != magic {
            return Err(FrameError::Damaged);
        }
        let format = u32::from_le_bytes(chunk(&bytes, 8));
        if format != FORMAT {
            return Err(FrameError::UnknownFormat(format));
        }
        if u32::from_le_bytes(chunk(&bytes, 28)) != crc32fast::hash(&bytes[..28]) {
            return Err(FrameError::Damaged);
        }
        Ok(Some(Self {
            magic,
            number: u64::from_le_bytes(chunk(&bytes, 12)),
            first: u64::from_le_bytes(chunk(&bytes, 20)),
        }))
    }
}

/// Writes a frame behind what is in `to`.
pub(super) fn write(to: &mut Vec<u8>, position: u64, content: &[u8]) {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(&checksum(length, position, content).to_le_bytes());
    to.extend_from_slice(&position.to_le_bytes());
    to.extend_from_slice(content);
}

fn checksum(length: u32, position: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&position.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

/// Reads the next frame, puts its content behind what is in `to`, and says its position. `None` at
/// the end of what was written whole: at the end of the file, or where a frame is cut off or
/// damaged.
pub(super) fn read(from: &mut impl BufRead, to: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut head = [0; HEAD];
    if read_as_much(from, &mut head)? < HEAD {
        return Ok(None);
    }
    let length = u32::from_le_bytes(chunk(&head, 0));
    let position = u64::from_le_bytes(chunk(&head, 8));
    if length as usize > LONGEST {
        return Ok(None);
    }
    let start = to.len();
    // No more memory than there are bytes: the length may be damage.
    let read = from.take(u64::from(length)).read_to_end(to)?;
    let is_whole = read == length as usize
        && u32::from_le_bytes(chunk(&head, 4)) == checksum(length, position, &to[start..]);
    if !is_whole {
        to.truncate(start);
    }
    Ok(is_whole.then_some(position))
}

fn read_as_much(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match from.read(&mut bytes[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut chunk = [0; N];
    chunk.copy_from_slice(&bytes[at..at + N]);
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_up_to_the_first_that_is_not_whole() {
        let mut written = Vec::new();
        write(&mut written, 1, b"one");
        write(&mut written, 2, b"");
        let whole = written.len();
        write(&mut written, 3, b"three");
        let read_all = |bytes: &[u8]| {
            let (mut from, mut content, mut positions) = (bytes, Vec::new(), Vec::new());
            while let Some(position) = read(&mut from, &mut content).unwrap() {
                positions.push(position);
            }
            positions
        };
        assert_eq!(read_all(&written), [1, 2, 3]);
        for length in whole..written.len() {
            assert_eq!(read_all(&written[..length]), [1, 2], "cut to {length}");
        }
        for at in whole..written.len() {
            let mut damaged = written.clone();
            damaged[at] ^= 1;
            assert_eq!(read_all(&damaged), [1, 2], "changed at {at}");
        }
        written.truncate(whole);
        written.extend_from_slice(&[0; 100]);
        assert_eq!(read_all(&written)[..2], [1, 2]);
    }

    #[test]
    fn a_header_is_read_back_and_another_format_told_apart() {
        let header = Header {
            magic: *b"testtest",
            number: 7,
            first: 9,
        };
        let bytes = header.to_bytes();
        let read = |bytes: &[u8]| Header::read(&mut &*bytes, *b"testtest");
        assert_eq!(read(&bytes).unwrap(), Some(header));
        assert_eq!(read(&bytes[..31]).unwrap(), None);
        assert_eq!(read(&[0; 32]).unwrap(), None);
        let mut newer = bytes;
        newer[8] = 4;
        assert!(matches!(read(&newer), Err(FrameError::UnknownFormat(4))));
        let mut damaged = bytes;
        damaged[13] ^= 1;
        assert!(matches!(read(&damaged), Err(FrameError::Damaged)));
        let other = Header::read(&mut bytes.as_slice(), *b"otherone");
        assert!(matches!(other, Err(FrameError::Damaged)));
    }
}
