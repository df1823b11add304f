//! Reads a record from front to back.

use logout_core::time::Timestamp;

use super::RecordError;

pub(super) struct Reader<'a> {
    what: &'static str,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Of a record that begins with its version.
    pub(super) fn of(
        what: &'static str,
        version: u8,
        bytes: &'a [u8],
    ) -> Result<Self, RecordError> {
        match bytes.split_first() {
            Some((&found, left)) if found == version => Ok(Self { what, left }),
            Some((&found, _)) if found > version => Err(RecordError::Newer(what, found)),
            _ => Err(RecordError::Damaged(what)),
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

    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (taken, left) = self
            .left
            .split_at_checked(length)
            .ok_or(RecordError::Damaged(self.what))?;
        self.left = left;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), RecordError> {
        self.take(length).map(|_| ())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?
            .try_into()
            .map_err(|_| RecordError::Damaged(self.what))
    }

    pub(super) fn flag(&mut self) -> Result<bool, RecordError> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(RecordError::Damaged(self.what)),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn instant(&mut self) -> Result<Timestamp, RecordError> {
        self.number().map(Timestamp::from_millis)
    }

    /// Bytes behind their length.
    pub(super) fn text(&mut self) -> Result<&'a [u8], RecordError> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| RecordError::Damaged(self.what))?)
    }

    /// Text behind its length.
    pub(super) fn str(&mut self) -> Result<&'a str, RecordError> {
        std::str::from_utf8(self.text()?).map_err(|_| RecordError::Damaged(self.what))
    }

    /// What lies behind its length, to be read by itself.
    pub(super) fn inner(&mut self) -> Result<Self, RecordError> {
        Ok(Self {
            what: self.what,
            left: self.text()?,
        })
    }
}
