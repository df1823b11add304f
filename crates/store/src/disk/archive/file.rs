//! A file of the archive.
//!
//! Behind the header lie the records of the two shelves, each in blocks: key, length, bytes. Behind
//! them lies the index: for each shelf the number of its records, the instant of its newest, and
//! for each block its first key, its place and its checksum. The end says how long the index is.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::BLOCK;
use crate::disk::folder::Files;
use crate::disk::frame::{FrameError, Header};
use crate::local::Shelf;
use crate::model::{Key, Records};

/// The length and the checksum of the index.
const TAIL: usize = 12;
/// An entry of the index.
const ENTRY: usize = 28;

#[derive(Debug)]
pub(super) struct ArchiveFile {
    file: Mutex<File>,
    number: u64,
    shelves: [Index; 2],
}

#[derive(Debug, Default)]
struct Index {
    blocks: Vec<Block>,
    /// Where the last block ends.
    end: u64,
    count: u64,
    newest: u64,
    last: Option<Key>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    first: Key,
    at: u64,
    checksum: u32,
}

type Found = io::Result<(Key, Vec<u8>)>;

fn place(shelf: Shelf) -> usize {
    match shelf {
        Shelf::Deliveries => 0,
        Shelf::Receipts => 1,
    }
}

/// Writes the records of both shelves, each with the instant of its newest.
pub(super) fn write(to: &mut File, number: u64, shelves: &[(&Records, u64); 2]) -> io::Result<()> {
    let header = Header {
        magic: Files::Archive.magic(),
        number,
        first: 0,
    };
    let mut to = BufWriter::with_capacity(1 << 16, to);
    to.write_all(&header.to_bytes())?;
    let mut at = Header::LENGTH as u64;
    let mut index = Vec::new();
    for (records, newest) in shelves {
        let blocks = records.len().div_ceil(BLOCK);
        for number in [records.len(), blocks] {
            index.extend_from_slice(&(number as u64).to_le_bytes());
        }
        index.extend_from_slice(&newest.to_le_bytes());
        let last = records.last_key_value().map_or([0; 16], |(key, _)| *key);
        index.extend_from_slice(&last);
        let mut records = records.iter().peekable();
        while let Some((first, _)) = records.peek() {
            let first = **first;
            let mut block = Vec::new();
            for (key, record) in records.by_ref().take(BLOCK) {
                block.extend_from_slice(key);
                let length = u32::try_from(record.len()).map_err(io::Error::other)?;
                block.extend_from_slice(&length.to_le_bytes());
                block.extend_from_slice(record);
            }
            index.extend_from_slice(&first);
            index.extend_from_slice(&at.to_le_bytes());
            index.extend_from_slice(&crc32fast::hash(&block).to_le_bytes());
            to.write_all(&block)?;
            at += block.len() as u64;
        }
        index.extend_from_slice(&at.to_le_bytes());
    }
    to.write_all(&index)?;
    to.write_all(&(index.len() as u64).to_le_bytes())?;
    to.write_all(&crc32fast::hash(&index).to_le_bytes())?;
    to.flush()
}

