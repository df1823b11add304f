//! Against `tests/former`, a folder that commit ee65b46 wrote: sessions were opened, then the table
//! in memory was written out; then came the touch, the attached credential, the session that takes
//! a credential over, the sign-outs, the settlements and the checkpoint, which lie in the journal.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use fjall::PersistMode;
use logout_core::credential::{Credential, Sealed, SecretDigest};
use logout_core::delivery::{AttemptAnswer, AttemptRecord, Delivery, DeliveryState, Verification};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt};
use logout_core::session::{AccountVersion, ClientId, Device, Person, SsoSessionId, Subject};
use logout_core::upstream::UpstreamError;

use super::*;
use crate::former::is_former;

const OPENED: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn minutes(count: u64) -> Timestamp {
    OPENED.plus(Duration::from_secs(60 * count))
}

fn digest(number: u8) -> CredentialDigest {
    CredentialDigest::from_bytes([number; 32])
}

fn credential(number: u8) -> Credential {
    Credential {
        digest: digest(number),
        expires: minutes(600),
        csrf_due: false,
    }
}

fn bare(number: u8) -> Session {
    Session {
        id: SessionId::from_bytes([number; 16]),
        platform: PlatformName::new("cms"),
        sign_on: None,
        subject: Subject::new("Default", format!("user {number}")),
        person: None,
        account: None,
        client: None,
        administrator: false,
        credentials: vec![credential(number)],
        csrf: None,
        opened: OPENED,
        seen: OPENED,
        idle_timeout: None,
        expires: minutes(600),
        device: Device::default(),
        sealed: None,
        idp: None,
    }
}

fn at_upstream(number: u8) -> Session {
    Session {
        sealed: Some(Sealed::new(format!("sealed {number}"))),
        ..bare(number)
    }
}

fn full() -> Session {
    Session {
        sign_on: Some(SsoSessionId::from_bytes([51; 16])),
        person: Some(Person::new("user@example.com")),
        account: Some(AccountVersion::from_bytes([52; 8])),
        client: Some(ClientId::new("app")),
        administrator: true,
        credentials: vec![
            credential(1),
            Credential {
                csrf_due: true,
                ..credential(53)
            },
        ],
        csrf: Some(SecretDigest::from_bytes([54; 32])),
        seen: minutes(10),
        idle_timeout: Some(Duration::from_secs(1_800)),
        device: Device {
            address: Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
            user_agent: Some("browser".to_owned()),
        },
        ..at_upstream(1)
    }
}

fn receipts() -> [Receipt; 2] {
    let other = Session {
        person: Some(Person::new("user@example.com")),
        ..bare(3)
    };
    let by_administrator = Receipt {
        id: ReceiptId::from_bytes([71; 16]),
        at: minutes(20),
        reason: Reason::Administrator,
        platform: Some(PlatformName::new("cms")),
        reach: Reach::Person,
        sessions: vec![EndedSession::from(&other)],
        token: None,
    };
    let by_user = Receipt {
        id: ReceiptId::from_bytes([72; 16]),
        at: minutes(20),
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        sessions: (4..=7)
            .map(|number| EndedSession::from(&at_upstream(number)))
            .collect(),
        token: None,
    };
    [by_administrator, by_user]
}

fn deliveries() -> [Delivery; 4] {
    let ended = |number| {
        let receipt = ReceiptId::from_bytes([72; 16]);
        Delivery::of(&at_upstream(number), receipt, minutes(20)).unwrap()
    };
    let tried = |number, answer| Delivery {
        attempts: 1,
        history: vec![AttemptRecord {
            at: minutes(20),
            answer,
        }],
        ..ended(number)
    };
    let again = Delivery {
        due: minutes(30),
        ..tried(7, AttemptAnswer::Error(UpstreamError::NoConnection))
    };
    let confirmed = Delivery {
        state: DeliveryState::Confirmed,
        sealed: None,
        verified: Some(Verification::Dead),
        ..tried(5, AttemptAnswer::Status(200))
    };
    let given_up = Delivery {
        state: DeliveryState::GivenUp,
        ..tried(6, AttemptAnswer::Unsealable)
    };
    [ended(4), again, confirmed, given_up]
}

