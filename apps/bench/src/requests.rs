//! Requests in the order in which they are sent, in one piece of memory.

use std::path::Path;

const END: &[u8] = b"\r\n\r\n";

/// Requests without bodies, each of which ends with an empty line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    /// Where each one ends.
    ends: Vec<usize>,
}

impl Requests {
    /// Those of a file, which follow each other without anything in between.
    pub(crate) fn read(file: &Path) -> std::io::Result<Self> {
        let (bytes, mut ends) = (std::fs::read(file)?, Vec::new());
        let mut start = 0;
        while let Some(at) = find(&bytes[start..], END) {
            start += at + END.len();
            ends.push(start);
        }
        Ok(Self { bytes, ends })
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The request of this index. With `repeat` the first one follows the last.
    pub(crate) fn get(&self, index: usize, repeat: bool) -> Option<&[u8]> {
        let index = if repeat {
            index.checked_rem(self.len())?
        } else {
            index
        };
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start..end])
    }

    /// Some of them.
    pub(crate) fn select(&self, indices: impl Iterator<Item = usize>) -> Self {
        indices.filter_map(|index| self.get(index, false)).collect()
    }
}

impl<'a> FromIterator<&'a [u8]> for Requests {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(all: I) -> Self {
        let mut requests = Self::default();
        for request in all {
            requests.bytes.extend_from_slice(request);
            requests.ends.push(requests.bytes.len());
        }
        requests
    }
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_file_are_told_apart() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "GET /1\r\na: b\r\n\r\nGET /2\r\n\r\n").unwrap();
        let requests = Requests::read(file.path()).unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests.get(0, false), Some(&b"GET /1\r\na: b\r\n\r\n"[..]));
        assert_eq!(requests.get(2, false), None);
        assert_eq!(requests.get(3, true), Some(&b"GET /2\r\n\r\n"[..]));
        let second = requests.select([1].into_iter());
        assert_eq!(second.get(0, true), Some(&b"GET /2\r\n\r\n"[..]));
        assert_eq!(Requests::default().get(0, true), None);
    }
}
