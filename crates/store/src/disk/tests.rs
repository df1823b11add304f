//! What lies in the folder, and what is read back of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use futures_executor::block_on;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::delivery::{Outcome, Settlement};
use logout_core::outbox::Outbox as _;
use logout_core::receipt::{Reach, Reason, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{EndOrder, EndTarget, Join, Lookup, SessionStore as _};
use logout_core::transfer::{Record, Transfer as _};

use super::*;
use crate::record::tests::session as sample;

const NOW: Timestamp = Timestamp::from_millis(1_000);
const LATER: Timestamp = Timestamp::from_millis(1_000_000);

pub(super) fn session(number: u8) -> Session {
    let credential = |kind: u8| Credential {
        digest: CredentialDigest::from_bytes(
            [[number; 16], [kind; 16]].concat().try_into().unwrap(),
        ),
        expires: LATER,
        csrf_due: false,
    };
    Session {
        id: SessionId::from_bytes([number; 16]),
        credentials: vec![credential(0), credential(1)],
        idle_timeout: None,
        expires: LATER,
        sealed: (number % 2 == 1).then(|| Sealed::new(*b"sealed")),
        ..sample()
    }
}

fn order(number: u8) -> EndOrder {
    EndOrder {
        receipt: ReceiptId::from_bytes([number + 1; 16]),
        at: NOW,
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets: vec![EndTarget::Session(session(number).id)],
        token: None,
    }
}

/// Opens ten sessions; ends six of them, of which three have an upstream; confirms one delivery.
fn filled(path: &Path) -> DiskStore {
    let store = DiskStore::open_with(path, u64::MAX, u64::MAX).unwrap();
    block_on(async {
        for number in 0..10 {
            store
                .open(session(number), Join::Always, NOW)
                .await
                .unwrap();
        }
        for number in 0..6 {
            assert_eq!(store.end(order(number)).await.unwrap().len(), 1);
        }
        let platform = session(0).platform;
        let leased = store.lease(&platform, 1, NOW, LATER).await.unwrap();
        let confirmed = Settlement {
            attempt: None,
            outcome: Outcome::Confirmed { verified: None },
        };
        let [first] = leased.as_slice() else {
            panic!("one delivery is leased")
        };
        let session = first.delivery.session;
        assert!(store.settle(session, first.lease, confirmed).await.unwrap());
        store
            .put_once(session_digest(), b"once".to_vec(), LATER)
            .await
            .unwrap();
        store
            .get_or_insert("name", b"value".to_vec())
            .await
            .unwrap();
        store
            .set_checkpoint(Some(b"checkpoint".to_vec()))
            .await
            .unwrap();
    });
    store
}

fn session_digest() -> CredentialDigest {
    CredentialDigest::from_bytes([99; 32])
}

/// Everything that the store gives out, in an order of its own.
pub(super) fn contents(store: &DiskStore) -> Vec<String> {
    let (mut records, mut from) = (Vec::new(), None);
    loop {
        let part = block_on(store.export(from, 3, NOW)).unwrap();
        records.extend(part.items.iter().map(|record| match record {
            // Its `Debug` does not show what is in it.
            Record::Agreed(agreed) => format!("{agreed:?} {:?}", agreed.value),
            Record::Once(once) => format!("{once:?} {:?}", once.value),
            record => format!("{record:?}"),
        }));
        from = part.next;
        if from.is_none() {
            break;
        }
    }
    records.push(format!("{:?}", block_on(store.checkpoint()).unwrap()));
    records.sort();
    records
}

pub(super) fn keeper(store: &DiskStore) -> Keeper {
    Keeper {
        model: store.model.clone(),
        log: store.journal.log.clone(),
        folder: store.journal.folder.clone(),
        archive: store.journal.archive.clone(),
        journal: u64::MAX,
    }
}

fn files(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A copy of a folder as it lies on the disk at this moment.
fn image(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("image");
    fs::create_dir(&to).unwrap();
    for name in files(path) {
        fs::copy(path.join(&name), to.join(&name)).unwrap();
    }
    (copy, to)
}

#[test]
fn after_a_snapshot_everything_is_there_as_before_and_the_journal_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let before = contents(&store);
    assert_eq!(before.len(), 4 + 12 + 6 + 3 + 3);
    keeper(&store).shorten().unwrap();
    let names = [
        "archive-0000000002",
        "in-use",
        "journal-0000000002",
        "snapshot-0000000002",
    ];
    assert_eq!(files(folder.path()), names);
    assert_eq!(contents(&store), before);
    let receipts = block_on(store.receipts(None, 4)).unwrap();
    assert_eq!(receipts.items.len(), 4);
    assert_eq!(receipts.items[0].id, ReceiptId::from_bytes([6; 16]));
    drop(store);
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(contents(&store), before);
    assert_eq!(block_on(store.end(order(3))), Ok(Vec::new()));
    assert_eq!(block_on(store.end(order(9))).unwrap().len(), 1);
    keeper(&store).shorten().unwrap();
    let after = contents(&store);
    drop(store);
    assert_eq!(contents(&DiskStore::open(folder.path()).unwrap()), after);
}

#[test]
fn whatever_the_keeper_has_come_to_when_the_machine_stops_everything_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let before = contents(&store);
    let (_old, journal) = image(folder.path());
    keeper(&store).shorten().unwrap();
    let (_new, all) = image(folder.path());
    drop(store);
    // The segment was begun, the archive written, the snapshot written, one by one.
    let steps: [&[&str]; 4] = [
        &["journal-0000000002"],
        &["journal-0000000002", "archive-0000000002"],
        &[
            "journal-0000000002",
            "archive-0000000002",
            "snapshot-0000000002",
        ],
        &[
            "journal-0000000002",
            "archive-0000000002.new",
            "snapshot-0000000002.new",
        ],
    ];
    for step in steps {
        let (_copy, image) = image(&journal);
        for name in step {
            let of = name.trim_end_matches(".new");
            fs::copy(all.join(of), image.join(name)).unwrap();
        }
        let store = DiskStore::open(&image).unwrap();
        assert_eq!(contents(&store), before, "{step:?}");
        keeper(&store).shorten().unwrap();
        assert_eq!(contents(&store), before, "{step:?}");
        drop(store);
        assert_eq!(
            contents(&DiskStore::open(&image).unwrap()),
            before,
            "{step:?}"
        );
    }
}

