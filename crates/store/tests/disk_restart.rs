//! What the embedded store promises about its directory: over a restart, and when it cannot be had.
#![cfg(feature = "disk")]

mod sessions;

use std::error::Error as _;
use std::path::Path;

use futures_executor::block_on;
use logout_core::credential::CredentialDigest;
use logout_core::store::{EndTarget, Join, OpenOutcome, SessionStore as _};
use logout_store::{DiskStore, OpenError};
use sessions::{NOW, is_alive, order, session, session_of};

fn open(directory: &Path) -> DiskStore {
    DiskStore::open(directory).expect("the store opens")
}

#[test]
fn everything_that_was_answered_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let code = CredentialDigest::from_bytes([7; 32]);
    let taken = CredentialDigest::from_bytes([8; 32]);
    let later = NOW.plus(std::time::Duration::from_secs(60));
    let store = open(directory.path());
    block_on(async {
        for number in 0..20 {
            assert_eq!(
                store
                    .open(session_of(number, number / 4), Join::Always, NOW)
                    .await,
                Ok(OpenOutcome::Opened)
            );
        }
        assert_eq!(
            store
                .end(order(0, EndTarget::Session(session(0).id)))
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            store
                .end(order(1, EndTarget::Person(session(1).person.unwrap())))
                .await
                .unwrap()
                .len(),
            4
        );
        assert_eq!(
            store.get_or_insert("key", b"value".to_vec()).await,
            Ok(b"value".to_vec())
        );
        for key in [code, taken] {
            assert_eq!(store.put_once(key, b"code".to_vec(), later).await, Ok(true));
        }
        assert_eq!(
            store.take_once(&taken, NOW).await,
            Ok(Some(b"code".to_vec()))
        );
    });
    let receipts = block_on(store.receipts(None, 10)).unwrap();
    assert_eq!(receipts.items.len(), 2);

    let mut store = Some(store);
    for _ in 0..3 {
        drop(store.take());
        let again = store.insert(open(directory.path()));
        for number in 0..20 {
            let ended = number == 0 || number / 4 == 1;
            assert_eq!(
                is_alive(again, &session_of(number, number / 4)),
                !ended,
                "session {number}"
            );
        }
        assert_eq!(block_on(again.receipts(None, 10)).as_ref(), Ok(&receipts));
        assert_eq!(
            block_on(again.get_or_insert("key", b"other".to_vec())),
            Ok(b"value".to_vec())
        );
        assert_eq!(block_on(again.put_once(code, Vec::new(), later)), Ok(false));
        assert_eq!(block_on(again.take_once(&taken, NOW)), Ok(None));
        assert_eq!(
            block_on(again.end(order(9, EndTarget::Session(session(0).id)))),
            Ok(Vec::new())
        );
    }
    assert_eq!(
        block_on(store.unwrap().take_once(&code, NOW)),
        Ok(Some(b"code".to_vec()))
    );
}

#[test]
fn a_directory_in_use_is_refused_with_a_clear_word_and_free_again_after_the_drop() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    let fault = DiskStore::open(directory.path()).unwrap_err();
    assert!(
        matches!(&fault, OpenError::Locked { path } if path == directory.path()),
        "{fault:?}"
    );
    assert!(
        fault.to_string().ends_with("is in use by another process"),
        "{fault}"
    );
    drop(first);
    open(directory.path());
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_with_its_name_and_the_cause() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a file");
    std::fs::write(&file, b"").unwrap();
    for place in [file.clone(), file.join("below")] {
        let fault = DiskStore::open(&place).unwrap_err();
        assert!(
            matches!(&fault, OpenError::NotWritable { path, .. } if *path == place),
            "{fault:?}"
        );
        assert_eq!(
            fault.to_string(),
            format!("cannot write in {}", place.display())
        );
        assert!(fault.source().is_some());
    }
}

#[cfg(unix)]
#[test]
fn a_new_directory_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    open(&directory);
    assert_eq!(
        std::fs::metadata(directory).unwrap().permissions().mode() & 0o777,
        0o700
    );
}
