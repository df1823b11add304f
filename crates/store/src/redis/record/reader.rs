//! Reads a record from front to back.

use logout_core::time::Timestamp;

use super::RecordFault;

pub(super) struct Reader<'a> {
    what: &'static str,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Of a record that begins with its version.
    pub(super) fn of(what: &'static str, version: u8, bytes: &'a [u8]) -> Result<Self, RecordFault> {
        match bytes.split_first() {
            Some((&found, left)) if found == version => Ok(Self { what, left }),
            _ => Err(RecordFault(what)),
        }
    }

    /// Of a part of a record.
    pub(super) fn bare(what: &'static str, left: &'a [u8]) -> Self {
        Self { what, left }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.left
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, left) = self.left.split_at_checked(length).ok_or(RecordFault(self.what))?;
        self.left = left;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), RecordFault> {
        self.take(length).map(|_| ())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordFault> {
        self.take(N)?.try_into().map_err(|_| RecordFault(self.what))
    }

    pub(super) fn flag(&mut self) -> Result<bool, RecordFault> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(RecordFault(self.what)),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, RecordFault> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, RecordFault> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn instant(&mut self) -> Result<Timestamp, RecordFault> {
        self.number().map(Timestamp::from_millis)
    }

    /// Bytes behind their length.
    pub(super) fn text(&mut self) -> Result<&'a [u8], RecordFault> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| RecordFault(self.what))?)
    }

    /// Text behind its length.
    pub(super) fn str(&mut self) -> Result<&'a str, RecordFault> {
        std::str::from_utf8(self.text()?).map_err(|_| RecordFault(self.what))
    }

    /// What lies behind its length, to be read by itself.
    pub(super) fn inner(&mut self) -> Result<Self, RecordFault> {
        Ok(Self { what: self.what, left: self.text()? })
    }
}