#[test]
fn of_a_journal_that_is_cut_anywhere_all_that_is_whole_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let whole = fs::read(folder.path().join("journal-0000000001")).unwrap();
    let mut seen = 0;
    for length in (0..whole.len()).step_by(41).chain([whole.len()]) {
        let (_copy, image) = image(folder.path());
        let journal = image.join("journal-0000000001");
        fs::write(&journal, &whole[..length]).unwrap();
        let store = DiskStore::open(&image).unwrap();
        let live = |number| {
            let digest = session(number).credentials[1].digest;
            matches!(block_on(store.find(&digest, NOW)), Ok(Lookup::Live(..)))
        };
        let count = (0..10).filter(|number| live(*number)).count();
        let receipts = block_on(store.receipts(None, 100)).unwrap().items.len();
        // Ten are opened one after the other, then six of them ended, each with its receipt.
        let steps = if receipts == 0 { count } else { 10 + receipts };
        assert!(receipts == 0 || count == 10 - receipts, "cut to {length}");
        assert!(steps >= seen, "cut to {length}: {steps} after {seen}");
        seen = steps;
    }
    assert_eq!(seen, 16);
}

#[test]
fn what_is_written_once_more_after_a_failure_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let before = contents(&store);
    drop(store);
    // The second segment has all frames of the first once more.
    let mut again = fs::read(folder.path().join("journal-0000000001")).unwrap();
    let header = Header {
        magic: Files::Segment.magic(),
        number: 2,
        first: 1,
    };
    again[..Header::LENGTH].copy_from_slice(&header.to_bytes());
    fs::write(folder.path().join("journal-0000000002"), again).unwrap();
    assert_eq!(contents(&DiskStore::open(folder.path()).unwrap()), before);
}

