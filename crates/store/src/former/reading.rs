//! The former embedded store, which lies in a fjall database: reads all that is in it, so that it
//! can be moved.
//!
//! One keyspace holds all tables, and the first byte of a key says the table. Numbers of tables and
//! versions of records are on disk and never change.

use std::path::Path;
use std::{fs, io};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::{Session, SessionId};
use logout_core::time::Timestamp;
use logout_core::transfer::{Agreed, Once, Record, Tombstone};

use super::{KEYSPACES_FOLDER, VERSION_FILE};
use crate::record::{self, DeliveryRecord, RecordError, SessionRecord};

const FORMAT: u8 = 2;
const FORMAT_KEY: [u8; 1] = [0];
const FORMAT_NAME: &[u8] = b"format";

const KEYSPACE: &str = "records";
/// In format 1 each table had a keyspace; this one held the format.
const KEYSPACE_OF_FORMAT_1: &str = "agreed";

/// The end of the names of its journals.
const JOURNAL: &str = "jnl";

/// The key of a copy's checkpoint, among the agreed values. Their keys begin with [`NAMED`].
const CHECKPOINT_KEY: &[u8] = b"!";
const NAMED: u8 = b'=';

const CREDENTIAL: u8 = 3;
const ONCE: u8 = 1;
const SEEN: u8 = 1;

/// A kind of records. Tables 4, 8 and 9 are indexes, which follow from the sessions.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Table {
    /// Name → value.
    Agreed = 1,
    /// Digest → session that it opens, or opened: without the session it is a tombstone.
    Credentials = 2,
    /// Digest → value that is taken once.
    Once = 3,
    /// Receipt → record.
    Receipts = 5,
    /// Session → last use, for those that were touched.
    Seen = 6,
    /// Session → record.
    Sessions = 7,
    /// Session → delivery that is still to be made.
    Pending = 10,
    /// Session → delivery that was confirmed or given up.
    Settled = 11,
}

/// The tables that are given out, in this order.
const ROUND: [Table; 7] = [
    Table::Agreed,
    Table::Credentials,
    Table::Once,
    Table::Receipts,
    Table::Pending,
    Table::Settled,
    Table::Sessions,
];

/// Why a former store cannot be read. The caller knows the folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormerError {
    #[error("the database cannot be read")]
    Database(#[source] fjall::Error),
    #[error("it is in use by another process")]
    Locked,
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("it is of format {0}, this program reads format {FORMAT}")]
    UnknownFormat(u8),
}

impl From<fjall::Error> for FormerError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Locked,
            error => Self::Database(error),
        }
    }
}

