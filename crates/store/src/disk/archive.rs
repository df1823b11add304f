//! What never changes again: receipts and confirmed deliveries, in files sorted by their keys.
//!
//! A file holds what the journal brought between two cuts. It is found by an index of every
//! [`BLOCK`]th key, which is all of it that lies in memory. A file is removed when everything in it
//! is to be forgotten; until then, what is to be forgotten is passed over.

mod file;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use logout_core::receipt::ReceiptId;
use logout_core::session::SessionId;
use logout_core::store::StoreUnavailable;
use logout_core::time::Timestamp;

use self::file::ArchiveFile;
use super::folder::{Files, Folder};
use super::frame::FrameError;
use crate::local::Shelf;
use crate::model::{Key, Records, merged, merged_down};
use crate::record::{DeliveryRecord, RecordError};

/// Every so many records there is one in the index.
const BLOCK: usize = 64;

/// The files of the archive, the latest last.
#[derive(Debug, Default)]
pub(super) struct Archive {
    files: RwLock<Vec<Arc<ArchiveFile>>>,
    /// What is from before is forgotten.
    until: AtomicU64,
}

impl Archive {
    /// Opens the files of a folder.
    pub(super) fn open(folder: &Folder) -> Result<Self, (u64, FrameError)> {
        let archive = Self::default();
        let numbers = folder.numbers(Files::Archive);
        for number in numbers.map_err(|error| (0, error.into()))? {
            let file = ArchiveFile::open(&folder.file(Files::Archive, number), number);
            archive.add(file.map_err(|error| (number, error))?);
        }
        Ok(archive)
    }

    /// Writes what was cut off before the segment `number`, deliveries and receipts.
    pub(super) fn write(
        &self,
        folder: &Folder,
        number: u64,
        receipts: &Records,
        deliveries: &Records,
    ) -> Result<(), FrameError> {
        let shelves = [
            (deliveries, newest_delivery(deliveries)?),
            (receipts, newest_receipt(receipts)),
        ];
        let path = folder.finish(Files::Archive, number, |to| {
            file::write(to, number, &shelves)
        })?;
        self.add(ArchiveFile::open(&path, number)?);
        Ok(())
    }

    fn add(&self, file: ArchiveFile) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.push(Arc::new(file));
    }

    fn files(&self) -> Vec<Arc<ArchiveFile>> {
        self.files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn until(&self) -> Timestamp {
        Timestamp::from_millis(self.until.load(Ordering::Relaxed))
    }

    /// What came to the archive lies before the segment of this number.
    pub(super) fn number(&self) -> u64 {
        self.files().last().map_or(0, |file| file.number())
    }

    pub(super) fn len(&self) -> u64 {
        self.files().iter().map(|file| file.len()).sum()
    }

    /// Forgets what is from before this instant.
    pub(super) fn forget(&self, folder: &Folder, until: Timestamp) {
        self.until.fetch_max(until.as_millis(), Ordering::Relaxed);
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        // The last one stays: its number says where the journal goes on.
        let last = files.last().map_or(0, |file| file.number());
        files.retain(|file| {
            if file.newest() >= until.as_millis() || file.number() == last {
                return true;
            }
            let path = folder.file(Files::Archive, file.number());
            std::fs::remove_file(path).is_err()
        });
    }

    pub(super) fn get(&self, shelf: Shelf, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        for file in self.files().iter().rev() {
            if let Some(record) = file.get(shelf, key).map_err(unreadable)?
                && !self.is_forgotten(shelf, key, &record)?
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    pub(super) fn after(
        &self,
        shelf: Shelf,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StoreUnavailable> {
        let mut files = self.files();
        files.retain(|file| file.last(shelf) > after);
        files.sort_by_key(|file| file.first(shelf));
        let mut found: Vec<(Key, Vec<u8>)> = Vec::new();
        for file in files {
            let is_behind = |last: &(Key, Vec<u8>)| file.first(shelf) > Some(last.0);
            if found.len() >= limit && found.last().is_some_and(is_behind) {
                break;
            }
            let records = file.after(shelf, after);
            found.extend(self.remembered(shelf, records, limit)?);
            found = merged(found.into_iter(), limit);
        }
        Ok(found)
    }

    pub(super) fn before(
        &self,
        shelf: Shelf,
        before: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StoreUnavailable> {
        let mut files = self.files();
        files.retain(|file| {
            let first = file.first(shelf);
            first.is_some() && before.is_none_or(|before| first < Some(before))
        });
        files.sort_by_key(|file| std::cmp::Reverse(file.last(shelf)));
        let mut found: Vec<(Key, Vec<u8>)> = Vec::new();
        for file in files {
            let is_behind = |last: &(Key, Vec<u8>)| file.last(shelf) < Some(last.0);
            if found.len() >= limit && found.last().is_some_and(is_behind) {
                break;
            }
            let records = file.before(shelf, before);
            found.extend(self.remembered(shelf, records, limit)?);
            found = merged_down(found.into_iter(), limit);
        }
        Ok(found)
    }

    /// The first of these records that are not forgotten, at most `limit`.
    fn remembered(
        &self,
        shelf: Shelf,
        records: impl Iterator<Item = io::Result<(Key, Vec<u8>)>>,
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StoreUnavailable> {
        let mut remembered = Vec::new();
        for record in records {
            let (key, record) = record.map_err(unreadable)?;
            if !self.is_forgotten(shelf, &key, &record)? {
                remembered.push((key, record));
                if remembered.len() == limit {
                    break;
                }
            }
        }
        Ok(remembered)
    }

    fn is_forgotten(&self, shelf: Shelf, key: &Key, record: &[u8]) -> Result<bool, RecordError> {
        let until = self.until();
        Ok(match shelf {
            Shelf::Receipts => ReceiptId::from_bytes(*key) < ReceiptId::first_at(until),
            Shelf::Deliveries => created(key, record)? < until,
        })
    }
}

fn unreadable(error: io::Error) -> StoreUnavailable {
    log::error!("the archive of the store cannot be read: {error}");
    StoreUnavailable
}

fn created(key: &Key, record: &[u8]) -> Result<Timestamp, RecordError> {
    let delivery = DeliveryRecord::read(record)?.to_delivery(SessionId::from_bytes(*key))?;
    Ok(delivery.created)
}

fn newest_delivery(deliveries: &Records) -> io::Result<u64> {
    let mut newest = 0;
    for (key, record) in deliveries {
        let created = created(key, record).map_err(io::Error::other)?;
        newest = newest.max(created.as_millis());
    }
    Ok(newest)
}

/// Receipts are sorted by time: their ids begin with it.
fn newest_receipt(receipts: &Records) -> u64 {
    let [a, b, c, d, e, f, ..] = receipts.last_key_value().map_or([0; 16], |(key, _)| *key);
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}