#[test]
fn a_missing_part_of_the_journal_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    drop(DiskStore::open(folder.path()).unwrap());
    let first = folder.path().join("journal-0000000001");
    let mut bytes = fs::read(&first).unwrap();
    bytes.truncate(bytes.len() - 1);
    fs::write(&first, bytes).unwrap();
    let error = DiskStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_journal_without_its_beginning_is_damage() {
    for with_snapshot in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        if with_snapshot {
            keeper(&store).shorten().unwrap();
        }
        drop(store);
        drop(DiskStore::open(folder.path()).unwrap());
        let names = files(folder.path());
        let first = names.iter().find(|name| name.starts_with("journal"));
        fs::remove_file(folder.path().join(first.unwrap())).unwrap();
        let error = DiskStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    }
}

#[test]
fn a_format_of_the_future_is_refused_and_left_alone() {
    for name in [
        "journal-0000000002",
        "snapshot-0000000002",
        "archive-0000000002",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        keeper(&store).shorten().unwrap();
        drop(store);
        let path = folder.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[8] = 99;
        fs::write(&path, &bytes).unwrap();
        let names = files(folder.path());
        let error = DiskStore::open(folder.path()).unwrap_err();
        let is_told = matches!(error, OpenError::UnknownFormat { found: 99, .. });
        assert!(is_told, "{name}: {error:?}");
        assert_eq!(files(folder.path()), names);
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_record_of_the_future_is_refused_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let path = folder.path().join("journal-0000000001");
    let mut bytes = fs::read(&path).unwrap();
    let mut newer = Vec::new();
    frame::write(&mut newer, 1_000, &[77]);
    let position = u64::try_from(count_frames(&bytes)).unwrap() + 1;
    newer.clear();
    frame::write(&mut newer, position, &[77]);
    bytes.extend_from_slice(&newer);
    fs::write(&path, bytes).unwrap();
    let error = DiskStore::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("version 77"), "{error}");
}

fn count_frames(segment: &[u8]) -> usize {
    let (mut from, mut content) = (&segment[Header::LENGTH..], Vec::new());
    std::iter::from_fn(|| frame::read(&mut from, &mut content).unwrap()).count()
}

#[test]
fn damage_of_the_archive_is_found_when_it_is_opened_or_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    keeper(&store).shorten().unwrap();
    drop(store);
    let path = folder.path().join("archive-0000000002");
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(31) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let is_found = DiskStore::open(folder.path()).map_or(true, |store| {
            block_on(store.receipts(None, 9)).is_err() || {
                let all = Default::default();
                block_on(store.deliveries(&all, None, 9)).is_err()
            }
        });
        assert!(is_found, "changed at {at}");
    }
}

#[test]
fn old_receipts_are_forgotten_in_the_archive_and_its_files_removed() {
    static NUMBER: AtomicU8 = AtomicU8::new(0);
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open_with(folder.path(), u64::MAX, u64::MAX).unwrap();
    let ended_at = |millis: u64| {
        let number = NUMBER.fetch_add(2, Ordering::Relaxed);
        let at = Timestamp::from_millis(millis);
        let order = EndOrder {
            receipt: ReceiptId::at(at),
            at,
            ..order(number)
        };
        block_on(store.open(session(number), Join::Always, NOW)).unwrap();
        assert_eq!(block_on(store.end(order.clone())).unwrap().len(), 1);
        order.receipt
    };
    let old = ended_at(1_000);
    keeper(&store).shorten().unwrap();
    let (older, newer) = (ended_at(2_000), ended_at(3_000));
    keeper(&store).shorten().unwrap();
    let until = Timestamp::from_millis(2_500);
    block_on(store.sweep(None, 100, NOW, until)).unwrap();
    for (id, is_kept) in [(old, false), (older, false), (newer, true)] {
        assert_eq!(block_on(store.receipt(id)).unwrap().is_some(), is_kept);
    }
    let listed = block_on(store.receipts(None, 9)).unwrap();
    assert_eq!((listed.items.len(), listed.items[0].id), (1, newer));
    let archives = files(folder.path());
    let archives = archives.iter().filter(|name| name.starts_with("archive"));
    assert_eq!(archives.count(), 1);
}