fn expected() -> Vec<Record> {
    let tombstone = |number| {
        Record::Tombstone(Tombstone {
            digest: digest(number),
            session: SessionId::from_bytes([number; 16]),
            expires: minutes(600),
        })
    };
    let attached = Session {
        credentials: vec![credential(2), credential(56)],
        ..bare(2)
    };
    let taken_from = Session {
        credentials: Vec::new(),
        ..bare(8)
    };
    let taken_over = Session {
        credentials: vec![credential(9), credential(8)],
        ..bare(9)
    };
    let agreed = Record::Agreed(Agreed {
        name: "key".to_owned(),
        value: b"value".to_vec(),
    });
    let once = Record::Once(Once {
        key: digest(61),
        value: b"code".to_vec(),
        expires: minutes(5),
    });
    [agreed]
        .into_iter()
        .chain((3..=7).map(tombstone))
        .chain([once])
        .chain(receipts().map(Record::Receipt))
        .chain(deliveries().map(Record::Delivery))
        .chain([full(), attached, taken_from, taken_over].map(Record::Session))
        .collect()
}

/// A copy of the folder. fjall writes where it reads.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let written = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/former"));
    let mut places = vec![(written, folder.path().to_owned())];
    while let Some((from, to)) = places.pop() {
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let from = entry.unwrap().path();
            let to = to.join(from.file_name().unwrap());
            if from.is_dir() {
                places.push((from, to));
            } else {
                fs::copy(from, to).unwrap();
            }
        }
    }
    folder
}

fn read_all(folder: &Path) -> Result<(Vec<Record>, Option<Vec<u8>>), FormerError> {
    let mut all = Vec::new();
    let checkpoint = read(folder, &mut |record| {
        all.push(record);
        Ok::<_, FormerError>(())
    })?;
    Ok((all, checkpoint))
}

fn change(folder: &Path, keyspace: &str, change: impl FnOnce(&Keyspace) -> fjall::Result<()>) {
    let database = Database::builder(folder).open().unwrap();
    change(
        &database
            .keyspace(keyspace, KeyspaceCreateOptions::default)
            .unwrap(),
    )
    .unwrap();
    database.persist(PersistMode::SyncAll).unwrap();
}

#[test]
fn everything_that_was_written_is_read_and_again() {
    let folder = folder();
    assert!(is_former(folder.path()));
    for _ in 0..2 {
        let (records, checkpoint) = read_all(folder.path()).unwrap();
        assert_eq!(records, expected());
        assert_eq!(checkpoint.as_deref(), Some(&b"mark"[..]));
    }
}

#[test]
fn the_error_of_the_receiver_ends_the_reading() {
    let mut count = 0;
    let end = read(folder().path(), &mut |_| {
        count += 1;
        if count == 3 {
            return Err(FormerError::Locked);
        }
        Ok(())
    });
    assert!(matches!(end, Err(FormerError::Locked)));
    assert_eq!(count, 3);
}

#[test]
fn a_folder_in_use_is_told_apart() {
    let folder = folder();
    let database = Database::builder(folder.path()).open().unwrap();
    assert!(matches!(read_all(folder.path()), Err(FormerError::Locked)));
    drop(database);
    read_all(folder.path()).unwrap();
}

#[test]
fn other_formats_are_told_apart() {
    for (format, found) in [(b"format\x03", 3), (b"formed\x02", 2)] {
        let folder = folder();
        change(folder.path(), KEYSPACE, |all| {
            all.insert(FORMAT_KEY, format)
        });
        let error = read_all(folder.path()).unwrap_err();
        assert!(matches!(error, FormerError::UnknownFormat(f) if f == found));
    }
    let first = tempfile::tempdir().unwrap();
    change(first.path(), KEYSPACE_OF_FORMAT_1, |all| {
        all.insert(FORMAT_KEY, b"format\x01")
    });
    let error = read_all(first.path()).unwrap_err();
    assert!(matches!(error, FormerError::UnknownFormat(1)), "{error:?}");
}