/// Removes the database from the folder: what makes it one goes last.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == JOURNAL)
        {
            fs::remove_file(path)?;
        }
    }
    for name in [KEYSPACES_FOLDER, "lock", VERSION_FILE] {
        let path = folder.join(name);
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Hands `each` all that the former store in `folder` holds: agreed values, tombstones, one-time
/// values, receipts, deliveries, and sessions with their last use. What has expired is among it.
/// Returns the checkpoint of a copy, if there is one.
///
/// A session comes with those credentials that lead to it. A credential that was registered again
/// leads to the later session only.
///
/// Blocks. Changes no record, though fjall tidies files that it opens. All are closed on return.
///
/// # Errors
/// The folder is in use, of another format, or holds anything that cannot be read; then `each` may
/// have had a part. Also the error of `each`.
pub(crate) fn read<E: From<FormerError>>(
    folder: &Path,
    each: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<Option<Vec<u8>>, E> {
    let former = Former::open(folder)?;
    for table in ROUND {
        for record in former.records(table) {
            each(record?)?;
        }
    }
    let checkpoint = former.get(Table::Agreed, CHECKPOINT_KEY)?;
    Ok(checkpoint.map(|checkpoint| checkpoint.to_vec()))
}

struct Former {
    /// Keeps the folder locked.
    _database: Database,
    keyspace: Keyspace,
}

impl Former {
    fn open(folder: &Path) -> Result<Self, FormerError> {
        // fjall would make a new database.
        if !folder.join(VERSION_FILE).exists() {
            return Err(fjall::Error::InvalidVersion(None).into());
        }
        let database = Database::builder(folder).worker_threads(1).open()?;
        let is_there = |name| database.keyspace_exists(name);
        if is_there(KEYSPACE_OF_FORMAT_1) && !is_there(KEYSPACE) {
            return Err(FormerError::UnknownFormat(1));
        }
        // The options are for a new keyspace. One that is there keeps those that it was made with.
        let keyspace = database.keyspace(KEYSPACE, KeyspaceCreateOptions::default)?;
        match keyspace.get(FORMAT_KEY)?.as_deref() {
            Some(format) if format.strip_prefix(FORMAT_NAME) == Some(&[FORMAT]) => {}
            Some(format) => {
                let found = format.last().copied().unwrap_or(0);
                return Err(FormerError::UnknownFormat(found));
            }
            // The format is written before anything else.
            None if keyspace.is_empty()? => {}
            None => return Err(RecordError::Damaged("format").into()),
        }
        let mut unknown_tables = keyspace.range([Table::Settled as u8 + 1]..);
        if unknown_tables.next().is_some() {
            return Err(RecordError::Damaged("table").into());
        }
        Ok(Self {
            _database: database,
            keyspace,
        })
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<fjall::Slice>, FormerError> {
        Ok(self.keyspace.get([&[table as u8], key].concat())?)
    }

    fn records(&self, table: Table) -> impl Iterator<Item = Result<Record, FormerError>> {
        self.keyspace
            .prefix([table as u8])
            .filter_map(move |entry| {
                let read = || {
                    let (key, value) = entry.into_inner()?;
                    self.record(table, &key[1..], &value)
                };
                read().transpose()
            })
    }

    /// What an entry gives out, if anything.
    fn record(
        &self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<Record>, FormerError> {
        Ok(Some(match table {
            Table::Agreed => match key.split_first() {
                _ if key == CHECKPOINT_KEY => return Ok(None),
                Some((&NAMED, name)) => Record::Agreed(Agreed {
                    name: String::from_utf8(name.to_vec())
                        .map_err(|_| RecordError::Damaged("agreed"))?,
                    value: value.to_vec(),
                }),
                _ => return Err(RecordError::Damaged("agreed").into()),
            },
            Table::Credentials => {
                let digest = CredentialDigest::from_bytes(sized("credential", key)?);
                let (session, expires) = read_credential(value)?;
                if self.get(Table::Sessions, session.as_bytes())?.is_some() {
                    return Ok(None);
                }
                Record::Tombstone(Tombstone {
                    digest,
                    session,
                    expires,
                })
            }
            Table::Once => {
                let key = CredentialDigest::from_bytes(sized("one-time", key)?);
                let (expires, value) = read_once(value)?;
                Record::Once(Once {
                    key,
                    value: value.to_vec(),
                    expires,
                })
            }
            Table::Receipts => {
                let id = ReceiptId::from_bytes(sized("receipt", key)?);
                Record::Receipt(record::read_receipt(id, value)?)
            }
            Table::Pending | Table::Settled => {
                let session = SessionId::from_bytes(sized("delivery", key)?);
                Record::Delivery(DeliveryRecord::read(value)?.to_delivery(session)?)
            }
            Table::Sessions => Record::Session(self.session(key, value)?),
            // Comes with its session.
            Table::Seen => return Ok(None),
        }))
    }

    fn session(&self, key: &[u8], value: &[u8]) -> Result<Session, FormerError> {
        let id = SessionId::from_bytes(sized("session", key)?);
        let seen = match self.get(Table::Seen, key)? {
            Some(bytes) => instant("seen", record::body("seen", SEEN, &bytes)?)?,
            None => Timestamp::default(),
        };
        let mut session = SessionRecord::read(value)?.to_session(id, seen);
        for credential in std::mem::take(&mut session.credentials) {
            let leads_to = self.get(Table::Credentials, credential.digest.as_bytes())?;
            let leads_to = leads_to.map(|bytes| read_credential(&bytes)).transpose()?;
            if leads_to.is_some_and(|(session, _)| session == id) {
                session.credentials.push(credential);
            }
        }
        Ok(session)
    }
}

fn read_credential(bytes: &[u8]) -> Result<(SessionId, Timestamp), RecordError> {
    const WHAT: &str = "credential";
    let fields = record::body(WHAT, CREDENTIAL, bytes)?.split_first_chunk();
    let (session, expires) = fields.ok_or(RecordError::Damaged(WHAT))?;
    Ok((SessionId::from_bytes(*session), instant(WHAT, expires)?))
}

fn read_once(bytes: &[u8]) -> Result<(Timestamp, &[u8]), RecordError> {
    const WHAT: &str = "one-time";
    let fields = record::body(WHAT, ONCE, bytes)?.split_at_checked(8);
    let (expires, value) = fields.ok_or(RecordError::Damaged(WHAT))?;
    Ok((instant(WHAT, expires)?, value))
}

fn instant(what: &'static str, bytes: &[u8]) -> Result<Timestamp, RecordError> {
    let millis = u64::from_be_bytes(sized(what, bytes)?);
    Ok(Timestamp::from_millis(millis))
}

fn sized<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], RecordError> {
    bytes.try_into().map_err(|_| RecordError::Damaged(what))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