impl ArchiveFile {
    pub(super) fn open(path: &Path, number: u64) -> Result<Self, FrameError> {
        let mut file = File::open(path)?;
        let header = Header::read(&mut file, Files::Archive.magic())?;
        if header.is_none_or(|header| header.number != number) {
            return Err(FrameError::Damaged);
        }
        let end = file.seek(SeekFrom::End(0))?;
        let tail_at = end.checked_sub(TAIL as u64).ok_or(FrameError::Damaged)?;
        let mut tail = [0; TAIL];
        read_at(&mut file, &mut tail, tail_at)?;
        let (mut length, mut checksum) = ([0; 8], [0; 4]);
        length.copy_from_slice(&tail[..8]);
        checksum.copy_from_slice(&tail[8..]);
        let index_at = tail_at
            .checked_sub(u64::from_le_bytes(length))
            .ok_or(FrameError::Damaged)?;
        let length = usize::try_from(tail_at - index_at).map_err(io::Error::other)?;
        let mut index = vec![0; length];
        read_at(&mut file, &mut index, index_at)?;
        if crc32fast::hash(&index) != u32::from_le_bytes(checksum) {
            return Err(FrameError::Damaged);
        }
        let mut rest = index.as_slice();
        let mut shelf = || Index::read(&mut rest).ok_or(FrameError::Damaged);
        let shelves = [shelf()?, shelf()?];
        Ok(Self {
            file: Mutex::new(file),
            number,
            shelves,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn len(&self) -> u64 {
        self.shelves.iter().map(|index| index.count).sum()
    }

    /// The instant of the newest record, in milliseconds.
    pub(super) fn newest(&self) -> u64 {
        self.shelves
            .iter()
            .map(|index| index.newest)
            .max()
            .unwrap_or_default()
    }

    pub(super) fn first(&self, shelf: Shelf) -> Option<Key> {
        self.index(shelf).blocks.first().map(|block| block.first)
    }

    pub(super) fn last(&self, shelf: Shelf) -> Option<Key> {
        self.index(shelf).last
    }

    fn index(&self, shelf: Shelf) -> &Index {
        &self.shelves[place(shelf)]
    }

    pub(super) fn get(&self, shelf: Shelf, key: &Key) -> io::Result<Option<Vec<u8>>> {
        let index = self.index(shelf);
        let Some(number) = index.block_of(key) else {
            return Ok(None);
        };
        let records = self.block(index, number)?;
        let found = records.into_iter().find(|(known, _)| known == key);
        Ok(found.map(|(_, record)| record))
    }

    /// The records behind a key, in order.
    pub(super) fn after(&self, shelf: Shelf, after: Option<Key>) -> impl Iterator<Item = Found> {
        let index = self.index(shelf);
        let first = after.map_or(0, |after| index.block_of(&after).unwrap_or(0));
        (first..index.blocks.len())
            .flat_map(move |number| flat(self.block(index, number)))
            .filter(move |found| is(found, |key| after.is_none_or(|after| *key > after)))
    }

    /// The records before a key, the last one first.
    pub(super) fn before(&self, shelf: Shelf, before: Option<Key>) -> impl Iterator<Item = Found> {
        let index = self.index(shelf);
        let end = before.map_or(index.blocks.len(), |before| {
            index.block_of(&before).map_or(0, |number| number + 1)
        });
        (0..end)
            .rev()
            .flat_map(move |number| {
                let mut records = flat(self.block(index, number));
                records.reverse();
                records
            })
            .filter(move |found| is(found, |key| before.is_none_or(|before| *key < before)))
    }

    fn block(&self, index: &Index, number: usize) -> io::Result<Vec<(Key, Vec<u8>)>> {
        let Some(block) = index.blocks.get(number) else {
            return Ok(Vec::new());
        };
        let end = index
            .blocks
            .get(number + 1)
            .map_or(index.end, |next| next.at);
        let length = usize::try_from(end.saturating_sub(block.at)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        read_at(&mut file, &mut bytes, block.at)?;
        drop(file);
        if crc32fast::hash(&bytes) != block.checksum {
            return Err(io::Error::other("a block of the archive is damaged"));
        }
        let mut rest = bytes.as_slice();
        let mut records = Vec::with_capacity(BLOCK);
        while !rest.is_empty() {
            let record = take(&mut rest)
                .zip(take(&mut rest))
                .and_then(|(key, length)| {
                    let length = u32::from_le_bytes(length) as usize;
                    let (record, behind) = rest.split_at_checked(length)?;
                    rest = behind;
                    Some((key, record.to_vec()))
                });
            let damaged = || io::Error::other("a block of the archive is damaged");
            records.push(record.ok_or_else(damaged)?);
        }
        Ok(records)
    }
}

/// Whether a record's key is as `wanted`, or what went wrong.
fn is(found: &Found, wanted: impl Fn(&Key) -> bool) -> bool {
    found.as_ref().map_or(true, |(key, _)| wanted(key))
}

fn read_at(file: &mut File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

/// The records of a block, or what went wrong.
fn flat(block: io::Result<Vec<(Key, Vec<u8>)>>) -> Vec<Found> {
    match block {
        Ok(records) => records.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

impl Index {
    fn read(rest: &mut &[u8]) -> Option<Self> {
        let count = u64::from_le_bytes(take(rest)?);
        let blocks = usize::try_from(u64::from_le_bytes(take(rest)?)).ok()?;
        let newest = u64::from_le_bytes(take(rest)?);
        let last = take(rest)?;
        let (entries, behind) = rest.split_at_checked(blocks.checked_mul(ENTRY)?)?;
        *rest = behind;
        let blocks = entries.chunks_exact(ENTRY).map(|mut entry| {
            Some(Block {
                first: take(&mut entry)?,
                at: u64::from_le_bytes(take(&mut entry)?),
                checksum: u32::from_le_bytes(take(&mut entry)?),
            })
        });
        let blocks: Vec<_> = blocks.collect::<Option<_>>()?;
        Some(Self {
            end: u64::from_le_bytes(take(rest)?),
            count,
            newest,
            last: (!blocks.is_empty()).then_some(last),
            blocks,
        })
    }

    /// The block in which `key` lies, if it is anywhere.
    fn block_of(&self, key: &Key) -> Option<usize> {
        let behind = self.blocks.partition_point(|block| block.first <= *key);
        behind.checked_sub(1)
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}