#[test]
fn a_database_without_a_record_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!is_former(folder.path()));
    drop(Database::builder(folder.path()).open().unwrap());
    assert!(is_former(folder.path()));
    assert_eq!(read_all(folder.path()).unwrap(), (Vec::new(), None));
    change(folder.path(), KEYSPACE, |_| Ok(()));
    assert_eq!(read_all(folder.path()).unwrap(), (Vec::new(), None));
}

#[test]
fn damaged_files_are_an_error_and_no_new_database() {
    let damaged = folder();
    let table = damaged.path().join("keyspaces/1/tables/1");
    let mut bytes = fs::read(&table).unwrap();
    bytes[64] ^= 1;
    fs::write(table, bytes).unwrap();
    let in_part = folder();
    let version = in_part.path().join(VERSION_FILE);
    fs::remove_file(&version).unwrap();
    for folder in [damaged, in_part] {
        assert!(is_former(folder.path()));
        let error = read_all(folder.path()).unwrap_err();
        assert!(matches!(error, FormerError::Database(_)), "{error:?}");
    }
    assert!(!version.exists());
}

/// One record of each table: cut to its first byte, empty, and of a newer version.
#[test]
fn no_record_that_cannot_be_read_is_skipped() {
    let session = |table, number: u8| (table, vec![number; 16]);
    let tables = [
        ((Table::Credentials, vec![3; 32]), "credential"),
        ((Table::Once, vec![61; 32]), "one-time"),
        (session(Table::Receipts, 71), "receipt"),
        (session(Table::Seen, 1), "seen"),
        (session(Table::Sessions, 1), "session"),
        (session(Table::Pending, 4), "delivery"),
        (session(Table::Settled, 5), "delivery"),
    ];
    for ((table, key), what) in tables {
        let place = [&[table as u8], key.as_slice()].concat();
        for damage in 0..3 {
            let folder = folder();
            change(folder.path(), KEYSPACE, |all| {
                let mut record = all.get(&place)?.unwrap().to_vec();
                match damage {
                    0 => record.truncate(1),
                    1 => record.clear(),
                    _ => record[0] = 77,
                }
                all.insert(&*place, record)
            });
            let expected = match damage {
                0 | 1 => RecordError::Damaged(what),
                _ => RecordError::UnknownVersion { what, version: 77 },
            };
            let error = read_all(folder.path()).unwrap_err();
            assert!(
                matches!(error, FormerError::Record(found) if found == expected),
                "{error:?}"
            );
        }
    }
}

#[test]
fn no_key_that_cannot_be_read_is_skipped() {
    let sized = [
        (Table::Credentials, "credential"),
        (Table::Once, "one-time"),
        (Table::Receipts, "receipt"),
        (Table::Sessions, "session"),
        (Table::Pending, "delivery"),
    ];
    let mut keys: Vec<(Vec<u8>, &str)> = vec![
        (b"\x01?key".to_vec(), "agreed"),
        (b"\x01".to_vec(), "agreed"),
        (b"\x01=\xff".to_vec(), "agreed"),
        (vec![Table::Settled as u8 + 1], "table"),
    ];
    keys.extend(sized.map(|(table, what)| (vec![table as u8, 1], what)));
    for (key, what) in keys {
        let folder = folder();
        change(folder.path(), KEYSPACE, |all| all.insert(&*key, []));
        let error = read_all(folder.path()).unwrap_err();
        assert!(
            matches!(error, FormerError::Record(RecordError::Damaged(found)) if found == what),
            "{error:?}"
        );
    }
}
